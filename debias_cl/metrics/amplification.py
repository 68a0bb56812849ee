"""Two disparities that are no largest gap: bias amplification, and FSCL's mean over pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics import draws, null, shuffles
from debias_cl.metrics.compared import (
    ONE_GROUP,
    Compared,
    blank,
    compared,
    end,
    few,
    left_out,
    not_comparable,
    two_ends,
)
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.design import Design
from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.sizes import effective, method, weighed
from debias_cl.metrics.values import Value, finite, rows
from debias_cl.metrics.views import View, layered

Reference = npt.NDArray[np.float64]
Statistic = Callable[[npt.NDArray[Any]], Array]


def shares_by_label(counts: Array) -> Array:
    """Return b(a, t): of the rows of class t, the share in group a; (..., groups, classes)."""
    return share(counts, counts.sum(-2, keepdims=True))


def zhao(tables: Array, reference: Array | None = None) -> Array:
    """Return bias amplification for (..., groups, classes, classes) true x predicted tables.

    Args:
        tables: counts.
        reference: (groups, classes) shares of the training set; None takes the tables' own truth.

    Returns:
        (...,) values: (1/T) sum over (t, a) with reference b(a, t) > 1/A of [share of group a
        among the rows predicted t - b(a, t)], T classes, A groups. NaN where such a class is never
        predicted.

    Source: Zhao et al. (2017), "Men also like shopping", equation 3; divided by T as there, not
        by the number of pairs.
    """
    b = shares_by_label(tables.sum(-1)) if reference is None else np.asarray(reference)
    predicted = shares_by_label(tables.sum(-2))
    tied = b > 1 / tables.shape[-3] + 1e-12
    change = np.where(tied, predicted - b, 0.0)
    return np.asarray(change.sum((-1, -2)) / tables.shape[-1], np.float64)


def directional(table: Array) -> float:
    """Return directional amplification, attribute to task, of one (groups, L, L) table.

    Source: Wang and Russakovsky (2021): the mean over (a, t) of
        sign(P(t, a) - P(t) P(a)) [P(predicted t | a) - P(t | a)].
    """
    total, truth = table.sum(), table.sum(2)
    joint = truth / total
    product = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    sign = np.where(np.abs(joint - product) < 1e-15, 0.0, np.sign(joint - product))
    change = share(table.sum(1), truth.sum(1, keepdims=True))
    change = change - share(truth, truth.sum(1, keepdims=True))
    return float((sign * change).mean())


def _reference(
    table: CountTable, training: npt.NDArray[np.int64] | None, keep: npt.NDArray[np.bool_]
) -> Reference | None:
    """Return the training shares of the kept groups in the table's classes; None without."""
    if training is None or len(table.columns) != 1:
        return None
    counts = np.zeros((len(table.groups), len(table.classes)))
    counts[:, list(table.known)] = np.asarray(training, np.float64).T
    counts = counts[keep]
    return None if (counts.sum(0)[list(table.known)] == 0).any() else shares_by_label(counts)


def amplification(
    table: CountTable,
    training: npt.NDArray[np.int64] | None,
    least: int,
    settings: Settings,
) -> Value:
    """Return bias amplification, its reference named, the directional one beside it.

    Args:
        table: counts of one attribute.
        training: (label levels, attribute levels) counts of the training set; None where unknown.
        least: rows that a group needs to take part.
        settings: the seed.
    """
    if reason := not_comparable(table):
        return blank(reason)
    weights = weighed(table.table, table.design)
    keep = (table.n >= max(least, 1)) & (weights.sum((1, 2)) > 0)
    outside = [
        {"group": dict(table.groups[i]), "n": rows(table.n[i]), "reason": few(table.n[i], least)}
        for i in np.flatnonzero(~keep)
    ]
    if keep.sum() < 2:
        return blank(ONE_GROUP, outside)
    reference = _reference(table, training, keep)
    counts = weights[keep].astype(np.float64)
    value = float(zhao(counts, reference))
    named = "truth of these rows" if reference is None else "training set"
    if np.isnan(value):
        return blank("a class is never predicted or never true", outside, reference=named)
    seed = settings.seeds(table.name, "amplification")
    joint = effective(*_joint(table))[keep].reshape(counts.shape)
    total = None if table.design is None else counts.sum((1, 2))
    low_high = draws.dirichlet(joint, lambda t: zhao(t, reference), seed, sizes=total)
    out = blank("", outside, reference=named, directional=finite(directional(counts)))
    return out | _simulated(value, low_high, table.n[keep].sum(), int(keep.sum()), table.design)


