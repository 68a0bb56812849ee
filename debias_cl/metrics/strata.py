"""Gaps inside strata (a site, a department): each, their weighted mean, beside the pooled gap.

A pooled gap mixes how groups fare within a stratum with which strata they are in, and may point
the other way than all of its parts (Simpson 1951; Bickel, Hammel and O'Connell 1975).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.metrics import contrasts, rates
from debias_cl.metrics.compared import not_comparable
from debias_cl.metrics.counts import CountTable, count
from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.sizes import weighed
from debias_cl.metrics.tally import Tally
from debias_cl.metrics.values import Value, rows, undefined
from debias_cl.metrics.views import COMPARISONS, Comparison
from debias_cl.records import Annotations, Codes, Predictions

WEIGHTS = "each stratum counts by its share of the rows"
REST = "rest"
Group = Mapping[str, str]


@dataclass(frozen=True)
class Measure:
    """A gap that is looked at within strata.

    Attributes:
        family: in `COMPARISONS`.
        rate: which of its rates.
    """

    family: str
    rate: str


MEASURES: tuple[Measure, ...] = (
    Measure("demographic_parity", "selection_rate"),
    Measure("equal_opportunity", "true_positive_rate"),
    Measure("equalized_odds", "false_positive_rate"),
    Measure("accuracy", "accuracy"),
)
"""Equalized odds is the larger of the gaps in true and in false positives."""


def add(document: Value, predictions: Predictions, settings: Settings) -> None:
    """Add `within`: the gaps of every single attribute inside the strata that were asked for.

    Two groups: the higher minus the lower one, as the pooled gap has them. More: every group minus
    the rest. With more than two label levels it is about the level of the largest gap.

    Raises:
        UsageError: no such column of strata.
    """
    name, known = settings.within, predictions.annotations
    if not name:
        return
    refuse_absent(name, known)
    others = [column.name for column in known.attributes if column.name != name]
    alone = count(predictions, (name,))
    document["within"] = {
        "column": name,
        "weights": WEIGHTS,
        "strata": [
            {"level": group[name], "n": rows(alone.n[i]), "share": float(alone.shares[i])}
            for i, group in enumerate(alone.groups)
        ],
        "attributes": {
            other: list(_entries(document, count(predictions, (name, other)), name, other))
            for other in others
        },
    }


def refuse_absent(name: str, known: Annotations) -> None:
    """Refuse a column of strata that the data do not have.

    Raises:
        UsageError: proposes the nearest.
    """
    columns = [column.name for column in (*known.attributes, *known.strata)]
    if name not in columns:
        raise UsageError(
            f"the column '{name}' is not among the attributes, so nothing can be read within it",
            where="--within",
            remedy=f"{did_you_mean(name, columns)} Else name it in --bias-attr as well".strip(),
        )


def _entries(document: Value, table: CountTable, stratum: str, attribute: str) -> Iterator[Value]:
    """Yield the contrasts of one attribute in every measure."""
    found, crossed = document["disparities"][attribute], Crossed.of(table, stratum, attribute)
    for measure in MEASURES:
        gap, comparison = found[f"{measure.family}_difference"], COMPARISONS[measure.family]
        if not_comparable(table, comparison.truth) or gap["value"] is None:
            continue
        for group, against in crossed.contrasts():
            entry = crossed.entry(comparison, measure, gap["class"], group, against)
            if against is not None and (entry["pooled"]["value"] or 0.0) < 0:
                entry = crossed.entry(comparison, measure, gap["class"], against, group)
            yield entry


@dataclass(frozen=True)
class Crossed:
    """A table by stratum and group.

    Attributes:
        table: its groups are pairs of a stratum and a group.
        strata: levels of the strata.
        levels: levels of the attribute.
        stratum, level: (groups,) positions in them.
        attribute: its name.
    """

    table: CountTable
    strata: tuple[str, ...]
    levels: tuple[str, ...]
    stratum: Codes
    level: Codes
    attribute: str

    @staticmethod
    def of(table: CountTable, stratum: str, attribute: str) -> Crossed:
        """Return the positions of a table's groups in both columns."""
        strata = tuple(dict.fromkeys(group[stratum] for group in table.groups))
        levels = tuple(dict.fromkeys(group[attribute] for group in table.groups))
        return Crossed(
            table,
            strata,
            levels,
            np.array([strata.index(group[stratum]) for group in table.groups], np.int64),
            np.array([levels.index(group[attribute]) for group in table.groups], np.int64),
            attribute,
        )

    def contrasts(self) -> Iterator[tuple[Group, Group | None]]:
        """Yield who is compared with whom; None is the rest."""
        filled = [
            {self.attribute: name}
            for place, name in enumerate(self.levels)
            if self.table.n[self.level == place].sum() > 0
        ]
        if len(filled) == 2:
            yield filled[1], filled[0]
        elif len(filled) > 2:
            yield from ((group, None) for group in filled)

    def entry(
        self,
        comparison: Comparison,
        measure: Measure,
        level: str | None,
        group: Group,
        against: Group | None,
    ) -> Value:
        """Return one contrast: pooled, in every stratum, and their weighted mean."""
        inside, sizes = self._cells(comparison, measure.rate, level, group, against, apart=True)
        whole, _ = self._cells(comparison, measure.rate, level, group, against, apart=False)
        pooled, mean = _difference(whole), self._mean(inside, sizes)
        return {
            "measure": measure.family,
            "rate": measure.rate,
            "class": level,
            "group": dict(group),
            "against": REST if against is None else dict(against),
            "pooled": pooled,
            "within": mean,
            "reversed": _reversed(pooled, mean),
            "strata": [
                {"level": name, **_difference(inside.take(np.array([2 * i, 2 * i + 1])))}
                for i, name in enumerate(self.strata)
            ],
        }

    def _cells(
        self,
        comparison: Comparison,
        rate: str,
        level: str | None,
        group: Group,
        against: Group | None,
        *,
        apart: bool,
    ) -> tuple[Tally, Array]:
        """Return the tally of (group, other) in every stratum, or pooled, and the strata's rows."""
        here = self.level == self.levels.index(group[self.attribute])
        taken = ~here
        if against is not None:
            taken = self.level == self.levels.index(against[self.attribute])
        side = np.where(here, 0, 1)
        count_of = len(self.strata) if apart else 1
        place = 2 * (self.stratum if apart else 0) + side
        outside = 2 * count_of  # a last group, for those that take no part
        place = np.where(here | taken, place, outside).astype(np.int64)
        small = self.table.merged(place, [{} for _ in range(outside + 1)])
        view = comparison.make(small, comparison.rates)
        pick = next(
            one
            for one in view.picks
            if one.rate == rate and (small.binary or one.level in ("", level))
        )
        size = weighed(small.table, small.design).sum((1, 2))[:-1].reshape(-1, 2).sum(1)
        return view.tally(pick).take(np.arange(outside)), np.asarray(size, np.float64)

    def _mean(self, inside: Tally, sizes: Array) -> Value:
        """Return the mean of the strata's gaps, weighted by their shares of the rows."""
        there = np.all(np.reshape(inside.n, (-1, 2)) > 0, axis=1)
        absent = [name for name, used in zip(self.strata, there, strict=True) if not used]
        out = [{"level": name, "reason": "one of the two has no rows here"} for name in absent]
        if not there.any():
            return undefined("no stratum has rows of both", left_out=out)
        weight = np.where(there, sizes, 0.0)
        weight = np.nan_to_num(share(weight, weight.sum()))
        signs = np.stack([weight, -weight], 1).reshape(1, -1)
        cells = inside.row()
        total = np.asarray(inside.rows)[np.repeat(there, 2)].sum()
        return rates.contrasted(cells, contrasts.linear(cells, signs), 0, total, left_out=out)


def _difference(pair: Tally) -> Value:
    if not (np.asarray(pair.n) > 0).all():
        return undefined("one of the two has no rows here")
    return rates.contrasted(pair, contrasts.difference(pair), 0, pair.rows.sum())


def _reversed(pooled: Value, within: Value) -> bool | None:
    """Return whether the two point different ways; None where one of them is undefined."""
    if pooled["value"] is None or within["value"] is None:
        return None
    return bool(pooled["value"] * within["value"] < 0)
