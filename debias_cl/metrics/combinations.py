"""Score interval of any linear combination of rates of disjoint rows, and its paired sister.

One method for a difference of two groups, a mean of cells, macro recall, balanced accuracy and
aligned minus conflicting: it is Wilson's for one cell and Miettinen and Nurminen's for two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from debias_cl.metrics.proportions import Array, Counts, Z

METHOD = "score interval of a linear combination (Martín Andrés et al. 2012)"
DIFFERENCE = "score interval (Miettinen-Nurminen)"
PAIRED = "Tango's score interval, summed over cells"

LOG_RANGE = (-7.0, 26.0)
STEPS = 48

Constrained = Callable[[Array], tuple[Array, Array]]
"""Multiplier C -> the combination, and its variance, at the constrained maximum likelihood."""


def _bisect(at: Constrained, estimate: Array, bound: Array) -> Array:
    """Return lambda where C (estimate - lambda(C)) = bound: the lower limit."""
    low = np.full(estimate.shape, LOG_RANGE[0])
    high = np.full(estimate.shape, LOG_RANGE[1])
    for _ in range(STEPS):
        middle = (low + high) / 2
        multiplier = np.exp(middle)
        inside = multiplier * (estimate - at(multiplier)[0]) < bound
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return at(np.exp((low + high) / 2))[0]


def _factor(x: Array, n: Array, c: Array) -> Array:
    """Return the inflation of the variance that keeps sums over many small cells honest."""
    q = (x + 1) / (n + 2)
    part = c * c * q * (1 - q) / n
    total = part.sum(-1, keepdims=True)
    s = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
    return np.asarray(1 + (s * (1 - s) / np.maximum(n - 1, 1)).sum(-1), np.float64)


def _constrained(p: Array, n: Array, c: Array) -> Constrained:
    """Return the maximum-likelihood rates under sum c p = lambda, by the multiplier."""
    flip = c < 0
    toward = np.where(flip, 1 - p, p)

    def at(multiplier: Array) -> tuple[Array, Array]:
        a = multiplier[..., None] * np.abs(c)
        root = np.sqrt(np.maximum((a + n) ** 2 - 4 * a * n * toward, 0))
        rate = np.clip(2 * n * toward / (a + n + root), 0, 1)
        rate = np.where(flip, 1 - rate, rate)
        return (c * rate).sum(-1), (c * c * rate * (1 - rate) / n).sum(-1)

    return at


def _prepared(x: Counts, n: Counts, c: Counts) -> tuple[Array, Array, Array]:
    """Return float arrays of one shape; an empty cell gets weight 0 and a harmless size."""
    arrays = [np.asarray(v, np.float64) for v in (x, n, c)]
    x, n, c = (np.array(v) for v in np.broadcast_arrays(*arrays))
    empty = (n <= 0) | (c == 0)
    return np.where(empty, 0.0, x), np.where(empty, 1.0, n), np.where(empty, 0.0, c)


def linear(
    x: Counts, n: Counts, c: Counts, z: float = Z, factor: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return estimate, low and high of L = sum over the last axis of c_i p_i.

    Args:
        x, n: (..., k) counts of disjoint rows; an empty cell (n = 0) adds nothing, so give it
            weight 0 and name it.
        c: (..., k) weights, of any sign.
        z: normal quantile, two-sided.
        factor: (...) inflation of the variance; None is `_factor`.

    Returns:
        Three arrays of shape (...); NaN where no cell has rows.

    Source: Miettinen and Nurminen (1985); Martín Andrés, Herranz Tejedor and Álvarez Hernández
        (2012), doi 10.1080/00949655.2010.530601, without their continuity correction and with the
        factor f of `_factor`: 1 for one cell (Wilson), N/(N-1) for two equal ones.
    """
    x, n, c = _prepared(x, n, c)
    p = x / n
    estimate = (c * p).sum(-1)
    bound = z * z * (_factor(x, n, c) if factor is None else factor)
    low = _bisect(_constrained(p, n, c), estimate, bound)
    high = -_bisect(_constrained(p, n, -c), -estimate, bound)
    some = (c != 0).any(-1)
    return tuple(np.where(some, v, np.nan) for v in (estimate, low, high))  # type: ignore[return-value]


