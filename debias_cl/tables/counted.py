"""What every reader gives: entries of text cells, what rows stand behind each, mean scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from debias_cl.data.cells import Cells, Table
from debias_cl.data.coding import numeric
from debias_cl.errors import DataError
from debias_cl.records import Bools, Codes, Exclusion, Floats, Mass
from debias_cl.tables.roles import Roles


@dataclass(frozen=True)
class Counted:
    """A table of predictions, counted or row by row: n entries.

    Attributes:
        source: what was read, for messages and the report.
        keys: column -> (n,) cells of label, predictions, attributes, strata, persons.
        selected: score column -> (n,) 1 where the score is at least the threshold, 0 where it is
            below, -1 where it is missing.
        scores: score column -> (n,) mean score of the entry's rows, NaN where missing; empty where
            scores were not asked for.
        mass: what each entry stands for.
        notes: what the reader recognised and did.
        exclusions: rows left out, as far as they are listed.
        left_out: how many rows were left out.
    """

    source: str
    keys: Mapping[str, Cells]
    selected: Mapping[str, Codes]
    scores: Mapping[str, Floats]
    mass: Mass
    notes: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    left_out: int = 0


class Source(Protocol):
    """A table that can be counted: in memory, or where the data is."""

    @property
    def name(self) -> str:
        """What was read, for messages and the report."""
        ...

    def count(self, roles: Roles, *, scored: bool = True) -> Counted:
        """Return the table by the columns asked for.

        Args:
            roles: which columns.
            scored: whether the scores themselves are wanted, or only what they select.

        Raises:
            DataError: a column is absent or holds what it cannot.
        """
        ...


@dataclass(frozen=True)
class TableSource:
    """A table in memory.

    Attributes:
        name: for messages and the report.
        table: its cells.
        count_column: column that says how many rows each row stands for; "" is one each.
    """

    name: str
    table: Table
    count_column: str = ""
    square_suffix: str = field(default="_square", repr=False)

    def count(self, roles: Roles, *, scored: bool = True) -> Counted:
        """Return the table by the columns asked for (see `Source`)."""
        table = self.table
        for name in roles.columns:
            table.column(name)
        rows = self._rows()
        names = (*roles.scores, *((roles.weight,) if roles.weight else ()))
        read = {name: self._read(name) for name in names}
        weight, square = self._weights(
            roles.weight, rows, read[roles.weight][0] if roles.weight else None
        )
        unknown = np.zeros(len(rows), np.bool_) if weight is None else np.isnan(weight)
        unweighted, keep = (rows > 0) & unknown, (rows > 0) & ~unknown
        mass = Mass(rows, weight, square).take(keep)
        scores = {name: read[name][0][keep] for name in roles.scores}
        return Counted(
            source=self.name,
            keys={name: _counted(table.column(name), keep, mass.rows) for name in roles.keys},
            selected={name: selected(found, roles.threshold) for name, found in scores.items()},
            scores=scores if scored else {},
            mass=mass,
            notes=(*table.notes, *(note for name in names for note in read[name][1])),
            exclusions=(*table.exclusions, *_without_weight(table, unweighted, roles.weight)),
            left_out=len(table.exclusions) + int(rows[unweighted].sum()),
        )

    def _read(self, name: str) -> tuple[Floats, tuple[str, ...]]:
        """Return the numbers of a column, and what is to be said of them."""
        return numeric(name, self.table.column(name), self.table.where)

    def _rows(self) -> Codes:
        """Return the rows behind each row of the table.

        Raises:
            DataError: a count that is no whole number from 0 upwards.
        """
        if not self.count_column:
            return np.ones(len(self.table), np.int64)
        found, _ = self._read(self.count_column)
        wrong = np.flatnonzero(~(found >= 0) | (found != np.floor(found)))
        if len(wrong):
            row = int(wrong[0])
            cell = self.table.column(self.count_column)[row]
            raise DataError(
                f"the count '{cell or ''}' is no whole number from 0 upwards",
                where=f"{self.table.where(row)}, column '{self.count_column}'",
            )
        return found.astype(np.int64)

    def _weights(
        self, name: str, rows: Codes, weight: Floats | None
    ) -> tuple[Floats | None, Floats | None]:
        """Return summed weights and squared weights; without squares, rows weigh alike."""
        if weight is None:
            return None, None
        wrong = np.flatnonzero((weight < 0) | np.isinf(weight))
        if len(wrong):
            row = int(wrong[0])
            raise DataError(
                f"the weight {self.table.column(name)[row]} cannot be",
                where=f"{self.table.where(row)}, column '{name}'",
                expected="finite numbers from 0 upwards",
            )
        squares = f"{name}{self.square_suffix}"
        if self.count_column and squares in self.table.columns:
            return weight, self._read(squares)[0]
        return weight, weight**2 / np.maximum(rows, 1)


def _counted(cells: Cells, keep: Bools, rows: Codes) -> Cells:
    """Return the kept cells with the rows behind each."""
    return replace(cells.take(keep), rows=rows)


def selected(scores: Floats, threshold: float) -> Codes:
    """Return 1 where a score is at least the threshold, 0 where below, -1 where it is missing."""
    return np.where(np.isnan(scores), -1, scores >= threshold).astype(np.int64)


def _without_weight(table: Table, mask: Bools, name: str) -> list[Exclusion]:
    places = [table.where(int(row)) for row in np.flatnonzero(mask)]
    return [Exclusion(place, place, f"the cell in '{name}' is empty") for place in places]


def joined(tables: Sequence[Table]) -> Table:
    """Return one table of the rows of several with the same columns, in their order.

    Raises:
        DataError: the columns differ; names the files and what differs.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    for other in tables[1:]:
        refuse_other_columns(first.source, list(first.columns), other.source, list(other.columns))
    starts = np.cumsum([0, *(len(table) for table in tables[:-1])]).tolist()
    return Table(
        source=", ".join(table.source for table in tables[:3]) + (" ..." if tables[3:] else ""),
        columns={name: _end_to_end([t.columns[name] for t in tables]) for name in first.columns},
        lines=np.concatenate([table.lines for table in tables]),
        unit=first.unit if len({table.unit for table in tables}) == 1 else "row",
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        exclusions=tuple(one for table in tables for one in table.exclusions),
        parts=tuple(zip(starts, (table.source for table in tables), strict=True)),
    )


def refuse_other_columns(name: str, columns: list[str], other: str, others: list[str]) -> None:
    """Refuse two files whose columns differ.

    Raises:
        DataError: names the files and what stands in one alone.
    """
    if set(columns) == set(others):
        return
    only = {name: sorted(set(columns) - set(others)), other: sorted(set(others) - set(columns))}
    told = [f"only in {file}: {', '.join(names)}" for file, names in only.items() if names]
    raise DataError(
        f"the columns of {name} and {other} differ",
        where="; ".join(told),
        expected="files with the same columns",
    )


def _end_to_end(parts: Sequence[Cells]) -> Cells:
    """Return the cells of several files as one column."""
    distinct: dict[str, int] = {}
    codes = []
    for cells in parts:
        new = [distinct.setdefault(text, len(distinct)) for text in cells.texts]
        codes.append(np.array([*new, -1], np.int32)[cells.index])
    trimmed, marked = sum(c.trimmed for c in parts), sum(c.marked for c in parts)
    return Cells(tuple(distinct), np.concatenate(codes), trimmed, marked)
