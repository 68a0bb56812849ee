"""What gaps in scores compare: AUC, mean score, calibration error, each with its chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from debias_cl.metrics import auc, calibration, score_chance
from debias_cl.metrics.extremes import POWER_Z
from debias_cl.metrics.proportions import Array, Z
from debias_cl.metrics.score_chance import Chance, Shuffles
from debias_cl.metrics.scored import spread
from debias_cl.metrics.settings import Settings
from debias_cl.records import Bools

PLUG_IN = "no interval: plug-in errors are above 0 by chance alone; see null95 and p"
Limits = Callable[[float], tuple[Array, Array]]


@dataclass(frozen=True)
class Gap:
    """One number of every group, and how it is compared.

    Attributes:
        rate: name of the number.
        value: (groups,) NaN where undefined.
        rows: (groups,) rows in the denominator: of the smaller class for an AUC.
        empty: (groups,) why a group has no value.
        limits: quantile -> both (groups,) limits of the number; None for no bounds.
        why: why there is no interval.
        method: name of the interval.
        chance: mask of compared groups -> chance.
        detectable: mask -> smallest gap that would show.
    """

    rate: str
    value: Array
    rows: Array
    empty: Sequence[str]
    limits: Limits | None
    why: str | None
    method: str
    chance: Callable[[Bools], Chance | None]
    detectable: Callable[[Bools], float | None]


def areas(shuffles: Shuffles, y: str, settings: Settings) -> Gap:
    """Compare the AUC; a group needs enough rows of both labels."""
    parted = shuffles.parted
    found = auc.areas(parted)
    negatives, positives = found.rows
    empty = [f"no rows {'with' if n == 0 else 'without'} {y}" for n in positives]

    def chance(keep: Bools) -> Chance | None:
        if (drawn := shuffles.of(keep, labels=True)) is not None:
            return score_chance.of_areas(drawn)
        return shuffles.normal(found.value[keep], found.larger[keep])

    def detectable(keep: Bools) -> float | None:
        sizes = np.stack([found.positives, found.negatives])[:, keep]
        level = float(np.average(found.value[keep], weights=sizes.min(0)))
        order = np.argsort(sizes.min(0))
        return smallest_gap(max(level, 1 - level), sizes[:, order[0]], sizes[:, order[-1]])

    smaller = np.minimum(positives, negatives)
    return Gap(
        "auc",
        found.value,
        smaller,
        empty,
        found.limits,
        None,
        "AUC limits (F8)",
        chance,
        detectable,
    )


def smallest_gap(area: float, few: Array, many: Array) -> float | None:
    """Return the gap of AUC that two groups of these class sizes show with 80 % power.

    Args:
        area: AUC of the larger group, at least 1/2.
        few, many: (2,) positives and negatives of each.
    """

    def missing(gap: float) -> float:
        a, b = (auc.hanley_mcneil(np.array(v), n[0], n[1]) for v, n in ((area, many), (area, few)))
        c = auc.hanley_mcneil(np.array(area - gap), few[0], few[1])
        return float(Z * np.sqrt(a + b) + POWER_Z * np.sqrt(a + c) - gap)

    if missing(area) > 0:
        return None
    low, high = 0.0, area
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) > 0 else (low, middle)
    return (low + high) / 2


def means(shuffles: Shuffles, y: str, settings: Settings) -> Gap:
    """Compare the mean score, whatever the label."""
    parted = shuffles.parted
    value = parted.mean(parted.of.score)
    off = parted.of.score - value[parted.group]
    found = spread(parted, off)

    def limits(z: float) -> tuple[Array, Array]:
        half = np.where(found.variance > 0, found.half, np.nan) * (z / Z)
        return value - half, value + half

    def chance(keep: Bools) -> Chance | None:
        if (drawn := shuffles.of(keep, labels=False)) is not None:
            return score_chance.of_means(drawn)
        return shuffles.normal(value[keep], found.variance[keep])

    def detectable(keep: Bools) -> float | None:
        n = np.sort(found.effective[keep])
        inside = parted.only(keep[parted.group])
        weight = inside.of.weight
        s2 = float(np.average((inside.of.score - value[inside.group]) ** 2, weights=weight))
        gap = (Z + POWER_Z) * (s2 * (1 / n[0] + 1 / n[-1])) ** 0.5
        return float(gap) if gap > 0 else None

    empty = ["no rows"] * parted.size
    method = "t limits of the mean"
    return Gap("mean_score", value, parted.rows, empty, limits, None, method, chance, detectable)


def errors(shuffles: Shuffles, y: str, settings: Settings) -> Gap:
    """Compare the plug-in calibration error."""
    parted = shuffles.parted
    bins = calibration.bins(parted, settings.bins)

    def chance(keep: Bools) -> Chance | None:
        return shuffles.errors(bins, keep)

    error, empty = calibration.expected_error(bins), ["no rows"] * parted.size
    return Gap("ece", error, parted.rows, empty, None, PLUG_IN, "", chance, lambda keep: None)


KINDS: Mapping[str, Callable[[Shuffles, str, Settings], Gap]] = {
    "auc_difference": areas,
    "mean_score_difference": means,
    "ece_difference": errors,
}
