"""Signed gaps and ratios of every group: against a named group, all rows, or the other rows.

Beside the largest gap, which has no sign and does not say which groups differ. The named group and
the rest share no rows with a group. All rows do: overall = s group + (1 - s) rest, with the group's
share s of the rate's denominator, so

    group - overall = (1 - s) (group - rest)
    group / overall = r / (s r + 1 - s),  r = group / rest,

and the intervals against the rest are carried over at that share, which is taken as given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from debias_cl.data.coding import find_level
from debias_cl.errors import UsageError, did_you_mean
from debias_cl.metrics import combinations, contrasts, rates, ratios
from debias_cl.metrics.compared import not_comparable
from debias_cl.metrics.contrasts import Contrast
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.null import Pick
from debias_cl.metrics.proportions import Array, Counts, share
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.sizes import weighed
from debias_cl.metrics.tally import Tally
from debias_cl.metrics.values import Value, described, finite, undefined
from debias_cl.metrics.views import COMPARISONS, Comparison, View
from debias_cl.records import Annotations, Predictions

OVERALL, REST = "overall", "rest"
CARRIED = "against the rest, carried over to all rows"
WHERE = "--reference"


@dataclass(frozen=True)
class Pair:
    """A group beside what it is compared with, in one rate.

    Attributes:
        group: whose sign it is: group minus reference.
        reference: a group, "overall" or "rest".
        tally: of the two; for "overall" of the group and the rest.
        empty: why a rate without rows has no value.
        share: the group's share of all rows of the denominator, where it is compared with them.
    """

    group: Mapping[str, str]
    reference: Mapping[str, str] | str
    tally: Tally
    empty: str
    share: float | None = None


def add(document: Value, predictions: Predictions, table: CountTable, settings: Settings) -> None:
    """Add `against` to the gaps and ratios of `COMPARISONS`, where a reference was asked for.

    With more than two label levels it is about the level of the largest gap.

    Raises:
        UsageError: a reference that the data do not have.
    """
    named = named_levels(settings.reference, predictions.annotations)
    if not (named or settings.against):
        return
    found = document["disparities"][table.name]
    for family, comparison in COMPARISONS.items():
        if not not_comparable(table, comparison.truth):
            _add(found, table, family, comparison, named, settings.against)


def named_levels(reference: Mapping[str, str], known: Annotations) -> dict[str, str]:
    """Return attribute -> level as the data spell it.

    Raises:
        UsageError: an attribute or a level that is not there; proposes the nearest.
    """
    columns = {column.name: column for column in known.attributes}
    out = {}
    for name, text in reference.items():
        if name not in columns:
            raise UsageError(
                f"the reference '{name}={text}' names no attribute whose groups are compared",
                where=WHERE,
                remedy=did_you_mean(name, list(columns)),
            )
        level = find_level(columns[name].levels, text)
        if level is None:
            raise UsageError(
                f"'{text}' is no level of '{name}'",
                where=WHERE,
                remedy=did_you_mean(text, columns[name].levels),
            )
        out[name] = level
    return out


def _add(
    found: Value,
    table: CountTable,
    family: str,
    comparison: Comparison,
    named: Mapping[str, str],
    others: tuple[str, ...],
) -> None:
    """Add the lists of one family to its gap and its ratio."""
    leading = found[f"{family}_difference"]["class"]
    view = comparison.make(table, comparison.rates)
    picks = [
        place
        for place, pick in enumerate(view.picks)
        if table.binary or pick.level in ("", leading)
    ]
    pairs = {place: list(_pairs(table, view, comparison, place, named, others)) for place in picks}
    for form in comparison.forms:
        found[f"{family}_{form}"]["against"] = [
            {**_who(table, view.picks[place], pair), **value}
            for place, some in pairs.items()
            for pair, value in zip(some, FORMS[form](some), strict=True)
        ]


def _who(table: CountTable, pick: Pick, pair: Pair) -> Value:
    reference = pair.reference if isinstance(pair.reference, str) else dict(pair.reference)
    level = pick.level if pick.level and not table.binary else None
    return {"group": dict(pair.group), "reference": reference, "rate": pick.rate, "class": level}


def _pairs(
    table: CountTable,
    view: View,
    comparison: Comparison,
    place: int,
    named: Mapping[str, str],
    others: tuple[str, ...],
) -> Iterator[Pair]:
    """Yield every group beside the named one, and beside what else was asked for."""
    if all(name in named for name in table.columns):
        reference = {name: named[name] for name in table.columns}
        at = [dict(group) for group in table.groups].index(reference)
        tally = view.tally(view.picks[place])
        for i, group in enumerate(table.groups):
            if i != at:
                yield Pair(group, reference, tally.take(np.array([i, at])), view.empty[place])
    for i, group in enumerate(table.groups) if others else ():
        split = beside_rest(table, comparison, i)
        tally = split.tally(split.picks[place])
        part = _share(split, place)
        for word in others:
            yield Pair(group, word, tally, view.empty[place], part if word == OVERALL else None)


def beside_rest(table: CountTable, comparison: Comparison, place: int) -> View:
    """Return the view of one group and all others together."""
    rest = (np.arange(len(table.groups)) != place).astype(np.int64)
    return comparison.make(table.merged(rest, (table.groups[place], {})), comparison.rates)


def _share(view: View, place: int) -> float:
    """Return the first group's share of the denominator, by weight where rows carry weights."""
    n = view.picks[place].read(weighed(view.table, view.design))[1]
    return float(np.nan_to_num(share(n[0], n.sum())))


