"""Chance: what shuffled groups would show, drawn from counts alone.

Permuting the attribute over the rows of a stratum deals that stratum's outcomes over its groups,
a multivariate hypergeometric draw. It is exact and its cost does not depend on the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from debias_cl.metrics.proportions import Array, Counts

Ints = npt.NDArray[np.int64]

LARGEST = 10**9
"""numpy draws hypergeometric numbers of at most so many rows a stratum."""
BUDGET = 4_000_000
"""Numbers drawn at most: fewer permutations for many cells, which the result states."""
LEAST = 199
"""Permutations drawn at least, if so many are wanted."""


@dataclass(frozen=True)
class Pick:
    """One rate of one class, read off a (groups, strata, outcomes) table.

    Attributes:
        rate: name of the rate.
        level: class that it is about ("" where it is about rows).
        strata: strata whose rows form the denominator.
        outcome: outcome that counts as success.
    """

    rate: str
    level: str
    strata: tuple[int, ...]
    outcome: int

    def read(self, table: Ints) -> tuple[Ints, Ints]:
        """Return successes and sizes, of shape (..., groups)."""
        if len(self.strata) == 1:  # nothing to add up, nothing to copy
            part = table[..., self.strata[0], :]
        else:
            part = table[..., self.strata, :].sum(-2)
        return part[..., self.outcome], part.sum(-1)

    def successes(self, table: Ints) -> Ints:
        """Return successes alone, of shape (..., groups): shuffling keeps the sizes."""
        found: Ints = table[..., self.strata, self.outcome].sum(-1)
        return found


def replicates(table: Ints, wanted: int) -> int:
    """Return how many permutations are drawn: `wanted`, fewer for tables of many cells."""
    return max(min(wanted, BUDGET // max(table.size, 1)), min(wanted, LEAST))


def shuffled(table: Ints, keep: npt.NDArray[np.bool_], count: int, seed: Sequence[int]) -> Ints:
    """Return `count` tables with the groups permuted within each stratum.

    Args:
        table: (G, S, P) counts of group, stratum, outcome.
        keep: (G, S) which groups take part in which stratum; the others stay as they are.
        count: number of replicates.
        seed: seed of the generator.

    Returns:
        (count, G, S, P) counts; both margins of every stratum are kept in every replicate.
    """
    rng = np.random.default_rng(seed)
    out = np.broadcast_to(table, (count, *table.shape)).copy()
    for stratum in range(table.shape[1]):
        groups = np.flatnonzero(keep[:, stratum])
        part = table[groups, stratum]
        if len(groups) > 1 and part.sum() > 0:
            out[:, groups, stratum] = deal(part.sum(1), part.sum(0), count, rng)
    return out


def deal(sizes: Ints, totals: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Return (count, G, P): `totals` outcomes of one stratum dealt over groups of some `sizes`.

    Args:
        sizes: (G,) rows of the groups.
        totals: (P,) rows of the outcomes, the same sum.
        count: number of replicates.
        rng: source of chance.
    """
    groups, outcomes = len(sizes), len(totals)
    room = np.broadcast_to(sizes, (count, groups)).copy()
    dealt = np.zeros((count, groups, outcomes), np.int64)
    for outcome, total in enumerate(totals[:-1]):
        left = np.full(count, total)
        behind = room.sum(1)
        for group in range(groups - 1):
            behind = behind - room[:, group]
            dealt[:, group, outcome] = rng.hypergeometric(room[:, group], behind, left)
            left = left - dealt[:, group, outcome]
        dealt[:, -1, outcome] = left
        room -= dealt[:, :, outcome]
    dealt[:, :, -1] = room
    return dealt


def chi_square(x: Counts, n: Counts) -> Array:
    """Return sum_g n_g (r_g - r)^2 / (r (1 - r)) over the last axis; 0 where r is 0 or 1."""
    total = n.sum(-1)
    r = x.sum(-1) / total
    spread = (n * (x / n - np.asarray(r)[..., None]) ** 2).sum(-1)
    scale = r * (1 - r)
    out: Array = np.divide(spread, scale, out=np.zeros_like(spread), where=scale > 0)
    return out


def p_value(observed: float, drawn: Array) -> float:
    """Return (1 + #{T* >= T}) / (B + 1); equal up to rounding counts as reached."""
    reached = int((drawn >= observed - 1e-9 * max(1.0, abs(observed))).sum())
    return (1 + reached) / (len(drawn) + 1)


