"""VICReg: views agree, each component varies, and components do not covary."""

from __future__ import annotations

from debias_cl.losses.baselines import PairLoss, mlp
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec


def build(context: ObjectiveContext) -> PairLoss:
    """Build lightly's loss on a head with batch norm.

    loss = invariance mean (x - x')^2 + variance (1/2) sum over both views of
    mean_k max(0, 1 - sqrt(var_k + 1e-4)) + covariance sum over both views of
    (1/d) sum_{k != l} cov_kl^2. With more than two views, the mean over all pairs of views. One
    view or one image: 0.
    """
    from lightly.loss import VICRegLoss

    weights = context.options
    loss = VICRegLoss(weights["invariance"], weights["variance"], weights["covariance"])
    return PairLoss(mlp((context.feature_dim, *context.config.projection)), loss)


SPEC = ObjectiveSpec(
    title="VICReg",
    family="self-supervised",
    source=(
        "Bardes et al., 'VICReg: variance-invariance-covariance regularization for self-supervised "
        "learning', ICLR 2022, arXiv 2105.04906, equation 6; lightly 1.6.0 `VICRegLoss`, which "
        "halves the variance term as the authors' code does. Deviation: the head's widths are "
        "those of the run, not 8,192 three times"
    ),
    uses=("projection",),
    build=build,
    needs_label=False,
    options={"invariance": 25.0, "variance": 25.0, "covariance": 1.0},
    extra="baselines",
)
