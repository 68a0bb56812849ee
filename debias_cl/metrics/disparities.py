"""Disparities: the largest gap and the smallest ratio of a rate between groups, with chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import numpy as np

from debias_cl.metrics import contrasts, extremes, null, ratios, shuffles
from debias_cl.metrics.compared import (
    ONE_GROUP,
    Compared,
    Mask,
    blank,
    compared,
    end,
    left_out,
    not_comparable,
    two_ends,
)
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.proportions import share
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.tally import Tally
from debias_cl.metrics.values import Value, described, finite, rows
from debias_cl.metrics.views import COMPARISONS, View

BOUNDS = "at least, at most over pairs (F5)"
ALL_ZERO = "the rate is 0 in every group"
Draw = Callable[[View, Mask], shuffles.Shuffled]
"""A view and the (groups, strata) that take part -> shuffled tables."""


def _chance(view: View, usable: Sequence[Compared], draw: Draw) -> null.Chance | None:
    """Return chance for a set of rates: exact for one rate of two groups, else drawn."""
    one_of_two = len(usable) == 1 and usable[0].mask.sum() == 2
    if one_of_two and shuffles.unit_of(view.design) != shuffles.PERSONS:
        return null.exact_two_groups(*usable[0].counts)
    keep = np.zeros(view.table.shape[:2], np.bool_)
    for part in usable:
        keep[:, part.pick.strata] |= part.mask[:, None]
    if max(part.rows.sum() for part in usable) >= null.LARGEST:
        return None
    found = draw(view, keep)
    masks = [part.mask for part in usable]
    picks = [part.pick for part in usable]
    return null.chance(found.drawn, picks, masks, found.observed, found.fixed)


def _pair(part: Compared) -> Tally:
    """Return the counts of two groups, the one with the higher rate first."""
    places = np.flatnonzero(part.mask)
    return part.tally.take(places[np.argsort(-part.rates[places], kind="stable")])


def _difference(usable: Sequence[Compared], p: float | None) -> Value:
    """Return value, interval and bounds of the largest gap."""
    gaps = [float(np.nanmax(part.rates) - np.nanmin(part.rates)) for part in usable]
    lead = int(np.argmax(gaps))
    found: Value = {"lead": lead, "value": gaps[lead], "low": None, "high": None, "reason": None}
    if len(usable) == 1 and usable[0].mask.sum() == 2:
        pair = contrasts.difference(_pair(usable[0]))
        low, high = ratios.fold_difference(float(pair.low[0]), float(pair.high[0]))
        found |= {"low": low, "high": high, "at_least": low, "at_most": high}
        return found | {"method": f"{pair.method[0]}, folded (F4)"}
    least, most = extremes.gap_bounds([part.counts for part in usable], p)
    found |= {"at_least": least, "at_most": most, "method": usable[0].tally.method(BOUNDS)}
    return _ends_of_two(found, usable)


def _ratio(usable: Sequence[Compared], p: float | None) -> Value:
    """Return value, interval and bounds of the smallest ratio."""
    smallest = np.array([null.smallest_ratio(share(*part.counts)) for part in usable])
    if np.isnan(smallest).all():
        return {"value": None, "reason": ALL_ZERO, "lead": 0}
    lead = int(np.nanargmin(smallest))
    void = np.isnan(smallest)
    known = [part for part, gone in zip(usable, void, strict=True) if not gone]
    found: Value = {"lead": lead, "value": float(smallest[lead]), "low": None, "high": None}
    found["reason"] = None
    if len(usable) == 1 and usable[0].mask.sum() == 2:
        pair = contrasts.ratio(_pair(usable[0]))
        low, high = ratios.fold_ratio(float(pair.low[0]), float(pair.high[0]))
        found |= {"low": low, "high": high, "at_least": low, "at_most": high}
        return found | {"method": f"{pair.method[0]}, folded (F4)"}
    found["void"] = [part for part, gone in zip(usable, void, strict=True) if gone]
    least, most = extremes.ratio_bounds([part.counts for part in known], p)
    found |= {"at_least": least, "at_most": most, "method": usable[0].tally.method(BOUNDS)}
    return _ends_of_two(found, usable)


def _void(table: CountTable, parts: Sequence[Compared]) -> list[Value]:
    """Name the rates whose ratio is 0/0 in every group, and so are left out of the minimum."""
    why = [f"{p.pick.rate} of {p.pick.level} is 0 in every group" for p in parts]
    size = rows(table.n.sum())
    return [{"group": {}, "n": size, "reason": reason} for reason in why]


def _ends_of_two(found: Value, usable: Sequence[Compared]) -> Value:
    """Two groups in every rate: the two bounds are an interval of the value."""
    if all(part.mask.sum() == 2 for part in usable):
        found |= {"low": found["at_least"], "high": found["at_most"]}
    return found


def detectable(parts: Sequence[Compared]) -> float | None:
    """Return the gap that would show in whichever rate it lies: the largest over the rates.

    In each rate it is the gap of the smallest group against the largest other one.
    """
    found = []
    for part in parts:
        x, n = part.counts
        order = np.sort(n)
        rate = float(x.sum() / n.sum())
        found.append(extremes.detectable(rate, float(order[0]), float(order[-1])))
    known = [gap for gap in found if gap is not None]
    return max(known) if len(known) == len(found) else None


FORMS = {"difference": _difference, "ratio": _ratio}


def _one(
    table: CountTable,
    form: str,
    usable: Sequence[Compared],
    chance: null.Chance | None,
    outside: list[Value],
    unit: str,
) -> Value:
    """Return one disparity object."""
    found = FORMS[form](usable, chance.p if chance else None)
    part = usable[found.pop("lead")]
    if found["value"] is None:
        return blank(found["reason"], outside)
    outside = [*outside, *_void(table, found.pop("void", ()))]
    low, high = two_ends(part.rates)
    return {
        "value": found["value"],
        "low": finite(found["low"]),
        "high": finite(found["high"]),
        "n": rows(part.rows[part.mask].sum()),
        "reason": found["reason"],
        "method": found["method"],
        "lowest": end(table, part, low),
        "highest": end(table, part, high),
        "left_out": outside,
        **_beside(form == "difference", found["value"], usable, chance),
        "at_least": finite(found["at_least"]),
        "at_most": finite(found["at_most"]),
        "class": part.pick.level if part.pick.level and not table.binary else None,
        "groups_compared": int(part.mask.sum()),
        "rate": part.pick.rate,
        "permutations": 0 if chance is None else chance.permutations,
        **part.tally.beside(part.counts[1].sum()),
        **({"shuffled": unit} if unit != shuffles.ROWS and chance is not None else {}),
    }


def _beside(
    gap: bool, value: float, usable: Sequence[Compared], chance: null.Chance | None
) -> Value:
    """Return what stands beside a gap (or ratio): chance, power, the noise-adjusted gap."""
    found: Value = {"null95": None, "p": None, "p_adjusted": None, "adjusted": None}
    found["detectable"] = detectable(usable) if gap else None
    if chance is None:
        return found
    found |= {"null95": chance.gap95 if gap else chance.ratio05, "p": chance.p}
    return found | {"adjusted": chance.adjusted(value) if gap else None}


def drawer(settings: Settings, *names: str) -> Draw:
    """Return what shuffles a table, and remembers it: families that share strata share draws."""
    memory: dict[tuple[bytes, ...], shuffles.Shuffled] = {}

    def draw(view: View, keep: Mask) -> shuffles.Shuffled:
        layers = (view.design.weight, view.design.units) if view.design else ()
        arrays = [view.table, keep, *(layer for layer in layers if layer is not None)]
        key = tuple(array.tobytes() for array in arrays)
        if key not in memory:
            seed = settings.seeds(*names)
            memory[key] = shuffles.shuffle(view, keep, settings.permutations, seed)
        return memory[key]

    return draw


def compare_groups(table: CountTable, family: str, least: int, draw: Draw) -> dict[str, Value]:
    """Return the forms of one family of disparities.

    Args:
        table: the counts of one attribute.
        family: a name of `COMPARISONS`.
        least: rows that a denominator needs; 1 for "all groups whose rate is defined".
        draw: shuffles a view (`drawer`).

    Returns:
        {family_difference: ..., family_ratio: ...}.
    """
    comparison = COMPARISONS[family]
    names = {form: f"{family}_{form}" for form in comparison.forms}
    if reason := not_comparable(table, comparison.truth):
        return {name: blank(reason) for name in names.values()}
    view = comparison.make(table, comparison.rates)
    parts = compared(view, least)
    outside = left_out(table, parts, least)
    usable = [part for part in parts if part.mask.sum() >= 2]
    if not usable:
        return {name: blank(_why_none(table, parts, least), outside) for name in names.values()}
    chance = _chance(view, usable, draw)
    unit = shuffles.unit_of(view.design)
    return {name: _one(table, form, usable, chance, outside, unit) for form, name in names.items()}


def _why_none(table: CountTable, parts: Sequence[Compared], least: int) -> str:
    """Return why nothing can be compared."""
    groups = int((table.n > 0).sum())
    if groups < 2:
        return ONE_GROUP
    best = max(parts, key=lambda part: int(part.mask.sum()))
    there = [described(table.groups[i]) for i in np.flatnonzero(best.mask)]
    need = "defined" if least <= 1 else f"based on at least {least} rows"
    return f"{best.pick.rate} is {need} in {there[0] if there else 'no group'} alone"


def gaps(table: CountTable, settings: Settings) -> dict[str, Value]:
    """Return every family, over all defined groups and over those with enough rows.

    Returns:
        {name: disparity}, and the same names with `_min_group` at the end.
    """
    out: dict[str, Value] = {}
    draw = drawer(settings, table.name, "gaps")
    for family in COMPARISONS:
        plain = compare_groups(table, family, 1, draw)
        filtered = (
            deepcopy(plain)  # the same groups give the same numbers, without drawing again
            if _all_large(table, family, settings.min_group)
            else compare_groups(table, family, settings.min_group, draw)
        )
        for name, value in plain.items():
            out[name] = value
            out[f"{name}_min_group"] = filtered[name]
    return out


def _all_large(table: CountTable, family: str, least: int) -> bool:
    """Return whether every group is empty or large enough wherever it is looked at."""
    comparison = COMPARISONS[family]
    if not_comparable(table, comparison.truth):
        return True
    sizes = [part.rows for part in compared(comparison.make(table, comparison.rates), 1)]
    return all(((n == 0) | (n >= least)).all() for n in sizes)


def adjust(disparities: Mapping[str, Mapping[str, Value]]) -> None:
    """Set `p_adjusted` of every disparity by Benjamini and Hochberg, over all with a p."""
    tested = [d for found in disparities.values() for d in found.values() if d["p"] is not None]
    adjusted = benjamini_hochberg([d["p"] for d in tested])
    for value, p in zip(tested, adjusted, strict=True):
        value["p_adjusted"] = float(p)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Return the adjusted p-values, in the given order.

    Equal to `scipy.stats.false_discovery_control`, whose import takes longer than many an audit.

    Source: Benjamini and Hochberg (1995), step-up.
    """
    adjusted, least, count = np.empty(len(p)), 1.0, len(p)
    for rank, place in zip(range(count, 0, -1), np.argsort(p)[::-1], strict=True):
        least = min(least, p[place] * count / rank)
        adjusted[place] = least
    return [float(value) for value in adjusted]
