"""A rate against a numeric attribute: a straight line through the ranges, with a band.

The line is that of least squares over rows (a linear probability model), each row at the mean of
its range. Slope and line are then weighted sums of the ranges' rates, which rest on disjoint rows,
so their intervals are those of any such sum (F2). It is a summary: nothing says that the rate is
straight, and the ranges stand beside it.
"""

from __future__ import annotations

import numpy as np

from debias_cl.errors import UsageError
from debias_cl.metrics import contrasts, rates
from debias_cl.metrics.counts import CountTable, Table, count
from debias_cl.metrics.proportions import Array
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.tally import Read, Tally
from debias_cl.metrics.values import NO_LABEL, Value, undefined
from debias_cl.records import Codes, Column, Predictions

RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")
SOME = ("accuracy",)
"""With more than two label levels only accuracy is of all rows."""
FEW = "fewer than two ranges have rows"


def add(document: Value, predictions: Predictions, settings: Settings) -> None:
    """Add `trends`: for every attribute made of numbers the line of each rate.

    Raises:
        UsageError: ranges were asked for of a column that was not read as numbers.
    """
    trends, known = {}, predictions.annotations
    made = [column.name for column in (*known.attributes, *known.strata) if column.numbers]
    for name in settings.ranges:
        if name not in made:
            raise UsageError(
                f"the column '{name}' was not read as numbers, so it has no ranges",
                where="--bins",
                expected="a numeric column of a table of predictions (audit), among --bias-attr",
            )
    for column in known.attributes:
        if column.numbers:
            table = count(predictions, (column.name,))
            names = RATES if table.binary else SOME
            trends[column.name] = {name: trend(table, column, name) for name in names}
    if trends:
        document["trends"] = trends


def trend(table: CountTable, column: Column, name: str) -> dict[str, Value | list[Value]]:
    """Return how one rate goes with the attribute.

    Args:
        table: counts by the ranges of the attribute.
        column: the attribute, with the mean number of each range.
        name: of the rate.

    Returns:
        slope: change of the rate a unit of the attribute. change: from the lowest range to the
        highest. line: the line at the mean of each range with rows, as value objects with `level`
        and `x`; left out of all: rows whose number is missing.
    """
    if table.label is None and rates.RATES[name].truth:
        return {"slope": undefined(NO_LABEL), "change": undefined(NO_LABEL), "line": []}
    read = _right if name == "accuracy" else rates.reader(name, table.positive)
    places, x = _places(table, column, read(table)[1])
    if len(places) < 2:
        return {"slope": undefined(FEW), "change": undefined(FEW), "line": []}
    found = table.tally(read).take(places)
    share = _sizes(table, read)[places]
    share = share / share.sum()
    middle = float((share * x).sum())
    slope = share * (x - middle) / float((share * (x - middle) ** 2).sum())
    return {
        "slope": _value(found, slope),
        "change": _value(found, slope * (x[-1] - x[0])),
        "line": [
            {
                "level": table.groups[place][column.name],
                "x": float(at),
                **_value(found, share + (at - middle) * slope),
            }
            for place, at in zip(places, x, strict=True)
        ],
    }


def _right(table: CountTable) -> tuple[Table, Table]:
    return table.right, table.n


def _places(table: CountTable, column: Column, n: Table) -> tuple[Codes, Array]:
    """Return the ranges that have rows, in the order of their numbers, and these numbers."""
    levels = [group[column.name] for group in table.groups]
    x = np.array([column.numbers.get(level, np.nan) for level in levels])
    used = np.flatnonzero((np.asarray(n) > 0) & ~np.isnan(x))
    order = used[np.argsort(x[used], kind="stable")]
    return order, x[order]


def _sizes(table: CountTable, read: Read[CountTable]) -> Array:
    """Return the denominators, by weight where rows carry weights."""
    weight = table.design.weight if table.design else None
    return np.asarray(read(table if weight is None else weight)[1], np.float64)


def _value(found: Tally, c: Array) -> Value:
    cells = found.row()
    return rates.contrasted(cells, contrasts.linear(cells, c[None]), 0, found.rows.sum())
