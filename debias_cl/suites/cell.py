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

import numpy as np

from debias_cl.cli import Options, run_command
from debias_cl.config import ProbeConfig, TrainConfig, from_dict, to_dict
from debias_cl.data.contract import Dataset
from debias_cl.data.load import load_dataset
from debias_cl.features import extract, own_classifier_predictions
from debias_cl.metrics import Settings
from debias_cl.metrics.alignment import alignment_of, cells_of, over_cells
from debias_cl.metrics.counts import count
from debias_cl.metrics.rates import NO_ROWS
from debias_cl.metrics.values import proportions
from debias_cl.probe import predict
from debias_cl.records import Predictions, default_positive
from debias_cl.runs import Run, now, provenance
from debias_cl.sources import from_run
from debias_cl.suites.grid import Cell
from debias_cl.suites.results import Result
from debias_cl.training import train_run

HELD_OUT = ("validation", "test")
JUDGES = {
    "linear probe": ProbeConfig(),
    "balanced linear probe": ProbeConfig(balanced=True),
}


def run_cell(cell: Cell, runs: Path) -> Result:
    """Train (or go on with) the cell's run and return its result; weights are those at the end."""
    config = cell.config
    dataset = load_dataset(config.data)
    run = train_run(config, runs / cell.name, dataset)
    start = time.perf_counter()
    values = dict(_judged(run, dataset, config.device))
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


def _judged(run: Run, dataset: Dataset, device: str) -> Iterator[tuple[str, dict[str, Any]]]:
    source = from_run(run, dataset, device)
    features = extract(source.encoder, dataset, source.views, device)
    splits = [name for name in HELD_OUT if name in dataset.splits]
    if dataset.test_split not in splits:
        splits.append(dataset.test_split)
    positive = default_positive(dataset.label.levels)
    held = np.isin(features.split, splits)
    # One split to the probes, so that each is fitted once.
    both = replace(features, split=np.where(held, "held out", features.split))
    rows = {name: features.split[held] == name for name in splits}
    attributes = dataset.split("train").annotations.attributes
    for judge, probe in JUDGES.items():
        if probe.balanced and not attributes:
            continue
        made = predict(both, probe, "held out", *positive, run.config.seed)
        yield judge, {name: _accuracies(_rows(made, rows[name])) for name in splits}
    if source.objective is not None and source.objective.has_classifier:
        own = {
            name: own_classifier_predictions(source.objective, features, name, *positive)
            for name in splits
        }
        yield "own classifier", {name: _accuracies(made) for name, made in own.items()}


def _rows(made: Predictions, keep: Any) -> Predictions:
    return replace(
        made,
        annotations=made.annotations.take(keep),
        predicted=made.predicted[keep],
        scores=None if made.scores is None else made.scores[keep],
    )


def _accuracies(made: Predictions) -> dict[str, Any]:
    """Return accuracy over rows and over cells of the first attribute, as small value objects."""
    truth = made.annotations.truth
    assert truth is not None
    known = truth >= 0
    right, n = (made.predicted[known] == truth[known]).sum(), known.sum()
    found: dict[str, Any] = {
        "accuracy": proportions(np.array([right]), np.array([n]), "wilson", NO_ROWS)[0]
    }
    for column in made.annotations.attributes[:1]:
        by = alignment_of(made, column.name)
        cells = cells_of(count(made, [column.name]), by)
        found |= over_cells(cells, by is not None, Settings().min_group)
    keep = ("value", "low", "high", "n")
    return {name: {key: value.get(key) for key in keep} for name, value in found.items()}


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
    cell = Cell(**{**written, "config": from_dict(TrainConfig, written["config"])})
    run_cell(cell, Path(found["runs"])).save(Path(found["result"]))
    return 0


if __name__ == "__main__":
    path = Path(sys.argv[1])
    sys.exit(run_command(Options, lambda _: _do(path), "python -m debias_cl.suites.cell", []))
