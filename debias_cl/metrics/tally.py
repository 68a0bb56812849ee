"""Successes and sizes as the formulas take them: the one place that knows of effective sizes.

Every interval, test and power figure is a function of x successes among n rows. Where rows carry
weights or several belong to one person, x and n stand for fewer, independent rows: n* and x = q n*
with the weighted rate q. Everything else in the metrics reads them here and need not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

from debias_cl.metrics.design import Design
from debias_cl.metrics.proportions import LEVEL, Array, Counts, Z, share
from debias_cl.records import Codes

T = TypeVar("T")
Bools = npt.NDArray[np.bool_]
Read = Callable[[T], tuple[Counts, Counts]]
"""A table -> successes and sizes of its groups."""

TINY = 1e-6
"""Smallest effective size: such a rate says nothing, but it exists."""
ROUNDING = 1e-12
BY_WEIGHTS = "effective n of weights (F11)"
BY_PERSONS = "effective n of persons (F10)"
BY_BOTH = "effective n of weighted persons (F10)"
ONE_PERSON = "no interval: one person"


@dataclass(frozen=True)
class Parts:
    """What each person adds to each cell, sparse.

    Attributes:
        cell: (entries,) flat position in the tally.
        person: (entries,) whose.
        x, n: (entries,) successes and size, n > 0 (sums of weights where there are any).
    """

    cell: Codes
    person: Codes
    x: Array
    n: Array


@dataclass(frozen=True)
class Tally:
    """Successes and sizes of cells; unpacks to (x, n).

    Attributes:
        x, n: as every formula takes them: counts, or effective ones (x = q n*, n = n*).
        rows: rows in the denominator, which `n` of a value object and `--min-group` mean.
        how: what makes n effective, for the method of a value object; "" for plain counts.
        alone: where all rows are of one person, so that there is no interval; None for nowhere.
        parts: what each person adds; None where rows are independent.
    """

    x: Counts
    n: Counts
    rows: Counts
    how: str = ""
    alone: Bools | None = None
    parts: Parts | None = None

    def __iter__(self) -> Iterator[Counts]:
        yield self.x
        yield self.n

    @property
    def lonely(self) -> Bools:
        """Where all rows are of one person."""
        return np.zeros(np.shape(self.n), np.bool_) if self.alone is None else self.alone

    def method(self, name: str) -> str:
        """Return an interval's name with what makes n effective."""
        return f"{name}, {self.how}" if self.how else name

    def beside(self, size: Any) -> dict[str, float]:
        """Return what stands in a value object beside `n`: nothing for plain counts."""
        return {"n_effective": float(size)} if self.how else {}

    def row(self) -> Tally:
        """Return a (k,) tally as one of (1, k)."""
        alone = None if self.alone is None else self.alone[None]
        return replace(self, x=self.x[None], n=self.n[None], rows=self.rows[None], alone=alone)

    def take(self, index: npt.NDArray[Any]) -> Tally:
        """Return the cells at flat positions, in that order, as a tally of one axis."""
        x, n, rows = (np.ravel(v)[index] for v in (self.x, self.n, self.rows))
        if not self.how:
            return Tally(x, n, rows)
        alone = None if self.alone is None else self.alone.ravel()[index]
        return Tally(x, n, rows, self.how, alone, self._parts_at(index))

    def _parts_at(self, index: npt.NDArray[Any]) -> Parts | None:
        if self.parts is None:
            return None
        place = np.full(np.size(self.n), -1)
        place[index] = np.arange(len(index))
        cell = place[self.parts.cell]
        keep, old = cell >= 0, self.parts
        return Parts(cell[keep], old.person[keep], old.x[keep], old.n[keep])


def plain(x: Counts, n: Counts) -> Tally:
    """Return the tally of independent rows, all alike."""
    return Tally(x, n, n)


def tally(table: T, design: Design[T] | None, read: Read[T]) -> Tally:
    """Return what `read` finds in a table, with effective sizes where the design asks for them.

    Args:
        table: of rows.
        design: its further layers; None for plain counts, which stay as they are.
        read: group by group, linear in the table: (groups, ...) successes and sizes.

    Returns:
        The tally. With weights n* is the smaller of Kish's and the linearised size (`by_weights`);
        with persons that of `by_persons`; with both, persons' sums of weights take the place of
        their rows, and Kish's size that of the number of rows.

    Source: Kish (1965); Korn and Graubard (1998).
    """
    x, n = read(table)
    if design is None:
        return Tally(x, n, n)
    return _tally(np.asarray(x), np.asarray(n), design.map(read))


def how_of(design: Design[Any]) -> str:
    """Return what makes sizes effective under a design."""
    if design.units is None:
        return BY_WEIGHTS
    return BY_PERSONS if design.weight is None else BY_BOTH