def difference(
    x1: Counts, n1: Counts, x2: Counts, n2: Counts, z: float = Z
) -> tuple[Array, Array, Array]:
    """Return estimate, low and high of p1 - p2 for two groups with rows, counts of any shape.

    Source: Miettinen and Nurminen (1985), with their own factor N/(N-1), as in `ratios.ratio`: so
        one holds 0 exactly when the other holds 1.
    """
    x, n = np.stack([x1, x2], -1), np.stack([n1, n2], -1)
    total = np.asarray(n.sum(-1), np.float64)
    factor = total / np.maximum(total - 1, total / 2)  # effective sizes may be below 1
    return linear(x, n, np.array([1.0, -1.0]), z, factor)


def linear_test(x: Counts, n: Counts, c: Counts) -> Array:
    """Return the two-sided p-value of L = 0 by the same score test."""
    x, n, c = _prepared(x, n, c)
    p = x / n
    estimate = (c * p).sum(-1)
    c = np.where((estimate < 0)[..., None], -c, c)
    at, size = _constrained(p, n, c), np.abs(estimate)
    low = np.full(size.shape, LOG_RANGE[0])
    high = np.full(size.shape, LOG_RANGE[1])
    for _ in range(STEPS):
        middle = (low + high) / 2
        above = at(np.exp(middle))[0] > 0
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    squared = np.exp((low + high) / 2) * size / _factor(x, n, c)
    return np.where(size > 0, 2 * special.ndtr(-np.sqrt(squared)), 1.0)


def _paired(b: Array, c: Array, n: Array, weight: Array) -> Constrained:
    """Return the trinomial counterpart of `_constrained`: gained b, lost c, the rest equal."""
    rest = n - b - c

    def at(multiplier: Array) -> tuple[Array, Array]:
        a = multiplier[..., None] * weight
        size = np.abs(a)
        falls, rises = np.where(a >= 0, b, c), np.where(a >= 0, c, b)
        low, high = np.zeros_like(n), np.array(n)
        for _ in range(STEPS):  # delta = m - |a| lies in (0, n]; the sum of rates falls with it
            delta = (low + high) / 2
            total = falls / (delta + 2 * size) + rises / delta + rest / (delta + size)
            low, high = np.where(total > 1, delta, low), np.where(total > 1, high, delta)
        delta = (low + high) / 2
        down = falls / (delta + 2 * size)
        up = np.clip(1 - down - rest / (delta + size), 0, 1)  # may sit on the boundary
        d = np.where(a >= 0, down - up, up - down)
        return (weight * d).sum(-1), (weight**2 * (down + up - d * d) / n).sum(-1)

    return at


def paired(
    gained: Counts, lost: Counts, n: Counts, c: Counts, z: float = Z
) -> tuple[Array, Array, Array]:
    """Return estimate, low and high of sum c_i (gained_i - lost_i) / n_i: two models, same rows.

    Args:
        gained: (..., k) rows that only the first model has right.
        lost: (..., k) rows that only the second has right.
        n: (..., k) rows of each cell.
        c: (..., k) weights.
        z: normal quantile, two-sided.

    Returns:
        Three arrays of shape (...); NaN where no cell has rows.

    Source: Tango (1998) for one cell; its sum over cells is our own, by the argument of `linear`
        with trinomials in place of binomials.
    """
    gained, n, c = _prepared(gained, n, c)
    lost = np.where(c == 0, 0.0, np.broadcast_to(np.asarray(lost, np.float64), c.shape))
    estimate = (c * (gained - lost) / n).sum(-1)
    bound = np.full(estimate.shape, z * z)
    low = _bisect(_paired(gained, lost, n, c), estimate, bound)
    high = -_bisect(_paired(gained, lost, n, -c), -estimate, bound)
    some = (c != 0).any(-1)
    return tuple(np.where(some, v, np.nan) for v in (estimate, low, high))  # type: ignore[return-value]


def mcnemar_mid_p(gained: float, lost: float) -> float:
    """Return McNemar's mid-p value. Source: Fagerland, Lydersen and Laake (2013)."""
    n, k = gained + lost, min(gained, lost)
    if n == 0:
        return 1.0
    tail = special.bdtr(k, n, 0.5)
    below = special.bdtr(k - 1, n, 0.5) if k > 0 else 0.0
    return float(min(1.0, tail + below))
