"""Which rows are looked at: all, or a seeded subsample that the document states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from debias_cl.logistic import finite_rows
from debias_cl.records import Annotations, Bools, Codes, Features


@dataclass(frozen=True)
class Limits:
    """How much is looked at, and how.

    Attributes:
        train: training rows among which neighbours are looked for, at most.
        test: rows that are judged, at most.
        numbers: rows x features that probes of the attribute are fitted on, at most.
        pairs: rows of a group whose pairs are all looked at, at most.
        points: points of the map, at most.
        neighbours: nearest neighbours asked, k.
        least: rows that a level must have to be read by a probe.
    """

    train: int = 10_000
    test: int = 5_000
    numbers: int = 2**22
    pairs: int = 2_000
    points: int = 1_000
    neighbours: int = 20
    least: int = 10


@dataclass(frozen=True)
class Part:
    """Some rows of the features.

    Attributes:
        values: (n, D) float32, all finite.
        known: of the same rows, each with a label.
        of: rows that there were.
    """

    values: Any
    known: Annotations
    of: int

    def __len__(self) -> int:
        return len(self.values)

    @property
    def truth(self) -> Codes:
        """(n,) codes of the label."""
        assert self.known.truth is not None
        return self.known.truth

    def take(self, rows: Codes) -> Part:
        """Return the part at `rows`; `of` stays."""
        return replace(self, values=self.values[rows], known=self.known.take(rows))

    def told(self) -> dict[str, int]:
        """Return how many rows are used, of how many."""
        return {"n": len(self), "of": self.of}


def part_of(features: Features, mask: Bools, most: int, seed: int) -> Part:
    """Return the labelled, finite rows of a mask; a seeded subsample where there are too many."""
    truth = features.annotations.truth
    rows = np.flatnonzero(mask if truth is None else mask & (truth >= 0))
    total = int(mask.sum())
    rows = some(rows, most, seed)
    rows = rows[finite_rows(features.values[rows])]
    return Part(features.values[rows], features.annotations.take(rows), total)


def some(rows: Codes, most: int, seed: int) -> Codes:
    """Return at most so many of the rows, in their order."""
    if len(rows) <= most:
        return rows
    rng = np.random.default_rng((seed, len(rows), most))
    return np.sort(rng.choice(rows, most, replace=False))
