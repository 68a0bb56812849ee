"""BYOL: each view's prediction of what a slowly following second network makes of another view."""

from __future__ import annotations

import itertools
import math

from torch import Tensor, nn

from debias_cl.losses.baselines import MomentumNetwork, ViewPairs, each_view, mlp, over_pairs
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets


class BYOL(ViewPairs):
    """Negative cosine of predictions and the second network's projections, over ordered pairs.

    With two views: (D(p_0, z'_1) + D(p_1, z'_0)) / 2, D(p, z) = -mean_i cos(p_i, z_i); z' comes
    from an encoder and head whose weights are a moving average of the trained ones. The paper's
    loss is 4 + 4 times this. One view or one image: 0.

    Args:
        context: `projection` gives the widths of the head; option `predictor` the hidden width of
            the predictor, 0 being the head's; option `momentum` the average's at the start.
    """

    needs_views = True

    def __init__(self, context: ObjectiveContext) -> None:
        from lightly.loss import NegativeCosineSimilarity

        super().__init__()
        widths = (context.feature_dim, *context.config.projection)
        hidden, d = context.options["predictor"] or widths[-2:][0], widths[-1]
        self.head = mlp(widths)
        self.predictor = mlp((d, hidden, d))
        self.target = MomentumNetwork(context, self.head, context.options["momentum"])
        self.loss: nn.Module = NegativeCosineSimilarity()
        self._done = 0.0

    def compare(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features and of `targets.views`."""
        assert targets.views is not None
        p = each_view(self.predictor, each_view(self.head, features))
        pairs = itertools.permutations(range(p.shape[1]), 2)
        return over_pairs(self.loss, p, self.target(targets.views), pairs)

    def begin(self, encoder: nn.Module) -> None:
        """Let the second network start as the first."""
        self.target.copy(encoder, self.head)

    def set_progress(self, done: float) -> None:
        """Note the share of all steps that is done: the momentum grows with it."""
        self._done = done

    def after_step(self, encoder: nn.Module) -> None:
        """Follow: the momentum rises to 1 along a half cosine, as in the paper."""
        rest = (1 - self.target.momentum) * (math.cos(math.pi * self._done) + 1) / 2
        self.target.follow(encoder, self.head, 1 - rest)


SPEC = ObjectiveSpec(
    title="BYOL",
    family="self-supervised",
    source=(
        "Grill et al., 'Bootstrap your own latent', NeurIPS 2020, arXiv 2006.07733, equations 1 "
        "and 2, momentum as in section 3.2; lightly 1.6.0 `NegativeCosineSimilarity`, "
        "`update_momentum` and the layers of its BYOL heads. Deviations: the widths of the run, "
        "not 4,096 and 256; the encoders' batch norm sees all views together"
    ),
    uses=("projection",),
    build=BYOL,
    needs_label=False,
    options={"predictor": 0, "momentum": 0.996},
    extra="baselines",
)
