"""Two models on the same rows: differences with paired intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.errors import DataError
from debias_cl.metrics import combinations, rates, wins
from debias_cl.metrics.alignment import NO_ALIGNMENT, NO_ATTRIBUTE, Cells, alignment_of, cells_of
from debias_cl.metrics.counts import count
from debias_cl.metrics.values import NO_LABEL, Value, undefined
from debias_cl.records import Annotations, Codes, Floats, Predictions

NAMES = ("accuracy", "unbiased_accuracy", "aligned_accuracy", "conflict_accuracy")


def compare(a: Predictions, b: Predictions) -> dict[str, Value]:
    """Return the accuracies of `a` minus those of `b`, on the rows that both predict.

    Args:
        a, b: predictions for the same examples (equal ids, in any order; equal truth and groups).

    Returns:
        accuracy, unbiased_accuracy, aligned_accuracy and conflict_accuracy as value objects with
        `gained` and `lost` (rows that only a, only b has right) and, for accuracy, McNemar's mid-p
        as `p`. Cells are those of the first attribute. Weights and persons are those of `a`: sizes
        are effective, and where cells share persons the interval is their jackknife's.

    Raises:
        DataError: the ids or the truth differ.

    Source: Tango (1998); its sum over cells: `combinations.paired`.
    """
    order = _order(a.annotations, b.annotations)
    known = a.annotations
    if known.label is None or known.truth is None:
        return {name: undefined(NO_LABEL) for name in NAMES}
    other = b.annotations
    if other.label is None or other.truth is None:
        return {name: undefined(NO_LABEL) for name in NAMES}
    truth = np.array([*known.label.levels, ""])[known.truth]
    same = np.array([*other.label.levels, ""])[other.truth][order]
    if (truth != same).any():
        raise DataError("the two tables of predictions disagree on the truth of the same ids")
    said = [np.array([*p.levels, ""])[p.predicted] for p in (a, b)]
    first, second = said[0], said[1][order]
    both = (first != "") & (second != "") & (truth != "")
    gained = both & (first == truth) & (second != truth)
    lost = both & (first != truth) & (second == truth)
    outcome = np.where(gained, 0, np.where(lost, 1, 2))[both]
    judged = a.take(both)
    return {"accuracy": _row(judged, outcome)} | _over_cells(a, judged, outcome)


def _order(a: Annotations, b: Annotations) -> Codes:
    """Return where the ids of `a` stand in `b`."""
    first, second = np.argsort(a.ids, kind="stable"), np.argsort(b.ids, kind="stable")
    if len(a) != len(b) or (a.ids[first] != b.ids[second]).any():
        raise DataError(
            "the two tables of predictions are not about the same examples",
            where=f"{len(a)} and {len(b)} ids",
            expected="the same ids in both",
        )
    order = np.empty(len(a), np.int64)
    order[first] = second
    return order


def _row(judged: Predictions, outcome: Codes) -> Value:
    """Return the paired difference over rows."""
    known = judged.annotations
    found = wins.count_wins(known, np.zeros(len(outcome), np.int64), 1, outcome)
    if not found.tally.n[0] > 0:
        return undefined("no row is predicted by both", 0)
    # An exact test needs whole numbers.
    b, c = (round(float(n[0])) for n in (found.gained, found.lost))
    p = combinations.mcnemar_mid_p(b, c)
    return _value(found, np.ones(1), p=p)


def _value(found: wins.Wins, weights: Floats, **extra: Any) -> Value:
    """Return the value object of a contrast of cells."""
    gained, lost, same = found.rows[weights != 0].sum(0)
    extra = {"gained": int(gained), "lost": int(lost)} | extra
    contrast, n = wins.contrast(found, weights), gained + lost + same
    if contrast.lonely[0] and "p" in extra:
        extra["p"] = None
    return rates.contrasted(found.tally, contrast, 0, n, **extra)


def _over_cells(a: Predictions, judged: Predictions, outcome: Codes) -> dict[str, Value]:
    """Return the paired differences of means over cells of the first attribute.

    Args:
        a: all rows, whose cells are named.
        judged: those that both models predict.
        outcome: (n,) of the latter: 0 gained, 1 lost, 2 equal.
    """
    if not a.annotations.attributes:
        return {name: undefined(NO_ATTRIBUTE) for name in NAMES[1:]}
    column = a.annotations.attributes[0]
    by = alignment_of(a, column.name)
    cells = cells_of(count(a, (column.name,)), by)
    found = _by_cell(cells, judged, outcome)
    everything = np.ones(len(cells.names), np.bool_)
    out = {"unbiased_accuracy": _mean(cells, everything, found)}
    for name, side in (("aligned_accuracy", True), ("conflict_accuracy", False)):
        known = by is not None
        out[name] = _mean(cells, cells.which(side), found) if known else undefined(NO_ALIGNMENT)
    return out


def _by_cell(cells: Cells, judged: Predictions, outcome: Codes) -> wins.Wins:
    """Return the wins of every cell."""
    known, table = judged.annotations, cells.table
    assert known.label is not None and known.truth is not None
    place = np.array([table.classes.index(level) for level in known.label.levels])[known.truth]
    flat = np.full((len(table.groups), len(table.classes)), -1)
    flat[cells.places[:, 0], cells.places[:, 1]] = np.arange(len(cells.names))
    cell = flat[known.groups[table.columns[0]], place]
    return wins.count_wins(known, cell, len(cells.names), outcome)


def _mean(cells: Cells, keep: npt.NDArray[np.bool_], found: wins.Wins) -> Value:
    """Return the paired difference of the mean over some cells; empty ones are named."""
    there = found.tally.n > 0
    used = keep & there
    if not used.any():
        return undefined("no rows in these cells", 0)
    empty = [dict(cells.names[i]) for i in np.flatnonzero(keep & ~there)]
    return _value(found, used / used.sum(), left_out=empty)
