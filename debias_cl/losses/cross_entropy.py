"""Cross-entropy: a linear classifier on the encoder's features, the reference objective."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.losses.classes import wide
from debias_cl.losses.contract import (
    LinearClassifier,
    ObjectiveContext,
    ObjectiveSpec,
    Targets,
)


class CrossEntropy(LinearClassifier):
    """Softmax cross-entropy of a linear classifier, averaged over all views of all images.

    Args:
        context: sizes; no setting is read.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        self.classifier = nn.Linear(context.feature_dim, context.classes)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the mean loss: features (B, V, D), float32 at least inside."""
        return F.cross_entropy(*self.rows(features, targets.label))

    def rows(self, features: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B V, K) logits of all views, float32 at least, and their (B V,) labels."""
        logits = wide(self.predict(features.flatten(0, 1)))
        return logits, label.repeat_interleave(features.shape[1])


SPEC = ObjectiveSpec(
    title="cross-entropy",
    family="reference",
    source="torch.nn.functional.cross_entropy on one linear layer, mean over all views; textbook",
    uses=(),
    build=CrossEntropy,
)
