"""Faithfulness of the baselines: values and gradients that the libraries gave on fixed inputs.

Each file in `golden/` names its origin (library, version, function). The objectives are tested as
they train, without a projection head, so that their features are what the library was given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from debias_cl.config import ObjectiveConfig
from debias_cl.losses import OBJECTIVES, SupConLoss
from debias_cl.losses.contract import ObjectiveContext, Targets, TrainingObjective

pytest.importorskip("lightly", reason='needs pip install "debias-cl[baselines]"')
pytest.importorskip("pytorch_metric_learning", reason='needs pip install "debias-cl[baselines]"')

GOLDEN = Path(__file__).parent / "golden"

Arrays = dict[str, Tensor]
Parameters = dict[str, Any]


class Given(nn.Module):
    """Stands where a network is, and returns what it was given, one after another."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs = list(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs.pop(0)


def made(name: str, width: int, temperature: float = 0.1, **options: Any) -> TrainingObjective:
    """An objective without a projection head, in float64."""
    config = ObjectiveConfig(name, temperature=temperature, projection=(), options=options)
    about = ObjectiveContext(config, width, 3, make_encoder=lambda: nn.Flatten())
    return OBJECTIVES.get(name).make(about).double()


def targets(rows: Tensor, labels: Tensor | None = None) -> Targets:
    n = len(rows)
    label = torch.zeros(n).long() if labels is None else labels
    return Targets(label, None, torch.arange(n), views=torch.zeros(n, 2, 3, 1, 1))


def two_views(name: str, x: Arrays, **settings: Any) -> Tensor:
    features = torch.stack([x["x0"], x["x1"]], 1)
    loss: Tensor = made(name, features.shape[2], **settings)(features, targets(features))
    return loss


def simsiam(x: Arrays, _: Parameters) -> Tensor:
    z = torch.stack([x["z0"], x["z1"]], 1)
    objective = made("simsiam", z.shape[2])
    objective.head = nn.Identity()
    objective.predictor = Given(x["p0"], x["p1"])
    loss: Tensor = objective(z, targets(z))
    return loss


def byol(x: Arrays, _: Parameters) -> Tensor:
    p = torch.stack([x["p0"], x["p1"]], 1)
    objective = made("byol", p.shape[2])
    objective.predictor = nn.Identity()
    objective.target = Given(torch.stack([x["z0"], x["z1"]], 1))
    loss: Tensor = objective(p, targets(p))
    return loss


def moco(x: Arrays, p: Parameters) -> Tensor:
    both = torch.stack([x["query"], x["key"]], 1)
    objective: Any = made("moco_v2", both.shape[2], p["temperature"], queue=len(x["bank"]))
    objective.queue.keys = x["bank"]
    objective.target = Given(both.detach())
    loss: Tensor = objective(both, targets(both))
    return loss


def swav(x: Arrays, p: Parameters) -> Tensor:
    objective: Any = made(
        "swav",
        4,
        p["temperature"],
        epsilon=p["sinkhorn_epsilon"],
        iterations=p["sinkhorn_iterations"],
    )
    high, low = ([v for k, v in x.items() if k.startswith(kind)] for kind in ("high", "low"))
    loss: Tensor = objective.loss(high, low)
    return loss.sum()


def rows(name: str, x: Arrays, **options: Any) -> Tensor:
    features = x["embeddings"][:, None]
    loss: Tensor = made(name, features.shape[2], **options)(
        features, targets(features, x["labels"])
    )
    return loss


def supcon(x: Arrays, p: Parameters) -> Tensor:
    """Our own kernel; the library leaves anchors without positives out of the mean."""
    features, label = x["embeddings"][:, None], x["labels"]
    paired = (label[:, None] == label).sum(1) > 1
    loss: Tensor = SupConLoss(p["temperature"], base_temperature=p["temperature"])(features, label)
    return loss / paired.double().mean()


LOSSES: dict[str, tuple[str, Callable[[Arrays, Parameters], Tensor]]] = {
    "dclw": (
        "dclw",
        lambda x, p: two_views("dclw", x, temperature=p["temperature"], sigma=p["sigma"]),
    ),
    "barlow_twins": (
        "barlow_twins",
        lambda x, p: two_views("barlow_twins", x, redundancy=p["lambda_"]),
    ),
    "vicreg": (
        "vicreg",
        lambda x, p: two_views(
            "vicreg", x, invariance=p["lambda_"], variance=p["mu"], covariance=p["nu"]
        ),
    ),
    "simsiam": ("simsiam_byol", simsiam),
    "byol": ("simsiam_byol", byol),
    "moco_v2": ("moco", moco),
    "swav": ("swav", swav),
    "triplet": ("triplet", lambda x, p: rows("triplet", x, margin=p["margin"])),
    "n_pairs": ("n_pairs", lambda x, p: rows("n_pairs", x, normalise=p["normalize_embeddings"])),
    "supcon_out": ("supcon_pml", supcon),
}


def cases(folder: Path = GOLDEN) -> Iterator[Any]:
    for name, (file, _) in LOSSES.items():
        content = json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))
        for case in content["cases"]:
            given = content["inputs"][case["input"]]
            yield pytest.param(name, given, case, id=f"{name}/{case['name']}")


def exact(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(("name", "given", "case"), list(cases()))
def test_equals_the_recorded_value_and_gradient(
    name: str, given: dict[str, Any], case: dict[str, Any]
) -> None:
    x = {k: torch.tensor(v) if k == "labels" else exact(v) for k, v in given.items()}
    slopes = case["grad"]
    for key in slopes:
        x[key].requires_grad_()
    value = LOSSES[name][1](x, case["parameters"])
    gradients = torch.autograd.grad(value, [x[key] for key in slopes], materialize_grads=True)
    torch.testing.assert_close(value, exact(case["value"]), rtol=1e-10, atol=1e-10)
    for key, gradient in zip(slopes, gradients, strict=True):
        torch.testing.assert_close(gradient, exact(slopes[key]), rtol=1e-10, atol=1e-10)
