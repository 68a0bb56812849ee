"""What can be said of the widest gap, the smallest ratio and the worst of several groups.

An extreme over three or more groups has no honest centred interval. It gets "at least" (with the
pairs looked at simultaneously), "at most", and the smallest gap that such sizes would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import special

from debias_cl.metrics.proportions import LEVEL, Array, Counts, Z, clopper_pearson, share, wilson
from debias_cl.metrics.ratios import mover_ratio

POWER_Z = float(special.ndtri(0.8))

Pick = tuple[Counts, Counts]
"""Successes and sizes of the groups compared in one rate of one class."""


@lru_cache(maxsize=256)
def tukey_z(groups: int, families: int = 1) -> float:
    """Return the multiplier that makes all pairs of all `families` rates hold at once.

    Source: Tukey's studentised range at infinite degrees of freedom over sqrt 2; `families` rates
        share the level as level ** (1 / families).
    """
    return studentised_range(LEVEL ** (1 / families), groups) / 2**0.5


GRID = np.linspace(-9.0, 9.0, 1801)
WEIGHTS = np.exp(-(GRID**2) / 2) / (2 * np.pi) ** 0.5 * (GRID[1] - GRID[0])


def studentised_range(level: float, groups: int) -> float:
    """Return the quantile of the range of `groups` standard normal draws, to 1e-9.

    Equal to `scipy.stats.studentized_range` at infinite degrees of freedom; importing scipy.stats
    takes longer than many an audit.

    Source: P(R <= q) = G integral of phi(x) [Phi(x) - Phi(x - q)]^(G - 1) dx, by bisection.
    """
    above = special.ndtr(GRID)
    low, high = 0.0, 40.0
    for _ in range(60):
        q = (low + high) / 2
        inside = (above - special.ndtr(GRID - q)) ** (groups - 1)
        low, high = (q, high) if groups * float(WEIGHTS @ inside) < level else (low, q)
    return (low + high) / 2


def newcombe(x: Counts, n: Counts, z: float) -> tuple[Array, Array]:
    """Return (G, G) limits of p_i - p_j for all ordered pairs. Source: Newcombe (1998), no. 10."""
    p = share(x, n)
    low, high = wilson(x, n, z)
    gap = p[:, None] - p[None, :]
    down, up = (p - low) ** 2, (high - p) ** 2
    return gap - np.sqrt(down[:, None] + up[None, :]), gap + np.sqrt(up[:, None] + down[None, :])


def gap_bounds(picks: Sequence[Pick], p: float | None) -> tuple[float, float]:
    """Return "at least" and "at most" of the largest gap over groups and rates.

    Args:
        picks: one (x, n) pair a rate (or class), each of at least two groups.
        p: the permutation p-value; above .05 (or unknown) nothing is claimed from below.

    Returns:
        The largest lower limit over ordered pairs at Tukey's multiplier, and the largest limit at
        the plain one (the truly widest pair is among them: Berger 1982).
    """
    least, most = 0.0, 0.0
    for x, n in picks:
        least = max(least, float(newcombe(x, n, tukey_z(len(n), len(picks)))[0].max()))
        most = max(most, float(newcombe(x, n, Z)[1].max()))
    claimed = p is not None and p <= 1 - LEVEL
    return (least if claimed else 0.0), min(most, 1.0)


def ratio_bounds(picks: Sequence[Pick], p: float | None) -> tuple[float, float]:
    """Return "at least" and "at most" of the smallest ratio over groups and rates (mirrored)."""
    least, most = 1.0, 1.0
    for x, n in picks:
        pairs = (x[:, None], n[:, None], x[None, :], n[None, :])
        apart = ~np.eye(len(n), dtype=bool)
        least = min(least, float(mover_ratio(*pairs, z=Z)[0][apart].min()))
        z = tukey_z(len(n), len(picks))
        most = min(most, float(mover_ratio(*pairs, z=z)[1][apart].min()))
    claimed = p is not None and p <= 1 - LEVEL
    return max(least, 0.0), (most if claimed else 1.0)


def worst_group(x: Counts, n: Counts) -> tuple[float, float, float]:
    """Return the two-sided 95 % limits of the smallest true rate, and its one-sided "at least".

    Args:
        x, n: (G,) counts, all n > 0.

    Returns:
        low = min of the Clopper-Pearson lower limits (needs no adjustment for any number of
        groups), high = min of the upper ones at 1 - .025 / G, and the one-sided 95 % lower limit.
    """
    tail = (1 - LEVEL) / 2
    low, high = clopper_pearson(x, n, tail, tail / len(n))
    one_sided, _ = clopper_pearson(x, n, 1 - LEVEL, tail)
    return float(low.min()), float(high.min()), float(one_sided.min())


def detectable(rate: float, n_small: float, n_large: float) -> float | None:
    """Return the smallest gap that two groups of these sizes show with 80 % power.

    Args:
        rate: rate of both where there is no gap; the deviating group is taken to lie on the
            roomier side of it (below where the rate is .5 or more, else above, by symmetry).
        n_small: rows of the deviating group.
        n_large: rows of the other.

    Returns:
        The gap, or None where no gap that fits would be seen.

    Source: Fleiss, solved by bisection.
    """
    p1 = max(rate, 1 - rate)

    def missing(d: float) -> float:
        p2 = p1 - d
        pooled = (p1 * n_large + p2 * n_small) / (n_large + n_small)
        plain = Z * (pooled * (1 - pooled) * (1 / n_large + 1 / n_small)) ** 0.5
        apart = (p1 * (1 - p1) / n_large + p2 * (1 - p2) / n_small) ** 0.5
        return float(plain + POWER_Z * apart - d)

    if missing(p1) > 0:
        return None
    low, high = 0.0, p1
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) > 0 else (low, middle)
    return (low + high) / 2
