"""Faithfulness: values and gradients that other people's code gave on fixed inputs.

Each file in `golden/` names its origin (repository, commit or version, function).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from debias_cl.losses import ConTeXLoss, DCLLoss, EpsSupInfoNCELoss, NTXentLoss, SupConLoss
from debias_cl.losses.family import FamilyLoss

GOLDEN = Path(__file__).parent / "golden"

Parameters = dict[str, Any]


def contex(clamp: bool = False, weight: float = 0.5) -> Callable[[Parameters], FamilyLoss]:
    return lambda p: ConTeXLoss(
        p["temperature"], p.get("base_temperature", p["temperature"]), weight, clamp
    )


def supcon_in(p: Parameters) -> FamilyLoss:
    # google-research multiplies by the temperature when asked, else not at all
    base = 1.0 if p["scale_by_temperature"] else p["temperature"]
    return SupConLoss(p["temperature"], base, form="in")


def supcon_out(p: Parameters) -> FamilyLoss:
    return SupConLoss(p["temperature"], p["base_temperature"], contrast_mode=p["contrast_mode"])


LOSSES: dict[str, Callable[[Parameters], FamilyLoss]] = {
    "contex": contex(),
    "contex_clamped": contex(clamp=True),
    "contex_a": contex(weight=1.0),
    "contex_a_clamped": contex(clamp=True, weight=1.0),
    "supcon_out": supcon_out,
    "supcon_in": supcon_in,
    "simclr": supcon_out,
    "ntxent": lambda p: NTXentLoss(p["temperature"]),
    "dcl": lambda p: DCLLoss(p["temperature"]),
    "eps_supinfonce": lambda p: EpsSupInfoNCELoss(
        p["temperature"], p["base_temperature"], p["epsilon"]
    ),
}


def cases() -> Iterator[Any]:
    for name in LOSSES:
        content = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
        for case in content["cases"]:
            given = content["inputs"][case["input"]]
            yield pytest.param(name, given, case, id=f"{name}/{case['name']}")


def exact(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("tile", [0, 5])
@pytest.mark.parametrize(("name", "given", "case"), list(cases()))
def test_equals_the_recorded_value_and_gradient(
    name: str, given: dict[str, Any], case: dict[str, Any], tile: int
) -> None:
    recorded = case.get("plain", case)
    if "features" in given:
        x, slope = exact(given["features"]), exact(recorded["grad"]["features"])
        # ours normalises inside, so its gradient has no part along the row
        unit = torch.nn.functional.normalize(x, dim=-1)
        slope = slope - unit * (unit * slope).sum(-1, keepdim=True)
    else:
        x = torch.stack([exact(given["x0"]), exact(given["x1"])], 1)
        slope = torch.stack([exact(recorded["grad"]["x0"]), exact(recorded["grad"]["x1"])], 1)
    labels = case["parameters"].get("labels", given.get("labels"))
    loss = LOSSES[name](case["parameters"])
    loss.tile = tile
    x.requires_grad_()
    value = loss(x, None if labels is None else torch.tensor(labels))
    (gradient,) = torch.autograd.grad(value, x)
    torch.testing.assert_close(value, exact(recorded["value"]), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-10)
