"""Area under the ROC curve of every group, with an interval that holds near 0 and 1 as well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from debias_cl.metrics.proportions import Array, Z, share
from debias_cl.metrics.scored import Parted, by_person, spread
from debias_cl.metrics.tally import ROUNDING, t_quantile
from debias_cl.records import Bools

FEW = 10
"""Below so many expected misranked rows Hanley and McNeil's variance is looked at as well."""
STEPS = 60
METHOD = "logit DeLong (F8)"
WIDENED = "logit, larger of DeLong's and Hanley-McNeil's variance (F8)"
SCORE = "Newcombe's method 5 (F8)"


@dataclass(frozen=True)
class Areas:
    """AUC of (groups,), NaN where a group has no positive or no negative row.

    Attributes:
        value: share of (positive, negative) pairs that the scores order right; ties count half.
        variance: DeLong's; of effective rows where rows are weighted or of persons.
        positives, negatives: effective numbers of rows, as the formulas take them.
        rows: (2, groups) rows without and with the positive label.
        freedom: degrees of freedom of t where rows belong to persons; infinite otherwise.
        how: what makes the numbers effective ones.
    """

    value: Array
    variance: Array
    positives: Array
    negatives: Array
    rows: Array
    freedom: Array
    how: str

    @property
    def widened(self) -> Bools:
        """Where so few pairs are misranked that DeLong's variance may be too small."""
        few = np.minimum(self.positives, self.negatives)
        return np.asarray(few * np.minimum(self.value, 1 - self.value) < FEW)

    @property
    def larger(self) -> Array:
        """The variance that intervals and tests take."""
        other = hanley_mcneil(self.value, self.positives, self.negatives)
        return np.where(self.widened, np.fmax(self.variance, other), self.variance)

    @property
    def edge(self) -> Bools:
        """Where the logit interval does not exist: all pairs alike, or no spread at all."""
        v, a = self.variance, self.value
        return np.asarray((a <= 0) | (a >= 1) | ~(v > 0))

    def method(self, place: int) -> str:
        """Return the name of a group's interval."""
        logit = WIDENED if self.widened[place] else METHOD
        name = SCORE if self.edge[place] else logit
        return f"{name}, {self.how}" if self.how else name

    def limits(self, z: float = Z) -> tuple[Array, Array]:
        """Return the two-sided limits at a normal quantile (of t, for persons)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            wide = z * np.where(
                np.isfinite(self.freedom), t_quantile(np.nan_to_num(self.freedom)) / Z, 1.0
            )
            logit, inner = special.logit(self.value), self.value * (1 - self.value)
            half = wide * np.sqrt(self.larger) / inner
            low, high = special.expit(logit - half), special.expit(logit + half)
        at = np.flatnonzero(self.edge & ~np.isnan(self.value))
        if len(at):
            sizes = (self.positives[at], self.negatives[at])
            low[at], high[at] = newcombe_5(self.value[at], *sizes, wide[at])
        return low, high


def areas(parted: Parted) -> Areas:
    """Return the AUC of every group with DeLong's variance, in O(n) after the sort.

    Args:
        parted: entries by group; those of a histogram's bin are ties.

    Source: DeLong et al. (1988); for persons Obuchowski (1997), with jackknifed persons.
    """
    s = parted.of
    places = placements(parted)
    sides = [parted.only(s.positive), parted.only(~s.positive)]
    value = sides[0].mean(places[s.positive])
    value = np.where(value < ROUNDING, 0.0, np.where(value > 1 - ROUNDING, 1.0, value))
    off = places - np.where(np.isnan(value), 0.5, value)[parted.group]
    effective = [side.kish for side in sides]
    rows = np.stack([sides[1].rows, sides[0].rows])
    freedom = np.full(parted.size, np.inf)
    if s.persons is None:
        moved = [
            spread(side, off[mask]).variance
            for side, mask in zip(sides, (s.positive, ~s.positive), strict=True)
        ]
        variance = np.nan_to_num(moved[0]) + np.nan_to_num(moved[1])
    else:
        total = np.where(s.positive, sides[0].weight[parted.group], sides[1].weight[parted.group])
        found = by_person(parted, s.weight * off / total)
        variance, freedom = np.nan_to_num(found.variance), found.freedom
        effective = [
            np.fmin(n, by_person(side, np.zeros(len(side.of))).effective)
            for side, n in zip(sides, effective, strict=True)
        ]
    return Areas(value, variance, effective[0], effective[1], rows, freedom, s.how)


def placements(parted: Parted) -> Array:
    """Return (n,) the share of the other class that an entry is ordered right against.

    For a positive entry the share of negatives below it, for a negative one the share of positives
    above it, ties half; NaN where the group lacks the other class.
    """
    s, group = parted.of, parted.group
    new = np.ones(len(group), np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (s.tie[1:] != s.tie[:-1])
    place = np.cumsum(new) - 1
    owner = group[new]
    out = np.empty(len(group))
    for mask, positive in ((s.positive, False), (~s.positive, True)):
        other = np.where(s.positive == positive, s.weight, 0.0)
        ties = np.bincount(place, other, len(owner))
        total = np.bincount(group, other, parted.size)
        start = np.concatenate([[0.0], np.cumsum(total)])[:-1]
        below = np.cumsum(ties) - ties / 2 - start[owner]
        part = share(below, total[owner])[place]
        out[mask] = (1 - part if positive else part)[mask]
    return np.asarray(np.clip(out, 0, 1), np.float64)


def hanley_mcneil(a: Array, positives: Array, negatives: Array) -> Array:
    """Return the variance of an AUC from its value and the class sizes alone.

    Source: Hanley and McNeil (1982), as symmetrised by Newcombe (2006).
    """
    m = (positives + negatives) / 2 - 1
    inner = 1 + m * (1 - a) / (2 - a) + m * a / (1 + a)
    return np.asarray(share(a * (1 - a) * inner, positives * negatives), np.float64)


def newcombe_5(
    a: npt.NDArray[np.float64], positives: Array, negatives: Array, z: Array
) -> tuple[Array, Array]:
    """Return the t with (a - t)^2 <= z^2 v(t), by bisection. Source: Newcombe (2006), method 5."""
    ends = []
    for end in (0.0, 1.0):
        outside, inside = np.full(a.shape, end), a.copy()
        for _ in range(STEPS):
            middle = (outside + inside) / 2
            v = hanley_mcneil(middle, positives, negatives)
            held = (a - middle) ** 2 <= z * z * v
            inside, outside = np.where(held, middle, inside), np.where(held, outside, middle)
        ends.append(np.where(np.abs(a - end) < 1e-12, end, inside))
    return ends[0], ends[1]
