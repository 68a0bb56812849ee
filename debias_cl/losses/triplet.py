"""Triplet loss: same label nearer than another label, by a margin."""

from __future__ import annotations

from debias_cl.errors import UsageError
from debias_cl.losses.baselines import LabelledRows
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec


def build(context: ObjectiveContext) -> LabelledRows:
    """Build pytorch-metric-learning's triplet loss over all views as rows.

    With |.| the distance of unit rows: max(0, |a - p| - |a - n| + margin), averaged over the
    triplets of the batch whose value is above 0; 0 where there is none, as with one label.

    All triplets of N rows take memory that grows with N^3: at 1,024 rows and more, set
    `triplets_per_anchor` (drawn at random; 0 is all).
    """
    from pytorch_metric_learning.losses import TripletMarginLoss

    margin, each = context.options["margin"], context.options["triplets_per_anchor"]
    if each < 0:
        raise UsageError(f"triplets_per_anchor is {each}", expected="a number, or 0 for all")
    return LabelledRows(context, TripletMarginLoss(margin, triplets_per_anchor=each or "all"))


SPEC = ObjectiveSpec(
    title="triplet",
    family="supervised contrastive",
    source=(
        "Schroff et al., 'FaceNet: a unified embedding for face recognition and clustering', CVPR "
        "2015, arXiv 1503.03832, equation 3; pytorch-metric-learning 2.9.0 `TripletMarginLoss`. "
        "Deviations, the library's: distances are not squared; all triplets of the batch, no "
        "mining; the mean leaves out triplets that are in order; margin 0.05, not 0.2"
    ),
    uses=("projection",),
    build=build,
    options={"margin": 0.05, "triplets_per_anchor": 0},
    extra="baselines",
)
