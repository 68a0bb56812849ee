"""Faithfulness of the debiasing losses without a bias label to their authors' recorded numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from debias_cl.losses.badd import bias_added
from debias_cl.losses.flac import flac_loss
from debias_cl.losses.gce import amplified_cross_entropy, generalised_cross_entropy
from debias_cl.losses.lff import RelativeDifficulty
from debias_cl.losses.softcon import soft_contrast

Content = dict[str, Any]


def content(name: str) -> Content:
    path = Path(__file__).parent / "golden" / f"{name}.json"
    loaded: Content = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def cases(name: str) -> Iterator[Any]:
    loaded = content(name)
    for case in loaded["cases"]:
        yield pytest.param(loaded["inputs"][case["input"]], case, id=f"{name}/{case['name']}")


def exact(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def same(found: Tensor, recorded: Any) -> None:
    torch.testing.assert_close(found.detach(), exact(recorded), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("given", "case"), list(cases("gce")))
def test_gce_equals_the_paper_and_lffs_code(given: Content, case: Content) -> None:
    forms = ((generalised_cross_entropy, case["plain"]), (amplified_cross_entropy, case))
    for form, recorded in forms:
        x = exact(given["logits"]).requires_grad_()
        value = form(x, torch.tensor(given["labels"]), case["parameters"]["q"]).mean()
        same(value, recorded["value"])
        same(torch.autograd.grad(value, x)[0], recorded["grad"]["logits"])


def test_lff_equals_four_steps_of_the_authors() -> None:
    loaded = content("lff")
    given = loaded["inputs"]["steps"]
    label = torch.tensor(given["targets"])
    difficulty = RelativeDifficulty(len(label), classes=3, alpha=0.7).double()
    for case, step in zip(loaded["cases"], given["steps"], strict=True):
        index = torch.tensor(step["index"])
        b, d = (exact(step[name]).requires_grad_() for name in ("logits_b", "logits_d"))
        ce_b, ce_d = (F.cross_entropy(x, label[index], reduction="none") for x in (b, d))
        weight = difficulty(ce_b, ce_d, label[index], index)
        value = amplified_cross_entropy(b, label[index], 0.7).mean() + (weight * ce_d).mean()
        slopes = torch.autograd.grad(value, (b, d))
        same(value, case["value"])
        same(weight, case["weight"])
        same(difficulty.biased, case["ema_b"])
        same(difficulty.debiased, case["ema_d"])
        for slope, name in zip(slopes, ("logits_b", "logits_d"), strict=True):
            same(slope, case["grad"][name])


@pytest.mark.parametrize(("given", "case"), list(cases("softcon")))
def test_softcon_equals_the_plain_formula(given: Content, case: Content) -> None:
    x = exact(given["features"]).requires_grad_()
    bias, label = exact(given["bias_features"]), torch.tensor(given["labels"])
    value = soft_contrast(x, bias, label, case["parameters"]["temperature"])
    unit, slope = F.normalize(x.detach(), dim=-1), exact(case["plain"]["grad"]["features"])
    slope = slope - unit * (unit * slope).sum(-1, keepdim=True)  # ours normalises inside
    same(value, case["plain"]["value"])
    torch.testing.assert_close(torch.autograd.grad(value, x)[0], slope, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("given", "case"), list(cases("flac")))
def test_flac_equals_the_authors(given: Content, case: Content) -> None:
    x = exact(given["features"]).requires_grad_()
    bias, label = exact(given["bias_features"]), torch.tensor(given["labels"])
    value = flac_loss(x, bias, label, case["parameters"]["d"])
    same(value, case["value"])
    same(torch.autograd.grad(value, x)[0], case["grad"]["features"])


@pytest.mark.parametrize(("given", "case"), list(cases("badd")))
def test_badd_equals_the_authors(given: Content, case: Content) -> None:
    names = ("features", "weight", "offset")
    x, w, c = (exact(given[name]).requires_grad_() for name in names)
    mixed = bias_added(x, exact(given["bias_features"]), case["parameters"]["m"])
    value = F.cross_entropy(F.linear(mixed, w, c), torch.tensor(given["labels"]))
    same(value, case["value"])
    for slope, name in zip(torch.autograd.grad(value, (x, w, c)), names, strict=True):
        same(slope, case["grad"][name])
