"""Two models on the same rows: differences with paired intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from debias_cl.errors import DataError
from debias_cl.metrics import combinations
from debias_cl.metrics.alignment import NO_ALIGNMENT, NO_ATTRIBUTE, Cells, alignment_of, cells_of
from debias_cl.metrics.counts import count
from debias_cl.metrics.values import NO_LABEL, Value, defined, undefined
from debias_cl.records import Annotations, Predictions

NAMES = ("accuracy", "unbiased_accuracy", "aligned_accuracy", "conflict_accuracy")
Ints = npt.NDArray[np.int64]


def compare(a: Predictions, b: Predictions) -> dict[str, Value]:
    """Return the accuracies of `a` minus those of `b`, on the rows that both predict.

    Args:
        a, b: predictions for the same examples (equal ids, in any order; equal truth and groups).

    Returns:
        accuracy, unbiased_accuracy, aligned_accuracy and conflict_accuracy as value objects with
        `gained` and `lost` (rows that only a, only b has right) and, for accuracy, McNemar's mid-p
        as `p`. Cells are those of the first attribute.

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
    counts = [np.where(mask, known.rows, 0) for mask in (gained, lost, both)]
    return {"accuracy": _row(*(int(n.sum()) for n in counts))} | _over_cells(a, counts)


def _order(a: Annotations, b: Annotations) -> Ints:
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


def _row(b: int, c: int, n: int) -> Value:
    """Return the paired difference over n rows: b gained, c lost."""
    if n == 0:
        return undefined("no row is predicted by both", 0)
    one = np.array([[b], [c], [n], [1]], np.float64)
    value, low, high = combinations.paired(one[0], one[1], one[2], one[3])
    p = combinations.mcnemar_mid_p(b, c)
    return defined(value, low, high, n, "Tango's score interval", gained=b, lost=c, p=p)


def _over_cells(a: Predictions, rows: list[Ints]) -> dict[str, Value]:
    """Return the paired differences of means over cells of the first attribute.

    Args:
        rows: (n,) rows gained, lost and predicted by both, of each entry.
    """
    if not a.annotations.attributes:
        return {name: undefined(NO_ATTRIBUTE) for name in NAMES[1:]}
    column = a.annotations.attributes[0]
    by = alignment_of(a, column.name)
    table = count(a, (column.name,))
    cells = cells_of(table, by)
    label = a.annotations.label
    assert label is not None and a.annotations.truth is not None
    place = np.array([table.classes.index(level) for level in label.levels])[a.annotations.truth]
    flat = np.full((len(column.levels), len(table.classes)), -1)
    flat[cells.places[:, 0], cells.places[:, 1]] = np.arange(len(cells.names))
    cell = flat[a.annotations.groups[column.name], place]
    judged = a.annotations.truth >= 0  # an entry without truth has no cell
    counts = [
        np.bincount(cell[judged], n[judged], minlength=len(cells.names)).astype(np.int64)
        for n in rows
    ]
    everything = np.ones(len(cells.names), np.bool_)
    out = {"unbiased_accuracy": _mean(cells, everything, counts)}
    for name, side in (("aligned_accuracy", True), ("conflict_accuracy", False)):
        known = by is not None
        out[name] = _mean(cells, cells.which(side), counts) if known else undefined(NO_ALIGNMENT)
    return out


def _mean(cells: Cells, keep: npt.NDArray[np.bool_], counts: list[Ints]) -> Value:
    """Return the paired difference of the mean over some cells; empty ones are named."""
    gained, lost, n = counts
    used = keep & (n > 0)
    if not used.any():
        return undefined("no rows in these cells", 0)
    weights = used / used.sum()
    value, low, high = combinations.paired(gained, lost, n, weights)
    return defined(
        value,
        low,
        high,
        n[used].sum(),
        combinations.PAIRED,
        gained=int(gained[used].sum()),
        lost=int(lost[used].sum()),
        left_out=[dict(cells.names[i]) for i in np.flatnonzero(keep & (n == 0))],
    )
