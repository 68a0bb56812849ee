"""The ONE count table: group x label x prediction. Every metric is read off it, never off rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, product
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.metrics.design import Design, design_of
from debias_cl.metrics.tally import Read, Tally, tally
from debias_cl.records import Column, Predictions, natural_order

Table = npt.NDArray[Any]
"""int64 rows, or float64 where rows carry weights."""

MOST_COMBINATIONS = 256
"""Intersections with more combinations of levels keep the observed ones alone."""
DUST = 1e-14
"""Share of a sum of weights that is rounding alone."""
MOST_CROSSED = 4
"""More attributes than these are compared one by one, not crossed; the document says so."""


@dataclass(frozen=True)
class CountTable:
    """Rows by group, true class and predicted class.

    Attributes:
        name: the attribute, or "Male & Young" for an intersection.
        columns: the attributes it is made of.
        groups: one {column: level} a group; combinations without rows are kept.
        label: name of the label; None where no truth is known.
        classes: levels of label and prediction.
        known: positions in `classes` that the label itself has.
        positive: position of the favourable class.
        table: (groups, classes, classes) true x predicted; (groups, 1, classes) without truth.
        missing: (groups, classes) or (groups, 1) rows without a prediction.
        unlabelled: (groups,) rows whose truth is missing; in no rate.
        combinations_left_out: combinations of levels without rows that are not among `groups`.
        design: the same table of weights and of persons (their `groups` are empty); None where
            every row counts once. Read rates with `tally`, which honours it.
    """

    name: str
    columns: tuple[str, ...]
    groups: tuple[Mapping[str, str], ...]
    label: str | None
    classes: tuple[str, ...]
    known: tuple[int, ...]
    positive: int
    table: Table
    missing: Table
    unlabelled: Table
    combinations_left_out: int = 0
    design: Design[CountTable] | None = None

    # Sums are remembered: layers of persons are large, and every rate asks for the same ones.

    @cached_property
    def n(self) -> Table:
        """(groups,) rows judged: with a prediction, and with a truth where there is a label."""
        return np.asarray(self.actual.sum(1))

    @cached_property
    def right(self) -> Table:
        """(groups,) rows predicted right."""
        return np.asarray(self.diagonal.sum(1))

    @cached_property
    def diagonal(self) -> Table:
        """(groups, classes) rows predicted right, by class; needs a label."""
        return np.diagonal(self.table, axis1=1, axis2=2)

    @cached_property
    def actual(self) -> Table:
        """(groups, classes) rows of each true class; (groups, 1) all rows without truth."""
        return np.asarray(self.table.sum(2))

    @cached_property
    def selected(self) -> Table:
        """(groups, classes) rows of each predicted class."""
        return np.asarray(self.table.sum(1))

    @cached_property
    def missed(self) -> Table:
        """(groups, classes) rows of each true class that are predicted wrong."""
        return np.asarray(self._wrong.sum(2))

    @cached_property
    def falsely(self) -> Table:
        """(groups, classes) rows of each predicted class that are predicted wrong."""
        return np.asarray(self._wrong.sum(1))

    @property
    def _wrong(self) -> Table:
        """The table of what is predicted wrong: differences of weights would leave dust."""
        return np.asarray(self.table * (1 - np.eye(len(self.classes), dtype=np.int64)))

    @property
    def binary(self) -> bool:
        """Whether one class against the other says all."""
        return len(self.classes) <= 2

    @property
    def judged(self) -> tuple[int, ...]:
        """Classes that are each taken as "positive": one if binary, else all of them."""
        return (self.positive,) if self.binary else tuple(range(len(self.classes)))

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """(groups,) each group's share of the judged rows, by weight where rows carry weights."""
        weight = self.design.weight if self.design else None
        size = (self if weight is None else weight).n
        return np.asarray(size / max(float(size.sum()), 1.0 if weight is None else 1e-300))

    def tally(self, read: Read[CountTable]) -> Tally:
        """Return successes and sizes of the groups, effective where rows are not all alike.

        Args:
            read: (groups, ...) successes and sizes of a table, linear in it.
        """
        return tally(self, self.design, read)

    def merged(
        self, place: npt.NDArray[np.int64], groups: Sequence[Mapping[str, str]]
    ) -> CountTable:
        """Return the same rows with groups put together.

        Args:
            place: (groups,) the new group of each group.
            groups: the new groups.
        """
        size = len(groups)
        design = self.design and self.design.regroup(place, size, CountTable._added)
        whole = CountTable._added(self, place, size)
        return replace(whole, groups=tuple(groups), design=design)

    def overall(self) -> CountTable:
        """Return the same rows as one group."""
        whole = self.merged(np.zeros(len(self.groups), np.int64), ({},))
        return replace(whole, name="", columns=())

    def _added(self, place: npt.NDArray[np.int64], size: int) -> CountTable:
        """Return the rows by new places of the groups."""

        def add(part: Table) -> Table:
            out = np.zeros((size, *part.shape[1:]), part.dtype)
            np.add.at(out, place, part)
            return out

        table, missing, unlabelled = map(add, (self.table, self.missing, self.unlabelled))
        return replace(self, table=table, missing=missing, unlabelled=unlabelled, groups=())

    def against_rest(self, level: int) -> dict[str, Table]:
        """Return (groups,) tp, fp, fn, tn of one class against the rest.

        Without truth all rows count as negatives: only the selected and the others are meaningful.
        """
        selected, rows = self.selected[:, level], self.n
        if self.label is None:
            zero = np.zeros_like(rows)
            return {"tp": zero, "fp": selected, "fn": zero, "tn": rows - selected}
        tp, fp, fn = self.diagonal[:, level], self.falsely[:, level], self.missed[:, level]
        tn = self.diagonal[:, 1 - level] if len(self.classes) == 2 else rows - tp - fp - fn
        # Differences of sums of weights leave dust where there is nothing.
        return {"tp": tp, "fp": fp, "fn": fn, "tn": np.where(tn > DUST * rows, tn, 0)}


