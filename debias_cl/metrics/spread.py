"""Beside the largest gap: the spread over groups, average odds, differential fairness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from debias_cl.metrics import combinations, contrasts, extremes, ratios
from debias_cl.metrics.compared import (
    ONE_GROUP,
    Compared,
    blank,
    compared,
    end,
    left_out,
    not_comparable,
    two_ends,
)
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.disparities import BOUNDS
from debias_cl.metrics.null import Ints, Pick
from debias_cl.metrics.proportions import LEVEL, Array, Counts, Z
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.tally import Tally, tally
from debias_cl.metrics.tolerance import MIN_GROUP
from debias_cl.metrics.values import Value, described, finite, rows
from debias_cl.metrics.views import COMPARISONS, View, by_label, by_selection
from debias_cl.records import Predictions

MOST_PAIRED = 64
"""With more groups the pairs are too many for a score interval each."""
ODDS = ("true_positive_rate", "false_positive_rate")
Bounds = tuple[float | None, float | None]


def add(document: Value, predictions: Predictions, table: CountTable, settings: Settings) -> None:
    """Add `standard_deviation` to every gap, `average_odds_difference`, `differential_fairness`."""
    found = document["disparities"][table.name]
    for suffix, least in (("", 1), (MIN_GROUP, settings.min_group)):
        deviations(found, table, suffix, least)
        odds = found[f"equalized_odds_difference{suffix}"]["p"]
        found[f"average_odds_difference{suffix}"] = average_odds(table, least, odds)
        parity = found[f"demographic_parity_difference{suffix}"]["p"]
        found[f"differential_fairness{suffix}"] = differential_fairness(table, least, parity)


def deviations(found: Value, table: CountTable, suffix: str, least: int) -> None:
    """Set the standard deviation over the compared groups in every gap of `COMPARISONS`.

    Of the rate and class that the gap is about, each group counting the same, divided by their
    number. Like the largest gap it is above zero by noise alone.
    """
    for family, comparison in COMPARISONS.items():
        gap = found[f"{family}_difference{suffix}"]
        gap["standard_deviation"] = None
        if gap["value"] is None or not_comparable(table, comparison.truth):
            continue
        for part in compared(comparison.make(table, comparison.rates), least):
            level = part.pick.level if part.pick.level and not table.binary else None
            if (part.pick.rate, level) == (gap["rate"], gap["class"]):
                gap["standard_deviation"] = finite(np.nanstd(part.rates))


def average_odds(table: CountTable, least: int, p: float | None) -> Value:
    """Return the largest difference between groups of (TPR + FPR) / 2.

    Both rates may differ in opposite directions and the average not at all, so it can be small
    where equalized odds is not. With more than two label levels, each against the rest, the
    largest over levels.

    Args:
        table: counts of one attribute.
        least: rows that both denominators of a group need.
        p: the p-value of equalized odds; above .05 nothing is claimed from below over three or
            more groups.

    Source: Bellamy et al. (2019), AI Fairness 360: average odds difference, there signed, of one
        group minus another.
    """
    if reason := not_comparable(table):
        return blank(reason)
    view = by_label(table, ODDS)
    parts = compared(view, least)
    outside = left_out(table, parts, least)
    half = len(parts) // 2
    both = [_Averaged(view, tpr, fpr) for tpr, fpr in zip(parts[:half], parts[half:], strict=True)]
    usable = [one for one in both if one.mask.sum() >= 2]
    if not usable:
        alone = (table.n > 0).sum() < 2
        return blank(ONE_GROUP if alone else "no two groups have both rates", outside)
    lead = max(usable, key=lambda one: float(np.nanmax(one.mean) - np.nanmin(one.mean)))
    return _odds(table, lead, usable, outside, p)


class _Averaged:
    """TPR and FPR of one class, their mean, and the groups that have both.

    Attributes:
        level: the class.
        tally: (groups, 2) successes and sizes of both rates.
        mask: (groups,) who has both.
        mean: (groups,) the mean of both, NaN for the others.
        rows: (groups,) rows in both denominators.
    """

    def __init__(self, view: View, tpr: Compared, fpr: Compared) -> None:
        def read(layer: Ints) -> tuple[Counts, Counts]:
            (x, n), (y, m) = tpr.pick.read(layer), fpr.pick.read(layer)
            return np.stack([x, y], -1), np.stack([n, m], -1)

        self.level = tpr.pick.level
        self.tally: Tally = tally(view.table, view.design, read)
        self.mask = tpr.mask & fpr.mask
        self.mean: Array = np.where(self.mask, (tpr.rates + fpr.rates) / 2, np.nan)
        self.rows = tpr.rows + fpr.rows

    def cells(self, high: int, low: int) -> Tally:
        """Return (1, 4) TPR of one group and of another, then their FPR."""
        places = np.array([2 * high, 2 * low, 2 * high + 1, 2 * low + 1])
        return self.tally.take(places).row()

    def end(self, table: CountTable, place: int) -> Value:
        """Return the group at one end."""
        who = dict(table.groups[place])
        return {"group": who, "n": rows(self.rows[place]), "value": float(self.mean[place])}


SIGNS = np.array([0.5, -0.5, 0.5, -0.5])


def _odds(
    table: CountTable,
    lead: _Averaged,
    usable: Sequence[_Averaged],
    outside: list[Value],
    p: float | None,
) -> Value:
    """Return the disparity object of average odds."""
    low, high = two_ends(lead.mean)
    out = blank("", outside, rate="average_odds") | {
        "value": float(lead.mean[high] - lead.mean[low]),
        "n": rows(lead.rows[lead.mask].sum()),
        "reason": None,
        "lowest": lead.end(table, low),
        "highest": lead.end(table, high),
        "class": lead.level if not table.binary else None,
        "groups_compared": int(lead.mask.sum()),
    }
    if len(usable) == 1 and lead.mask.sum() == 2:
        return out | _two(lead.cells(high, low))
    least, most = _odds_bounds(usable, p)
    return out | {"at_least": least, "at_most": most, "method": lead.tally.method(BOUNDS)}


def _two(cells: Tally) -> Value:
    """Return the folded interval of two groups' difference."""
    found = contrasts.linear(cells, SIGNS[None])
    if found.lonely[0]:
        return {"reason": found.reason()}
    low, high = ratios.fold_difference(float(found.low[0]), float(found.high[0]))
    ends = {"low": low, "high": high, "at_least": low, "at_most": high}
    return {**ends, "method": f"{found.method[0]}, folded (F4)", **cells.beside(found.size[0])}


