"""Section 8: loss and kNN accuracy by epoch, and when the shortcut enters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from debias_cl.checks.pointer import Node
from debias_cl.checks.text import count, decimals, share
from debias_cl.sections.bars import Curve, curves
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure
from debias_cl.sections.reading import Run, runs
from debias_cl.sections.table import Cell, Head, Table, number, row_head

SHOWN = 10
"""Most epochs in a table: the first, the last, and some between."""
ALIGNED, CONFLICT = "knn_aligned_accuracy", "knn_conflict_accuracy"
WHOLE = "knn_accuracy"
"""Logged instead of the two where nothing tells aligned from conflicting."""


@dataclass(frozen=True)
class Log:
    """A run's training log."""

    run: Run
    lines: Sequence[Node]

    def curve(self, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return epochs and values where a value was written."""
        known = [
            ((line / "epoch").number or 0.0, value)
            for line in self.lines
            if (value := (line / name).number) is not None
        ]
        return tuple(epoch for epoch, _ in known), tuple(value for _, value in known)

    @property
    def distortion(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Epochs, and aligned minus conflicting accuracy where both were written."""
        ends = [(line / "epoch", line / ALIGNED, line / CONFLICT) for line in self.lines]
        known = [
            (epoch.number or 0.0, aligned.number - conflict.number)
            for epoch, aligned, conflict in ends
            if aligned.number is not None and conflict.number is not None
        ]
        return tuple(epoch for epoch, _ in known), tuple(value for _, value in known)


def context(document: Document) -> Mapping[str, Any] | str:
    """Return curves and a table, or why there are none."""
    logs = [Log(run, list(run.node / "training")) for run in runs(document)]
    logs = _once(logs)
    if not logs or logs[0].run.node.pointer:
        return "No training log belongs to what was audited, so its training cannot be shown."
    tables = [_table(log, place) for place, log in enumerate(logs)]
    return {
        "tables": tables,
        "figures": _figures(logs),
        "compared": [log.run.short for log in logs],
        "knn": bool(logs[0].curve(CONFLICT)[0]),
    }


def _once(logs: Sequence[Log]) -> list[Log]:
    """Keep one log a training run: two judges of one encoder share it."""
    kept: dict[object, Log] = {}
    for log in logs:
        folder = (log.run.node / "encoder" / "run").value or log.run.node.pointer
        if log.lines:
            kept.setdefault(folder, log)
    return list(kept.values())


def _figures(logs: Sequence[Log]) -> list[Figure]:
    """Return the loss, then a kNN and a distortion panel for each other run."""
    pairs = [[logs[0], log] for log in logs[1:]] or [[logs[0]]]
    found = [_loss([logs[0]], 1)]
    for pair in pairs:
        if pair[0].curve(WHOLE)[0]:
            found.append(_whole(pair, len(found) + 1))
    for pair in pairs:
        if pair[0].curve(CONFLICT)[0]:
            found.append(_knn(pair, len(found) + 1))
    for pair in pairs:
        if pair[0].curve(CONFLICT)[0]:
            found.append(_distortion(pair, logs, len(found) + 1))
    return found


def _loss(pair: Sequence[Log], place: int) -> Figure:
    lines = [
        Curve(*log.curve("loss"), series)
        for log, series in zip(pair, SERIES, strict=False)
        if log.curve("loss")[0]
    ]
    values = [value for line in lines for value in line.values]
    low, high = _round_ends(min(values), max(values))
    told = (
        f"Training loss by epoch, {pair[0].run.short}; losses of other objectives differ in scale."
    )
    return _figure(place, "Loss", told, lines, low, high, "")


def _whole(pair: Sequence[Log], place: int) -> Figure:
    lines = [
        Curve(*log.curve(WHOLE), series)
        for log, series in zip(pair, SERIES, strict=False)
        if log.curve(WHOLE)[0]
    ]
    told = "kNN accuracy on validation examples by epoch."
    return _figure(place, _beside("kNN accuracy", pair), told, lines, 0, 1, "%")


def _knn(pair: Sequence[Log], place: int) -> Figure:
    lines = [
        Curve(*log.curve(name), series, thick=name == CONFLICT, label=word if not turn else "")
        for turn, (log, series) in enumerate(zip(pair, SERIES, strict=False))
        for name, word in ((ALIGNED, "aligned"), (CONFLICT, "conflicting"))
        if log.curve(name)[0]
    ]
    told = "kNN accuracy by epoch; thin: aligned, thick: conflicting."
    return _figure(place, _beside("Aligned and conflicting", pair), told, lines, 0, 1, "%")


def _distortion(pair: Sequence[Log], every: Sequence[Log], place: int) -> Figure:
    """Draw aligned minus conflicting, on the axis that all such panels share."""
    lines = [
        Curve(*log.distortion, series)
        for log, series in zip(pair, SERIES, strict=False)
        if log.distortion[0]
    ]
    values = [value for log in every for value in log.distortion[1]]
    low, high = _tenths(min(0.0, *values), max(0.1, *values))
    told = "Distortion: aligned minus conflicting accuracy, in points, by epoch."
    return _figure(place, _beside("Distortion", pair), told, lines, low, high, "points")


def _tenths(low: float, high: float) -> tuple[float, float]:
    return math.floor(low * 10 + 1e-9) / 10, math.ceil(high * 10 - 1e-9) / 10


def _figure(
    place: int,
    title: str,
    told: str,
    lines: Sequence[Curve],
    low: float,
    high: float,
    unit: str,
) -> Figure:
    identity = f"f8{place}"
    description = "Lines by epoch; the table of epochs has the same numbers."
    svg = curves(lines, low, high, unit, identity, f"Line chart: {title}", description)
    return Figure(identity, f"8.{place}", title, told, svg, "8a")


SERIES = ("run", "ref")


def _beside(title: str, pair: Sequence[Log]) -> str:
    return f"{title}, beside {pair[1].run.short}" if len(pair) > 1 else title


def _round_ends(low: float, high: float) -> tuple[float, float]:
    step = next(s for s in (0.05, 0.1, 0.5, 1, 5, 10, 50, 100, 1000, 1e9) if high - low <= 8 * s)
    return (low // step) * step, -((-high) // step) * step + (step if low == high else 0)


def _table(log: Log, place: int) -> Table:
    label = f"8{'abcdefghijklmnopqrstuvwxyz'[place % 26]}"
    columns: list[tuple[str, str, Any]] = [
        ("loss", "Loss", decimals),
        (WHOLE, "kNN accuracy", share),
        (ALIGNED, "Aligned, kNN", share),
        (CONFLICT, "Conflicting, kNN", share),
        ("learning_rate", "Learning rate", lambda value: f"{value:.2g}"),
        ("images_per_second", "Images a second", count),
    ]
    known = [column for column in columns if log.curve(column[0])[0]]
    heads = [Head("Epoch"), *(Head(title, True) for _, title, _ in known)]
    chosen = _some(log.lines)
    rows = [_row(line, known) for line in chosen]
    fewer = f" {len(chosen)} of {len(log.lines)} epochs." if len(chosen) < len(log.lines) else ""
    return Table(
        label,
        f"Epochs of {log.run.short}",
        heads,
        rows,
        f"From its log.{fewer}",
        wide=True,
        sort=False,
        folded="" if not place else f"Epochs of {log.run.short}",
        minimum=520,
    )


def _row(line: Node, known: Sequence[tuple[str, str, Any]]) -> list[Cell]:
    epoch = (line / "epoch").number or 0
    return [row_head(count(epoch)), *(number(line / name, form) for name, _, form in known)]


def _some(lines: Sequence[Node]) -> list[Node]:
    if len(lines) <= SHOWN:
        return list(lines)
    places = {round(turn * (len(lines) - 1) / (SHOWN - 1)) for turn in range(SHOWN)}
    return [lines[place] for place in sorted(places)]


SPEC = SectionSpec(number=8, title="Training", template="training.html.j2", context=context)
