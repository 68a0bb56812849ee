"""N-pairs loss: one pair of each label, against the other labels' pairs."""

from __future__ import annotations

from debias_cl.losses.baselines import LabelledRows
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec


def build(context: ObjectiveContext) -> LabelledRows:
    """Build pytorch-metric-learning's N-pairs loss over all views as rows.

    For each label with at least two rows, its first two rows are a pair (a_l, p_l):
    loss = mean_l { -a_l . p_l + log sum_m exp a_l . p_m }. The first views stand before the second
    ones, so that the two rows are different images where the label has two. All other rows
    get no gradient. No label with two rows, or one such label alone: 0.
    """
    from pytorch_metric_learning.distances import DotProductSimilarity
    from pytorch_metric_learning.losses import NPairsLoss

    unit = bool(context.options["normalise"])
    return LabelledRows(
        context, NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=unit))
    )


SPEC = ObjectiveSpec(
    title="N-pairs",
    family="supervised contrastive",
    source=(
        "Sohn, 'Improved deep metric learning with multi-class N-pair loss objective', NeurIPS "
        "2016, equation 6; pytorch-metric-learning 2.9.0 `NPairsLoss`. Deviations, the library's: "
        "rows are normalised (option `normalise`), so that all logits lie in [-1, 1]; no penalty "
        "of the norms"
    ),
    uses=("projection",),
    build=build,
    options={"normalise": True},
    extra="baselines",
)
