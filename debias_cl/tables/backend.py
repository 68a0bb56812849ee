"""A table that an engine counts where it lies (DuckDB, Spark, any backend of Ibis)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from debias_cl.data.cells import cell_notes, refuse_double_names
from debias_cl.data.tables import arrow_cells
from debias_cl.errors import DataError, did_you_mean
from debias_cl.records import Exclusion, Floats, Mass
from debias_cl.tables import expression
from debias_cl.tables.counted import Counted, selected
from debias_cl.tables.expression import Number
from debias_cl.tables.merge import BINS, Grid, grid
from debias_cl.tables.roles import Roles


@dataclass(frozen=True)
class BackendSource:
    """A table of an Ibis backend.

    Attributes:
        name: for messages and the report.
        raw: the Ibis table.
        notes: what is known of how it was read.
        exclusions: rows left out on the way, listed.
        left_out: how many they are.
    """

    name: str
    raw: Any
    notes: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    left_out: int = 0

    @cached_property
    def table(self) -> Any:
        """The table with stripped column names."""
        refuse_double_names(self.name, [name.strip() for name in self.raw.columns])
        return expression.stripped(self.raw)

    def count(self, roles: Roles, *, scored: bool = True) -> Counted:
        """Return the table by the columns asked for (see `Source`)."""
        plan = self.plan(roles, scored=scored)
        result = plan.expression.to_pyarrow()
        if not result.num_rows:
            raise DataError(f"{self.name} has no rows")
        rows = np.asarray(result[plan.count_name].to_numpy(), np.int64)
        keys = {name: arrow_cells(result[name], roles.missing, rows) for name in roles.keys}
        raw = {name: _floats(result[name]) for name in roles.scores}
        least = plan.thresholds if scored else dict.fromkeys(roles.scores, 0.5)
        weight = square = None
        if roles.weight:
            names = (roles.weight, roles.weight + expression.SQUARE)
            weight, square = (_floats(result[name]) for name in names)
        return Counted(
            source=self.name,
            keys=keys,
            selected={name: selected(found, least[name]) for name, found in raw.items()},
            scores={
                name: _widened(found) if plan.numbers[name].narrow else found
                for name, found in raw.items()
                if scored
            },
            mass=Mass(rows, weight, square),
            notes=(*self.notes, *cell_notes(keys, roles.missing), *plan.notes),
            exclusions=self.exclusions,
            left_out=self.left_out + plan.unweighted,
        )

    def plan(self, roles: Roles, *, scored: bool = True) -> Plan:
        """Look at the numbers and return the expression that counts.

        Raises:
            DataError: a column is absent, or numbers that are none.
        """
        self._refuse_absent(roles)
        names = (*roles.scores, *((roles.weight,) if roles.weight else ()))
        numbers, notes = self._numbers(names, roles.missing)
        found = self._ends(numbers, roles.weight)
        if found is None:
            found = self._look(expression.facts(numbers, roles.weight))
        numbers = {
            name: one.settled(found.get(f"{name} nan") or 0) for name, one in numbers.items()
        }
        unweighted = self._weights(roles.weight, found)
        if unweighted:
            notes.append(f"{unweighted} rows without a weight in '{roles.weight}' are left out")
        grids = {}
        if scored:
            grids = {name: self._grid(name, numbers[name], found) for name in roles.scores}
        thresholds = {
            name: narrow_threshold(roles.threshold) if numbers[name].narrow else roles.threshold
            for name in roles.scores
        }
        return Plan(
            expression.counting(self.table, roles, numbers, grids, thresholds),
            expression.other_names(roles.columns),
            numbers,
            thresholds,
            tuple(notes),
            unweighted,
        )

    def _ends(self, numbers: Mapping[str, Number], weight: str) -> dict[str, Any] | None:
        """Return the facts from the lowest and the highest value, where these tell them all.

        DuckDB orders infinity and NaN after every number, so finite ends leave room for neither;
        and it often knows the ends of a Parquet column without reading it.
        """
        plain = {name: one.plain for name, one in numbers.items()}
        duck = getattr(self.raw.get_backend(), "name", "") == "duckdb"
        if weight or not duck or any(value is None for value in plain.values()):
            return None
        ends = self._look(
            {f"{name} low": value.min() for name, value in plain.items()}
            | {f"{name} high": value.max() for name, value in plain.items()}
        )
        if not all(end is not None and math.isfinite(end) for end in ends.values()):
            return None
        return ends

    def _refuse_absent(self, roles: Roles) -> None:
        for name in roles.columns:
            if name not in self.table.columns:
                raise DataError(
                    f"column '{name}' is not in {self.name}",
                    where=f"columns: {', '.join(self.table.columns)}",
                    remedy=did_you_mean(name, self.table.columns),
                )

    def _look(self, aggregates: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of some aggregates of the whole table."""
        if not aggregates:
            return {}
        return dict(self.table.aggregate(**aggregates).to_pyarrow().to_pylist()[0])

    def _numbers(
        self, names: Sequence[str], missing: Sequence[str]
    ) -> tuple[dict[str, Number], list[str]]:
        """Return the columns as numbers; texts are looked at first.

        Raises:
            DataError: a text that is no number.
        """
        asked: dict[str, Any] = {}
        for name in names:
            if self.table[name].type().is_string():
                asked |= expression.text_facts(name, self.table[name], missing)
        found, numbers, notes = self._look(asked), {}, list[str]()
        for name in names:
            comma = False
            if f"{name} commas" in found:
                comma, more = self._comma(name, found)
                notes += more
            unusual = knows_nan(self.raw.get_backend())
            numbers[name] = expression.number(name, self.table[name], missing, comma, unusual)
        return numbers, notes

    def _comma(self, name: str, found: Mapping[str, Any]) -> tuple[bool, list[str]]:
        """Return whether a text column's numbers have decimal commas, and notes."""
        commas, points, marks, others = (
            int(found[f"{name} {part}"] or 0) for part in ("commas", "points", "marks", "others")
        )
        if others or (commas and points):
            raise DataError(
                f"column '{name}' of {self.name} holds texts that are no numbers",
                where=f"such as '{found[f'{name} other']}'" if others else "commas and points",
                expected="a decimal point, or (in the whole column) a decimal comma",
            )
        notes = [f"column '{name}': decimal commas were read"] if commas else []
        if marks:
            notes.append(f"column '{name}': {marks} rows hold a mark, no number: missing there")
        return bool(commas), notes

    def _weights(self, name: str, found: Mapping[str, Any]) -> int:
        """Return how many rows have no weight.

        Raises:
            DataError: a weight below 0, or an infinite one.
        """
        if not name:
            return 0
        if (found[f"{name} low"] or 0) < 0 or found.get(f"{name} infinite"):
            raise DataError(
                f"column '{name}' of {self.name} holds weights that cannot be",
                expected="finite numbers from 0 upwards",
            )
        return int(found[f"{name} missing"] or 0)

    def _grid(self, name: str, one: Number, found: Mapping[str, Any]) -> Grid:
        """Return the bins of a score: none while its distinct values are few."""
        low, high = found[f"{name} low"], found[f"{name} high"]
        if low is None:
            return Grid()
        scores = self.table.select(value=one.value)
        kinds = scores.limit(expression.FIRST_ROWS).value.nunique().to_pyarrow().as_py()
        if kinds <= BINS:
            kinds = scores.value.nunique().to_pyarrow().as_py()
        return grid(int(kinds), float(low), float(high), bool(found.get(f"{name} infinite")))


