"""Everything that is measured on the scores of a group: value objects, one dict a group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from debias_cl.metrics import auc, calibration
from debias_cl.metrics.rates import NO_ROWS
from debias_cl.metrics.score_means import MEANS, OUTSIDE, means
from debias_cl.metrics.scored import Parted, Scored
from debias_cl.metrics.values import NO_LABEL, Value, defined, undefined

NO_ECE_INTERVAL = "no interval: a plug-in error is above 0 by chance alone; see null95 and p"
DRAWN = "chance: labels drawn from the scores (Broecker and Smith 2007)"
PERSONS = "no interval: several rows of a person depend on each other"
CELL = "one label level by construction"


def group_values(
    parted: Parted, everything: Scored, most: int, draws: int, seed: Sequence[int], y: str
) -> list[Value]:
    """Return one {name: value object} a group.

    Args:
        parted: entries by group.
        everything: all entries, which say whether scores are probabilities.
        most: calibration bins.
        draws: draws of chance.
        seed: of those draws.
        y: the positive level in words, "label = level".
    """
    found = {"auc": areas(parted, y)}
    found |= {name: means(parted, name, everything) for name in ("brier", "log_loss")}
    found |= calibrated(parted, everything, most, draws, seed)
    found |= {name: means(parted, name, everything) for name in MEANS if name not in found}
    return [{name: column[i] for name, column in found.items()} for i in range(parted.size)]


def cell_values(parted: Parted, everything: Scored, most: int) -> list[Value]:
    """Return one {name: value object} a label x group cell: its rows all have one label."""
    none = [undefined(f"no AUC: {CELL}", n) for n in parted.rows]
    found = {name: means(parted, name, everything) for name in ("brier", "log_loss", "mean_score")}
    if everything.probabilities:
        error = calibration.expected_error(calibration.bins(parted, most))
        why = f"no interval: {CELL}"
        ece = [
            undefined(NO_ROWS, 0) if n == 0 else defined(e, None, None, n, None, reason=why)
            for e, n in zip(error, parted.rows, strict=True)
        ]
    else:
        ece = [undefined(OUTSIDE, n) for n in parted.rows]
    found |= {"auc": none, "ece": ece}
    return [{name: column[i] for name, column in found.items()} for i in range(parted.size)]


def areas(parted: Parted, y: str) -> list[Value]:
    """Return the AUC of every group."""
    if parted.of.truth is None:
        return [undefined(NO_LABEL) for _ in range(parted.size)]
    found = auc.areas(parted)
    low, high = found.limits()
    out = []
    for i, (negatives, positives) in enumerate(found.rows.T):
        n = negatives + positives
        if n == 0:
            out.append(undefined(NO_ROWS, 0))
        elif positives == 0 or negatives == 0:
            out.append(undefined(f"no rows {'with' if positives == 0 else 'without'} {y}", n))
        else:
            sizes: Value = {"n_positive": int(positives), "n_negative": int(negatives)}
            if parted.of.how:
                sizes |= {"n_effective": float(found.positives[i] + found.negatives[i])}
            out.append(defined(found.value[i], low[i], high[i], n, found.method(i), **sizes))
    return out


def calibrated(
    parted: Parted, everything: Scored, most: int, draws: int, seed: Sequence[int]
) -> dict[str, list[Value]]:
    """Return plug-in and debiased calibration error of every group."""
    reason = NO_LABEL if everything.truth is None else OUTSIDE
    if everything.truth is None or not everything.probabilities:
        none = [undefined(reason, n, null95=None, p=None) for n in parted.rows]
        plain = [undefined(reason, n) for n in parted.rows]
        return {"ece": none, "rms_calibration_error": plain}
    bins = calibration.bins(parted, most)
    persons = parted.of.persons is not None
    chance = None if persons else calibration.chance(bins, draws, seed)
    error, count = calibration.expected_error(bins), np.bincount(bins.group, minlength=bins.size)
    rms = calibration.rms_error(bins)
    plug_in, debiased = [], []
    for i, n in enumerate(parted.rows):
        if n == 0:
            plug_in.append(undefined(NO_ROWS, 0, null95=None, p=None, bins=0))
            debiased.append(undefined(NO_ROWS, 0))
            continue
        beside: Value = {"null95": None, "p": None, "bins": int(count[i])}
        if chance:
            beside |= {"null95": float(chance.null95[i]), "p": float(chance.p[i])}
        why = NO_ECE_INTERVAL if chance else PERSONS
        method = f"{count[i]} bins of equal mass; {DRAWN if chance else 'no chance'}"
        plug_in.append(defined(error[i], None, None, n, method, reason=why, **beside))
        debiased.append(_rms(parted, (rms[0][i], rms[1][i], rms[2][i]), n))
    return {"ece": plug_in, "rms_calibration_error": debiased}


def _rms(parted: Parted, ends: tuple[float, float, float], n: float) -> Value:
    if parted.of.persons is not None:
        return defined(ends[0], None, None, n, None, reason=PERSONS)
    how = f", {parted.of.how}" if parted.of.how else ""
    return defined(*ends, n, f"{calibration.METHOD}{how}")
