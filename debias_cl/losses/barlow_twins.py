"""Barlow Twins: the cross-correlation of two views' components is pulled to the identity."""

from __future__ import annotations

from debias_cl.losses.baselines import PairLoss, mlp
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec


def build(context: ObjectiveContext) -> PairLoss:
    """Build lightly's loss on a head with batch norm.

    With c the (d, d) correlation of the components of two views over the batch:
    loss = sum_k (c_kk - 1)^2 + redundancy sum_{k != l} c_kl^2, a sum that grows with d. With more
    than two views, the mean over all pairs of views. One view or one image: 0. A component that is
    constant over the batch correlates with nothing (c = 0).
    """
    from lightly.loss import BarlowTwinsLoss

    head = mlp((context.feature_dim, *context.config.projection))
    return PairLoss(head, BarlowTwinsLoss(lambda_param=context.options["redundancy"]))


SPEC = ObjectiveSpec(
    title="Barlow Twins",
    family="self-supervised",
    source=(
        "Zbontar et al., 'Barlow Twins: self-supervised learning via redundancy reduction', ICML "
        "2021, arXiv 2103.03230, equation 1; lightly 1.6.0 `BarlowTwinsLoss`. Deviation: the "
        "head's widths are those of the run, not 8,192 three times"
    ),
    uses=("projection",),
    build=build,
    needs_label=False,
    options={"redundancy": 0.005},
    extra="baselines",
)
