"""Entries with a score, sorted by it, and the same entries group by group.

Everything that is measured on scores is a sum over these: entries with equal scores are ties, an
entry may stand for many rows (a bin of a histogram), carry weights, and belong to a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics.design import paired, uneven, weights_of
from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.tally import BY_BOTH, BY_PERSONS, BY_WEIGHTS, t_quantile
from debias_cl.records import Bools, Codes, Floats, Mass, Predictions

Index = npt.NDArray[Any]


@dataclass(frozen=True)
class Scored:
    """n entries with a finite score and, where there is a label, a known one.

    Attributes:
        entry: (n,) their places among the predictions.
        score: (n,) ascending (within a group, once parted).
        tie: (n,) equal scores have equal numbers, 0 for the lowest score.
        truth: (n,) codes of the label; None where no label is known.
        positive: (n,) whether the label is the positive level; all False without labels.
        rows: (n,) rows behind each entry.
        weight, square: (n,) sums of weights and of squared weights; `rows` where all are alike.
        persons: (n,) whom an entry is of, -1 for nobody known; None where rows are independent.
        how: what makes the number of rows an effective one; "" for plain rows.
        missing: rows without a finite score.
    """

    entry: Codes
    score: Floats
    tie: Codes
    truth: Codes | None
    positive: Bools
    rows: Floats
    weight: Floats
    square: Floats
    persons: Codes | None
    how: str
    missing: int

    def __len__(self) -> int:
        return len(self.score)

    @property
    def distinct(self) -> int:
        """How many different scores there are."""
        return int(self.tie.max()) + 1 if len(self) else 0

    @property
    def probabilities(self) -> bool:
        """Whether all scores lie in [0, 1], so that they can be read as probabilities."""
        return not len(self) or bool(self.score.min() >= 0 and self.score.max() <= 1)

    @property
    def weighted(self) -> bool:
        """Whether rows carry different weights."""
        return self.how in (BY_WEIGHTS, BY_BOTH)

    def take(self, index: Index) -> Scored:
        """Return the entries at `index` (places or a mask)."""
        return replace(
            self,
            entry=self.entry[index],
            score=self.score[index],
            tie=self.tie[index],
            truth=None if self.truth is None else self.truth[index],
            positive=self.positive[index],
            rows=self.rows[index],
            weight=self.weight[index],
            square=self.square[index],
            persons=None if self.persons is None else self.persons[index],
        )


def scored(predictions: Predictions) -> Scored | None:
    """Return the entries with a score, lowest score first; None where predictions have no scores.

    Args:
        predictions: n entries; a row without a label is left out where there are labels.
    """
    known, scores = predictions.annotations, predictions.scores
    if scores is None:
        return None
    rows = known.rows.astype(np.float64)
    judged = np.ones(len(scores), np.bool_)
    if known.label is not None and known.truth is not None:
        judged = known.truth >= 0
    there = np.isfinite(scores) & judged
    weight, square, weighted = _weights(known.mass, rows)
    entry = np.flatnonzero(there & (weight > 0))
    entry = entry[np.argsort(scores[entry], kind="stable")]
    score = np.asarray(scores[entry], np.float64)
    truth = None if known.label is None or known.truth is None else known.truth[entry]
    how = {(True, False): BY_WEIGHTS, (False, True): BY_PERSONS, (True, True): BY_BOTH}
    return Scored(
        entry,
        score,
        _ties(score),
        truth,
        np.zeros(len(entry), np.bool_) if truth is None else truth == _code(predictions),
        rows[entry],
        weight[entry],
        square[entry],
        None if known.persons is None else known.persons[entry],
        how.get((weighted, known.persons is not None), ""),
        int(rows[~there & judged].sum()),
    )


def _weights(mass: Mass | None, rows: Floats) -> tuple[Floats, Floats, bool]:
    if mass is None or not uneven(mass):
        return rows, rows, False
    return *weights_of(mass), True


def _code(predictions: Predictions) -> int:
    label = predictions.annotations.label
    levels = () if label is None else label.levels
    return levels.index(predictions.positive) if predictions.positive in levels else -2


def _ties(score: Floats) -> Codes:
    """Return (n,) numbers of sorted scores, equal for equal ones."""
    new = np.ones(len(score), np.int64)
    new[1:] = score[1:] != score[:-1]
    return np.asarray(np.cumsum(new) - 1, np.int64)


@dataclass(frozen=True)
class Parted:
    """Scored entries sorted by group, and by score within each.

    Attributes:
        of: the entries.
        group: (n,) ascending codes.
        size: number of groups; some may be empty.
    """

    of: Scored
    group: Codes
    size: int

    def sum(self, values: npt.NDArray[Any]) -> Array:
        """Return (size,) sums of (n,) values."""
        return np.bincount(self.group, values, self.size).astype(np.float64)

    def mean(self, values: npt.NDArray[Any]) -> Array:
        """Return (size,) weighted means of (n,) values, NaN for empty groups."""
        return share(self.sum(self.of.weight * values), self.weight)

    @cached_property
    def rows(self) -> Array:
        """(size,) rows."""
        return self.sum(self.of.rows)

    @cached_property
    def weight(self) -> Array:
        """(size,) sums of weights."""
        return self.sum(self.of.weight)

    @cached_property
    def kish(self) -> Array:
        """(size,) Kish's effective number of rows, the rows themselves where all are alike."""
        return share(self.weight**2, self.sum(self.of.square))

    def only(self, mask: Bools) -> Parted:
        """Return the entries of a mask, in the same groups."""
        return Parted(self.of.take(mask), self.group[mask], self.size)


