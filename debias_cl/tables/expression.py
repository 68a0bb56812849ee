"""The one Ibis expression that counts a table, on whatever engine holds it. Imports Ibis: late.

Levels are grouped as the engine holds them and become texts afterwards, so that no engine's own
way of writing a number or a truth value reaches the coding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis

from debias_cl.data.coding import MARKS
from debias_cl.data.coding import NUMBER as PLAIN
from debias_cl.errors import DataError
from debias_cl.tables.merge import BINS, Grid
from debias_cl.tables.roles import Roles

NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
COMMA_NUMBER = r"^[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?$"
INFINITE = r"^[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?$"

FIRST_ROWS = 100_000
"""More than the most distinct scores in the first rows settle that scores are binned."""

N = "n"
SQUARE = "_square"


def other_names(taken: Sequence[str]) -> str:
    """Return the name of the column of counts: `n`, or one that is not taken."""
    name = N
    while name in taken:
        name += "_"
    return name


def stripped(table: Any) -> Any:
    """Return the table with outer spaces of its column names removed."""
    new = {name.strip(): name for name in table.columns if name != name.strip()}
    return table.rename(new) if new else table


@dataclass(frozen=True)
class Number:
    """A column of numbers as the engine gives them.

    Attributes:
        value: the expression, float64, null where missing.
        comma: whether a text column's numbers have a decimal comma.
        narrow: whether the engine holds 32 bits or fewer: 0.7 is then another number than in text.
        infinite: whether the engine knows infinite numbers.
        plain: the same without a look for NaN at every row, which costs a quarter of the count;
            None where there is nothing to save.
    """

    value: Any
    comma: bool = False
    narrow: bool = False
    infinite: bool = True
    plain: Any = None

    def settled(self, nans: int) -> Number:
        """Return the column for a table that holds so many NaN."""
        return self if self.plain is None or nans else replace(self, value=self.plain)


def text_number(column: Any, missing: Sequence[str], comma: bool) -> Any:
    """Return the numbers of a text column; null where the text is none."""
    raw = column.strip()
    text = raw.replace(",", ".") if comma else raw
    is_number = text.re_search(NUMBER) | text.re_search(INFINITE)
    is_number = is_number & raw.notin(list(missing)) if missing else is_number
    return ibis.ifelse(is_number, text, ibis.null("string")).cast("float64")


def text_facts(name: str, column: Any, missing: Sequence[str]) -> dict[str, Any]:
    """Return aggregates that tell how the texts of a column are to be read as numbers."""
    text = column.strip()
    filled = column.notnull() & (text != "") & text.notin(list(missing) or [""])
    mark = text.lower().isin(sorted(MARKS))
    comma, number = text.re_search(COMMA_NUMBER), text.re_search(NUMBER)
    other = filled & ~mark & ~number & ~comma & ~text.re_search(INFINITE)
    return {
        f"{name} commas": (filled & comma).sum(),
        f"{name} points": (filled & number & text.contains(".")).sum(),
        f"{name} marks": (filled & mark).sum(),
        f"{name} others": other.sum(),
        f"{name} other": ibis.ifelse(other, text, ibis.null("string")).min(),
    }


def number(
    name: str,
    column: Any,
    missing: Sequence[str] = (),
    comma: bool = False,
    unusual: bool = True,
) -> Number:
    """Return a column as numbers.

    Args:
        name: for messages.
        column: the Ibis column.
        missing: texts that mean "missing".
        comma: whether texts have decimal commas.
        unusual: whether the engine knows NaN and infinity (SQLite and SQL Server do not).

    Raises:
        DataError: a column of another kind.
    """
    kind = column.type()
    if kind.is_string():
        return Number(text_number(column, missing, comma), comma, infinite=unusual)
    if kind.is_numeric() and not kind.is_boolean():
        value = column.cast("float64")
        marks = [float(text) for text in missing if PLAIN.fullmatch(text)]
        if marks:
            value = ibis.ifelse(value.isin(marks), ibis.null("float64"), value)
        if not kind.is_floating():
            return Number(value, infinite=False)
        narrow = kind.nbytes < 8
        if not unusual:
            return Number(value, narrow=narrow, infinite=False)
        checked = ibis.ifelse(value.isnan(), ibis.null("float64"), value)
        return Number(checked, narrow=narrow, plain=value)
    raise DataError(f"column '{name}' is of type {kind}, which is no number")


def facts(numbers: Mapping[str, Number], weight: str) -> dict[str, Any]:
    """Return aggregates over all rows: how many, where scores end, which weights are missing."""
    found: dict[str, Any] = {}
    for name, one in numbers.items():
        finite = one.value
        if one.infinite:
            finite = ibis.ifelse(one.value.isinf(), ibis.null("float64"), one.value)
            found[f"{name} infinite"] = one.value.isinf().sum()
        found |= {f"{name} low": finite.min(), f"{name} high": finite.max()}
        if one.plain is not None:
            found[f"{name} nan"] = one.plain.isnan().sum()
        if name == weight:
            found[f"{name} missing"] = one.value.isnull().sum()
    return found


def counting(
    table: Any,
    roles: Roles,
    numbers: Mapping[str, Number],
    grids: Mapping[str, Grid],
    thresholds: Mapping[str, float],
) -> Any:
    """Return the expression: a row for each group of alike rows.

    Args:
        table: with stripped column names.
        roles: which column is what.
        numbers: scores and weight.
        grids: score column -> its bins; a score without any is asked only what it selects.
        thresholds: score column -> the score from which it selects, as the engine holds it.

    Returns:
        A column for each key; `n`; for a score its mean (1, 0 or null where no bins were asked
        for); for a weight its sum, and `<weight>_square`, the sum of its squares.
    """
    rows = table
    if roles.weight:
        rows = rows.filter(numbers[roles.weight].value.notnull())
    keys: dict[str, Any] = {name: table[name] for name in roles.keys}
    values: dict[str, Any] = {}
    for name in roles.scores:
        by, value = grids.get(name), numbers[name].value
        keys |= _score_keys(name, value, by, thresholds[name])
        if by is not None and not by.exact:
            values[f"{name} value"] = value
    if roles.weight:
        values[f"{roles.weight} value"] = numbers[roles.weight].value
    rows = rows.select(**keys, **values)
    count = other_names(roles.columns)
    sums = {count: rows.count(), **_sums(rows, roles, grids)}
    counted = rows.group_by(list(keys)).aggregate(**sums)
    scores = [
        _score(name, counted, grids.get(name), thresholds[name]).name(name) for name in roles.scores
    ]
    weights = [roles.weight, roles.weight + SQUARE] if roles.weight else []
    return counted.select(*roles.keys, *scores, count, *weights)


def _score_keys(name: str, value: Any, by: Grid | None, threshold: float) -> dict[str, Any]:
    """Return what tells scores apart: each one, or its bin, split where the threshold falls in."""
    selects = (value >= threshold).cast("int64")
    if by is None or by.per_unit is None:
        return {f"{name} key": selects if by is None else value}
    place = (value * by.per_unit).floor()
    if by.infinite:
        ends = ibis.ifelse(value > 0, float(by.last + 1), float(by.last - BINS))
        place = ibis.ifelse(value.isinf(), ends, place)
    found = {f"{name} key": place.cast("int64")}
    if not (threshold * by.per_unit).is_integer():
        found[f"{name} selected"] = selects
    return found


def _score(name: str, counted: Any, by: Grid | None, threshold: float) -> Any:
    """Return an entry's score; a mean that was rounded stays on its side of the threshold."""
    key = counted[f"{name} key"]
    if by is None or by.per_unit is None:
        return key
    mean = counted[f"{name} mean"]
    selected = key >= threshold * by.per_unit
    if f"{name} selected" in counted.columns:
        selected = counted[f"{name} selected"] == 1
    below = math.nextafter(threshold, -math.inf)
    kept = ibis.ifelse(selected, ibis.greatest(mean, threshold), ibis.least(mean, below))
    return ibis.ifelse(mean.isnull(), ibis.null("float64"), kept)


def _sums(rows: Any, roles: Roles, grids: Mapping[str, Grid]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in roles.scores:
        if name in grids and not grids[name].exact:
            found[f"{name} mean"] = rows[f"{name} value"].mean()
    if roles.weight:
        weight = rows[f"{roles.weight} value"]
        found |= {roles.weight: weight.sum(), roles.weight + SQUARE: (weight * weight).sum()}
    return found
