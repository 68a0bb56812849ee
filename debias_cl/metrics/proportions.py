"""Intervals of one proportion, and of the F1 score, which is one in disguise; vectorised.

All formulas take a non-integer `n` (an effective number of rows); n = 0 gives NaN.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[Any]
Interval = Literal["wilson", "exact"]

LEVEL = 0.95
Z = float(special.ndtri(0.5 + LEVEL / 2))
METHODS: dict[Interval, str] = {"wilson": "Wilson", "exact": "Clopper-Pearson"}


def share(x: Counts, n: Counts) -> Array:
    """Return x / n as float64, NaN where n = 0 (undefined is not zero)."""
    x, n = np.asarray(x, np.float64), np.asarray(n, np.float64)
    out = np.full(np.broadcast(x, n).shape, np.nan)
    np.divide(x, n, out=out, where=n > 0)
    return out


def wilson(x: Counts, n: Counts, z: float = Z) -> tuple[Array, Array]:
    """Return Wilson's score limits of x right of n.

    Args:
        x, n: counts of any (broadcastable) shape, 0 <= x <= n.
        z: normal quantile, two-sided.

    Returns:
        Low and high, exactly 0 at x = 0 and exactly 1 at x = n, NaN where n = 0.

    Source: Wilson (1927).
    """
    x, n = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(n, np.float64))
    centre = share(x + z * z / 2, np.where(n > 0, n + z * z, 0))
    inner = np.maximum(share(x * (n - x), n), 0) + z * z / 4
    half = z * np.sqrt(inner) / (n + z * z)
    low = np.where(x <= 0, np.where(n > 0, 0.0, np.nan), centre - half)
    return low, np.where((x >= n) & (n > 0), 1.0, centre + half)


def clopper_pearson(
    x: Counts, n: Counts, low_tail: float = 0.025, high_tail: float = 0.025
) -> tuple[Array, Array]:
    """Return the exact limits of x right of n, each tail with its own error.

    Args:
        x, n: counts of any (broadcastable) shape, 0 <= x <= n.
        low_tail, high_tail: chance that the limit lies on the wrong side of the truth, at most.

    Returns:
        Low and high, NaN where n = 0.

    Source: Clopper and Pearson (1934), as quantiles of the Beta distribution.
    """
    x, n = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(n, np.float64))
    with np.errstate(invalid="ignore"):
        low = special.betaincinv(np.where(x > 0, x, 0.5), n - x + 1, low_tail)
        high = special.betaincinv(x + 1, np.where(n > x, n - x, 0.5), 1 - high_tail)
    empty = n <= 0
    low = np.where(empty, np.nan, np.where(x <= 0, 0.0, low))
    high = np.where(empty, np.nan, np.where(x >= n, 1.0, high))
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def limits(x: Counts, n: Counts, interval: Interval = "wilson") -> tuple[Array, Array]:
    """Return the two-sided 95 % limits of a proportion by the method asked for."""
    return wilson(x, n) if interval == "wilson" else clopper_pearson(x, n)


def f1_from_jaccard(jaccard: Array) -> Array:
    """Return F1 = 2 J / (1 + J), with J = tp / (tp + fp + fn).

    Given tp + fp + fn, tp is binomial, so an interval of J carried over is one of F1.
    """
    return np.asarray(2 * jaccard / (1 + jaccard), np.float64)
