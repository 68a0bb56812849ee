"""BiasBal: cross-entropy with the logits shifted by how common each label is given the bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.family import positive
from debias_cl.losses.groups import known_bias


class BiasBalLoss(nn.Module):
    """Bias-balanced cross-entropy: mean_i CE(logits_i + log(p(. | b_i) + floor), y_i).

    p(y | b) is the share of label y among the training pictures with bias level b. A cell without
    a picture has p = 0 and gets log(floor), -20.7 by default. A bias level without any picture
    says nothing of its labels: its logits are not shifted. The caller's logits are left alone.
    Counts are those of the training set: with group-balanced sampling, which already evens out the
    labels, the shift would correct a second time.

    Args:
        cell_counts: (K, L) training counts, label by bias level.
        floor: above 0, added to every p so that an empty cell stays finite.

    Source: Hong and Yang, 'Unbiased classification through bias-contrastive and bias-balanced
    learning', NeurIPS 2021; grayhong/bias-contrastive-learning 35562b6 debias/losses/bbloss.py
    (they change the caller's logits in place).
    """

    counts: Tensor

    def __init__(self, cell_counts: Tensor, floor: float = 1e-9) -> None:
        super().__init__()
        positive("floor", floor)
        self.floor = floor
        # integers, so that the logarithm is taken in the precision of the logits
        self.register_buffer("counts", cell_counts.to(torch.int64), persistent=False)

    def forward(self, logits: Tensor, label: Tensor, bias: Tensor) -> Tensor:
        """Return the mean loss: logits (n, K) float, label and bias (n,) int64."""
        return F.cross_entropy(logits + self.shifts(logits.dtype)[bias], label)

    def shifts(self, dtype: torch.dtype) -> Tensor:
        """Return the (L, K) numbers that are added to the logits, by bias level."""
        counts = self.counts.T.to(dtype)
        of_bias = counts.sum(1, keepdim=True)
        shifts = (counts / of_bias.clamp(min=1) + self.floor).log()
        return shifts.masked_fill(of_bias == 0, 0.0)


class BiasBal(CrossEntropy):
    """A linear classifier under `BiasBalLoss`; it predicts with its plain logits.

    Args:
        context: sizes and training counts.
        floor: see `BiasBalLoss`.
    """

    def __init__(self, context: ObjectiveContext, floor: float = 1e-9) -> None:
        super().__init__(context)
        if context.cell_counts is None:
            raise UsageError("BiasBal needs the training counts of label x bias cells")
        self.loss = BiasBalLoss(context.cell_counts, floor)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the mean loss over all views: features (B, V, D)."""
        logits, label = self.rows(features, targets.label)
        bias = known_bias(targets).repeat_interleave(features.shape[1])
        loss: Tensor = self.loss(logits, label, bias)
        return loss


SOURCE = (
    "Hong and Yang, 'Unbiased classification through bias-contrastive and bias-balanced learning', "
    "NeurIPS 2021; code followed: grayhong/bias-contrastive-learning commit 35562b6"
)

SPEC = ObjectiveSpec(
    title="BiasBal",
    family="debiasing, bias label used",
    source=(
        f"{SOURCE}, debias/losses/bbloss.py, with its 1e-9 for empty cells. Deviations: the "
        "logits are not changed in place, so training accuracy is that of the plain ones; mean "
        "over all views; a bias level without any picture does not shift"
    ),
    uses=(),
    build=lambda context: BiasBal(context, context.options["floor"]),
    needs_bias=True,
    options={"floor": 1e-9},
)
