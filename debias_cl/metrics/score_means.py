"""Means over scored rows: mean score, Brier score, log loss, calibration in the large.

Each is a weighted mean of one number a row, so each has a t interval from its sum and its sum of
squares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from debias_cl.metrics.proportions import Array
from debias_cl.metrics.rates import NO_ROWS
from debias_cl.metrics.scored import Parted, Scored, spread
from debias_cl.metrics.tally import ONE_PERSON
from debias_cl.metrics.values import NO_LABEL, Value, defined, undefined

METHOD = "t interval of the mean"
ONE_ROW = "no interval: one row"
ALIKE = "no interval: all rows have the same value"
OUTSIDE = "scores outside [0, 1] are no probabilities"


@dataclass(frozen=True)
class Mean:
    """One number a row, whose mean is the metric.

    Attributes:
        each: entries -> (n,) numbers.
        low, high: ends of what the mean may be.
        truth: whether it needs labels.
        probability: whether it needs scores in [0, 1].
    """

    each: Callable[[Scored], Array]
    low: float
    high: float
    truth: bool = True
    probability: bool = True


def squared_error(scored: Scored) -> Array:
    """Return (score - label)^2."""
    return np.asarray((scored.score - scored.positive) ** 2, np.float64)


def surprise(scored: Scored) -> Array:
    """Return -log of the probability given to the label; infinite where that is 0."""
    given = np.where(scored.positive, scored.score, 1 - scored.score)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-np.log(given) + 0.0, np.float64)


def excess(scored: Scored) -> Array:
    """Return score - label."""
    return np.asarray(scored.score - scored.positive, np.float64)


MEANS: Mapping[str, Mean] = {
    "brier": Mean(squared_error, 0, 1),
    "log_loss": Mean(surprise, 0, np.inf),
    "mean_score": Mean(lambda scored: scored.score, -np.inf, np.inf, False, False),
    "calibration_in_the_large": Mean(excess, -1, 1),
}


def why_not(scored: Scored, mean: Mean) -> str | None:
    """Return why a mean is undefined for all groups; None where it is not."""
    if mean.truth and scored.truth is None:
        return NO_LABEL
    return None if scored.probabilities or not mean.probability else OUTSIDE


def means(parted: Parted, name: str, probabilities: Scored) -> list[Value]:
    """Return one value object a group for one of `MEANS`.

    Args:
        parted: the entries by group.
        name: which.
        probabilities: all entries together, which say whether scores are probabilities.
    """
    mean, rows = MEANS[name], parted.rows
    if reason := why_not(probabilities, mean):
        return [undefined(reason, n) for n in rows]
    each = mean.each(parted.of)
    endless = np.isinf(each)
    each = np.where(endless, 0.0, each)
    value = parted.mean(each)
    off = each - value[parted.group]
    off[np.abs(off) < 1e-14] = 0.0  # rounding of equal values is no spread
    found = spread(parted, off)
    floor, roof = (
        (0.0, 1.0)
        if name == "mean_score" and probabilities.probabilities
        else (
            mean.low,
            mean.high,
        )
    )
    low, high = np.maximum(value - found.half, floor), np.minimum(value + found.half, roof)
    lost = parted.sum(np.where(endless, parted.of.rows, 0))
    method = f"{METHOD}, {parted.of.how}" if parted.of.how else METHOD
    out = []
    for i, n in enumerate(rows):
        beside = {"n_effective": float(found.effective[i])} if parted.of.how else {}
        if n == 0:
            out.append(undefined(NO_ROWS, 0))
        elif lost[i]:
            out.append(undefined(certain(lost[i]), n))
        elif not found.variance[i] > 0:
            why = _why_no_interval(found.variance[i], parted)
            out.append(defined(value[i], None, None, n, None, reason=why, **beside))
        else:
            out.append(defined(value[i], low[i], high[i], n, method, **beside))
    return out


def certain(rows: float) -> str:
    """Return why a log loss is undefined: some labels were called impossible."""
    what = (
        "row has a score of exactly 0 or 1 and"
        if rows == 1
        else ("rows have a score of exactly 0 or 1 and")
    )
    return f"infinite: {rows:,.0f} {what} the other label"


def _why_no_interval(variance: float, parted: Parted) -> str:
    if variance == 0:
        return ALIKE
    return ONE_ROW if parted.of.persons is None else ONE_PERSON
