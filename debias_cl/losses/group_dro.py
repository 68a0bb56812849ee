"""GroupDRO: cells of label and bias whose loss is high weigh more and more."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.baselines import wide
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.family import positive
from debias_cl.losses.pairs import known_bias


class GroupDROLoss(nn.Module):
    """sum_g q_g L_g, with q_g <- q_g exp(step L_g), then q / sum q, moved before the loss is taken.

    L_g: mean loss of the batch's rows of group g; 0 where it has none, so an absent group's weight
    shrinks. q is held constant in the gradient, begins uniform and is kept (as its logarithm) in a
    buffer. The size adjustment adds C_g / sqrt(n_g) to L_g, only if all C_g > 0; the value then
    contains it, the gradient does not. A group without training rows has no adjustment.

    Args:
        counts: (G,) training rows of each group.
        step_size: above 0; 0.01 in the authors' code.
        adjustment: C of all groups, or (G,) one for each.
        normalise: whether the adjusted losses are divided by their sum before q moves.

    Source: Sagawa et al., ICLR 2020; kohpangwei/group_DRO cbbc1c5 loss.py `LossComputer`.
    """

    log_weights: Tensor
    sizes: Tensor

    def __init__(
        self,
        counts: Tensor,
        step_size: float = 0.01,
        adjustment: float | Tensor = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        positive("step_size", step_size)
        self.step_size, self.normalise = step_size, normalise
        c = torch.as_tensor(adjustment, dtype=torch.float64).expand(len(counts))
        if (c < 0).any() or not c.isfinite().all():
            raise UsageError(f"adjustment is {adjustment}", expected="numbers of at least 0")
        added = c / counts.double().clamp(min=1).sqrt() if (c > 0).all() else torch.zeros_like(c)
        dtype = torch.get_default_dtype()
        self.register_buffer("sizes", added.masked_fill(counts == 0, 0).to(dtype), persistent=False)
        self.register_buffer("log_weights", torch.zeros(len(counts), dtype=dtype).log_softmax(0))

    def forward(self, losses: Tensor, group: Tensor, move: bool = True) -> Tensor:
        """Return the scalar loss.

        Args:
            losses: (n,) float, loss of each row.
            group: (n,) int64, below G.
            move: whether the weights move.
        """
        zeros = losses.new_zeros(len(self.sizes))
        rows = torch.bincount(group, minlength=len(zeros)).clamp(min=1)
        of_group = zeros.index_add(0, group, losses) / rows + self.sizes.to(losses.dtype)
        if move:
            self._move(of_group.detach())
        return (self.log_weights.exp().to(losses.dtype) * of_group).sum()

    @torch.no_grad()
    def _move(self, of_group: Tensor) -> None:
        if self.normalise:
            of_group = of_group / of_group.sum().clamp(min=torch.finfo(of_group.dtype).tiny)
        logs = self.log_weights + self.step_size * of_group.to(self.log_weights.dtype)
        self.log_weights.copy_(logs.log_softmax(0))


class GroupDRO(CrossEntropy):
    """GroupDRO's cross-entropy of a linear classifier; a group is a cell of label and bias.

    The weights move once a step, however often the loss of the step is asked for. They are saved
    with the heads.

    Args:
        context: `cell_counts`; options `step_size`, `adjustment`, `normalise` (`GroupDROLoss`).
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        if context.cell_counts is None:
            raise UsageError("GroupDRO has no training counts of label and bias")
        options, counts = context.options, context.cell_counts
        self.levels = counts.shape[1]
        self.loss = GroupDROLoss(
            counts.flatten(), options["step_size"], options["adjustment"], options["normalise"]
        )
        self._due = True

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss: features (B, V, D), float32 at least inside."""
        views = features.shape[1]
        logits = wide(self.predict(features.flatten(0, 1)))  # (B V, K)
        group = targets.label * self.levels + known_bias(targets)
        with full_precision(features.device.type):
            label = targets.label.repeat_interleave(views)
            losses = F.cross_entropy(logits, label, reduction="none")
            move, self._due = self._due and self.training, False
            loss: Tensor = self.loss(losses, group.repeat_interleave(views), move)
            return loss

    def after_step(self, encoder: nn.Module) -> None:
        """Let the weights move with the next batch."""
        self._due = True

    def diagnostics(self) -> dict[str, float]:
        """Return the largest and smallest weight of a group."""
        weights = self.loss.log_weights.exp()
        return {
            "largest_group_weight": float(weights.max()),
            "smallest_group_weight": float(weights.min()),
        }


SPEC = ObjectiveSpec(
    title="GroupDRO",
    family="debiasing, bias label used",
    source=(
        "Sagawa et al., 'Distributionally robust neural networks for group shifts', ICLR 2020, "
        "arXiv 1911.08731, algorithm 1; code followed: kohpangwei/group_DRO commit cbbc1c5, "
        "loss.py `LossComputer`, step size 0.01. Deviation: without the greedy variant (`btl`); "
        "the paper's strong weight decay and early stopping are the run's settings, and batches "
        "are not drawn in equal shares of the groups"
    ),
    uses=(),
    build=GroupDRO,
    needs_bias=True,
    options={"step_size": 0.01, "adjustment": 0.0, "normalise": False},
)
