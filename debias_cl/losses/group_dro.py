"""GroupDRO: the worst label x bias group counts most, by weights that follow the losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.family import not_negative, positive
from debias_cl.losses.groups import known_bias


class GroupDROLoss(nn.Module):
    """Group distributionally robust loss: sum_g q_g L_g, q held constant in the gradient.

    L_g is the mean cross-entropy of a batch's rows of group g, 0 where it has none. In training
    the weights move BEFORE the loss of the same batch: q_g <- q_g exp(step_size L_g), then q is
    scaled to sum to 1. So a group that a batch lacks loses weight against the others. Groups begin
    with equal weights; one without training pictures has weight 0 for good. In evaluation the
    weights stand still.

    Args:
        group_counts: (G,) training counts of the groups, not all 0.
        step_size: above 0; 0.01 in the authors' code.
        adjustment: C >= 0; above 0, L_g is replaced by L_g + C / sqrt(n_g), n_g the group's
            training count, in the weights and in the value (where it is a constant).
        normalise: whether the weights move by L_g / sum L instead of L_g.

    Source: Sagawa et al., 'Distributionally robust neural networks for group shifts', ICLR 2020,
    arXiv 1911.08731, algorithm 1; kohpangwei/group_DRO cbbc1c5 loss.py `LossComputer`. Deviations:
    one adjustment for all groups (theirs may differ by group and act only if all are above 0); no
    greedy CVaR variant (their `btl`).
    """

    counts: Tensor
    log_weights: Tensor

    def __init__(
        self,
        group_counts: Tensor,
        step_size: float = 0.01,
        adjustment: float = 0.0,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        positive("step_size", step_size)
        not_negative("adjustment", adjustment)
        self.step_size, self.adjustment, self.normalise = step_size, adjustment, normalise
        counts = group_counts.to(torch.int64)
        self.register_buffer("counts", counts, persistent=False)
        start = torch.zeros(len(counts)).masked_fill(counts == 0, -torch.inf)
        self.register_buffer("log_weights", start.log_softmax(0))

    @property
    def weights(self) -> Tensor:
        """(G,) weights q; they sum to 1."""
        return self.log_weights.softmax(0)

    def group_losses(self, logits: Tensor, label: Tensor, group: Tensor) -> Tensor:
        """Return (G,) mean cross-entropies of the groups' rows; 0 where there is none."""
        member = F.one_hot(group, len(self.counts)).to(logits.dtype)
        each = F.cross_entropy(logits, label, reduction="none")
        # element by element, because autocast would lower a product's precision
        return (member * each[:, None]).sum(0) / member.sum(0).clamp(min=1)

    def forward(self, logits: Tensor, label: Tensor, group: Tensor) -> Tensor:
        """Return the loss: logits (n, K) float, label and group (n,) int64."""
        losses = self.group_losses(logits, label, group)
        if self.adjustment > 0:
            margin = self.adjustment / self.counts.clamp(min=1).to(losses.dtype).sqrt()
            losses = losses + margin
        if self.training:
            self._move(losses.detach())
        return (self.weights.to(losses.dtype) * losses).sum()

    def _move(self, losses: Tensor) -> None:
        if self.normalise:
            total = losses.masked_fill(self.counts == 0, 0.0).sum()
            losses = losses / total.clamp(min=torch.finfo(losses.dtype).tiny)
        self.log_weights.copy_((self.log_weights + self.step_size * losses).log_softmax(0))


class GroupDRO(CrossEntropy):
    """A linear classifier under `GroupDROLoss`; groups are the label x bias cells.

    The rows are all views of all images.

    Args:
        context: sizes and training counts; options `step_size`, `adjustment`, `normalise`.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        if context.cell_counts is None:
            raise UsageError("GroupDRO needs the training counts of label x bias cells")
        self.levels = context.bias_levels
        self.loss = GroupDROLoss(context.cell_counts.flatten(), **context.options)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the weighted loss; in training the weights move first: features (B, V, D)."""
        logits, label = self.rows(features, targets.label)
        bias = known_bias(targets).repeat_interleave(features.shape[1])
        loss: Tensor = self.loss(logits, label, label * self.levels + bias)
        return loss

    def diagnostics(self) -> dict[str, float]:
        """Return the largest and the smallest weight of the groups as they now stand."""
        weights = self.loss.weights[self.loss.counts > 0]
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
        "loss.py `LossComputer`, step size 0.01, size adjustment off. Deviations: groups without "
        "a training picture have weight 0; one adjustment for all groups; no greedy CVaR variant; "
        "plain shuffling (their scripts may draw groups equally: fit.sampling=group_balanced)"
    ),
    uses=(),
    build=GroupDRO,
    needs_bias=True,
    options={"step_size": 0.01, "adjustment": 0.0, "normalise": False},
)
