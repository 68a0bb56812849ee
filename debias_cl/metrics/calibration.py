"""Calibration in bins of equal mass: plug-in error beside its chance, and the debiased one.

Equal scores are never split between bins, so one constant score is one bin, and there may be fewer
bins than asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from debias_cl.metrics.null import BUDGET, p_value
from debias_cl.metrics.proportions import Array, Z, share
from debias_cl.metrics.scored import Parted
from debias_cl.records import Codes

MOST_DRAWS = 1_000
"""Draws of chance at most: p-values down to 1/1001."""
METHOD = "debiased error of equal-mass bins (F12)"


@dataclass(frozen=True)
class Bins:
    """Scored rows of every group in bins of equal mass, one axis for all that have rows.

    Attributes:
        group: (k,) which group a bin is of; a group's bins ascend in score.
        weight: (k,) sums of weights.
        rows: (k,) rows.
        effective: (k,) Kish's number of rows.
        score: (k,) mean score.
        rate: (k,) share of positive labels.
        chance: (k,) variance of `rate` if labels were drawn from the scores.
        low, high: (k,) smallest and largest score.
        place: (n,) bin of each entry.
        size: number of groups.
    """

    group: Codes
    weight: Array
    rows: Array
    effective: Array
    score: Array
    rate: Array
    chance: Array
    low: Array
    high: Array
    place: Codes
    size: int

    @property
    def share(self) -> Array:
        """(k,) the bin's part of its group."""
        total = np.bincount(self.group, self.weight, self.size)
        return share(self.weight, total[self.group])

    def sum(self, values: Array) -> Array:
        """Return (..., size) sums of (..., k) values over the bins of each group."""
        return summed(values, self.group, self.size)


def summed(values: Array, group: Codes, size: int) -> Array:
    """Return (..., size) sums over runs of an ascending group code; 0 for absent groups."""
    out = np.zeros((*values.shape[:-1], size))
    there, start = np.unique(group, return_index=True)
    if len(there):
        out[..., there] = np.add.reduceat(values, start, axis=-1)
    return out


def bins(parted: Parted, most: int) -> Bins:
    """Return the bins of every group.

    Args:
        parted: entries by group.
        most: number of bins; a set of equal scores goes into the bin that holds its middle.
    """
    s, group = parted.of, parted.group
    new = np.ones(len(group), np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (s.tie[1:] != s.tie[:-1])
    tie = np.cumsum(new) - 1
    owner = group[new]
    mass = np.bincount(tie, s.weight, len(owner))
    total = parted.weight
    start = np.concatenate([[0.0], np.cumsum(total)])[:-1]
    middle = share(np.cumsum(mass) - mass / 2 - start[owner], total[owner])
    level = np.minimum(np.nan_to_num(middle) * most + 1e-9, most - 1).astype(np.int64)
    code = owner * most + level
    edge = np.ones(len(code), np.bool_)
    edge[1:] = code[1:] != code[:-1]
    place = (np.cumsum(edge) - 1)[tie]
    return _filled(parted, owner[edge], np.asarray(place, np.int64))


def _filled(parted: Parted, group: Codes, place: Codes) -> Bins:
    s, k = parted.of, len(group)

    def add(values: Array) -> Array:
        return np.bincount(place, values, k).astype(np.float64)

    weight, square = add(s.weight), add(s.square)
    starts = np.flatnonzero(np.diff(place, prepend=-1)) if k else np.zeros(0, np.int64)
    ends = np.append(starts[1:], len(place)) - 1 if k else starts
    return Bins(
        group=group,
        weight=weight,
        rows=add(s.rows),
        effective=share(weight**2, square),
        score=share(add(s.weight * s.score), weight),
        rate=share(add(s.weight * s.positive), weight),
        chance=share(add(s.square * s.score * (1 - s.score)), weight**2),
        low=s.score[starts],
        high=s.score[ends],
        place=place,
        size=parted.size,
    )


def expected_error(bins: Bins) -> Array:
    """Return (groups,) plug-in expected calibration error, NaN for empty groups."""
    found = bins.sum(bins.share * np.abs(bins.score - bins.rate))
    there = np.bincount(bins.group, minlength=bins.size) > 0
    return np.where(there, found, np.nan)


def drawn_errors(
    bins: Bins, rate: Array, variance: Array, count: int, seed: Sequence[int]
) -> Array:
    """Return (count, groups) plug-in errors of labels drawn anew.

    Args:
        bins: the bins.
        rate: (k,) mean of the drawn share of positive labels.
        variance: (k,) its variance.
        count: number of draws.
        seed: seed of the generator.

    A bin's share is drawn as a binomial one of that mean and variance: exact for a bin of one
    score, and otherwise within a rounding of its size.
    """
    rng = np.random.default_rng(seed)
    fixed = ~(variance > 0) | (rate <= 0) | (rate >= 1)
    inner = np.where(fixed, 0.5, rate)
    size = np.maximum(np.rint(inner * (1 - inner) / np.where(fixed, 0.25, variance)), 1)
    drawn = rng.binomial(np.minimum(size, 2**62).astype(np.int64), inner, (count, len(rate))) / size
    drawn = np.where(fixed, rate, drawn)
    return bins.sum(bins.share * np.abs(bins.score - drawn))


def draws_for(bins: Bins, wanted: int) -> int:
    """Return how many draws are made: fewer for very many bins."""
    few = BUDGET // max(len(bins.group), 1)
    return max(min(wanted, MOST_DRAWS, few), min(wanted, 199))


@dataclass(frozen=True)
class Chance:
    """What calibrated scores would show.

    Attributes:
        null95: (groups,) error that 95 of 100 draws do not exceed.
        p: (groups,) share of draws that reach the error seen.
        draws: number of draws.
    """

    null95: Array
    p: Array
    draws: int


def chance(bins: Bins, wanted: int, seed: Sequence[int]) -> Chance:
    """Return what the error would be if labels were drawn from the scores.

    Source: Broecker and Smith (2007), consistency resampling.
    """
    count = draws_for(bins, wanted)
    drawn = drawn_errors(bins, bins.score, bins.chance, count, seed)
    seen = np.nan_to_num(expected_error(bins))
    null95 = np.quantile(drawn, 0.95, axis=0, method="inverted_cdf")
    p = [p_value(float(e), drawn[:, i]) for i, e in enumerate(seen)]
    return Chance(np.asarray(null95, np.float64), np.array(p, np.float64), count)


def rms_error(bins: Bins) -> tuple[Array, Array, Array]:
    """Return (groups,) debiased root mean square calibration error, its low and its high end.

    Of these bins, not of the continuous score. Source: Kumar et al. (2019); the interval in the
    spirit of Sun et al. (2024), arXiv 2408.08998.
    """
    n = bins.effective
    r = (bins.rate * n + 0.5) / (n + 1)
    s = r * (1 - r) / n
    gap, w = (bins.score - bins.rate) ** 2 - s, bins.share
    middle = bins.sum(w * gap)
    half = Z * np.sqrt(bins.sum(w**2 * (4 * np.maximum(gap, 0) * s + 2 * s**2)))
    there = np.bincount(bins.group, minlength=bins.size) > 0
    found = [np.sqrt(np.maximum(v, 0)) for v in (middle, middle - half, middle + half)]
    value, low, high = (np.where(there, v, np.nan) for v in found)
    return value, low, high
