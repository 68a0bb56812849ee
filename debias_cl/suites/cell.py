"""One cell: train its run, judge its features, write its result.

`python -m debias_cl.suites.cell FILE` does the cell whose description lies in FILE; the schedule
starts it in a process of its own, so that one cell cannot bring down the rest.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from debias_cl.cli import Options, run_command
from debias_cl.config import TrainConfig, from_dict, to_dict
from debias_cl.data.contract import Dataset
from debias_cl.data.load import load_dataset
from debias_cl.features import extract, own_classifier_predictions
from debias_cl.records import default_positive
from debias_cl.runs import Run, now, provenance
from debias_cl.sources import from_run
from debias_cl.suites.grid import Cell
from debias_cl.suites.judges import OWN, accuracies, judged
from debias_cl.suites.results import Result
from debias_cl.training import train_run

HELD_OUT = ("validation", "test")


def run_cell(cell: Cell, runs: Path) -> Result:
    """Train (or go on with) the cell's run and return its result; weights are those at the end."""
    config = cell.config
    dataset = load_dataset(config.data)
    run = train_run(config, runs / cell.name, dataset)
    start = time.perf_counter()
    values = dict(_judged(cell, run, dataset))
    return replace(
        described(cell),
        status="done",
        values=values,
        epochs=epochs_of(run.entries()),
        seconds={**_training_seconds(run.entries()), "judge": time.perf_counter() - start},
        provenance={**provenance(config.device), "command": command(cell), "created": now()},
    )


def described(cell: Cell, error: str = "") -> Result:
    """Return the result of a cell that gave nothing (yet)."""
    config, data = cell.config, cell.config.data
    return Result(
        suite=cell.suite,
        part=cell.part,
        method=cell.method,
        objective=config.objective.name,
        views=cell.views,
        dataset=data.dataset,
        attr=data.attr,
        bias_attr=tuple(data.bias_attr),
        protocol=data.protocol,
        rho=data.rho,
        preset=config.preset,
        seed=config.seed,
        selection="last",
        config=to_dict(replace(config, data=replace(data, data_root=""))),
        status="failed",
        error=error,
    )


def command(cell: Cell) -> str:
    """Return the command that runs this cell again, from any folder with its data set."""
    data = cell.config.data
    words = ["python", "-m", "debias_cl.benchmark", "--suite", cell.suite, "--parts", cell.part]
    words += [
        "--methods",
        cell.method,
        "--datasets",
        data.dataset,
        "--seeds",
        str(cell.config.seed),
    ]
    return shlex.join([*words, *([] if data.rho is None else ["--rho", f"{data.rho:g}"])])


def epochs_of(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the curve of a run: what the log says of each epoch, with the seconds added up."""
    kept = ("epoch", "loss", "knn_accuracy", "knn_aligned_accuracy", "knn_conflict_accuracy")
    spent, found = 0.0, []
    for entry in entries:
        spent += entry["wall_seconds"]
        found.append({**{k: entry[k] for k in kept if k in entry}, "seconds": round(spent, 3)})
    return found


def _training_seconds(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {
        "train": sum(entry["wall_seconds"] for entry in entries),
        "monitor": sum(entry.get("monitor_seconds", 0.0) for entry in entries),
    }


def _judged(cell: Cell, run: Run, dataset: Dataset) -> Iterator[tuple[str, dict[str, Any]]]:
    source = from_run(run, dataset, cell.config.device)
    features = extract(source.encoder, dataset, source.views, cell.config.device)
    splits = [name for name in HELD_OUT if name in dataset.splits]
    if dataset.test_split not in splits:
        splits.append(dataset.test_split)
    yield from judged(features, cell.judges, splits, run.config.seed)
    if source.objective is not None and source.objective.has_classifier:
        positive = default_positive(dataset.label.levels)
        own = {
            name: own_classifier_predictions(source.objective, features, name, *positive)
            for name in splits
        }
        yield OWN, {name: accuracies(made) for name, made in own.items()}


def write_task(cell: Cell, runs: Path, result: Path, task: Path) -> None:
    """Write what `main` reads."""
    written = {**asdict(cell), "config": to_dict(cell.config)}
    task.parent.mkdir(parents=True, exist_ok=True)
    task.write_text(
        json.dumps({"cell": written, "runs": str(runs), "result": str(result)}), encoding="utf-8"
    )


def _do(task: Path) -> int:
    found = json.loads(task.read_text(encoding="utf-8"))
    written = found["cell"]
    config = from_dict(TrainConfig, written["config"])
    cell = Cell(**{**written, "config": config, "judges": tuple(written["judges"])})
    run_cell(cell, Path(found["runs"])).save(Path(found["result"]))
    return 0


if __name__ == "__main__":
    path = Path(sys.argv[1])
    sys.exit(run_command(Options, lambda _: _do(path), "python -m debias_cl.suites.cell", []))
