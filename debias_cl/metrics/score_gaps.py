"""Gaps in scores between groups: AUC, mean score, calibration error, area between ROC curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial

import numpy as np

from debias_cl.metrics import ratios
from debias_cl.metrics.between_curves import between_curves
from debias_cl.metrics.compared import ONE_GROUP, blank, few
from debias_cl.metrics.extremes import tukey_z
from debias_cl.metrics.proportions import LEVEL, Array, Z
from debias_cl.metrics.score_chance import Shuffles, beside
from debias_cl.metrics.score_kinds import KINDS, Gap
from debias_cl.metrics.score_means import OUTSIDE
from debias_cl.metrics.scored import Parted
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.values import NO_LABEL, Value, described, finite
from debias_cl.records import Bools

BETWEEN = "area_between_roc_curves"
BOUNDS = "at least, at most over pairs (MOVER, as F5)"
NO_BOUNDS = "no interval: a group has none of its own"


def gaps(
    parted: Parted, groups: Sequence[Mapping[str, str]], name: str, y: str, settings: Settings
) -> dict[str, Value]:
    """Return every gap in scores, over all defined groups and over those with enough rows.

    Args:
        parted: entries by group.
        groups: who they are.
        name: of the attribute.
        y: the positive level in words.
        settings: how.
    """
    out: dict[str, Value] = {}
    shuffles = Shuffles(parted, settings.permutations, settings.seeds(name, "scores"))
    for key in (*KINDS, BETWEEN):
        if reason := _not_comparable(parted, key, len(groups)):
            out |= {key: blank(reason), f"{key}_min_group": blank(reason)}
        elif key == BETWEEN:
            found = between_curves(shuffles, groups, y)
            out |= both(key, found.rows, settings, found.over)
        else:
            gap = KINDS[key](shuffles, y, settings)
            out |= both(key, gap.rows, settings, partial(one, gap, groups, parted))
    return out


def both(key: str, rows: Array, settings: Settings, make: Callable[[int], Value]) -> Value:
    """Return a disparity over all defined groups and over those with enough rows.

    Args:
        key: its name.
        rows: (groups,) rows in the denominators.
        settings: the rows needed.
        make: least rows -> the disparity.
    """
    everyone, least = make(1), settings.min_group
    same = bool(((rows >= least) | (rows == 0)).all())
    return {key: everyone, f"{key}_min_group": deepcopy(everyone) if same else make(least)}


def _not_comparable(parted: Parted, key: str, groups: int) -> str | None:
    if groups < 2:
        return ONE_GROUP
    if key == "mean_score_difference":
        return None
    if parted.of.truth is None:
        return NO_LABEL
    return OUTSIDE if key == "ece_difference" and not parted.of.probabilities else None


def one(gap: Gap, groups: Sequence[Mapping[str, str]], parted: Parted, least: int) -> Value:
    """Return one disparity over the groups whose denominator has at least `least` rows."""
    keep = (gap.rows >= max(least, 1)) & ~np.isnan(gap.value)
    outside = [
        {"group": dict(groups[i]), "n": int(parted.rows[i]), "reason": _why(gap, i, least)}
        for i in np.flatnonzero(~keep).tolist()
    ]
    if keep.sum() < 2:
        there = [described(groups[i]) for i in np.flatnonzero(keep).tolist()]
        need = "defined" if least <= 1 else f"based on at least {least} rows"
        return blank(f"{gap.rate} is {need} in {there[0] if there else 'no group'} alone", outside)
    chance = gap.chance(keep)
    order = np.flatnonzero(keep)[np.argsort(gap.value[keep], kind="stable")]
    pair = (int(order[0]), int(order[-1]))
    value = float(gap.value[pair[1]] - gap.value[pair[0]])
    low, high, least_most, method, why = _bounds(gap, keep, chance.p if chance else None)
    return blank("", outside) | {
        "value": value,
        "low": finite(low),
        "high": finite(high),
        "n": int(parted.rows[keep].sum()),
        "reason": why,
        "method": method,
        "lowest": _end(gap, groups, parted, pair[0]),
        "highest": _end(gap, groups, parted, pair[1]),
        "at_least": finite(least_most[0]),
        "at_most": finite(least_most[1]),
        "detectable": gap.detectable(keep),
        "groups_compared": int(keep.sum()),
        "rate": gap.rate,
        **beside(chance, value),
    }


def _why(gap: Gap, place: int, least: int) -> str:
    return few(gap.rows[place], least) if gap.rows[place] > 0 else gap.empty[place]


def _end(gap: Gap, groups: Sequence[Mapping[str, str]], parted: Parted, place: int) -> Value:
    size, value = int(parted.rows[place]), float(gap.value[place])
    return {"group": dict(groups[place]), "n": size, "value": value}


Bounds = tuple[
    float | None, float | None, tuple[float | None, float | None], str | None, str | None
]


def _bounds(gap: Gap, keep: Bools, p: float | None) -> Bounds:
    """Return low, high, (at least, at most), method, and why there is no interval."""
    if gap.limits is None:
        return None, None, (None, None), gap.method or None, gap.why
    value = gap.value[keep]
    plain = [end[keep] for end in gap.limits(Z)]
    if np.isnan(plain).any():
        return None, None, (None, None), None, NO_BOUNDS
    below, above = _mover(value, *plain)
    if len(value) == 2:
        top = int(value.argmax())
        low, high = ratios.fold_difference(float(below[top, 1 - top]), float(above[top, 1 - top]))
        return low, high, (low, high), f"MOVER of {gap.method}, folded (F4)", None
    claimed = p is not None and p <= 1 - LEVEL
    wide = [end[keep] for end in gap.limits(tukey_z(len(value)))]
    least = max(0.0, float(_mover(value, *wide)[0].max())) if claimed else 0.0
    return None, None, (least, float(above.max())), f"{BOUNDS}; {gap.method}", None


def _mover(value: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """Return (G, G) limits of v_i - v_j. Source: Zou and Donner (2008)."""
    gap = value[:, None] - value[None, :]
    down, up = (value - low) ** 2, (high - value) ** 2
    return gap - np.sqrt(down[:, None] + up[None, :]), gap + np.sqrt(up[:, None] + down[None, :])