@dataclass(frozen=True)
class Plan:
    """The expression for one count, and what was learned on the way.

    Attributes:
        expression: the Ibis expression.
        count_name: its column of counts.
        numbers: scores and weight.
        thresholds: score -> from where it selects, as the engine holds it.
        notes: for the report.
        unweighted: rows left out because they have no weight.
    """

    expression: Any
    count_name: str
    numbers: Mapping[str, Number]
    thresholds: Mapping[str, float]
    notes: tuple[str, ...]
    unweighted: int


def knows_nan(engine: Any) -> bool:
    """Return whether an Ibis backend knows NaN and infinity."""
    from ibis.expr import operations

    return bool(engine.has_operation(operations.IsNan))


def narrow_threshold(threshold: float) -> float:
    """Return the smallest 32-bit score whose shortest text is at least the threshold.

    A column of 32 bits that holds 0.7 holds 0.699999988; the text that people see is 0.7, and a
    score equal to the threshold is selected.
    """
    near = np.float32(threshold)
    if float(str(near)) < threshold:
        near = np.nextafter(near, np.float32(np.inf))
    return float(near)


def _floats(column: Any) -> Floats:
    """Return an Arrow column as float64, NaN where null."""
    import pyarrow as pa

    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _widened(values: Floats) -> Floats:
    """Return 32-bit numbers as their shortest texts say them; means stay as they are."""
    kinds, index = np.unique(values, return_inverse=True)
    as_text = np.array([float(str(np.float32(kind))) for kind in kinds])
    exact = kinds == kinds.astype(np.float32)
    return np.asarray(np.where(exact, as_text, kinds)[index.reshape(-1)])