def _tally(x: Counts, rows: Counts, layers: Design[tuple[Counts, Counts]]) -> Tally:
    """Return the tally of rows and of what was read off the layers."""
    size = cap = every = np.asarray(rows, np.float64)
    if layers.weight is not None and layers.square is not None:
        x, size = (np.asarray(v, np.float64) for v in layers.weight)
        right, every = (np.maximum(v, 0) for v in layers.square)
        cap = share(size**2, np.where(rows > 0, every, 0))
    there = (rows > 0) & (size > 0) & (every > 0)
    q, how = _rate(x, np.where(there, size, 0)), how_of(layers)
    if layers.units is None:
        off = right * (1 - q) ** 2 + np.maximum(every - right, 0) * q**2
        n = by_weights(rows, size, cap, q * (1 - q), off)
        return _made(q, n, rows, there, how)
    parts = _parts(layers, size)
    n, alone = by_persons(q, size, cap, parts, q * (1 - q))
    return _made(q, n, rows, there, how, alone & there, parts)


def _rate(x: Counts, n: Counts) -> Array:
    """Return x / n, exactly 0 or 1 where sums of weights differ by rounding alone."""
    q = share(x, n)
    return np.where(q < ROUNDING, 0.0, np.where(q > 1 - ROUNDING, 1.0, q))


def _made(
    q: Array,
    n: Array,
    rows: Counts,
    there: Bools,
    how: str,
    alone: Bools | None = None,
    parts: Parts | None = None,
) -> Tally:
    n = np.where(there, np.maximum(n, TINY), 0.0)
    return Tally(np.where(there, q, 0.0) * n, n, np.where(there, rows, 0), how, alone, parts)


def _parts(layers: Design[tuple[Counts, Counts]], size: Array) -> Parts:
    """Return the sparse counts of persons from (pairs, ...) successes and sizes."""
    assert layers.units is not None
    x, n = (np.asarray(v, np.float64).reshape(len(layers.owner), -1) for v in layers.units)
    inner = n.shape[1]
    cell = layers.owner[:, None] * inner + np.arange(inner)
    # Differences of sums of weights leave dust where there is nothing.
    keep = n > ROUNDING * np.ravel(size)[cell]
    person = np.broadcast_to(layers.person[:, None], n.shape)
    return Parts(cell[keep], person[keep], x[keep], n[keep])


def by_weights(rows: Counts, size: Array, kish: Array, spread: Array, squares: Array) -> Array:
    """Return the effective size of weighted rows: the smaller of Kish's and the linearised one.

    Args:
        rows: n, rows.
        size: sum of weights.
        kish: (sum w)^2 / sum w^2.
        spread: variance of one outcome, q (1 - q) for a rate.
        squares: sum of w^2 (outcome - mean)^2.

    Returns:
        n*; Kish's where the outcomes do not vary, and where the weights do not.

    Source: Kish (1965); linearised: spread / v, v = n / (n - 1) squares / (sum w)^2.
    """
    rows = np.asarray(rows, np.float64)
    v = share(squares, size**2) * share(rows, np.maximum(rows - 1, 0))
    linearised = np.full(np.shape(kish), np.inf)
    np.divide(spread, v, out=linearised, where=(spread > 0) & (v > 0))
    even = kish >= rows * (1 - ROUNDING)
    return np.where(even, kish, np.fmin(kish, linearised))


def t_quantile(df: Array) -> Array:
    """Return the two-sided 95 % quantile of t; degrees of freedom below 1/10 count as 1/10."""
    return np.asarray(special.stdtrit(np.maximum(df, 0.1), 0.5 + LEVEL / 2), np.float64)


def by_persons(
    q: Array, size: Array, cap: Array, parts: Parts, spread: Array
) -> tuple[Array, Bools]:
    """Return the effective size of rows that belong to persons, and where there is one person.

    Args:
        q: mean outcome of each cell.
        size: N, rows (or sums of weights) of each cell.
        cap: the size is never more than this: N, with weights Kish's.
        parts: what each person adds.
        spread: variance of one outcome, q (1 - q) for a rate.

    Returns:
        n* = min(cap, spread / v) (z / t)^2 with v = (m - 1) / m sum [(x_k - q n_k) / (N - n_k)]^2
        over the m persons of a cell and t on m* - 1 degrees of freedom, m* = N^2 / sum n_k^2; m*
        in place of spread / v where the outcomes do not vary.

    Source: Korn and Graubard (1998), with the delete-one-person jackknife (CR3).
    """
    shape, cells = np.shape(q), np.size(q)
    flat, total = np.ravel(np.nan_to_num(q)), np.ravel(np.asarray(size, np.float64))
    rest = total[parts.cell] - parts.n
    off = parts.x - flat[parts.cell] * parts.n
    pull = np.divide(off, rest, out=np.zeros_like(off), where=rest > ROUNDING * parts.n)
    persons = np.bincount(parts.cell, minlength=cells)
    v = np.bincount(parts.cell, pull**2, cells) * share(np.maximum(persons - 1, 0), persons)
    effective = share(total**2, np.bincount(parts.cell, parts.n**2, cells))
    ratio, varies = np.full(cells, np.inf), np.ravel(np.nan_to_num(spread))
    np.divide(varies, v, out=ratio, where=(varies > 0) & (v > 0))
    ratio = np.where(varies > 0, ratio, effective)
    n = np.fmin(np.ravel(cap), ratio) * (Z / t_quantile(effective - 1)) ** 2
    return n.reshape(shape), (persons == 1).reshape(shape)