def _odds_bounds(usable: Sequence[_Averaged], p: float | None) -> Bounds:
    """Return "at least" and "at most" over pairs and classes (F5, by score intervals)."""
    if max(int(one.mask.sum()) for one in usable) > MOST_PAIRED:
        return None, None
    least, most = 0.0, 0.0
    for one in usable:
        groups = np.flatnonzero(one.mask)
        i, j = np.triu_indices(len(groups), 1)
        x, n = (v[groups[np.stack([i, j], 1)]].swapaxes(1, 2) for v in one.tally)
        x, n = x.reshape(len(i), 4), n.reshape(len(i), 4)
        z = extremes.tukey_z(len(groups), len(usable))
        _, low, high = combinations.linear(x, n, SIGNS, z)
        least = max(least, float(low.max()), float(-high.min()))
        _, low, high = combinations.linear(x, n, SIGNS, Z)
        most = max(most, float(np.maximum(np.abs(low), np.abs(high)).max()))
    return (least if p is not None and p <= 1 - LEVEL else 0.0), min(most, 1.0)


def differential_fairness(table: CountTable, least: int, p: float | None) -> Value:
    """Return the largest absolute log ratio of an outcome's rate, over pairs and outcomes.

    Every predicted level is an outcome: of two, the one that is rare in a group decides. No
    prior is added to the counts (the paper's smoothed estimate adds one), so a rate of 0 beside
    another one leaves it undefined; an outcome that no group has is no outcome.

    Args:
        table: counts of one attribute.
        least: rows that a group needs.
        p: the p-value of demographic parity, which asks of the same rates; above .05 nothing is
            claimed from below.

    Source: Foulds, Islam, Keya and Pan (2020), "An intersectional definition of fairness",
        definition 3.1 and equation 4.
    """
    if reason := not_comparable(table, truth=False):
        return blank(reason)
    parts = compared(_outcomes(table), least)
    outside = left_out(table, parts[:1], least)
    if parts[0].mask.sum() < 2:
        return blank(ONE_GROUP, outside)
    there = [part for part in parts if np.nanmax(part.rates) > 0]
    for part in there:
        if np.nanmin(part.rates) <= 0:
            who = described(table.groups[int(np.nanargmin(part.rates))])
            return blank(f"'{part.pick.level}' is never predicted where {who}", outside)
    lead = max(there, key=lambda part: float(np.nanmax(part.rates) / np.nanmin(part.rates)))
    low, high = two_ends(lead.rates)
    ends = extremes.ratio_bounds([part.counts for part in there], p)
    most, under = (finite(-np.log(end)) if end > 0 else None for end in ends)
    two = lead.mask.sum() == 2 and most is not None
    return blank("", outside, rate=lead.pick.rate) | {
        "value": float(np.log(lead.rates[high] / lead.rates[low])),
        "low": under if two else None,
        "high": most if two else None,
        "n": rows(lead.rows[lead.mask].sum()),
        "reason": None,
        "method": lead.tally.method(f"log of {BOUNDS}"),
        "lowest": end(table, lead, low),
        "highest": end(table, lead, high),
        "at_least": under,
        "at_most": most,
        "class": lead.pick.level,
        "groups_compared": int(lead.mask.sum()),
    }


def _outcomes(table: CountTable) -> View:
    """Return the view of selection with a pick for every predicted level, also of two."""
    view = by_selection(table, ("selection_rate",))
    if not table.binary:
        return view
    (pick,) = view.picks
    others = [level for level in table.classes if level != pick.level]
    both = (pick, *(Pick(pick.rate, level, (0,), 0) for level in others))
    return View(view.table, both, view.empty * len(both), view.design)
