"""Every script in examples/ is short and runs as its docstring says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from debias_cl.config import ObjectiveConfig
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.metrics import Settings, measure
from debias_cl.records import Alignment, Annotations, Column, Predictions
from debias_cl.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"


def run(name: str, *arguments: str) -> list[str]:
    """Run one script in a process of its own and return its lines."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def predictions() -> Predictions:
    """200 rows, all right but for 10 of the 40 women with label 1."""
    truth = np.repeat([0, 1, 0, 1], [60, 60, 40, 40])
    group = np.repeat([0, 1], [120, 80])
    predicted = truth.copy()
    predicted[160:170] = 0
    label, sex = Column("Smiling", ("0", "1")), Column("sex", ("men", "women"))
    annotations = Annotations(
        ids=np.array([f"row {i}" for i in range(200)]),
        label=label,
        truth=truth,
        attributes=(sex,),
        groups={"sex": group},
        alignment={"sex": Alignment(frozenset({("0", "women"), ("1", "men")}), "the test")},
    )
    return Predictions(annotations, predicted, label.levels, None, "1", "the test")


def contex_in_your_loop(_: Path) -> None:
    lines = run("contex_in_your_loop.py")
    losses = [float(line.rpartition(" ")[2]) for line in lines]
    assert [line.split(":")[0] for line in lines] == [f"step {n}" for n in (5, 10, 15, 20)]
    assert losses[-1] < losses[0]


def read_metrics(folder: Path) -> None:
    path = folder / "metrics.json"
    document = measure(predictions(), Settings(permutations=100))
    path.write_text(json.dumps(document), encoding="utf-8")
    lines = run("read_metrics.py", str(path))
    worst = document["overall"]["worst_group_accuracy"]
    assert lines == [
        "accuracy 0.950 on 200 rows",
        "worst group: Smiling = 1, sex = women: accuracy 0.750 on 40 rows",
        f"95 % interval: {worst['low']:.3f} to {worst['high']:.3f}, {worst['method']}",
    ]


def read_metrics_without_a_worst_group(folder: Path) -> None:
    path = folder / "undefined.json"
    undefined = {"value": None, "low": None, "high": None, "n": None, "reason": "no group of 30"}
    overall = {"accuracy": {"value": 0.5, "n": 4}, "worst_group_accuracy": undefined}
    path.write_text(json.dumps({"overall": overall}), encoding="utf-8")
    lines = run("read_metrics.py", str(path))
    assert lines[1:] == ["no worst group: no group of 30"]


def own_objective(_: Path) -> None:
    registry = Registry("debias_cl.losses", ObjectiveSpec, "objective")
    assert registry.load_plugin(EXAMPLES / "own_objective.py") == "own_objective"
    assert "own_objective" in registry.names()
    context = ObjectiveContext(ObjectiveConfig(projection=(8, 4)), feature_dim=6, classes=2)
    objective = registry.get("own_objective").build(context)
    features = torch.randn(5, 2, 6, generator=torch.Generator().manual_seed(0))
    label = torch.zeros(5, dtype=torch.int64)
    loss = objective(features, Targets(label, None, label))
    z = torch.nn.functional.normalize(objective.head(features).detach(), dim=-1)
    align = sum(float((z[i, 0] - z[i, 1]).square().sum()) for i in range(5)) / 5
    rows = z.flatten(0, 1)
    potentials = [
        float(torch.exp(-2 * (rows[i] - rows[j]).square().sum()))
        for i in range(10)
        for j in range(i)
    ]
    assert loss.item() == pytest.approx(align + np.log(np.mean(potentials)), rel=1e-4)
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())


def audit_a_frame(folder: Path) -> None:
    lines = run("audit_a_frame.py", str(folder / "report"))
    rows = pd.read_csv(EXAMPLES / "gate" / "candidate.csv")
    found = (
        rows[rows["qualified"] == "yes"]
        .groupby("gender")["predicted"]
        .apply(lambda said: (said == "yes").mean())
    )
    assert lines[0].startswith(f"gap {found['male'] - found['female']:.2f} (95 % ")
    assert lines[0].endswith("lowest gender = female")
    assert lines[1:3] == [f"gender={g}: finds {found[g]:.2f} of 100" for g in ("female", "male")]
    assert "failed, it is at least" in lines[3] and "passed, it is 0.8" in lines[4]
    assert (folder / "report" / "report.html").exists()


def evaluate_a_network(_: Path) -> None:
    lines = run("evaluate_a_network.py")
    value = {line.split()[0]: float(line.split()[1]) for line in lines[:3]}
    assert value["aligned_accuracy"] > 0.9 > 0.6 > value["conflict_accuracy"]
    assert lines[3].endswith("findings are issues") and not lines[3].startswith("0 ")


CHECKS: dict[str, list[Callable[[Path], None]]] = {
    "audit_a_frame.py": [audit_a_frame],
    "evaluate_a_network.py": [evaluate_a_network],
    "contex_in_your_loop.py": [contex_in_your_loop],
    "own_objective.py": [own_objective],
    "read_metrics.py": [read_metrics, read_metrics_without_a_worst_group],
}


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example(name: str, tmp_path: Path) -> None:
    assert name in CHECKS, "an example needs a test here"
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 40
    for check in CHECKS[name]:
        check(tmp_path)


def test_the_examples_are_there() -> None:
    assert set(CHECKS) <= {path.name for path in EXAMPLES.glob("*.py")}
