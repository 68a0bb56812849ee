"""Chance for gaps in scores: what shuffled groups show, drawn from a histogram of the scores.

Scores are put into at most 32 bins of equal mass that all groups share, ties never split; then the
groups are shuffled as everywhere else (`null`): within labels for AUC and ROC curves, over all rows
for the mean score. Rows that carry weights or belong to persons take a normal approximation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from debias_cl.metrics import null
from debias_cl.metrics.auc import FEW, hanley_mcneil
from debias_cl.metrics.calibration import Bins, drawn_errors, draws_for, expected_error
from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.roc import mean_size
from debias_cl.metrics.scored import Parted
from debias_cl.records import Bools, Codes

Ints = npt.NDArray[np.int64]
MOST_BINS = 32
CELLS = 256
"""Bins x groups at most, but at least 8 bins."""
NUMBERS = 500_000
"""Numbers drawn at most (never fewer than 199 replicates)."""
MOST_CURVES = 32
"""With more groups the area between their curves has no chance value."""
GRID = np.linspace(0, 1, 129)
SHUFFLED = "groups shuffled within labels"
ROWS = "groups shuffled"
NORMAL = "normal approximation, effective n"
SHARED = "labels drawn from one calibration curve for all groups"


@dataclass(frozen=True)
class Chance:
    """What chance shows for one gap.

    Attributes:
        p: p-value; None where there is none.
        null95: gap that chance does not exceed in 95 of 100 tries.
        square: mean squared gap by chance.
        draws: how many were drawn.
        how: in words.
    """

    p: float
    null95: float
    square: float
    draws: int
    how: str

    def adjusted(self, gap: float) -> float:
        """Return the noise-adjusted gap sqrt(max(0, g^2 - E0 g^2))."""
        return float(max(0.0, gap**2 - self.square) ** 0.5)


def _summary(gaps: Array, p: float, how: str) -> Chance:
    null95 = float(np.quantile(gaps, 0.95, method="inverted_cdf"))
    return Chance(p, null95, float((gaps**2).mean()), len(gaps), how)


@dataclass(frozen=True)
class Shuffled:
    """A histogram and the same with its groups shuffled.

    Attributes:
        table: (groups, strata, bins) rows.
        drawn: (count, groups, strata, bins).
        score: (bins,) mean score.
    """

    table: Ints
    drawn: Ints
    score: Array


@dataclass(frozen=True)
class Histogram:
    """Rows by group, label and shared score bin.

    Attributes:
        table: (groups, 2, bins) without and with the positive label.
        score: (bins,) mean score.
    """

    table: Ints
    score: Array


def common(parted: Parted, most: int) -> Codes:
    """Return (n,) the bin of each entry in bins of equal mass that all groups share."""
    s = parted.of
    count = int(s.tie.max(initial=-1)) + 1
    mass = np.bincount(s.tie, s.weight, count)
    if (mass > 0).sum() <= most:
        level: Codes = np.arange(count)
    else:
        middle = (np.cumsum(mass) - mass / 2) / mass.sum()
        level = np.minimum(middle * most, most - 1).astype(np.int64)
    _, level = np.unique(level, return_inverse=True)
    return np.asarray(level[s.tie], np.int64)


def histogram(parted: Parted, keep: Bools) -> Histogram:
    """Return the histogram of the groups of a mask (whole rows)."""
    part = parted.only(keep[parted.group])
    place = np.cumsum(keep) - 1
    groups = int(keep.sum())
    level = common(part, max(8, min(MOST_BINS, CELLS // groups)))
    _, level = np.unique(level, return_inverse=True)
    width = int(level.max(initial=-1)) + 1
    s = part.of
    code = (place[part.group] * 2 + s.positive) * width + level
    table = np.bincount(code, s.rows, groups * 2 * width).reshape(groups, 2, width)
    total = np.bincount(level, s.rows, width)
    return Histogram(table.astype(np.int64), share(np.bincount(level, s.rows * s.score), total))


class Shuffles:
    """Shuffled histograms of one attribute; the same groups are dealt once.

    Args:
        parted: entries by group.
        wanted: replicates; fewer are drawn for many groups.
        seed: of the generator.
    """

    def __init__(self, parted: Parted, wanted: int, seed: Sequence[int]) -> None:
        self.parted, self.wanted, self.seed = parted, wanted, seed
        self._memory: dict[tuple[bytes, bool], Shuffled | None] = {}

    def of(self, keep: Bools, *, labels: bool) -> Shuffled | None:
        """Return what shuffling the groups of a mask gives; None where rows cannot be dealt.

        Args:
            keep: (groups,) who takes part.
            labels: whether groups are shuffled within labels.
        """
        key = (keep.tobytes(), labels)
        if key not in self._memory:
            self._memory[key] = None if self.parted.of.how else self._dealt(keep, labels)
        return self._memory[key]

    def normal(self, value: Array, variance: Array) -> Chance | None:
        """Return chance of a gap of independent estimates; None where one has no variance."""
        if not (variance > 0).all():
            return None
        p = float(special.chdtrc(len(value) - 1, homogeneity(value, variance)))
        shape = (self.wanted, len(value))
        draws = np.random.default_rng(self.seed).normal(0, np.sqrt(variance), shape)
        return _summary(draws.max(-1) - draws.min(-1), p, NORMAL)

    def errors(self, bins: Bins, keep: Bools) -> Chance | None:
        """Return chance for the largest gap of calibration errors, were the curve one for all.

        Labels are drawn from the share of positive labels at the score, over the compared groups;
        so each group keeps its scores and its bins. None where rows belong to persons.
        """
        parted, s = self.parted, self.parted.of
        if s.persons is not None:
            return None
        level, weight = common(parted, MOST_BINS), s.weight * keep[parted.group]
        curve = share(np.bincount(level, weight * s.positive), np.bincount(level, weight))
        rate, k = np.nan_to_num(curve)[level], len(bins.group)
        mean = share(np.bincount(bins.place, s.weight * rate, k), bins.weight)
        variance = np.bincount(bins.place, s.square * rate * (1 - rate), k) / bins.weight**2
        count = draws_for(bins, self.wanted)
        drawn = drawn_errors(bins, mean, variance, count, self.seed)[:, keep]
        gaps, seen = drawn.max(-1) - drawn.min(-1), expected_error(bins)[keep]
        return _summary(gaps, null.p_value(float(seen.max() - seen.min()), gaps), SHARED)

    def _dealt(self, keep: Bools, labels: bool) -> Shuffled | None:
        found = histogram(self.parted, keep)
        table = found.table if labels else found.table.sum(1, keepdims=True)
        if table.sum(axis=(0, 2)).max(initial=0) >= null.LARGEST:
            return None
        count = max(min(self.wanted, NUMBERS // max(table.size, 1)), min(self.wanted, 199))
        everyone = np.ones(table.shape[:2], np.bool_)
        return Shuffled(table, null.shuffled(table, everyone, count, self.seed), found.score)


def binned_areas(tables: Ints) -> tuple[Array, Array]:
    """Return (..., groups) AUC and its variance from (..., groups, 2, bins) rows."""
    negative, positive = (tables[..., side, :].astype(np.float64) for side in (0, 1))
    n0, n1 = negative.sum(-1), positive.sum(-1)
    above = 1 - (np.cumsum(positive, -1) - positive / 2) / n1[..., None]
    below = (np.cumsum(negative, -1) - negative / 2) / n0[..., None]
    area = (positive * below).sum(-1) / n1
    v1 = (positive * (below - area[..., None]) ** 2).sum(-1) / (n1 * np.maximum(n1 - 1, 1))
    v0 = (negative * (above - area[..., None]) ** 2).sum(-1) / (n0 * np.maximum(n0 - 1, 1))
    few = np.minimum(n0, n1) * np.minimum(area, 1 - area) < FEW
    # near 0 and 1 the variance is taken a little inside, as that of an edge is 0
    inner = np.clip(area, 1 / (2 * n0 * n1), 1 - 1 / (2 * n0 * n1))
    return area, np.where(few, np.fmax(v0 + v1, hanley_mcneil(inner, n1, n0)), v0 + v1)


def homogeneity(value: Array, variance: Array) -> Array:
    """Return the chi-square of equal values over the last axis."""
    weight = 1 / np.maximum(variance, 1e-300)
    centre = (weight * value).sum(-1, keepdims=True) / weight.sum(-1, keepdims=True)
    return np.asarray((weight * (value - centre) ** 2).sum(-1), np.float64)


def of_areas(found: Shuffled) -> Chance:
    """Return chance for the largest gap of AUC; p is that of the studentised chi-square."""
    seen = homogeneity(*binned_areas(found.table))
    area, variance = binned_areas(found.drawn)
    p = null.p_value(float(seen), homogeneity(area, variance))
    return _summary(area.max(-1) - area.min(-1), p, SHUFFLED)


def of_curves(found: Shuffled) -> Chance:
    """Return chance for the largest area between two ROC curves."""
    seen, gaps = largest_area(found.table[None]), largest_area(found.drawn)
    return _summary(gaps, null.p_value(float(seen[0]), gaps), SHUFFLED)


def largest_area(tables: Ints) -> Array:
    """Return (count,) the largest area between two curves, from (count, groups, 2, bins) rows."""
    total = np.cumsum(tables[..., ::-1], -1, dtype=np.float64)
    rates = np.concatenate([np.zeros((*total.shape[:-1], 1)), total], -1) / total[..., -1:]
    flat = rates.reshape(-1, 2, rates.shape[-1])
    lines = np.stack([np.interp(GRID, false, true) for false, true in flat])
    lines = lines.reshape(*tables.shape[:2], -1)
    best = np.zeros(len(tables))
    for i in range(lines.shape[1]):
        for j in range(i + 1, lines.shape[1]):
            gap = lines[:, i] - lines[:, j]
            best = np.maximum(best, mean_size(gap[:, :-1], gap[:, 1:]).mean(-1))
    return best


def of_means(found: Shuffled) -> Chance:
    """Return chance for the largest gap of mean scores."""
    table, drawn = found.table, found.drawn
    n = table.sum((1, 2)).astype(np.float64)

    def statistic(means: Array) -> Array:
        centre = (n * means).sum(-1, keepdims=True) / n.sum()
        return np.asarray((n * (means - centre) ** 2).sum(-1), np.float64)

    means = drawn[:, :, 0] @ found.score / n
    seen = statistic(table[:, 0] @ found.score / n)
    gaps = means.max(-1) - means.min(-1)
    return _summary(gaps, null.p_value(float(seen), statistic(means)), ROWS)


def beside(chance: Chance | None, value: float) -> dict[str, Any]:
    """Return what chance adds to a disparity."""
    if chance is None:
        return {"permutations": 0}
    return {
        "null95": chance.null95,
        "p": chance.p,
        "adjusted": chance.adjusted(value),
        "permutations": chance.draws,
        "chance": chance.how,
    }