@dataclass(frozen=True)
class Chance:
    """What shuffling gives for one disparity.

    Attributes:
        p: p-value of the chi-square statistic.
        gap95: gap that 95 of 100 shuffles do not exceed.
        ratio05: ratio that 95 of 100 shuffles do not fall below; None where 0/0 in all of them.
        square: mean squared gap under shuffling.
        permutations: replicates drawn; 0 where the distribution is exact.
    """

    p: float
    gap95: float
    ratio05: float | None
    square: float
    permutations: int

    def adjusted(self, gap: float) -> float:
        """Return the noise-adjusted gap sqrt(max(0, g^2 - E0 g^2))."""
        return float(max(0.0, gap**2 - self.square) ** 0.5)


def _quantile(values: Array, weights: Array, level: float) -> float | None:
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    if not len(values) or reached[-1] <= 0:
        return None
    return float(values[order][np.searchsorted(reached, level * reached[-1] * (1 - 1e-12))])


def _summary(
    gaps: Array, ratios: Array, weights: Array, p: float, permutations: int
) -> Chance | None:
    gap95 = _quantile(gaps, weights, 0.95)
    known = ~np.isnan(ratios)
    ratio05 = _quantile(ratios[known], weights[known], 0.05)
    square = float((gaps**2 * weights).sum() / weights.sum())
    return None if gap95 is None else Chance(p, gap95, ratio05, square, permutations)


def exact_two_groups(x: Counts, n: Counts) -> Chance | None:
    """Return the chance of one rate of two groups from the hypergeometric distribution itself.

    Effective sizes are rounded: groups of round(n*) rows, of which round(sum x*) are successes.
    """
    n1, n2 = (max(round(float(size)), 1) for size in n)
    k = min(round(float(x.sum())), n1 + n2)
    mean, sd = k * n1 / (n1 + n2), (k * (n1 + n2 - k) * n1 * n2) ** 0.5 / (n1 + n2) ** 1.5
    low = max(0, k - n2, int(mean - 40 * sd) - 1)
    first = np.arange(low, min(n1, k, int(mean + 40 * sd) + 1) + 1)
    log = (
        -special.betaln(first + 1, n1 - first + 1)
        - special.betaln(k - first + 1, n2 - k + first + 1)
        - np.log((n1 + 1) * (n2 + 1.0))
    )
    weights = np.exp(log - log.max())
    rates = np.stack([first / n1, (k - first) / n2])
    gaps = np.abs(rates[0] - rates[1])
    observed = abs(x[0] / n[0] - x[1] / n[1])
    p = float(weights[gaps >= observed - 1e-12].sum() / weights.sum())
    return _summary(gaps, smallest_ratio(rates.T), weights, min(p, 1.0), 0)


def smallest_ratio(rates: Array) -> Array:
    """Return min / max over the last axis; NaN where all are 0."""
    top = rates.max(-1)
    out: Array = np.divide(rates.min(-1), top, out=np.full(top.shape, np.nan), where=top > 0)
    return out


def chance(
    drawn: npt.NDArray[Any],
    picks: Sequence[Pick],
    judged: Sequence[npt.NDArray[np.bool_]],
    observed: npt.NDArray[Any],
    fixed: bool = True,
) -> Chance | None:
    """Return the chance of the largest gap over several rates from shuffled tables.

    Args:
        drawn: (B, G, S, P) shuffled tables.
        picks: the rates.
        judged: for each rate, the (G,) mask of groups that are compared.
        observed: (G, S, P) the table as it is.
        fixed: whether every drawn table has the sizes of the observed one.
    """
    gaps = np.zeros(len(drawn))
    ratios = np.full(len(drawn), np.nan)
    statistic, reference = np.zeros(len(drawn)), 0.0
    for pick, mask in zip(picks, judged, strict=True):
        real, n = (counts[mask] for counts in pick.read(observed))
        if fixed:
            x, size = pick.successes(drawn)[:, mask], n
        else:
            x, size = (counts[:, mask] for counts in pick.read(drawn))
        rates = x / size
        gaps = np.maximum(gaps, rates.max(-1) - rates.min(-1))
        ratios = np.fmin(ratios, smallest_ratio(rates))
        statistic += chi_square(x, size)
        reference += float(chi_square(real, n))
    p = p_value(reference, statistic)
    return _summary(gaps, ratios, np.ones(len(drawn)), p, len(drawn))