def classes_of(predictions: Predictions) -> tuple[str, ...]:
    """Return the levels of label and prediction together, in the label's order where equal."""
    label = predictions.annotations.label
    if label is None or set(predictions.levels) <= set(label.levels):
        return predictions.levels if label is None else label.levels
    return natural_order({*label.levels, *predictions.levels})


def _recode(codes: npt.NDArray[np.int64], old: Sequence[str], new: Sequence[str]) -> Table:
    """Return codes into `new`, -1 kept."""
    if tuple(old) == tuple(new):
        return codes
    place = {level: i for i, level in enumerate(new)}
    return np.array([*(place[level] for level in old), -1], np.int64)[codes]


def _outcomes(predictions: Predictions, classes: tuple[str, ...]) -> tuple[Table, int]:
    """Return one code a row for (truth, prediction), both shifted so that missing is 0."""
    known = predictions.annotations
    predicted = _recode(predictions.predicted, predictions.levels, classes) + 1
    width = len(classes) + 1
    if known.label is None or known.truth is None:
        return predicted + width, 2 * width
    return (_recode(known.truth, known.label.levels, classes) + 1) * width + predicted, width**2


def _groups(
    columns: Sequence[Column], codes: Sequence[npt.NDArray[np.int64]]
) -> tuple[npt.NDArray[np.int64], list[dict[str, str]], int]:
    """Return a group code a row, the groups, and how many empty combinations are left out."""
    sizes = [len(column.levels) for column in columns]
    code = np.zeros(len(codes[0]) if codes else 0, np.int64)
    for column_codes, size in zip(codes, sizes, strict=True):
        code = code * size + column_codes
    total = math.prod(sizes)
    if total <= MOST_COMBINATIONS or len(columns) == 1:
        levels = product(*(column.levels for column in columns))
        names = [column.name for column in columns]
        return code, [dict(zip(names, combo, strict=True)) for combo in levels], 0
    seen, code = np.unique(code, return_inverse=True)
    places = np.unravel_index(seen, sizes)
    groups = [
        {column.name: column.levels[p[i]] for column, p in zip(columns, places, strict=True)}
        for i in range(len(seen))
    ]
    return code, groups, total - len(seen)


def count(predictions: Predictions, names: Sequence[str]) -> CountTable:
    """Count the rows by the groups of some attributes (none: one group of all rows).

    Args:
        predictions: n rows.
        names: one attribute or column of strata, or several for their intersection.

    Returns:
        The count table; every later number comes from it.
    """
    known, classes = predictions.annotations, classes_of(predictions)
    columns = [known.column(name) for name in names]
    outcome, kinds = _outcomes(predictions, classes)
    if columns:
        code, groups, left_out = _groups(columns, [known.groups[name] for name in names])
    else:
        code, groups, left_out = np.zeros(len(predictions), np.int64), [{}], 0
    base = _blank(predictions, names, classes)

    def layer(place: npt.NDArray[np.int64], size: int, value: Table | None) -> CountTable:
        """Sort entries, or what they weigh, into a table of `size` groups."""
        flat = np.bincount(place * kinds + outcome, value, minlength=size * kinds)
        cube = flat.reshape(size, -1, len(classes) + 1)
        return _cut(base, cube.astype(np.int64) if value is rows else cube)

    # Sums of whole numbers below 2^53 are exact in float64.
    rows = None if known.mass is None else known.mass.rows
    counted = layer(code, len(groups), rows)
    design = design_of(known, code, len(groups), kinds, layer)
    return replace(counted, groups=tuple(groups), combinations_left_out=left_out, design=design)


def _blank(predictions: Predictions, names: Sequence[str], classes: tuple[str, ...]) -> CountTable:
    """Return a table without rows: what every layer has in common."""
    known = predictions.annotations
    label = known.label if known.truth is not None else None
    none = np.zeros(0, np.int64)
    return CountTable(
        name=" & ".join(names),
        columns=tuple(names),
        groups=(),
        label=None if label is None else label.name,
        classes=classes,
        known=tuple(i for i, c in enumerate(classes) if label is None or c in label.levels),
        positive=_positive(predictions.positive, classes),
        table=none,
        missing=none,
        unlabelled=none,
    )


def _cut(base: CountTable, cube: Table) -> CountTable:
    """Return the table of a (groups, truth, predicted) cube in which 0 stands for missing."""
    table, missing = cube[:, 1:, 1:], cube[:, 1:, 0]
    return replace(base, table=table, missing=missing, unlabelled=cube[:, 0].sum(1))


def _positive(level: str, classes: tuple[str, ...]) -> int:
    if level not in classes:
        raise UsageError(
            f"'{level}' is no level of the label, so it cannot be the positive one",
            where="--positive",
            remedy=did_you_mean(level, classes),
        )
    return classes.index(level)


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the attributes and all their intersections: the groups that are compared.

    More than `MOST_CROSSED` attributes are not crossed (40 of them would give 2^40 intersections).

    >>> subsets(["a", "b", "c"])
    [('a',), ('b',), ('c',), ('a', 'b'), ('a', 'c'), ('b', 'c'), ('a', 'b', 'c')]
    """
    largest = len(names) if len(names) <= MOST_CROSSED else 1
    return [combo for size in range(1, largest + 1) for combo in combinations(names, size)]
