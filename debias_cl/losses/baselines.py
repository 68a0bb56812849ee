"""What the adapters of other libraries' objectives share: pairs of views, heads, a second network.

The libraries are imported when an objective is built, never before (extra `baselines`).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from debias_cl.losses.classes import full_precision, wide
from debias_cl.losses.contract import (
    ObjectiveContext,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.family import fraction

Pairs = Iterable[tuple[int, int]]


class ViewPairs(TrainingObjective):
    """Base of the objectives that compare the views of each image; labels are not looked at.

    All is computed in float32 at least, also under autocast. A batch in which nothing can be
    compared (one view, or fewer images than `least`) has loss 0 and gradient 0;
    `diagnostics()` says how many there were.
    """

    least = 2
    """Images below which the loss is not defined: batch norm and variances need two."""

    def __init__(self) -> None:
        super().__init__()
        self._without = 0

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features."""
        with full_precision(features.device.type):
            features = wide(features)
            if features.shape[1] < 2 or len(features) < self.least:
                self._without += 1
                return features.sum() * 0.0
            return self.compare(features, targets)

    def compare(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) float32 features; B >= `least`, V >= 2."""
        raise NotImplementedError

    def diagnostics(self) -> dict[str, float]:
        """Return how many batches had nothing to compare, where there were any."""
        count, self._without = self._without, 0
        return {"batches_without_pairs": float(count)} if count else {}


class PairLoss(ViewPairs):
    """A head and a loss of two views that does not mind their order; its mean over all pairs.

    Args:
        head: (B, D) features of one view -> (B, d) projections.
        loss: called as `loss((B, d), (B, d))`.
    """

    def __init__(self, head: nn.Module, loss: nn.Module) -> None:
        super().__init__()
        self.head, self.loss = head, loss

    def compare(self, features: Tensor, targets: Targets) -> Tensor:
        """Project each view and compare all pairs."""
        z = each_view(self.head, features)
        return over_pairs(self.loss, z, z, itertools.combinations(range(z.shape[1]), 2))


def over_pairs(
    loss: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor, pairs: Pairs
) -> Tensor:
    """Return the mean of `loss(first[:, a], second[:, b])` over pairs (a, b) of views.

    Args:
        loss: of two (B, d) tensors.
        first, second: (B, V, d).
        pairs: numbers of views.
    """
    return torch.stack([loss(first[:, a], second[:, b]) for a, b in pairs]).mean()


def each_view(head: nn.Module, features: Tensor) -> Tensor:
    """Return (B, V, d) projections of (B, V, D) features; batch norm sees one view at a time."""
    return torch.stack([head(view) for view in features.unbind(1)], dim=1)


def mlp(widths: Sequence[int], last: nn.Module | None = None) -> nn.Module:
    """Return a head of lightly's kind: Linear, batch norm, ReLU, ..., Linear.

    Args:
        widths: input, hidden ..., output; one width alone is no layer at all.
        last: what follows the last linear layer; None is nothing.
    """
    from lightly.models.modules.heads import ProjectionHead as Blocks

    blocks: list[tuple[int, int, nn.Module | None, nn.Module | None]] = [
        (a, b, nn.BatchNorm1d(b), nn.ReLU()) for a, b in itertools.pairwise(widths)
    ]
    if blocks:
        blocks[-1] = (*blocks[-1][:2], last, None)
    head: nn.Module = Blocks(blocks)
    return head


class MomentumNetwork(nn.Module):
    """A second encoder and head that follow the first ones: they are never trained themselves.

    Its batch norms keep running statistics of their own; only parameters are averaged. It runs in
    float32, also where the first encoder runs under autocast.

    Args:
        context: builds the encoder.
        head: the head to follow.
        momentum: share of the old weights that a step keeps, in [0, 1].
    """

    def __init__(self, context: ObjectiveContext, head: nn.Module, momentum: float) -> None:
        super().__init__()
        fraction("momentum", momentum)
        self.momentum = momentum
        self.encoder, self.head = context.second_encoder(), copy.deepcopy(head)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, views: Tensor) -> Tensor:
        """Return (B, V, d) projections of (B, V, 3, H, W) views, without a graph."""
        features = wide(self.encoder(views.flatten(0, 1)))
        return each_view(self.head, features.reshape(*views.shape[:2], -1))

    def copy(self, encoder: nn.Module, head: nn.Module) -> None:
        """Take over all weights and statistics of the first network."""
        self.encoder.load_state_dict(encoder.state_dict())
        self.head.load_state_dict(head.state_dict())

    def follow(self, encoder: nn.Module, head: nn.Module, momentum: float | None = None) -> None:
        """Set each parameter to momentum x itself + (1 - momentum) x the first network's."""
        from lightly.models.utils import update_momentum

        share = self.momentum if momentum is None else momentum
        for model, twin in ((encoder, self.encoder), (head, self.head)):
            if any(True for _ in twin.parameters()):
                update_momentum(model, twin, share)


class LabelledRows(TrainingObjective):
    """A projection head and a loss of pytorch-metric-learning over all views as rows.

    The rows stand view after view: all images' first views, then all second ones. All is computed
    in float32 at least, also under autocast. Where a batch has no pair or triplet, the loss is 0
    and so is its gradient.

    Args:
        context: settings and sizes.
        loss: called as `loss((N, d) rows, (N,) labels)`.
    """

    def __init__(self, context: ObjectiveContext, loss: nn.Module) -> None:
        super().__init__()
        self.head = ProjectionHead(context.feature_dim, context.config.projection)
        self.loss = loss

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features."""
        with full_precision(features.device.type):
            rows = self.head(wide(features).transpose(0, 1).flatten(0, 1))  # (V B, d)
            loss: Tensor = self.loss(rows, targets.label.repeat(features.shape[1]))
            return loss
