"""EnD: features of one bias are spread out, those of one label and different bias are aligned."""

from __future__ import annotations

from torch import Tensor

from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.family import not_negative
from debias_cl.losses.groups import cells, known_bias, members


def end_terms(features: Tensor, label: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return EnD's two regularisers of rows f, which are normalised; g_ij = f_i . f_j.

    R_orth = sum_b |sum of g over the pairs of rows with bias b| / number of pairs with equal bias.
    It does not look at labels, and takes the absolute value of a level's sum, not of each pair.
    R_par = 1 - mean of (1 + g) / 2 over the pairs of rows with equal label and different bias.
    A pair is unordered and of two rows. Without a pair the regulariser is 0.

    Args:
        features: (n, d) float of any norm.
        label, bias: (n,) int64.

    Returns:
        two scalars, R_orth >= 0 and R_par in [0, 1].

    Source: Tartaglione et al., 'EnD: entangling and disentangling deep representations for bias
    correction', CVPR 2021, arXiv 2103.02023; EIDOSLAB/entangling-disentangling-bias b095648
    src/EnD.py `abs_regu`. Deviation: R_par of the code counts a pair only if its later row has the
    smaller bias code, about half of the pairs, and none in a batch sorted by bias; here all count.
    Sums over pairs come from sums over rows, 2 sum_{i<j} f_i . f_j = |sum f|^2 - sum |f|^2.
    """
    with full_precision(features.device.type):
        z, _ = unit_rows(features)
        of_bias, n_of_bias = _pairs(z, bias)
        of_label, n_of_label = _pairs(z, label)
        of_cell, n_of_cell = _pairs(z, cells(label, bias))
        orthogonal = of_bias.abs().sum() / n_of_bias.clamp(min=1)
        number = n_of_label - n_of_cell
        mean = (of_label.sum() - of_cell.sum()) / number.clamp(min=1)
        return orthogonal, (1 - (1 + mean) / 2).masked_fill(number == 0, 0.0)


def _pairs(z: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of g over the pairs within each group, and the number of all such pairs."""
    group = members(code, z.dtype)
    n = group.sum(0)
    alone = group.T @ z.square().sum(1)
    return ((group.T @ z).square().sum(1) - alone) / 2, (n * (n - 1)).sum() / 2


class EnD(CrossEntropy):
    """Cross-entropy of a linear classifier + `alpha` R_orth + `beta` R_par of the features.

    The regularisers are those of each view's batch of images, averaged over the views: two views
    of one picture are never a pair.

    Args:
        context: sizes; options `alpha`, `beta`.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        self.alpha, self.beta = (float(context.options[name]) for name in ("alpha", "beta"))
        for name, weight in (("alpha", self.alpha), ("beta", self.beta)):
            not_negative(name, weight)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the sum: features (B, V, D)."""
        bias, loss = known_bias(targets), super().forward(features, targets)
        for view in features.unbind(1):
            orthogonal, parallel = end_terms(view, targets.label, bias)
            part = self.alpha * orthogonal + self.beta * parallel
            loss = loss + part / features.shape[1]
        return loss


SPEC = ObjectiveSpec(
    title="EnD",
    family="debiasing, bias label used",
    source=(
        "Tartaglione et al., 'EnD: entangling and disentangling deep representations for bias "
        "correction', CVPR 2021, arXiv 2103.02023; code followed: "
        "EIDOSLAB/entangling-disentangling-bias commit b095648, src/EnD.py `abs_regu`, with alpha "
        "and beta 0.1. Deviations: all pairs of one label and different bias count, whatever the "
        "order of the rows; with several views the mean over views; no tanh before the pooling"
    ),
    uses=(),
    build=EnD,
    needs_bias=True,
    options={"alpha": 0.1, "beta": 0.1},
)
