"""EnD: features of one bias are made orthogonal, those of one label and two biases parallel."""

from __future__ import annotations

import torch
from torch import Tensor

from debias_cl.errors import UsageError
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.pairs import Pairs, known_bias


def end_regulariser(
    features: Tensor, label: Tensor, bias: Tensor, alpha: float = 0.1, beta: float = 0.1
) -> Tensor:
    """Return alpha R_orth + beta R_par over unordered pairs of rows, g_ij their cosine.

    R_orth = sum_b |sum of g over the pairs with bias b| / number of pairs of one bias (blind to
    the label); R_par = 1 - mean of (1 + g) / 2 over the pairs of one label and two biases. Without
    such pairs a term is 0. The order of the rows does not matter. Dense: memory grows with N
    squared.

    Args:
        features: (B, V, d) float of any length.
        label, bias: (B,) int64.
        alpha, beta: at least 0.
    """
    with full_precision(features.device.type):
        pairs = Pairs.of(features, label, bias)
        once = pairs.other.triu()
        aligned = once & pairs.same_bias
        of_row = (pairs.cosine * aligned).sum(1)  # each aligned pair belongs to one bias
        row_bias = bias.repeat_interleave(features.shape[1])
        codes, place = torch.unique(row_bias, return_inverse=True)
        of_bias = of_row.new_zeros(len(codes)).index_add(0, place, of_row)
        orthogonal = of_bias.abs().sum() / aligned.sum().clamp(min=1)
        conflicting = once & pairs.same_label & ~pairs.same_bias
        apart = ((1 - pairs.cosine) / 2 * conflicting).sum() / conflicting.sum().clamp(min=1)
        return alpha * orthogonal + beta * apart


class EnD(CrossEntropy):
    """Cross-entropy + EnD's regulariser on the features, over all views.

    Args:
        context: sizes; options `alpha` (orthogonal term), `beta` (parallel term), at least 0.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        self.alpha, self.beta = context.options["alpha"], context.options["beta"]
        if not all(0 <= value < float("inf") for value in (self.alpha, self.beta)):
            raise UsageError(
                f"alpha is {self.alpha}, beta is {self.beta}", expected="numbers of at least 0"
            )
        self._parts: list[Tensor] = []

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss: features (B, V, D)."""
        bias = known_bias(targets)
        regulariser = end_regulariser(features, targets.label, bias, self.alpha, self.beta)
        self._parts.append(regulariser.detach())
        return super().forward(features, targets) + regulariser

    def diagnostics(self) -> dict[str, float]:
        """Return the mean of the regulariser."""
        parts, self._parts = self._parts, []
        return {"regulariser": float(torch.stack(parts).mean())} if parts else {}


SPEC = ObjectiveSpec(
    title="EnD",
    family="debiasing, bias label used",
    source=(
        "Tartaglione, Barbano and Grangetto, 'EnD: entangling and disentangling deep "
        "representations for bias correction', CVPR 2021, arXiv 2103.02023; code followed: "
        "EIDOSLAB/entangling-disentangling-bias commit b095648, src/EnD.py `abs_regu`, alpha and "
        "beta 0.1. Deviation: the parallel term counts all pairs of one label and two biases (in "
        "the code those whose later row has the smaller bias code, none in a batch sorted by "
        "bias), and is on the features of the run's encoder (no tanh)"
    ),
    uses=(),
    build=EnD,
    needs_bias=True,
    options={"alpha": 0.1, "beta": 0.1},
)
