"""ROC curves of groups, thinned for drawing, and the area between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.scored import Parted

MOST_POINTS = 101
"""Points of a curve in the document at most."""
MANY = 24
"""Of more curves not every pair is measured exactly."""
FINE = 1_025
"""Points of a curve that areas are taken from at most."""


@dataclass(frozen=True)
class Curve:
    """The ROC curve of one group, from (0, 0), where nothing is selected, to (1, 1).

    Attributes:
        threshold: (k,) rows with at least this score are selected; infinite at the start.
        false, true: (k,) false and true positive rates.
    """

    threshold: Array
    false: Array
    true: Array

    @property
    def area(self) -> float:
        """The area under the polygon, which is the AUC."""
        return float((np.diff(self.false) * (self.true[1:] + self.true[:-1])).sum() / 2)

    def thin(self, most: int) -> Curve:
        """Return at most `most` of the points, evenly spread along the curve."""
        count = len(self.false)
        if count <= most:
            return self
        along = self.false + self.true
        chosen = np.searchsorted(along, np.linspace(0, along[-1], most))
        keep = np.unique(np.append(np.minimum(chosen, count - 1), (0, count - 1)))
        keep = keep if len(keep) <= most else np.delete(keep, len(keep) // 2)
        return Curve(self.threshold[keep], self.false[keep], self.true[keep])


def curves(parted: Parted) -> list[Curve | None]:
    """Return the curve of every group; None where it has no positive or no negative row."""
    s, group = parted.of, parted.group
    new = np.ones(len(group), np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (s.tie[1:] != s.tie[:-1])
    place, count = np.cumsum(new) - 1, int(new.sum())
    right = np.bincount(place, np.where(s.positive, s.weight, 0), count)
    wrong = np.bincount(place, np.where(s.positive, 0, s.weight), count)
    score = s.score[new]
    edges = np.searchsorted(group[new], np.arange(parted.size + 1))
    found: list[Curve | None] = []
    for start, end in pairwise(edges):
        part = slice(start, end)
        tp, fp = (np.append(0.0, np.cumsum(v[part][::-1])) for v in (right, wrong))
        if not tp[-1] > 0 or not fp[-1] > 0:
            found.append(None)
            continue
        threshold = np.append(np.inf, score[part][::-1])
        found.append(Curve(threshold, share(fp, fp[-1]), share(tp, tp[-1])))
    return found


@dataclass(frozen=True)
class Steps:
    """A curve as a function of the false positive rate that may jump at its points.

    Attributes:
        at: (k,) false positive rates, ascending, each once; from 0 to 1.
        before, after: (k,) true positive rate just below and just above each.
    """

    at: Array
    before: Array
    after: Array

    def between(self, grid: Array) -> tuple[Array, Array]:
        """Return the (len(grid) - 1,) true positive rates at both ends of each step of a grid."""
        middle = (grid[:-1] + grid[1:]) / 2
        place = np.clip(np.searchsorted(self.at, middle, "right") - 1, 0, len(self.at) - 2)
        left, wide = self.at[place], self.at[place + 1] - self.at[place]
        slope = (self.before[place + 1] - self.after[place]) / wide
        base = self.after[place] - slope * left
        return base + slope * grid[:-1], base + slope * grid[1:]


def steps(curve: Curve) -> Steps:
    """Return a curve as a function of the false positive rate."""
    thin = curve.thin(FINE)
    at, first = np.unique(thin.false, return_index=True)
    last = np.append(first[1:], len(thin.false)) - 1
    return Steps(at, thin.true[first], thin.true[last])


def area_between(one: Steps, other: Steps) -> float:
    """Return the area between two ROC curves, the integral of |difference| over the FPR.

    Exact for curves of at most `FINE` points, which are polygons.

    Source: Gardner et al. (2019), ABROCA.
    """
    grid = np.union1d(one.at, other.at)
    left, right = (a - b for a, b in zip(one.between(grid), other.between(grid), strict=True))
    return float((np.diff(grid) * mean_size(left, right)).sum())


def mean_size(left: Array, right: Array) -> Array:
    """Return the mean of |x| over a straight line from `left` to `right`."""
    a, b = np.abs(left), np.abs(right)
    crossing = left * right < 0
    total = np.where(a + b > 0, a + b, 1.0)
    return np.where(crossing, (a * a + b * b) / (2 * total), (a + b) / 2)


@dataclass(frozen=True)
class Widest:
    """The two groups whose curves are furthest apart.

    Attributes:
        area: the area between them.
        one, other: their places.
    """

    area: float
    one: int
    other: int


def widest(found: Sequence[Curve], places: Sequence[int]) -> Widest:
    """Return the pair of curves with the largest area between them; at least two are needed.

    Of more than `MANY` curves the pair is chosen on a grid; its area is exact.
    """
    lines = [steps(curve) for curve in found]
    pairs = combinations(range(len(lines)), 2) if len(lines) <= MANY else [_on_grid(lines)]
    area, i, j = max((area_between(lines[i], lines[j]), -i, -j) for i, j in pairs)
    return Widest(area, places[-i], places[-j])


def _on_grid(lines: Sequence[Steps]) -> tuple[int, int]:
    """Return the two curves that are furthest apart on a grid of false positive rates."""
    grid = np.linspace(0, 1, 257)
    ends = [line.between(grid) for line in lines]
    left, right = (np.stack([end[side] for end in ends]) for side in (0, 1))
    best, pair = -1.0, (0, 1)
    for i in range(len(lines) - 1):
        areas = mean_size(left[i] - left[i + 1 :], right[i] - right[i + 1 :]).mean(1)
        if areas.max() > best:
            best, pair = float(areas.max()), (i, i + 1 + int(areas.argmax()))
    return pair
