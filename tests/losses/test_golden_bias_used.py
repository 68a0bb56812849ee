"""Faithfulness of the objectives that use the bias label: numbers of the authors' own code.

Each file in `golden/` names its origin (repository, commit, function).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from debias_cl.losses.biasbal import BiasBalLoss
from debias_cl.losses.biascon import BiasConLoss
from debias_cl.losses.end import end_terms
from debias_cl.losses.fairkl import fairkl
from debias_cl.losses.fscl import FSCLLoss
from debias_cl.losses.group_dro import GroupDROLoss

GOLDEN = Path(__file__).parent / "golden"

Parameters = dict[str, Any]
Loss = Callable[[Parameters, Tensor, Tensor, Tensor], Tensor]


def biascon(p: Parameters, x: Tensor, label: Tensor, bias: Tensor) -> Tensor:
    value: Tensor = BiasConLoss(p["temperature"])(x, label, bias)
    return value


def fscl(p: Parameters, x: Tensor, label: Tensor, bias: Tensor) -> Tensor:
    scales = p["temperature"], p["base_temperature"]
    value: Tensor = FSCLLoss(*scales, p["method"], bool(p["group_norm"]))(x, label, bias)
    return value


def end(p: Parameters, x: Tensor, label: Tensor, bias: Tensor) -> Tensor:
    orthogonal, parallel = end_terms(x, label, bias)
    value: Tensor = p["alpha"] * orthogonal + p["beta"] * parallel
    return value


def divergence(form: Any) -> Loss:
    return lambda p, x, label, bias: fairkl(
        x, label, bias, temperature=p["temperature"], kld=p["kld"], form=form
    )


LOSSES: dict[str, tuple[Loss, tuple[str, ...]]] = {
    # file -> loss, and which of a case's records it equals (the first that there is)
    "biascon": (biascon, ("plain", "code")),
    "fscl": (fscl, ("code",)),
    "end": (end, ("plain", "code")),
    "fairkl plain": (divergence("plain"), ("plain",)),
    "fairkl code": (divergence("code"), ("code",)),
}


def content(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return found


def cases() -> Iterator[Any]:
    for name, (loss, records) in LOSSES.items():
        found = content(name.split()[0])
        for case in found["cases"]:
            known = {"code": case if "value" in case else None, "plain": case.get("plain")}
            record = next((known[r] for r in records if known[r]), None)
            if record is not None:
                given = found["inputs"][case["input"]], case["parameters"]
                yield pytest.param(loss, *given, record, id=f"{name}/{case['name']}")


def exact(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def assert_same(found: Tensor, recorded: Tensor) -> None:
    torch.testing.assert_close(found, recorded, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("loss", "given", "parameters", "record"), list(cases()))
def test_equals_the_recorded_value_and_gradient(
    loss: Loss, given: dict[str, Any], parameters: Parameters, record: dict[str, Any]
) -> None:
    x = exact(given["features"]).requires_grad_()
    label = torch.tensor(given["labels"])
    bias = torch.tensor(given["biases" if "biases" in given else "sensitive"])
    value = loss(parameters, x, label, bias)
    (gradient,) = torch.autograd.grad(value, x)
    slope, unit = exact(record["grad"]["features"]), F.normalize(x.detach(), dim=-1)
    # ours normalises inside, so its gradient has no part along the row
    slope = slope - unit * (unit * slope).sum(-1, keepdim=True)
    assert_same(value, exact(record["value"]))
    assert_same(gradient, slope)


@pytest.mark.parametrize("case", content("biasbal")["cases"], ids=lambda case: case["name"])
def test_biasbal_equals_the_recorded_value_and_gradient(case: dict[str, Any]) -> None:
    given = content("biasbal")["inputs"][case["input"]]
    x = exact(given["logits"]).requires_grad_()
    loss = BiasBalLoss(torch.tensor(given["train_counts_bias_by_label"]).T)
    value = loss(x, torch.tensor(given["labels"]), torch.tensor(given["biases"]))
    (gradient,) = torch.autograd.grad(value, x)
    assert_same(value, exact(case["value"]))
    assert_same(gradient, exact(case["grad"]["logits"]))


@pytest.mark.parametrize("case", content("group_dro")["cases"], ids=lambda case: case["name"])
def test_group_dro_equals_the_recorded_steps(case: dict[str, Any]) -> None:
    given, p = content("group_dro")["inputs"][case["input"]], case["parameters"]
    # theirs has an adjustment a group, and makes none if one of them is 0
    adjustment = min(p.get("adj", [0.0]))
    counts = torch.tensor(given["train_group_counts"])
    normalise = p.get("normalize_loss", False)
    loss = GroupDROLoss(counts, p["step_size"], adjustment, normalise).double()
    for batch, record in zip(given["steps"], case["steps"], strict=True):
        x = exact(batch["logits"]).requires_grad_()
        value = loss(x, torch.tensor(batch["labels"]), torch.tensor(batch["groups"]))
        (gradient,) = torch.autograd.grad(value, x)
        assert_same(value, exact(record["value"]))
        assert_same(gradient, exact(record["grad"]["logits"]))
        assert_same(loss.weights, exact(record["weights"]))
