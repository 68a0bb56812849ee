"""Numbers over seeds: their spread, and paired differences between two methods. No torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Spread:
    """A number over seeds: fractions.

    Attributes:
        mean: None where no seed has a value.
        sd: with n - 1; None for fewer than two seeds.
        n: seeds with a value.
    """

    mean: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class Paired:
    """A difference between two methods under the same seeds.

    Attributes:
        difference: mean of the differences by seed; None where there is no pair.
        low, high: ends of the 95 % t interval; None for fewer than two pairs.
        p: two-sided p-value of the paired t test; None likewise.
        n: pairs.
        reason: why something is None; "" where nothing is.
        adjusted: p after Holm's adjustment over `family` comparisons; None where p is, or before.
        family: comparisons of the table that have a p-value, this one among them.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    reason: str = ""
    adjusted: float | None = None
    family: int = 0


def spread(values: Iterable[float]) -> Spread:
    """Return mean, standard deviation (n - 1) and n."""
    known = list(values)
    if not known:
        return Spread(None, None, 0)
    sd = statistics.stdev(known) if len(known) > 1 else None
    return Spread(statistics.fmean(known), sd, len(known))


def paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> Paired:
    """Return the mean difference over the seeds that both have, with a 95 % t interval.

    Args:
        values, baseline: seed -> value.
    """
    shared = sorted(values.keys() & baseline.keys())
    differences = np.array([values[seed] - baseline[seed] for seed in shared])
    if not len(shared):
        return Paired(None, None, None, None, 0, "no seed that both have")
    mean = float(differences.mean())
    if len(shared) < 2:
        return Paired(mean, None, None, None, 1, "one seed: no interval")
    error = float(differences.std(ddof=1)) / math.sqrt(len(shared))
    if error == 0:
        return Paired(mean, mean, mean, None, len(shared), "all differences are equal: no p-value")
    half = float(stats.t.ppf(0.975, len(shared) - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, len(shared) - 1))
    return Paired(mean, mean - half, mean + half, p, len(shared))


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values in the given order (Holm 1979, step-down)."""
    order = np.argsort(p, kind="stable")
    adjusted, highest = np.empty(len(p)), 0.0
    for turn, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - turn) * p[place]))
        adjusted[place] = highest
    return [float(value) for value in adjusted]


def adjust(family: Sequence[Paired]) -> list[Paired]:
    """Return the comparisons with Holm's adjusted p-values; those without a p-value as they are."""
    tested = [found.p for found in family if found.p is not None]
    turns = iter(holm(tested))
    return [
        found if found.p is None else replace(found, adjusted=next(turns), family=len(tested))
        for found in family
    ]


def verdict(found: Paired) -> str:
    """Say in two or three words what a difference to the baseline shows."""
    if found.low is None or found.high is None:
        return "not known"
    if found.low > 0:
        return "better"
    return "worse" if found.high < 0 else "no difference shown"
