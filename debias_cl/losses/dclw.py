"""DCLW: decoupled self contrast whose positives weigh more the less alike they are."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from debias_cl.losses.baselines import PairLoss
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, ProjectionHead
from debias_cl.losses.family import positive


def fisher_weights(first: Tensor, second: Tensor, sigma: float) -> Tensor:
    """Return (B,) negative von Mises-Fisher weights 2 - B softmax_i(z_i . z'_i / sigma).

    Args:
        first, second: (B, d) unit rows; no gradient flows through the weights.
        sigma: above 0; the smaller, the more the weights differ. Weights may be negative.
    """
    alike = (first.detach() * second.detach()).sum(1) / sigma
    return 2 - len(first) * alike.softmax(0)


def build(context: ObjectiveContext) -> PairLoss:
    """Build lightly's decoupled loss, with its weights, on the projection head of the family.

    With more than two views, the mean over all pairs of views. One view or one image: 0.
    """
    from lightly.loss import DCLLoss

    positive("sigma", context.options["sigma"])
    positive("temperature", context.config.temperature)
    weights = partial(fisher_weights, sigma=context.options["sigma"])
    head = ProjectionHead(context.feature_dim, context.config.projection)
    return PairLoss(head, DCLLoss(context.config.temperature, weights))


SPEC = ObjectiveSpec(
    title="DCLW",
    family="self-supervised",
    source=(
        "Yeh et al., 'Decoupled contrastive learning', ECCV 2022, arXiv 2110.06848, equation 6 "
        "with negative von Mises-Fisher weights; lightly 1.6.0 `DCLLoss`, the weights as in its "
        "`DCLWLoss` (which copies them in a way that torch warns of). No base temperature. "
        "Deviation: the family's head, without batch norm"
    ),
    uses=("temperature", "projection"),
    build=build,
    needs_label=False,
    options={"sigma": 0.5},
    extra="baselines",
)
