"""Disparities: the largest gap and the smallest ratio of a rate between groups, with chance."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics import combinations, extremes, null, ratios
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.proportions import share
from debias_cl.metrics.values import NO_LABEL, Value, described, finite, rows, undefined
from debias_cl.metrics.views import COMPARISONS, View

Mask = npt.NDArray[np.bool_]
ONE_GROUP = "not applicable: one group only"
ALL_ZERO = "the rate is 0 in every group"


@dataclass(frozen=True)
class Settings:
    """How disparities are judged.

    Attributes:
        min_group: rows that a denominator needs in the `_min_group` variants.
        seed: of the permutations and simulated intervals.
        permutations: number of permutations.
    """

    min_group: int = 30
    seed: int = 0
    permutations: int = 10_000

    def seeds(self, *names: str) -> list[int]:
        """Return a seed of its own for a use, so that one more attribute changes no other."""
        return [self.seed, zlib.crc32("\0".join(names).encode())]


@dataclass(frozen=True)
class Compared:
    """One rate of one class over the groups, and which of them are compared."""

    pick: null.Pick
    x: null.Ints
    n: null.Ints
    mask: Mask
    empty: str

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """(groups,) rates, NaN for those that are not compared."""
        return np.where(self.mask, share(self.x, self.n), np.nan)

    @property
    def counts(self) -> tuple[null.Ints, null.Ints]:
        """Counts of the compared groups."""
        return self.x[self.mask], self.n[self.mask]


def blank(reason: str, left_out: Sequence[Value] = (), **extra: Any) -> Value:
    """Return a disparity that is undefined, with every key that a disparity has."""
    empty = dict.fromkeys(
        ("null95", "p", "p_adjusted", "detectable", "at_least", "at_most", "adjusted", "class")
    )
    lists: Value = {"lowest": None, "highest": None, "left_out": list(left_out)}
    return undefined(reason, **lists, **empty, groups_compared=0, **extra)


def compared(view: View, least: int) -> list[Compared]:
    """Return every rate of a view with its counts and the groups of at least `least` rows."""
    out = []
    for pick, empty in zip(view.picks, view.empty, strict=True):
        x, n = pick.read(view.table)
        out.append(Compared(pick, x, n, n >= max(least, 1), empty))
    return out


def left_out(table: CountTable, parts: Sequence[Compared], least: int) -> list[Value]:
    """Return the groups that a comparison leaves out, with the reason."""
    out: dict[tuple[int, str], Value] = {}
    for part in parts:
        about = f", {part.pick.rate}" if len(parts) > 1 else ""
        for i in np.flatnonzero(~part.mask):
            few = f"{rows(part.n[i])} of the {least} rows needed"
            reason = (part.empty if part.n[i] == 0 else few) + about
            group = {"group": dict(table.groups[i]), "n": rows(part.n[i]), "reason": reason}
            out.setdefault((int(i), reason), group)
    return list(out.values())


def end(table: CountTable, part: Compared, place: int) -> Value:
    """Return the group at one end of a gap: who, on how many rows, at what rate."""
    size, value = rows(part.n[place]), float(part.rates[place])
    return {"group": dict(table.groups[place]), "n": size, "value": value}


def _chance(
    view: View, usable: Sequence[Compared], settings: Settings, seed: list[int]
) -> null.Chance | None:
    """Return chance for a set of rates: exact for one rate of two groups, else drawn."""
    if len(usable) == 1 and usable[0].mask.sum() == 2:
        return null.exact_two_groups(*usable[0].counts)
    keep = np.zeros(view.table.shape[:2], np.bool_)
    for part in usable:
        keep[:, part.pick.strata] |= part.mask[:, None]
    if max(part.n.sum() for part in usable) >= null.LARGEST:
        return None
    count = null.replicates(view.table, settings.permutations)
    drawn = null.shuffled(view.table, keep, count, seed)
    masks = [part.mask for part in usable]
    return null.chance(drawn, [part.pick for part in usable], masks, view.table)


def _pair(part: Compared) -> tuple[null.Ints, null.Ints]:
    """Return the counts of two groups, the one with the higher rate first."""
    x, n = part.counts
    order = np.argsort(-(x / n), kind="stable")
    return x[order], n[order]


def _difference(usable: Sequence[Compared], p: float | None) -> Value:
    """Return value, interval and bounds of the largest gap."""
    gaps = [float(np.nanmax(part.rates) - np.nanmin(part.rates)) for part in usable]
    lead = int(np.argmax(gaps))
    found: Value = {"lead": lead, "value": gaps[lead], "low": None, "high": None, "reason": None}
    if len(usable) == 1 and usable[0].mask.sum() == 2:
        x, n = _pair(usable[0])
        _, low, high = combinations.difference(x[0], n[0], x[1], n[1])
        found["low"], found["high"] = ratios.fold_difference(float(low), float(high))
        found |= {"at_least": found["low"], "at_most": found["high"]}
        return found | {"method": f"{combinations.DIFFERENCE}, folded (F4)"}
    least, most = extremes.gap_bounds([part.counts for part in usable], p)
    found |= {"at_least": least, "at_most": most, "method": "at least, at most over pairs (F5)"}
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
        x, n = _pair(usable[0])
        _, low, high = ratios.ratio(x[0], n[0], x[1], n[1])
        found["low"], found["high"] = ratios.fold_ratio(float(low), float(high))
        found |= {"at_least": found["low"], "at_most": found["high"]}
        return found | {"method": f"{ratios.METHOD}, folded (F4)"}
    found["void"] = [part for part, gone in zip(usable, void, strict=True) if gone]
    least, most = extremes.ratio_bounds([part.counts for part in known], p)
    found |= {"at_least": least, "at_most": most, "method": "at least, at most over pairs (F5)"}
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


def detectable(part: Compared) -> float | None:
    """Return the gap that the smallest group would show against the largest other one."""
    x, n = part.counts
    order = np.sort(n)
    return extremes.detectable(float(x.sum() / n.sum()), float(order[0]), float(order[-1]))


FORMS = {"difference": _difference, "ratio": _ratio}


def _one(
    table: CountTable,
    form: str,
    usable: Sequence[Compared],
    chance: null.Chance | None,
    outside: list[Value],
) -> Value:
    """Return one disparity object."""
    p = chance.p if chance else None
    found = FORMS[form](usable, p)
    part = usable[found.pop("lead")]
    if found["value"] is None:
        return blank(found["reason"], outside)
    outside = [*outside, *_void(table, found.pop("void", ()))]
    order = np.argsort(np.where(part.mask, part.rates, np.inf), kind="stable")
    lowest, highest = int(order[0]), int(order[part.mask.sum() - 1])
    gap = form == "difference"
    return {
        "value": found["value"],
        "low": finite(found["low"]),
        "high": finite(found["high"]),
        "n": rows(part.counts[1].sum()),
        "reason": found["reason"],
        "method": found["method"],
        "lowest": end(table, part, lowest),
        "highest": end(table, part, highest),
        "left_out": outside,
        "null95": None if chance is None else (chance.gap95 if gap else chance.ratio05),
        "p": p,
        "p_adjusted": None,
        "detectable": detectable(part) if gap else None,
        "at_least": finite(found["at_least"]),
        "at_most": finite(found["at_most"]),
        "adjusted": _adjusted(found["value"], chance) if gap else None,
        "class": part.pick.level if part.pick.level and not table.binary else None,
        "groups_compared": int(part.mask.sum()),
        "rate": part.pick.rate,
        "permutations": 0 if chance is None else chance.permutations,
    }


def _adjusted(gap: float, chance: null.Chance | None) -> float | None:
    """Return the noise-adjusted gap sqrt(max(0, g^2 - E0 g^2))."""
    return None if chance is None else float(max(0.0, gap**2 - chance.square) ** 0.5)


def compare_groups(
    table: CountTable, family: str, least: int, settings: Settings
) -> dict[str, Value]:
    """Return the forms of one family of disparities.

    Args:
        table: the counts of one attribute.
        family: a name of `COMPARISONS`.
        least: rows that a denominator needs; 1 for "all groups whose rate is defined".
        settings: seed and permutations.

    Returns:
        {family_difference: ..., family_ratio: ...}.
    """
    comparison = COMPARISONS[family]
    names = {form: f"{family}_{form}" for form in comparison.forms}
    if len(table.groups) < 2:
        return {name: blank(ONE_GROUP) for name in names.values()}
    if comparison.truth and table.label is None:
        return {name: blank(NO_LABEL) for name in names.values()}
    view = comparison.make(table, comparison.rates)
    parts = compared(view, least)
    outside = left_out(table, parts, least)
    usable = [part for part in parts if part.mask.sum() >= 2]
    if not usable:
        return {name: blank(_why_none(table, parts, least), outside) for name in names.values()}
    chance = _chance(view, usable, settings, settings.seeds(table.name, family))
    return {name: _one(table, form, usable, chance, outside) for form, name in names.items()}


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
    for family in COMPARISONS:
        plain = compare_groups(table, family, 1, settings)
        filtered = (
            deepcopy(plain)  # the same groups give the same numbers, without drawing again
            if _all_large(table, family, settings.min_group)
            else compare_groups(table, family, settings.min_group, settings)
        )
        for name, value in plain.items():
            out[name] = value
            out[f"{name}_min_group"] = filtered[name]
    return out


def _all_large(table: CountTable, family: str, least: int) -> bool:
    """Return whether every group is empty or large enough wherever it is looked at."""
    comparison = COMPARISONS[family]
    if len(table.groups) < 2 or (comparison.truth and table.label is None):
        return True
    sizes = [part.n for part in compared(comparison.make(table, comparison.rates), 1)]
    return all(((n == 0) | (n >= least)).all() for n in sizes)


def adjust(disparities: Mapping[str, Mapping[str, Value]]) -> None:
    """Set `p_adjusted` of every disparity by Benjamini and Hochberg, over all with a p."""
    from scipy.stats import false_discovery_control

    tested = [d for found in disparities.values() for d in found.values() if d["p"] is not None]
    if tested:
        adjusted = false_discovery_control([d["p"] for d in tested], method="bh")
        for value, p in zip(tested, adjusted, strict=True):
            value["p_adjusted"] = float(p)