def _absent(pair: Pair) -> str:
    """Return why there is nothing to compare."""
    here, _ = pair.tally.n
    return pair.empty if not here > 0 else f"{_name(pair.reference)}: {pair.empty}"


def _name(reference: Mapping[str, str] | str) -> str:
    return "the rest" if isinstance(reference, str) else described(reference)


Many = Callable[[Counts, Counts, Counts, Counts], tuple[Array, Array, Array]]
"""Successes and sizes of many groups and their references -> values, low and high ends."""


def _contrasts(
    pairs: Sequence[Pair], many: Many, method: str, one: Callable[[Tally], Contrast]
) -> list[Contrast | None]:
    """Return the contrast of each pair, None where one of the two has no rows.

    All at once, for there may be hundreds; one by one where rows belong to persons.
    """
    out: list[Contrast | None] = [None] * len(pairs)
    there = [i for i, pair in enumerate(pairs) if (np.asarray(pair.tally.n) > 0).all()]
    alone = [i for i in there if pairs[i].tally.parts is None]
    for i in set(there) - set(alone):
        out[i] = one(pairs[i].tally)
    if alone:
        x, n = (np.array([getattr(pairs[i].tally, v) for i in alone]) for v in "xn")
        found = many(x[:, 0], n[:, 0], x[:, 1], n[:, 1])
        none = np.zeros(1, np.bool_)
        for row, i in enumerate(alone):
            value, low, high = (end[row : row + 1] for end in found)
            name, size = pairs[i].tally.method(method), n[row].sum(keepdims=True)
            out[i] = Contrast(value, low, high, (name,), none, size)
    return out


def _differences(pairs: Sequence[Pair]) -> list[Value]:
    """Return group minus reference with its interval, for each pair."""
    found = _contrasts(
        pairs, combinations.difference, combinations.DIFFERENCE, contrasts.difference
    )
    return [_difference(pair, one) for pair, one in zip(pairs, found, strict=True)]


def _ratios(pairs: Sequence[Pair]) -> list[Value]:
    """Return group over reference with its interval, for each pair."""
    found = _contrasts(pairs, ratios.ratio, ratios.METHOD, contrasts.ratio)
    return [_ratio(pair, one) for pair, one in zip(pairs, found, strict=True)]


def _difference(pair: Pair, contrast: Contrast | None) -> Value:
    if contrast is None:
        return undefined(_absent(pair))
    found = rates.contrasted(pair.tally, contrast, 0, pair.tally.rows.sum())
    if pair.share is None:
        return found
    return _carried(found, lambda gap: gap * (1 - (pair.share or 0.0)))


def _ratio(pair: Pair, contrast: Contrast | None) -> Value:
    """Return one ratio; undefined where the reference's rate is 0."""
    if contrast is None:
        return undefined(_absent(pair))
    both = not (pair.tally.x > 0).any()
    if both or (pair.share is None and not pair.tally.x[1] > 0):
        who = "both" if both else _name(pair.reference)
        return undefined(f"the rate is 0 in {who}")
    found = rates.contrasted(pair.tally, contrast, 0, pair.tally.rows.sum())
    if pair.share is None:
        return found
    part = pair.share
    return _carried(found, lambda r: r / (part * r + 1 - part), 1 / part)


def _carried(found: Value, onto: Callable[[float], float], most: float | None = None) -> Value:
    """Return a value and its interval carried over to all rows.

    Args:
        found: against the rest.
        onto: from a value against the rest to one against all rows, increasing.
        most: where a ratio without limit goes (its reference is 0); None for a difference.
    """
    out = {**found, "method": f"{found['method']}, {CARRIED}" if found["method"] else None}
    for end in ("value", "low", "high"):
        if found[end] is not None:
            out[end] = finite(onto(found[end]))
        elif most is not None and found["low"] is not None:
            out[end] = most
    return out


FORMS: Mapping[str, Callable[[Sequence[Pair]], list[Value]]] = {
    "difference": _differences,
    "ratio": _ratios,
}
