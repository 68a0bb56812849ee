"""Intervals of sums, differences and ratios of cells, also where cells share persons.

Cells of disjoint rows are independent: the score intervals of `combinations` and `ratios`, with
effective sizes. Cells that share persons are not: the delete-one-person jackknife of the contrast
itself, with t (ignoring it would give intervals that are far too wide for a difference, and too
narrow for a mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from debias_cl.metrics import combinations, ratios
from debias_cl.metrics.proportions import Array, Counts, share
from debias_cl.metrics.tally import ROUNDING, Bools, Tally, t_quantile

JACKKNIFE = "delete-one-person jackknife of the contrast with t (F10)"
ONE_PERSON = "no interval: all rows of one cell are of one person"

Curve = Callable[[Array], Array]


@dataclass(frozen=True)
class Contrast:
    """A contrast of the last axis of a tally.

    Attributes:
        value, low, high: (...) the contrast and its 95 % interval.
        method: (...) names of the methods.
        lonely: (...) where a cell has one person alone, so that there is no interval.
        size: (...) sum of the sizes of its cells, effective ones where rows are not all alike.
    """

    value: Array
    low: Array
    high: Array
    method: tuple[str, ...]
    lonely: Bools
    size: Array

    def reason(self, place: int = 0) -> str | None:
        """Return why there is no interval; None where there is one."""
        return ONE_PERSON if self.lonely[place] else None


@dataclass(frozen=True)
class Jackknife:
    """Delete-one-person results of (sets,) contrasts.

    Attributes:
        half: half the width of the interval, t sqrt(v).
        shared: whether some person is in several cells, and the spread is not 0.
        lonely: whether a cell has one person alone.
    """

    half: Array
    shared: Bools
    lonely: Bools


def _same(rate: Array) -> Array:
    return rate


def _log(rate: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.where(rate < ROUNDING, 0.0, rate)), np.float64)


def jackknife(tally: Tally, c: Counts, curve: Curve = _same) -> Jackknife:
    """Return the delete-one-person jackknife of sum over the last axis of c_i curve(p_i).

    Args:
        tally: (..., k) with the parts of its persons.
        c: (..., k) weights.
        curve: applied to each rate; the logarithm for ratios.

    Source: v = (m - 1) / m sum over m persons of (L without the person - L)^2, as in F10 for one
        cell. t has the effective number of persons less 1, (sum h)^2 / sum h^2 with a person's
        share h_k = sum |c_i| n_ik / N_i, which is F10's m* for one cell.
    """
    shape, parts = np.shape(tally.n), tally.parts
    assert parts is not None
    k, weight = shape[-1], np.broadcast_to(c, shape).ravel()
    used = weight[parts.cell] != 0
    cell, person = parts.cell[used], parts.person[used]
    x, n = parts.x[used], parts.n[used]
    total = np.bincount(cell, n, weight.size)[cell]
    right = np.bincount(cell, x, weight.size)[cell]
    rest = total - n
    last = rest <= ROUNDING * total
    without = (right - x) / np.where(last, 1.0, rest)
    pull = weight[cell] * (curve(without) - curve(right / total))
    sets = weight.size // k
    width = int(person.max(initial=0)) + 1
    pair, place = np.unique(cell // k * width + person, return_inverse=True)
    pull = np.where(last, 0.0, pull)
    of, times = pair // width, np.bincount(place, minlength=len(pair))
    u = np.bincount(place, pull, len(pair))
    h = np.bincount(place, np.abs(weight[cell]) * n / total, len(pair))
    m = np.bincount(of, minlength=sets)
    v = share(np.maximum(m - 1, 0), m) * np.bincount(of, u**2, sets)
    effective = share(np.bincount(of, h, sets) ** 2, np.bincount(of, h**2, sets))
    shared = np.bincount(of, times > 1, sets) > 0
    half = t_quantile(np.nan_to_num(effective) - 1) * np.sqrt(v)
    lonely = np.bincount(cell[last] // k, minlength=sets) > 0
    return Jackknife(half, shared & (half > 0), lonely)


def linear(tally: Tally, c: Counts) -> Contrast:
    """Return sum over the last axis of c_i p_i, with its interval.

    Args:
        tally: (..., k) cells of disjoint rows.
        c: (..., k) weights; 0 for empty cells.

    Returns:
        The contrast, flat over the leading axes.
    """
    found = combinations.linear(tally.x, tally.n, c)
    return chosen(tally, c, found, tally.method(combinations.METHOD), _reach(c))


def difference(tally: Tally) -> Contrast:
    """Return p1 - p2 of two cells with rows, with its interval."""
    (x1, x2), (n1, n2) = tally.x, tally.n
    found = combinations.difference(x1, n1, x2, n2)
    sign = np.array([1.0, -1.0])
    return chosen(tally, sign, found, tally.method(combinations.DIFFERENCE), (-1.0, 1.0))


def chosen(
    tally: Tally,
    c: Counts,
    found: tuple[Array, Array, Array],
    method: str,
    reach: tuple[Any, Any],
) -> Contrast:
    """Return the score interval, or the jackknife's where cells share persons.

    Args:
        tally: (..., k) cells.
        c: (..., k) weights.
        found: value, low and high by the score method.
        method: its name.
        reach: smallest and largest value that the contrast can have.
    """
    value, low, high = (np.atleast_1d(v).ravel() for v in found)
    size = np.where(np.broadcast_to(c, np.shape(tally.n)) != 0, tally.n, 0).sum(-1)
    if tally.parts is None:
        none = np.zeros(len(value), np.bool_)
        return Contrast(value, low, high, (method,) * len(value), none, np.atleast_1d(size))
    got = jackknife(tally, c)
    low = np.where(got.shared, np.maximum(value - got.half, reach[0]), low)
    high = np.where(got.shared, np.minimum(value + got.half, reach[1]), high)
    low, high = (np.where(got.lonely, np.nan, v) for v in (low, high))
    methods = tuple(JACKKNIFE if shared else method for shared in got.shared)
    return Contrast(value, low, high, methods, got.lonely, np.atleast_1d(size))


def _reach(c: Counts) -> tuple[Array, Array]:
    """Return the smallest and largest value of a contrast of rates."""
    return np.minimum(c, 0).sum(-1), np.maximum(c, 0).sum(-1)


def ratio(tally: Tally) -> Contrast:
    """Return p1 / p2 of two cells, with its interval; infinite where p2 is 0."""
    (x1, x2), (n1, n2) = tally.x, tally.n
    value, low, high = (np.atleast_1d(v) for v in ratios.ratio(x1, n1, x2, n2))
    method, none = tally.method(ratios.METHOD), np.zeros(1, np.bool_)
    if tally.parts is not None and x1 > 0 and x2 > 0:
        got = jackknife(tally, np.array([1.0, -1.0]), _log)
        if got.shared[0] and np.isfinite(got.half[0]):
            low, high = value / np.exp(got.half), value * np.exp(got.half)
            method = JACKKNIFE
    return Contrast(value, low, high, (method,), none, np.atleast_1d(n1 + n2))
