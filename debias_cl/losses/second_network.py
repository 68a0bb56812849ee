"""A second classifier beside the trained one: it learns what is easy, and tells the first of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from debias_cl.errors import UsageError
from debias_cl.losses.classes import wide
from debias_cl.losses.contract import ObjectiveContext


class SecondNetwork(nn.Module):
    """An encoder of the run's architecture with a linear classifier, both with own weights.

    Args:
        context: builds the encoder and says the sizes.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        self.encoder = context.second_encoder()
        self.classifier = nn.Linear(context.feature_dim, context.classes)

    def forward(self, views: Tensor) -> Tensor:
        """Return (B, V, K) logits of (B, V, 3, H, W) views; batch norm sees all views together."""
        self.encoder.train(self.training)
        logits: Tensor = self.classifier(self._features(views))
        return logits

    @torch.no_grad()
    def frozen_features(self, views: Tensor) -> Tensor:
        """Return (B, V, D) features by the running statistics of batch norm, without a graph.

        A step that asks for nothing else leaves the network as it is: without a gradient, no
        optimiser touches its weights, by weight decay neither.
        """
        self.encoder.eval()
        return self._features(views)

    def _features(self, views: Tensor) -> Tensor:
        return wide(self.encoder(views.flatten(0, 1))).reshape(*views.shape[:2], -1)


def checked_share(name: str, share: float) -> float:
    """Return a share of the run.

    Raises:
        UsageError: it is not in [0, 1).
    """
    if not 0 <= share < 1:
        raise UsageError(f"{name} is {share}", expected="a share of the run, from 0 to below 1")
    return share


def checked_examples(title: str, context: ObjectiveContext) -> int:
    """Return the number of training pictures, for tables over them.

    Raises:
        UsageError: it is not known.
    """
    if context.examples < 1:
        raise UsageError(
            f"{title} keeps a table over the training pictures, and was told of none",
            expected="examples above 0",
        )
    return context.examples
