"""Shuffled tables for every kind of rows: all alike, weighted, or several of a person.

- Plain rows are dealt over the groups (`null`), exactly.
- Where every person has one group, whole persons are dealt: those with equal counts in a stratum
  are alike, so it is the same hypergeometric draw, of kinds of persons in place of outcomes.
- Otherwise (weights, or persons with rows in several groups) rows are dealt whose number is the
  effective one, round(n*) a group: the counts divided by the design effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics import null, sizes
from debias_cl.metrics.design import Design
from debias_cl.metrics.tally import ROUNDING
from debias_cl.metrics.views import View

Mask = npt.NDArray[np.bool_]
Table = npt.NDArray[Any]
ROWS = "rows"
PERSONS = "persons"
EFFECTIVE = "effective rows (design effect)"


@dataclass(frozen=True)
class Shuffled:
    """Tables with the groups permuted within each stratum.

    Attributes:
        drawn: (count, G, S, P).
        observed: (G, S, P) what they are compared with.
        unit: what was shuffled.
    """

    drawn: Table
    observed: Table
    unit: str = ROWS

    @property
    def fixed(self) -> bool:
        """Whether every drawn table has the sizes of the observed one."""
        return self.unit == ROWS


def unit_of(design: Design[Any] | None) -> str:
    """Return what is shuffled under a design."""
    if design is None:
        return ROWS
    whole = design.units is not None and design.one_group_each
    return PERSONS if whole else EFFECTIVE


def shuffle(view: View, keep: Mask, wanted: int, seed: Sequence[int]) -> Shuffled:
    """Return a view's tables with the groups permuted within each stratum.

    Args:
        view: a table of rows, and its layers.
        keep: (G, S) which groups take part in which stratum; the others stay as they are.
        wanted: replicates; fewer are drawn for tables of many cells.
        seed: seed of the generator.
    """
    unit = unit_of(view.design)
    if unit == ROWS:
        count = null.replicates(view.table, wanted)
        return Shuffled(null.shuffled(view.table, keep, count, seed), view.table)
    if unit == PERSONS:
        return _persons(view, keep, wanted, seed)
    observed = sizes.effective(view.table, view.design)
    count = null.replicates(view.table, wanted)
    return Shuffled(_effective(observed, keep, count, seed), observed, unit)


def _effective(observed: Table, keep: Mask, count: int, seed: Sequence[int]) -> Table:
    """Return tables of round(n*) rows a group and round(r sum n*) of each outcome."""
    rng = np.random.default_rng(seed)
    size = observed.sum(-1)
    room = np.where(size > 0, np.maximum(np.rint(size), 1), 0).astype(np.int64)
    whole = sizes.apportioned(observed, room)
    out = np.broadcast_to(whole, (count, *whole.shape)).copy()
    for stratum in range(observed.shape[1]):
        groups = np.flatnonzero(keep[:, stratum])
        if len(groups) > 1 and room[groups, stratum].sum() > 0:
            outcomes = observed[groups, stratum].sum(0)
            totals = sizes.apportioned(outcomes, room[groups, stratum].sum())
            out[:, groups, stratum] = null.deal(room[groups, stratum], totals, count, rng)
    return out


@dataclass(frozen=True)
class Kinds:
    """The persons of one stratum by what they add to it.

    Attributes:
        groups: (g,) groups that take part.
        table: (g, K) persons of each kind.
        adds: (K, P) what a person of each kind adds.
    """

    groups: npt.NDArray[np.int64]
    table: npt.NDArray[np.int64]
    adds: Table

    @property
    def few(self) -> bool:
        """Whether dealing kinds is less work than permuting persons."""
        return bool(self.table.size < 2 * self.table.sum())

    @property
    def work(self) -> int:
        """Work of one replicate, in hypergeometric draws."""
        return int(self.table.size if self.few else self.table.sum() * self.adds.shape[1] // 5)

    def draw(self, count: int, rng: np.random.Generator) -> Table:
        """Return (count, g, P) sums over groups that keep their number of persons."""
        if self.few:
            totals = self.table.sum(0)
            return np.asarray(null.deal(self.table.sum(1), totals, count, rng) @ self.adds)
        starts = np.cumsum(self.table.sum(1)) - self.table.sum(1)
        adds = np.repeat(self.adds, self.table.sum(0), axis=0)
        out = np.empty((count, len(starts), adds.shape[1]))
        for i in range(count):
            out[i] = np.add.reduceat(adds[rng.permutation(len(adds))], starts, axis=0)
        return out


def _kinds(view: View, keep: Mask, stratum: int) -> Kinds:
    """Return the persons of the groups that take part in a stratum."""
    design, groups = view.design, np.flatnonzero(keep[:, stratum])
    assert design is not None and design.units is not None
    place = np.full(len(keep), -1)
    place[groups] = np.arange(len(groups))
    owner, rows = place[design.owner], np.asarray(design.units)[:, stratum]
    there = (owner >= 0) & (rows.sum(-1) > ROUNDING * rows.sum())
    adds, kind = np.unique(rows[there], axis=0, return_inverse=True)
    table = np.zeros((len(groups), len(adds)), np.int64)
    np.add.at(table, (owner[there], kind.ravel()), 1)
    return Kinds(groups, table, adds)


def _persons(view: View, keep: Mask, wanted: int, seed: Sequence[int]) -> Shuffled:
    """Return tables with whole persons dealt over the groups, stratum by stratum."""
    rng = np.random.default_rng(seed)
    observed = np.asarray(sizes.weighed(view.table, view.design), np.float64)
    strata = [_kinds(view, keep, stratum) for stratum in range(view.table.shape[1])]
    work = sum(part.work for part in strata) + view.table.size
    count = max(min(wanted, null.BUDGET // work), min(wanted, null.LEAST))
    out = np.broadcast_to(observed, (count, *observed.shape)).copy()
    for stratum, part in enumerate(strata):
        if len(part.groups) > 1 and part.table.size:
            out[:, part.groups, stratum] = part.draw(count, rng)
    return Shuffled(out, observed, PERSONS)
