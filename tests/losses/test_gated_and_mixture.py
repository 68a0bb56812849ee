"""The project's own candidates against plain double loops."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import debias_cl.losses.contex_gated as module
from debias_cl.config import ObjectiveConfig
from debias_cl.errors import UsageError
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.contex_gated import gated_label_contrast
from debias_cl.losses.contract import ObjectiveContext, Targets
from debias_cl.losses.ntxent import NTXentLoss
from debias_cl.losses.supcon import SupConLoss
from debias_cl.losses.supcon_simclr import SupConSimCLRLoss

TAU = 0.2


def draw(seed: int, b: int = 7, views: int = 2, d: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a, own = (torch.randn(b, views, d, generator=generator, dtype=torch.float64) for _ in range(2))
    return a, own, torch.randint(0, 3, (b,), generator=generator)


def by_loops(a: Tensor, own: Tensor, label: Tensor, threshold: float, gated: bool) -> Tensor:
    """L_h anchor by anchor, pair by pair."""
    b, views, _ = a.shape
    rows = [(i, v) for i in range(b) for v in range(views)]
    za, zb = F.normalize(a, dim=-1), F.normalize(own, dim=-1)
    total, gates = a.new_zeros(()), a.new_zeros(())
    for i, v in rows:
        others = [(j, w) for j, w in rows if j != i]
        alike = [(j, w) for j, w in others if label[j] == label[i]]
        if not alike:
            continue

        def mass(z: Tensor, pairs: list[tuple[int, int]], i: int = i, v: int = v) -> Tensor:
            return torch.stack([((z[i, v] * z[j, w]).sum() / TAU).exp() for j, w in pairs]).sum()

        vote = (mass(zb, alike) / mass(zb, others)).detach()
        u = (1 - vote / threshold).clamp(min=0) if gated else torch.ones_like(vote)
        total = total + u * -(mass(za, alike) / mass(za, others)).log()
        gates = gates + u
    return total / (1 + gates)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("threshold", "gated"), [(0.5, True), (1.0, True), (0.3, True), (0.5, False)]
)
@pytest.mark.parametrize("block", [3, 1024])
def test_the_gated_contrast_is_its_formula(
    seed: int, threshold: float, gated: bool, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS", block)
    a, own, label = draw(seed, views=1 + seed % 3)
    a.requires_grad_()
    loss, gate = gated_label_contrast(a, own, label, TAU, threshold, gated)
    expected = by_loops(a, own, label, threshold, gated)
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=1e-10)
    slopes = [torch.autograd.grad(value, a, allow_unused=True)[0] for value in (loss, expected)]
    if slopes[1] is not None:
        torch.testing.assert_close(slopes[0], slopes[1], atol=1e-12, rtol=1e-9)
    assert ((gate >= 0) & (gate <= 1)).all()


def test_neighbours_that_vote_rightly_close_the_gate() -> None:
    label = torch.tensor([0, 0, 1, 1])
    own = torch.eye(2, dtype=torch.float64)[label][:, None].repeat(1, 2, 1)
    loss, gate = gated_label_contrast(torch.randn_like(own), own, label, 0.1)
    assert gate.tolist() == [0.0] * 8 and loss == 0
    wrong = torch.eye(2, dtype=torch.float64)[torch.tensor([0, 1, 0, 1])][:, None].repeat(1, 2, 1)
    _, gate = gated_label_contrast(torch.randn_like(own), wrong, label, 0.1)
    assert (gate > 0.99).all()


def context(name: str, weight: float = 0.5, **options: object) -> ObjectiveContext:
    config = ObjectiveConfig(name, weight=weight, projection=(6, 4), options=options)
    return ObjectiveContext(config=config, feature_dim=5, classes=3)


def test_the_label_contrast_begins_after_the_warm_up() -> None:
    torch.manual_seed(0)
    objective = OBJECTIVES.get("contex_gated").make(context("contex_gated", warmup=0.2))
    features, _, label = draw(0)
    features = features.float()
    targets = Targets(label, None, torch.arange(len(label)))
    objective.set_progress(0.19)
    alone = objective(features, targets)
    own = objective.get_submodule("own_head")(features)
    torch.testing.assert_close(alone, NTXentLoss(0.1, 0.07)(own))
    objective.set_progress(0.2)
    both = objective(features, targets)
    heard, _ = gated_label_contrast(
        objective.get_submodule("label_head")(features), own, label, 0.1
    )
    torch.testing.assert_close(both, 0.5 * heard / 0.7 + 0.5 * alone)
    report = objective.diagnostics()
    assert 0 <= report["mean_gate"] <= 1
    assert "mean_gate" not in objective.diagnostics()


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
def test_the_mixture_is_the_weighted_mean_of_its_parts(weight: float) -> None:
    x, _, label = draw(3)
    mixed = SupConSimCLRLoss(TAU, 0.07, weight)(x, label)
    parts = SupConLoss(TAU)(x, label), NTXentLoss(TAU, 0.07)(x)
    torch.testing.assert_close(mixed, weight * parts[0] + (1 - weight) * parts[1])


def test_two_heads_give_each_part_a_head_of_its_own() -> None:
    torch.manual_seed(0)
    name = "supcon_simclr"
    objective = OBJECTIVES.get(name).make(context(name, weight=0.25, two_heads=True))
    x, _, label = draw(4)
    x = x.float()
    loss = objective(x, Targets(label, None, torch.arange(len(label))))
    first, second = (head(x) for head in objective.get_submodule("heads").children())
    expected = 0.25 * SupConLoss(0.1)(first, label) + 0.75 * NTXentLoss(0.1, 0.07)(second)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(
    ("name", "weight", "options"),
    [
        ("contex_gated", 0.5, {"warmup": 1.0}),
        ("contex_gated", 0.5, {"threshold": 0.0}),
        ("contex_gated", 2.0, {}),
        ("contex_gated", 0.5, {"warmpu": 0.1}),
        ("supcon_simclr", -1.0, {}),
    ],
)
def test_settings_out_of_range_are_refused(
    name: str, weight: float, options: dict[str, float]
) -> None:
    with pytest.raises(UsageError):
        OBJECTIVES.get(name).make(context(name, weight, **options))


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    made = dataclasses.replace(context("contex_gated", warmpu=0.1))
    with pytest.raises(UsageError, match="warmup"):
        OBJECTIVES.get("contex_gated").make(made)
