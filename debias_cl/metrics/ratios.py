"""Intervals of a ratio of two rates, and the folding of a signed interval into an unsigned one."""

from __future__ import annotations

import numpy as np

from debias_cl.metrics.proportions import Array, Counts, Z, share, wilson

METHOD = "score interval of a ratio (Koopman; Miettinen-Nurminen)"

LOG_RANGE = (-40.0, 40.0)
STEPS = 80


def _distance(rho: Array, x1: Array, n1: Array, x2: Array, n2: Array) -> Array:
    """Return the squared score statistic of p1 = rho p2, with the factor (N - 1) / N."""
    total, x = n1 + n2, x1 + x2
    b = n1 * rho + x1 + n2 + x2 * rho
    p2 = 2 * x / (b + np.sqrt(np.maximum(b * b - 4 * total * rho * x, 0)))
    p2 = np.clip(p2, 0, np.minimum(1, 1 / rho))
    p1 = rho * p2
    variance = p1 * (1 - p1) / n1 + rho**2 * p2 * (1 - p2) / n2
    freedom = np.maximum(total - 1, total / 2)  # effective sizes may be below 1
    squared = (x1 / n1 - rho * x2 / n2) ** 2 * freedom / total
    out = np.full(squared.shape, np.inf)
    np.divide(squared, variance, out=out, where=variance > 0)
    return np.where(squared == 0, 0.0, out)


def ratio(
    x1: Counts, n1: Counts, x2: Counts, n2: Counts, z: float = Z
) -> tuple[Array, Array, Array]:
    """Return estimate, low and high of rho = p1 / p2 for independent groups.

    Args:
        x1, n1, x2, n2: counts of any (broadcastable) shape.
        z: normal quantile, two-sided.

    Returns:
        Three arrays. x1 = 0: low is 0. x2 = 0: estimate and high are infinite. Both 0, or an empty
        group: NaN. The interval holds 1 exactly when `combinations.difference` holds 0.

    Source: Koopman (1984); Miettinen and Nurminen (1985).
    """
    arrays = [np.asarray(v, np.float64) for v in (x1, n1, x2, n2)]
    x1, n1, x2, n2 = (np.array(v) for v in np.broadcast_arrays(*arrays))
    void = (n1 <= 0) | (n2 <= 0) | ((x1 <= 0) & (x2 <= 0))
    n1, n2 = np.where(void, 1.0, n1), np.where(void, 1.0, n2)
    x1, x2 = np.where(void, 1.0, x1), np.where(void, 1.0, x2)
    with np.errstate(divide="ignore"):
        estimate = np.where(x2 > 0, (x1 / n1) / np.where(x2 > 0, x2 / n2, 1.0), np.inf)
        centre = np.clip(np.log(np.where(x1 > 0, estimate, 1.0)), *LOG_RANGE)
    ends = []
    for edge, open_end in ((LOG_RANGE[0], x1 <= 0), (LOG_RANGE[1], x2 <= 0)):
        inner = np.where(x1 <= 0, LOG_RANGE[0], np.where(x2 <= 0, LOG_RANGE[1], centre))
        outer = np.full(inner.shape, edge)
        for _ in range(STEPS):
            middle = (inner + outer) / 2
            inside = _distance(np.exp(middle), x1, n1, x2, n2) <= z * z
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        ends.append(np.where(open_end, 0.0 if edge < 0 else np.inf, np.exp((inner + outer) / 2)))
    return (*(np.where(void, np.nan, v) for v in (estimate, *ends)),)  # type: ignore[return-value]


def mover_ratio(
    x1: Counts, n1: Counts, x2: Counts, n2: Counts, z: float = Z
) -> tuple[Array, Array]:
    """Return limits of p1 / p2 in closed form from Wilson limits, for bulk work over pairs.

    Source: Donner and Zou (2012), MOVER-R, written so that nothing cancels near zero.
    """
    p1, p2 = share(x1, n1), share(x2, n2)
    (l1, u1), (l2, u2) = wilson(x1, n1, z), wilson(x2, n2, z)
    product = p1 * p2
    near, far = l1 * (2 * p1 - l1), u1 * (2 * p1 - u1)
    under = product + np.sqrt(np.maximum(product**2 - near * u2 * (2 * p2 - u2), 0))
    low = np.divide(near, under, out=np.zeros_like(product), where=under > 0)
    bottom = l2 * (2 * p2 - l2)
    top = product + np.sqrt(np.maximum(product**2 - far * bottom, 0))
    high = np.divide(top, bottom, out=np.full_like(product, np.inf), where=bottom > 0)
    return low, high


def fold_difference(low: float, high: float) -> tuple[float, float]:
    """Return the interval of |d| from that of d; its coverage can only rise.

    >>> fold_difference(-0.1, 0.3)
    (0.0, 0.3)
    >>> fold_difference(-0.3, -0.1)
    (0.1, 0.3)
    """
    ends = sorted((abs(low), abs(high)))
    return (0.0 if low <= 0 <= high else ends[0]), ends[1]


def fold_ratio(low: float, high: float) -> tuple[float, float]:
    """Return the interval of min(r, 1/r) from that of r.

    >>> fold_ratio(0.5, 4.0)
    (0.25, 1.0)
    >>> fold_ratio(2.0, float("inf"))
    (0.0, 0.5)
    """
    ends = sorted(min(r, 1 / r) if r > 0 else 0.0 for r in (low, high))
    return ends[0], (1.0 if low <= 1 <= high else ends[1])
