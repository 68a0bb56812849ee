"""The second path of the contrastive family: plain double loops over rows, in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from debias_cl.losses import ConTeXLoss, DCLLoss, EpsSupInfoNCELoss, NTXentLoss, SupConLoss
from debias_cl.losses.family import FamilyLoss


@dataclass
class Row:
    """What one anchor sees: its logits to its positives, negatives, other views, and to all."""

    positives: list[Tensor]
    negatives: list[Tensor]
    views: list[Tensor]
    everyone: list[Tensor]
    zero: Tensor


def log_sum(logits: list[Tensor]) -> Tensor:
    return torch.stack(logits).exp().sum().log()


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sum() / len(values)


def label_contrast(row: Row) -> Tensor:
    if not row.positives or not row.negatives:
        return row.zero
    return mean([log_sum(row.negatives) - s for s in row.positives])


def label_contrast_clamped(row: Row) -> Tensor:
    if not row.positives or not row.negatives:
        return row.zero
    log = log_sum(row.negatives)
    return mean([log - s if s < log else row.zero for s in row.positives])


def self_contrast(row: Row) -> Tensor:
    return mean([log_sum(row.everyone) - s for s in row.views]) if row.views else row.zero


def supervised_out(row: Row) -> Tensor:
    return mean([log_sum(row.everyone) - s for s in row.positives]) if row.positives else row.zero


def supervised_in(row: Row) -> Tensor:
    if not row.positives:
        return row.zero
    return log_sum(row.everyone) - mean([s.exp() for s in row.positives]).log()


def margin(row: Row) -> Tensor:
    return mean([log_sum([s - 0.25, *row.negatives]) - s for s in row.positives or [row.zero]]) * (
        1.0 if row.positives else 0.0
    )


@dataclass(frozen=True)
class Objective:
    """A loss under test beside its formula for one anchor."""

    build: Callable[[float], FamilyLoss]
    row: Callable[[Row], Tensor]
    labelled: bool = True
    base: float | None = 0.07


OBJECTIVES = {
    "contex": Objective(
        lambda t: ConTeXLoss(t), lambda r: (label_contrast(r) + self_contrast(r)) / 2
    ),
    "contex_weighted": Objective(
        lambda t: ConTeXLoss(t, weight=0.8),
        lambda r: 0.8 * label_contrast(r) + 0.2 * self_contrast(r),
    ),
    "contex_clamped": Objective(
        lambda t: ConTeXLoss(t, clamp=True),
        lambda r: (label_contrast_clamped(r) + self_contrast(r)) / 2,
    ),
    "contex_a": Objective(lambda t: ConTeXLoss(t, weight=1.0), label_contrast),
    "contex_a_clamped": Objective(
        lambda t: ConTeXLoss(t, weight=1.0, clamp=True), label_contrast_clamped
    ),
    "contex_b": Objective(lambda t: ConTeXLoss(t, weight=0.0), self_contrast),
    "supcon": Objective(lambda t: SupConLoss(t), supervised_out),
    "supcon_in": Objective(lambda t: SupConLoss(t, form="in"), supervised_in),
    "eps_supinfonce": Objective(lambda t: EpsSupInfoNCELoss(t), margin),
    "simclr": Objective(lambda t: NTXentLoss(t, 0.07), self_contrast, labelled=False),
    "ntxent": Objective(lambda t: NTXentLoss(t), self_contrast, labelled=False, base=None),
    "dcl": Objective(lambda t: DCLLoss(t), label_contrast, labelled=False, base=None),
}


def looped(
    objective: Objective, features: Tensor, labels: list[int] | None, temperature: float
) -> Tensor:
    """The loss of (B, V, d) features of any length, pair by pair."""
    b, v, _ = features.shape
    label = list(range(b)) if labels is None or not objective.labelled else labels
    z = [[x / x.norm() for x in views] for views in features]
    keys = [(i, k) for i in range(b) for k in range(v)]
    total = features.sum() * 0.0
    for i, k in keys:
        logit = {(j, m): z[i][k] @ z[j][m] / temperature for j, m in keys if (j, m) != (i, k)}
        row = Row(
            positives=[s for (j, _), s in logit.items() if label[j] == label[i]],
            negatives=[s for (j, _), s in logit.items() if label[j] != label[i]],
            views=[s for (j, _), s in logit.items() if j == i],
            everyone=list(logit.values()),
            zero=features.sum() * 0.0,
        )
        total = total + objective.row(row)
    scale = temperature / objective.base if objective.base else 1.0
    return total * scale / len(keys)


@pytest.fixture(params=sorted(OBJECTIVES))
def objective(request: pytest.FixtureRequest) -> Objective:
    """Each loss of the family in turn."""
    return OBJECTIVES[request.param]


@pytest.fixture
def by_hand() -> Callable[[Objective, Tensor, list[int] | None, float], Tensor]:
    """The plain double loop."""
    return looped
