"""Generalised cross-entropy: confident rows pull more than in cross-entropy, hard ones less."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.classes import full_precision, wide
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy


def generalised_cross_entropy(logits: Tensor, label: Tensor, q: float) -> Tensor:
    """Return (n,) values (1 - p^q) / q, p the softmax probability of the label.

    Args:
        logits: (n, K) float.
        label: (n,) int64.
        q: in (0, 1]; towards 0 it is cross-entropy, 1 is the mean absolute error.

    Source: Zhang and Sabuncu 2018, arXiv 1805.07836, equation 6.
    """
    return -torch.expm1(-q * F.cross_entropy(logits, label, reduction="none")) / q


def amplified_cross_entropy(logits: Tensor, label: Tensor, q: float) -> Tensor:
    """Return (n,) values q p^q (-log p), p^q without gradient: how LfF's code has it.

    Its value is another one, and its gradient is q times that of `generalised_cross_entropy`.

    Args:
        logits: (n, K) float.
        label: (n,) int64.
        q: in (0, 1].

    Source: Nam et al. 2020, arXiv 2007.02561, equation 1 and their `GeneralizedCELoss`.
    """
    loss = F.cross_entropy(logits, label, reduction="none")
    return q * torch.exp(-q * loss.detach()) * loss


def checked_q(q: float) -> float:
    """Return q.

    Raises:
        UsageError: it is not in (0, 1].
    """
    if not 0 < q <= 1:
        raise UsageError(f"q is {q}", expected="a number above 0, up to 1")
    return q


class GeneralisedCrossEntropy(CrossEntropy):
    """Mean of (1 - p^q) / q over all views of all images; a linear classifier gives p.

    Args:
        context: sizes; option `q`.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        self.q = checked_q(context.options["q"])

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the mean loss: features (B, V, D), float32 at least inside."""
        with full_precision(features.device.type):
            logits = self.predict(wide(features).flatten(0, 1))
            label = targets.label.repeat_interleave(features.shape[1])
            return generalised_cross_entropy(logits, label, self.q).mean()


SPEC = ObjectiveSpec(
    title="generalised cross-entropy",
    family="debiasing, bias label unused",
    source=(
        "Zhang and Sabuncu, 'Generalized cross entropy loss for training deep neural networks with "
        "noisy labels', NeurIPS 2018, arXiv 1805.07836, equation 6, q 0.7 as there. Here as the "
        "biased half of LfF alone: it amplifies a bias, and shows what LfF's other half adds. "
        "Deviations: mean over all views; no truncation. LfF's code has q times this gradient"
    ),
    uses=(),
    build=GeneralisedCrossEntropy,
    options={"q": 0.7},
)
