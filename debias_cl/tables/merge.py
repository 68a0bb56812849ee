"""Entries that are alike become one: exact scores while they are few, else a fine histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.records import Codes, Floats, Mass

BINS = 4096
"""More distinct scores than this are counted in this many equal bins, each with its mean score.

The bins run from 0 (from -2^k where a score is negative) to 2^k, the smallest power of two that no
score exceeds. So bins of bins are the same bins: a table that was counted before gives the numbers
of its rows.
"""

WIDEST = 1 << 62


@dataclass(frozen=True)
class Grid:
    """How scores are put into bins; `per_unit` None keeps each distinct score.

    Attributes:
        per_unit: bins per unit of score, a power of two: scaling by it is exact.
        last: the highest bin; the top end belongs to it.
        infinite: whether there may be infinite scores; they have bins of their own.
    """

    per_unit: float | None = None
    last: int = BINS - 1
    infinite: bool = True

    @property
    def exact(self) -> bool:
        """Whether each distinct score is kept."""
        return self.per_unit is None


def grid(kinds: int, low: float, high: float, infinite: bool = True) -> Grid:
    """Return the bins for scores.

    Args:
        kinds: how many distinct scores there are; more than `BINS` means any number.
        low, high: the ends of the finite ones.
        infinite: whether there may be infinite ones.
    """
    if kinds <= BINS:
        return Grid()
    scale = 2.0 ** math.ceil(math.log2(max(abs(low), abs(high))))
    if low < 0:
        return Grid(BINS / 2 / scale, BINS // 2 - 1, infinite)
    return Grid(BINS / scale, infinite=infinite)


def grid_of(scores: Floats) -> Grid:
    """Return the bins for (n,) scores, NaN where missing."""
    kinds = np.unique(scores[~np.isnan(scores)])
    finite = kinds[np.isfinite(kinds)]
    if not len(finite):
        return Grid()
    return grid(len(kinds), float(finite[0]), float(finite[-1]))


def bins(scores: Floats, by: Grid) -> Codes:
    """Return a code for each score, in the order of scores; -1 where it is missing."""
    if by.per_unit is None:
        codes = np.unique(scores, return_inverse=True)[1].reshape(-1)
        return np.where(np.isnan(scores), -1, codes)
    first = by.last - BINS + 1
    place = np.floor(np.nan_to_num(scores, nan=0.0, posinf=0.0, neginf=0.0) * by.per_unit)
    place = np.clip(place, first, by.last) - first + 1
    place = np.where(np.isinf(scores), np.where(scores > 0, BINS + 1, 0), place)
    return np.where(np.isnan(scores), -1, place).astype(np.int64)


@dataclass(frozen=True)
class Merged:
    """What entries became.

    Attributes:
        first: (m,) an entry that stands for each new one.
        mass: (m,) what each stands for.
        scores: (m,) mean score by rows; None without.
    """

    first: Codes
    mass: Mass
    scores: Floats | None


def merged(columns: Sequence[Codes], mass: Mass, scores: Floats | None = None) -> Merged:
    """Count alike entries together.

    Args:
        columns: (n,) codes by which entries are told apart, -1 where missing.
        mass: of the n entries.
        scores: (n,) of the entries, NaN where missing; binned by `grid_of`.

    Returns:
        New entries in the order of their codes, whatever order the old ones had.
    """
    keys = [*columns] if scores is None else [*columns, bins(scores, grid_of(scores))]
    code = _together(keys, len(mass.rows))
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    if not len(order):
        return Merged(order, mass, scores)

    def total(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.asarray(np.add.reduceat(values[order], starts))

    rows = total(mass.rows)
    weight = None if mass.weight is None else total(mass.weight)
    square = None if mass.square is None else total(mass.square)
    mean = None
    if scores is not None:
        ends = [end.reduceat(scores[order], starts) for end in (np.minimum, np.maximum)]
        with np.errstate(invalid="ignore"):  # infinite scores of one sign have an infinite mean
            mean = np.clip(total(scores * mass.rows) / rows, *ends)
    return Merged(order[starts], Mass(rows, weight, square), mean)


def _together(columns: Sequence[Codes], n: int) -> Codes:
    """Return one code for several, in the same order; codes are made dense before they overflow."""
    code, size = np.zeros(n, np.int64), 1
    for column in columns:
        width = int(column.max(initial=-1)) - int(column.min(initial=-1)) + 1
        if size * width > WIDEST:
            kinds, code = np.unique(code, return_inverse=True)
            size = len(kinds)
        code = code * width + (column - int(column.min(initial=-1)))
        size *= width
    return code
