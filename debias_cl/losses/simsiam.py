"""SimSiam: each view's prediction of another view's projection, which gets no gradient."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from debias_cl.losses.baselines import ViewPairs, each_view, mlp, over_pairs
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets


class SimSiam(ViewPairs):
    """Negative cosine of predictions and projections, mean over ordered pairs of views.

    With two views: (D(p_0, z_1) + D(p_1, z_0)) / 2, D(p, z) = -mean_i cos(p_i, z_i), z without
    gradient. -1 is full agreement, collapse included. One view or one image: 0.

    Args:
        context: `projection` gives the widths of the head; option `predictor` the hidden width of
            the predictor, 0 being a quarter of the projections' width, as in the paper.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        from lightly.loss import NegativeCosineSimilarity

        super().__init__()
        widths = (context.feature_dim, *context.config.projection)
        d = widths[-1]
        hidden = context.options["predictor"] or max(d // 4, 1)
        self.head = mlp(widths, nn.BatchNorm1d(d, affine=False))
        self.predictor = mlp((d, hidden, d))
        self.loss: nn.Module = NegativeCosineSimilarity()

    def compare(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features."""
        z = each_view(self.head, features)
        p = each_view(self.predictor, z)
        pairs = itertools.permutations(range(z.shape[1]), 2)
        return over_pairs(self.loss, p, z.detach(), pairs)


SPEC = ObjectiveSpec(
    title="SimSiam",
    family="self-supervised",
    source=(
        "Chen and He, 'Exploring simple Siamese representation learning', CVPR 2021, arXiv "
        "2011.10566, equations 1 to 4; lightly 1.6.0 `NegativeCosineSimilarity` and the layers of "
        "its SimSiam heads. Deviations: the widths of the run, not 2,048; the predictor's learning "
        "rate follows the schedule too"
    ),
    uses=("projection",),
    build=SimSiam,
    needs_label=False,
    options={"predictor": 0},
    extra="baselines",
)
