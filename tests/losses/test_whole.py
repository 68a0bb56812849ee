"""A small batch compared at once, beside the same batch in tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from debias_cl.losses import ConTeXLoss
from debias_cl.losses.anchors import Anchors
from debias_cl.losses.family import FamilyLoss
from debias_cl.losses.tiles import WHOLE_BATCH
from debias_cl.losses.whole import WholeAnchors


def features_for(labels: list[int], views: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(labels), views, 3, generator=generator, dtype=torch.float64)
    return x.requires_grad_()


def run(loss: FamilyLoss, x: Tensor, labels: list[int], tile: int = 0) -> tuple[Tensor, Tensor]:
    loss.tile = tile
    value = loss(x, torch.tensor(labels))
    (gradient,) = torch.autograd.grad(value, x)
    return value, gradient


@pytest.mark.parametrize(("rows", "whole"), [(WHOLE_BATCH, True), (WHOLE_BATCH + 2, False)])
def test_the_number_of_rows_chooses_the_path(
    rows: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Anchors] = []
    count = FamilyLoss._count
    monkeypatch.setattr(FamilyLoss, "_count", lambda s, a: (seen.append(a), count(s, a))[1])
    ConTeXLoss()(torch.randn(rows // 2, 2, 4), torch.arange(rows // 2) % 3)
    assert [isinstance(anchors, WholeAnchors) for anchors in seen] == [whole]


@pytest.mark.parametrize("tile", [0, 3])
@pytest.mark.parametrize("temperature", [0.1, 0.002])
def test_a_second_backward_pass_gives_the_same_gradient(
    objective: Any, temperature: float, tile: int
) -> None:
    loss = objective.build(temperature)
    loss.tile = tile
    x = features_for([0, 1, 0, 2], 2)
    value = loss(x, torch.tensor([0, 1, 0, 2]))
    first, second = (torch.autograd.grad(value, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("clamp", [False, True])
def test_a_row_too_long_for_its_format_has_no_direction_on_either_path(clamp: bool) -> None:
    x = features_for([0, 1, 0], 2).detach().float()
    x[1, 0] = 3e38
    exact = x.detach().clone()
    exact[1, 0] = 0.0
    expected, slope = run(ConTeXLoss(clamp=clamp), exact.requires_grad_(), [0, 1, 0])
    for tile in (0, 4):
        value, gradient = run(ConTeXLoss(clamp=clamp), x.requires_grad_(), [0, 1, 0], tile)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(gradient, slope)
