"""Accuracy over label x attribute cells: unbiased, aligned, conflicting, worst group.

Papers call several things "average accuracy". Here `accuracy` is over rows, `unbiased_accuracy`
the mean over cells with rows (SubpopBench's "adjusted accuracy"), `worst_group_accuracy` the
smallest cell of enough rows. The "adjusted accuracy" of group_DRO and JTT is another one, weighted
by the training set's shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics import contrasts, extremes, rates
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.proportions import Counts, Interval, share
from debias_cl.metrics.sizes import weighed
from debias_cl.metrics.tally import Read, Tally, plain
from debias_cl.metrics.values import NO_LABEL, Value, defined, rated, rows, undefined
from debias_cl.records import Alignment, Predictions

Bools = npt.NDArray[np.bool_]
NO_ATTRIBUTE = "no attribute given"
NO_ALIGNMENT = "no alignment is known: the protocol names none and no training counts are given"
MAJORITY = "majority label of each attribute level in training"
NAMES = (
    "unbiased_accuracy",
    "aligned_accuracy",
    "conflict_accuracy",
    "aligned_minus_conflict",
    "worst_group_accuracy",
)


@dataclass(frozen=True)
class Cells:
    """The label x attribute cells of one attribute, flat.

    Attributes:
        table: the counts they come from.
        names: one {label: level, attribute: level} a cell.
        places: (cells, 2) positions (group, class).
        tally: (cells,) rows predicted right, of the rows judged.
        aligned: one True, False or None (not known) a cell.
    """

    table: CountTable
    names: tuple[Mapping[str, str], ...]
    places: npt.NDArray[np.int64]
    tally: Tally
    aligned: tuple[bool | None, ...]

    @property
    def right(self) -> Counts:
        """(cells,) rows predicted right, as formulas take them."""
        return self.tally.x

    @property
    def n(self) -> Counts:
        """(cells,) sizes, as formulas take them."""
        return self.tally.n

    @property
    def rows(self) -> Counts:
        """(cells,) rows judged."""
        return self.tally.rows

    def read(self, read: Read[CountTable]) -> Tally:
        """Return (cells,) successes and sizes; `read` gives them as (groups, classes)."""
        flat = self.places[:, 0] * len(self.table.classes) + self.places[:, 1]
        return self.table.tally(read).take(flat)

    def which(self, aligned: bool) -> Bools:
        """Return the (cells,) mask of the aligned or of the conflicting cells."""
        return np.array([value is aligned for value in self.aligned], np.bool_)


def alignment_of(predictions: Predictions, name: str) -> Alignment | None:
    """Return the alignment of the protocol, else by majority in training, else None.

    An attribute level without training rows, or with a tie, has no aligned pair: nothing is known
    of its cells.
    """
    known = predictions.annotations
    if name in known.alignment:
        return known.alignment[name]
    if known.label is None or name not in predictions.training_cells:
        return None
    counts = np.asarray(predictions.training_cells[name])
    pairs = set()
    for place, level in enumerate(known.attribute(name).levels):
        column = counts[:, place]
        if (column == column.max()).sum() == 1:
            pairs.add((known.label.levels[int(column.argmax())], level))
    return Alignment(frozenset(pairs), MAJORITY)


def cells_of(table: CountTable, alignment: Alignment | None) -> Cells:
    """Return the cells of a count table; cells without rows are kept."""
    if table.label is None:
        empty = np.zeros(0, np.int64)
        return Cells(table, (), np.zeros((0, 2), np.int64), plain(empty, empty), ())
    grid = [(g, y) for y in table.known for g in range(len(table.groups))]
    places = np.array(grid, np.int64).reshape(-1, 2)
    names = tuple({table.label: table.classes[y], **table.groups[g]} for g, y in grid)
    aligned = tuple(_aligned(table, g, y, alignment) for g, y in grid)
    cells = Cells(table, names, places, plain(places[:, 0], places[:, 0]), aligned)
    return replace(cells, tally=cells.read(CELL_RATES["accuracy"]))


def _aligned(table: CountTable, group: int, label: int, by: Alignment | None) -> bool | None:
    if by is None or len(table.columns) != 1:
        return None
    level = table.groups[group][table.columns[0]]
    if by.source == MAJORITY and level not in {a for _, a in by.pairs}:
        return None
    return (table.classes[label], level) in by.pairs


def mean_over(cells: Cells, keep: Bools, void: str) -> Value:
    """Return the mean accuracy over the cells of a mask that have rows; empty ones are named."""
    chosen = np.flatnonzero(keep)
    if not len(chosen):
        return undefined(void, left_out=[])
    names = [dict(cells.names[i]) for i in chosen]
    found = rates.mean_of_cells(cells.tally.take(chosen).row(), names, void)[0]
    return {**found, "left_out": found.get("left_out", [])}


def contrast(cells: Cells) -> Value:
    """Return the mean of aligned cells minus that of conflicting cells, with its interval."""
    weights = np.zeros(len(cells.n))
    for side, sign in ((True, 1.0), (False, -1.0)):
        used = cells.which(side) & (cells.n > 0)
        if not used.any():
            word = "aligned" if side else "conflicting"
            return undefined(f"no rows in {word} cells")
        weights[used] = sign / used.sum()
    found = contrasts.linear(cells.tally, weights)
    return rates.contrasted(cells.tally, found, 0, cells.rows[weights != 0].sum())


def _smallest(cells: Cells, keep: Bools, reason: str) -> Value:
    """Return the smallest accuracy over cells with the limits of the smallest true one."""
    if not keep.any():
        return undefined(reason, cell=None, at_least=None)
    chosen = np.flatnonzero(keep)
    value = share(cells.right[chosen], cells.n[chosen])
    worst = int(chosen[value.argmin()])
    low, high, least = extremes.worst_group(cells.right[chosen], cells.n[chosen])
    method = cells.tally.method("at least, at most of the smallest true rate (F7)")
    extra: Value = {"cell": dict(cells.names[worst]), "at_least": float(least)}
    extra |= cells.tally.beside(cells.n[worst])
    return defined(value.min(), low, high, cells.rows[worst], method, **extra)


def worst(cells: Cells, min_group: int, word: str = "cell") -> Value:
    """Return the smallest cell of at least `min_group` rows, the unfiltered one beside it."""
    few = f"no {word} has {min_group} rows"
    filtered = _smallest(cells, (cells.rows >= max(min_group, 1)) & (cells.n > 0), few)
    return {**filtered, "unfiltered": _smallest(cells, cells.n > 0, "no rows")}


def over_cells(cells: Cells, known: bool, min_group: int) -> dict[str, Value]:
    """Return the accuracies over the cells of one attribute.

    Args:
        cells: the cells.
        known: whether an alignment is known.
        min_group: rows that the worst cell needs.
    """
    if cells.table.label is None:
        return {name: undefined(NO_LABEL) for name in NAMES}
    void = "intersections have no alignment" if len(cells.table.columns) > 1 else NO_ALIGNMENT
    sides = {
        "aligned_accuracy": mean_over(cells, cells.which(True), "no aligned cell"),
        "conflict_accuracy": mean_over(cells, cells.which(False), "no conflicting cell"),
        "aligned_minus_conflict": contrast(cells),
    }
    if not known:
        sides = {name: undefined(void) for name in sides}
    everything = np.ones(len(cells.n), np.bool_)
    return {
        "unbiased_accuracy": mean_over(cells, everything, "no rows"),
        **sides,
        "worst_group_accuracy": worst(cells, min_group),
    }


MOST_SPELLED = 100
"""With more classes, answers that were never given are left out of `predicted`."""


def by_class(table: CountTable, min_group: int, interval: Interval) -> tuple[list[Value], Value]:
    """Return one entry a label level, as of cells, and the accuracy of the worst level.

    This is the label alone as the grouping: what a data set without an attribute can be asked.

    Args:
        table: the counts of all rows together.
        min_group: rows that the worst class needs.
        interval: of a class's rates.
    """
    classes = cells_of(table, None)
    if table.label is None:
        return [], undefined(NO_LABEL, cell=None, at_least=None)
    return cell_entries(classes, interval), worst(classes, min_group, "class")


def without_cells() -> dict[str, Value]:
    """Return the accuracies over cells where no attribute is given."""
    return {name: undefined(NO_ATTRIBUTE) for name in NAMES}


CELL_RATES: Mapping[str, Read[CountTable]] = {
    "accuracy": rates.BY_CLASS["true_positive_rate"],
    "error_rate": rates.BY_CLASS["false_negative_rate"],
    "selection_rate": lambda table: (table.table[:, :, table.positive], table.actual),
    "missing_prediction_rate": lambda table: (table.missing, table.missing + table.actual),
}
SMALLEST = 1e-300


def cell_entries(cells: Cells, interval: Interval) -> list[Value]:
    """Return the entries of `cells`: each cell's rates and where its errors go."""
    table, (group, label) = cells.table, cells.places.T
    if not len(cells.names):
        return []
    predicted = table.table[group, label]
    missing = table.missing[group, label]
    found = {
        name: rated(cells.read(read), interval, rates.NO_ROWS) for name, read in CELL_RATES.items()
    }
    weight = weighed(table.table, table.design)[group, label].sum(1)
    shares = weight / max(float(weight.sum()), SMALLEST if table.design else 1.0)
    return [
        {
            "attribute": table.name,
            "group": dict(cells.names[i]),
            "n": rows(cells.rows[i]),
            "share": float(shares[i]),
            "aligned": cells.aligned[i],
            **{name: column[i] for name, column in found.items()},
            "predicted": _answers(table.classes, predicted[i]),
            "missing_predictions": rows(missing[i]),
        }
        for i in range(len(cells.names))
    ]


def _answers(classes: tuple[str, ...], counts: npt.NDArray[Any]) -> Value:
    few = len(classes) <= MOST_SPELLED
    return {c: rows(v) for c, v in zip(classes, counts, strict=True) if few or v}
