"""The mean of shares, one a row or picture, with its interval."""

from __future__ import annotations

import numpy as np
from scipy import stats

from debias_cl.metrics.proportions import LEVEL
from debias_cl.metrics.values import Value, defined
from debias_cl.records import Floats


def mean_share(shares: Floats, what: str) -> Value:
    """Return the mean of (n,) shares, n >= 1, with a t interval cut to [0, 1].

    Args:
        shares: each in [0, 1].
        what: is counted ("rows"), for the method and the reason.
    """
    n, value = len(shares), float(shares.mean())
    spread = float(shares.std(ddof=1)) if n > 1 else 0.0
    if not spread:
        who = f"all {what} alike" if n > 1 else f"one {what.removesuffix('s')}"
        return defined(value, None, None, n, None, reason=f"{who}: no interval")
    half = stats.t.ppf(0.5 + LEVEL / 2, n - 1) * spread / np.sqrt(n)
    low, high = max(0.0, value - half), min(1.0, value + half)
    return defined(value, low, high, n, f"t interval over {what}")
