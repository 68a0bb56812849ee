"""BiasBal: cross-entropy whose logits carry how often each label goes with the picture's bias."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.baselines import wide
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.pairs import known_bias


def log_prior(cell_counts: Tensor, floor: float = 1e-9) -> Tensor:
    """Return log [p(y | b) + floor] of the training split.

    A label never seen with a bias has log(floor), finite. A bias level without any picture tells
    nothing of the labels: its row is 0, which adjusts nothing.

    Args:
        cell_counts: (K, L) pictures of each label and bias level.
        floor: above 0.

    Returns:
        (L, K) float64.
    """
    counts = cell_counts.T.double()
    of_bias = counts.sum(1, keepdim=True)
    logs = (counts / of_bias.clamp(min=1) + floor).log()
    return logs.masked_fill(of_bias == 0, 0.0)


def balanced_cross_entropy(logits: Tensor, label: Tensor, adjustment: Tensor) -> Tensor:
    """Return the mean cross-entropy of `logits + adjustment`; the logits stay as they are.

    Args:
        logits, adjustment: (n, K) float.
        label: (n,) int64.
    """
    return F.cross_entropy(logits + adjustment.to(logits.dtype), label)


class BiasBal(CrossEntropy):
    """mean_i CE(logits_i + log [p(. | b_i) + floor], y_i), over all views of all images.

    The classifier learns what the bias does not already tell of the label. It predicts with the
    plain logits. p(y | b) comes from the training counts; an empty cell has log(floor) = -20.7, a
    bias level without pictures adjusts nothing; `diagnostics()` gives the share of empty cells.

    Args:
        context: `cell_counts`; option `floor`, added to p(y | b), above 0.
    """

    log_prior: Tensor

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        if context.cell_counts is None:
            raise UsageError("BiasBal has no training counts of label and bias")
        floor = context.options["floor"]
        if not 0 < floor < 1:
            raise UsageError(f"floor is {floor}", expected="a number above 0 and below 1")
        logs = log_prior(context.cell_counts, floor).to(torch.get_default_dtype())
        self.register_buffer("log_prior", logs, persistent=False)
        self._empty = float((context.cell_counts == 0).double().mean())

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the mean loss: features (B, V, D), float32 at least inside."""
        views = features.shape[1]
        logits = wide(self.predict(features.flatten(0, 1)))  # (B V, K)
        adjustment = self.log_prior[known_bias(targets)].repeat_interleave(views, dim=0)
        with full_precision(features.device.type):
            label = targets.label.repeat_interleave(views)
            return balanced_cross_entropy(logits, label, adjustment)

    def diagnostics(self) -> dict[str, float]:
        """Return the share of empty cells of label and bias, where there are any."""
        return {"empty_cells": self._empty} if self._empty else {}


SPEC = ObjectiveSpec(
    title="BiasBal",
    family="debiasing, bias label used",
    source=(
        "Hong and Yang, 'Unbiased classification through bias-contrastive and bias-balanced "
        "learning', NeurIPS 2021; code followed: grayhong/bias-contrastive-learning commit "
        "35562b6, debias/losses/bbloss.py `BBLoss`, with its 1e-9. Deviation: the logits are not "
        "changed in place; a bias level without training pictures adjusts nothing (NaN there); the "
        "mean is over all views"
    ),
    uses=(),
    build=BiasBal,
    needs_bias=True,
    options={"floor": 1e-9},
)