def part(scored: Scored, code: Codes, size: int) -> Parted:
    """Return scored entries by group.

    Args:
        scored: entries, sorted by score.
        code: (n,) group of each entry.
        size: number of groups.
    """
    small = code.astype(np.int16) if size < 2**15 else code  # numpy sorts short numbers by radix
    order = np.argsort(small, kind="stable")
    return Parted(scored.take(order), code[order], size)


@dataclass(frozen=True)
class Spread:
    """The uncertainty of one statistic a group.

    Attributes:
        variance: (size,) of the statistic; NaN where one row or one person says all.
        freedom: (size,) degrees of freedom of its t quantile.
        effective: (size,) number of independent rows or persons.
    """

    variance: Array
    freedom: Array
    effective: Array

    @property
    def half(self) -> Array:
        """(size,) half the width of the t interval."""
        return np.asarray(t_quantile(self.freedom) * np.sqrt(self.variance), np.float64)


def spread(parted: Parted, off: Array) -> Spread:
    """Return the spread of a weighted mean.

    Args:
        parted: the entries.
        off: (n,) value of each entry minus the mean of its group.

    Returns:
        Rows that are alike: s^2 / n. With weights the larger of Kish's and the linearised variance.
        With persons the delete-one-person jackknife.

    Source: Kish (1965); Korn and Graubard (1998), as F10 and F11 for rates.
    """
    s, size = parted.of, parted.weight
    if s.persons is not None:
        return by_person(parted, s.weight * off / size[parted.group])
    n = parted.rows
    bias = share(n, np.maximum(n - 1, 0))
    found = share(parted.sum(s.square * off**2), size**2) * bias
    kish = parted.kish
    if s.weighted:
        plain = share(parted.sum(s.weight * off**2), size) * bias
        found = np.fmax(found, share(plain, kish))
    return Spread(found, kish - 1, kish)


def by_person(parted: Parted, pull: Array) -> Spread:
    """Return the delete-one-person spread of a statistic.

    Args:
        parted: the entries.
        pull: (n,) what each entry adds to the statistic's deviation (its influence).
    """
    s = parted.of
    assert s.persons is not None
    persons = s.persons.astype(np.int64)
    alone = persons < 0
    persons[alone] = persons.max(initial=-1) + 1 + np.arange(alone.sum())
    pairs = paired(parted.group, persons)
    count = len(pairs.owner)
    held = np.bincount(pairs.place, s.weight, count)
    total = parted.weight
    rest = np.maximum(1 - held / total[pairs.owner], 1e-12)
    moved = (np.bincount(pairs.place, pull, count) / rest) ** 2
    m = np.bincount(pairs.owner, minlength=parted.size)
    v = np.bincount(pairs.owner, moved, parted.size) * share(m - 1, m)
    v = np.where(m > 1, v, np.nan)
    effective = share(total**2, np.bincount(pairs.owner, held**2, parted.size))
    return Spread(v, effective - 1, effective)
