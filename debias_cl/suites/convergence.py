"""How fast the methods learn: kNN accuracy on validation by epoch and by second. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from debias_cl.suites.results import Result
from debias_cl.suites.table import Setting

ALIGNED, CONFLICT, PLAIN = "knn_aligned_accuracy", "knn_conflict_accuracy", "knn_accuracy"


@dataclass(frozen=True)
class Course:
    """A method's curve: means over seeds, with the lowest and the highest seed.

    Attributes:
        epochs: numbers.
        mean, low, high: values at them, fractions.
        seeds: runs behind it.
    """

    epochs: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seeds: int


@dataclass(frozen=True)
class Reached:
    """When the runs of a method first reach an accuracy at the end of an epoch.

    Attributes:
        epochs, seconds: one a run that reached it, sorted.
        never: runs that did not.
    """

    epochs: tuple[float, ...]
    seconds: tuple[float, ...]
    never: int

    @property
    def median_epochs(self) -> float | None:
        """Median over all runs; None where half of them or more never reached it."""
        return _median(self.epochs, self.never)

    @property
    def median_seconds(self) -> float | None:
        """Median over all runs; None where half of them or more never reached it."""
        return _median(self.seconds, self.never)


def measured(results: Sequence[Result]) -> str:
    """Return the name of the accuracy that the logs have: conflicting, else plain; "" for none."""
    names = {name for result in results for entry in result.epochs for name in entry}
    return next((name for name in (CONFLICT, PLAIN) if name in names), "")


def course(results: Sequence[Result], setting: Setting, method: str, name: str) -> Course | None:
    """Return the mean curve of a method; None where nothing was logged."""
    logs = [_curve(r, name) for r in _runs(results, setting, method)]
    logs = [log for log in logs if log]
    if not logs:
        return None
    shared = sorted(set.intersection(*(set(log) for log in logs)))
    columns = [[log[epoch] for log in logs] for epoch in shared]
    return Course(
        tuple(shared),
        tuple(statistics.fmean(column) for column in columns),
        tuple(min(column) for column in columns),
        tuple(max(column) for column in columns),
        len(logs),
    )


def reached(
    results: Sequence[Result], setting: Setting, method: str, name: str, accuracy: float
) -> Reached:
    """Return when the runs of a method first reach an accuracy (logged at the end of an epoch)."""
    epochs, seconds, never = [], [], 0
    for result in _runs(results, setting, method):
        hits = [e for e in result.epochs if e.get(name) is not None and e[name] >= accuracy]
        if hits:
            epochs.append(float(hits[0]["epoch"]))
            seconds.append(float(hits[0]["seconds"]))
        else:
            never += 1
    return Reached(tuple(sorted(epochs)), tuple(sorted(seconds)), never)


def _runs(results: Sequence[Result], setting: Setting, method: str) -> list[Result]:
    return [
        result
        for result in results
        if result.status == "done" and result.method == method and Setting.of(result) == setting
    ]


def _curve(result: Result, name: str) -> Mapping[float, float]:
    return {float(e["epoch"]): e[name] for e in result.epochs if e.get(name) is not None}


def _median(values: Sequence[float], never: int) -> float | None:
    everyone = [*values, *[float("inf")] * never]
    if not everyone:
        return None
    middle = statistics.median(everyone)
    return middle if middle < float("inf") else None