def _joint(table: CountTable) -> tuple[Array, Design[Array] | None]:
    """Return true x predicted as the outcomes of one stratum, and its layers."""

    def flat(layer: CountTable) -> Array:
        return np.asarray(layer.table.reshape(len(layer.table), 1, -1), np.float64)

    return flat(table), None if table.design is None else table.design.map(flat)


def _simulated(
    value: float,
    low_high: tuple[float, float] | None,
    n: Any,
    groups: int,
    design: Design[Any] | None,
) -> Value:
    """Return value, simulated interval and sizes; without an interval, why."""
    low, high = low_high or (None, None)
    return {
        "value": value,
        "low": low,
        "high": high,
        "n": rows(n),
        "reason": None if low_high else draws.TOO_MANY,
        "method": method(draws.DIRICHLET, design) if low_high else None,
        "groups_compared": groups,
    }


def mean_gap(rates: Array) -> Array:
    """Return the sum of |r_j - r_k| over pairs of the last axis (all finite)."""
    ordered = np.sort(rates, -1)
    g = rates.shape[-1]
    return np.asarray((ordered * (2 * np.arange(g) - g + 1)).sum(-1), np.float64)


@layered
def _right_by_label(table: CountTable, rates: tuple[str, ...]) -> View:
    """Return the view of right and wrong within each true class."""
    right = np.diagonal(table.table, axis1=1, axis2=2)
    view = np.stack([right, table.missed], -1)
    picks = tuple(null.Pick(rates[0], table.classes[y], (y,), 0) for y in table.known)
    return View(view, picks, tuple(f"no rows with {table.label} = {p.level}" for p in picks))


def _statistic(parts: list[Compared]) -> Statistic:
    """Return the mean over labels and pairs of groups of |recall_j - recall_k|, from a view."""
    pairs = sum(int(p.mask.sum() * (p.mask.sum() - 1) / 2) for p in parts)

    def statistic(tables: npt.NDArray[Any]) -> Array:
        total = np.zeros(tables.shape[0])
        for part in parts:
            x, n = part.pick.read(tables)
            total = total + mean_gap(x[:, part.mask] / n[:, part.mask])
        return total / pairs

    return statistic


def mean_pair(table: CountTable, least: int, settings: Settings) -> Value:
    """Return FSCL's equalized odds: the mean over labels and pairs of groups, not the largest.

    Pairs with an empty cell are left out and named (the authors' code counts them as accuracy 0).
    Source: Park et al. (2022), "Fair contrastive learning for facial attribute classification".
    """
    if reason := not_comparable(table):
        return blank(reason)
    view = _right_by_label(table, ("recall",))
    parts = compared(view, least)
    outside = left_out(table, parts, least)
    usable = [part for part in parts if part.mask.sum() >= 2]
    if not usable:
        alone = (table.n > 0).sum() < 2
        return blank(ONE_GROUP if alone else "no label has two groups to compare", outside)
    statistic, seed = _statistic(usable), settings.seeds(table.name, "mean_pair")
    value = float(statistic(weighed(view.table, view.design)[None])[0])
    low_high = draws.dirichlet(effective(view.table, view.design), statistic, seed)
    lead = max(usable, key=lambda part: float(np.nanmax(part.rates) - np.nanmin(part.rates)))
    size = sum(part.rows[part.mask].sum() for part in usable)
    out = blank("", outside, label=lead.pick.level)
    out |= _simulated(value, low_high, size, int(lead.mask.sum()), view.design)
    out |= _mean_pair_chance(view, parts, value, statistic, settings, seed)
    return out | {
        "lowest": end(table, lead, two_ends(lead.rates)[0]),
        "highest": end(table, lead, two_ends(lead.rates)[1]),
    }


def _mean_pair_chance(
    view: View,
    parts: list[Compared],
    value: float,
    statistic: Statistic,
    settings: Settings,
    seed: list[int],
) -> Value:
    """Return what groups shuffled within each label show."""
    if max(int(part.rows.sum()) for part in parts) >= null.LARGEST:
        return {}
    keep = np.zeros(view.table.shape[:2], np.bool_)
    for part in parts:
        keep[:, part.pick.strata] = part.mask[:, None]
    found = shuffles.shuffle(view, keep, settings.permutations, seed)
    usable = [part for part in parts if part.mask.sum() >= 2]
    gaps = statistic(found.drawn)
    picks, masks = [part.pick for part in usable], [part.mask for part in usable]
    chance = null.chance(found.drawn, picks, masks, found.observed, found.fixed)
    shown = {} if found.unit == shuffles.ROWS else {"shuffled": found.unit}
    return {
        "null95": float(np.quantile(gaps, 0.95, method="inverted_cdf")),
        "p": None if chance is None else chance.p,
        "adjusted": float(max(0.0, value**2 - float((gaps**2).mean())) ** 0.5),
        "permutations": len(found.drawn),
        **shown,
    }
