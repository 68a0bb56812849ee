"""Coverage of scores, and where rows are not independent or not alike: persons, weights.

Studies for `coverage.py`. Replicates stand as the groups of one count table, so that the package's
own path from rows to intervals is what is measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from debias_cl.metrics import Settings, auc, measure
from debias_cl.metrics.combinations import difference
from debias_cl.metrics.counts import CountTable, count
from debias_cl.metrics.rates import counts_of, group_values
from debias_cl.metrics.scored import part, scored
from debias_cl.records import Annotations, Column, Mass, Predictions

Array = npt.NDArray[Any]
LEVELS = ("0", "1")


def predictions(
    group: Array, right: Array, mass: Mass | None, persons: Array | None
) -> Predictions:
    """Return entries of one label level whose answers are right (1) or wrong (0)."""
    n, names = len(group), tuple(map(str, range(int(group.max()) + 1)))
    ids, truth = np.arange(n).astype(np.str_), np.ones(n, np.int64)
    column = Column("g", names)
    label = Column("y", LEVELS)
    known = Annotations(ids, label, truth, (column,), {"g": group}, mass=mass, persons=persons)
    return Predictions(known, right.astype(np.int64), LEVELS, None, "1", "the level '1'")


def held(table: CountTable, truth: float) -> dict[str, float]:
    """Return how often the interval of accuracy holds the truth, and its mean width."""
    found = [entry["accuracy"] for entry in group_values(table, "wilson", 0)]
    low = np.array([v["low"] for v in found], np.float64)
    high = np.array([v["high"] for v in found], np.float64)
    return {
        "coverage": float(((low <= truth + 1e-9) & (truth - 1e-9 <= high)).mean()),
        "width": float((high - low).mean()),
    }


def clustered(
    pictures: Array, p: float, correlation: float, replicates: int, rng: np.random.Generator
) -> Predictions:
    """Draw persons whose own rates scatter (beta-binomial), a replicate a group.

    Args:
        pictures: (m,) pictures of each person.
        p: mean rate.
        correlation: of two pictures of one person, in (0, 1).
        replicates: how many groups of m persons.
        rng: draws.
    """
    strength = 1 / correlation - 1
    own = rng.beta(p * strength, (1 - p) * strength, (replicates, len(pictures)))
    x = rng.binomial(pictures, own)
    group = np.repeat(np.arange(replicates), len(pictures))
    person = np.arange(x.size)
    rows = np.concatenate([x.ravel(), np.tile(pictures, replicates) - x.ravel()])
    right = np.repeat([1, 0], x.size)
    keep = rows > 0
    mass = Mass(rows[keep].astype(np.int64))
    return predictions(np.tile(group, 2)[keep], right[keep], mass, np.tile(person, 2)[keep])


def persons(replicates: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """20 to 200 persons with equally many pictures, and with 1 to 20 of them."""
    for m, p, correlation in ((20, 0.5, 0.3), (20, 0.9, 0.1), (50, 0.7, 0.3), (200, 0.9, 0.3)):
        for many in (5, 20, 0):
            pictures = rng.integers(1, 21, m) if many == 0 else np.full(m, many)
            drawn = clustered(pictures, p, correlation, replicates, rng)
            told = "1 to 20" if many == 0 else str(many)
            yield {
                "setting": f"{m} persons, {told} pictures each, rate {p:g}, corr. {correlation:g}",
                **held(count(drawn, ("g",)), p),
                "equal_pictures": many > 0,
                "replicates": replicates,
            }


def differences_of_persons(replicates: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The difference of two groups of persons."""
    for m, (p1, p2), many in ((20, (0.5, 0.8), 5), (50, (0.9, 0.9), 10), (50, (0.3, 0.7), 20)):
        sides = [
            counts_of(count(drawn, ("g",)), "accuracy", 1)
            for p in (p1, p2)
            for drawn in [clustered(np.full(m, many), p, 0.2, replicates, rng)]
        ]
        _, low, high = difference(sides[0].x, sides[0].n, sides[1].x, sides[1].n)
        truth = p1 - p2
        yield {
            "setting": f"{m} persons with {many} pictures a group, {p1:g} against {p2:g}",
            "coverage": float(((low <= truth + 1e-9) & (truth - 1e-9 <= high)).mean()),
            "width": float((high - low).mean()),
            "replicates": replicates,
        }


def weights(replicates: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Weights that know nothing of the outcome, and weights that are larger where it is wrong."""
    for n, p, spread in ((100, 0.5, 0.5), (300, 0.8, 0.5), (300, 0.9, 1.0), (1000, 0.9, 1.0)):
        for tied in (0.0, 0.7):
            right = rng.random((replicates, n)) < p
            weight = rng.lognormal(0, spread, right.shape) * np.exp(tied * ~right)
            truth = p / (p + (1 - p) * np.exp(tied))
            w = weight.ravel()
            mass = Mass(np.ones(len(w), np.int64), w, w**2)
            drawn = predictions(np.repeat(np.arange(replicates), n), right.ravel(), mass, None)
            told = "tied to the outcome" if tied else "independent"
            yield {
                "setting": f"{n} rows, rate {p:g}, log-sd {spread:g}, {told}",
                **held(count(drawn, ("g",)), float(truth)),
                "replicates": replicates,
            }


def shuffled_persons(replicates: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Size of the p-value of a gap that is not there, when persons are shuffled."""
    quick = Settings(permutations=299, min_group=1)
    for groups, m in ((2, 30), (5, 20)):
        p = []
        for _ in range(max(replicates // 8, 1)):
            drawn = clustered(np.full(m, 6), 0.7, 0.4, groups, rng)
            gap = measure(drawn, quick)["disparities"]["g"]["accuracy_difference"]
            p.append(gap["p"])
        values = np.array(p, np.float64)
        yield {
            "setting": f"{groups} groups of {m} persons with 6 pictures",
            "size": {f"{a:g}": float((values <= a).mean()) for a in (0.01, 0.05, 0.1)},
            "replicates": len(values),
        }


def areas(replicates: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """The AUC of one group: normal scores whose classes lie apart by d, AUC = Phi(d / sqrt 2)."""
    for positives, negatives in ((20, 20), (50, 50), (200, 200), (20, 2000)):
        for area in (0.6, 0.8, 0.95, 0.99):
            apart = float(special.ndtri(area)) * 2**0.5
            sizes = np.array([positives, negatives])
            truth = np.tile(np.repeat([1, 0], sizes), replicates)
            score = rng.normal(0, 1, len(truth)) + apart * truth
            group = np.repeat(np.arange(replicates), sizes.sum())
            made = predictions(group, score > apart / 2, None, None)
            known = replace(made.annotations, truth=truth)
            found = scored(replace(made, annotations=known, scores=score))
            assert found is not None
            low, high = auc.areas(part(found, group[found.entry], replicates)).limits()
            yield {
                "setting": f"{positives} positives, {negatives} negatives, AUC {area:g}",
                "coverage": float(((low <= area) & (area <= high)).mean()),
                "width": float((high - low).mean()),
                "replicates": replicates,
            }
