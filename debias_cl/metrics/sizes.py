"""A (groups, strata, outcomes) table of weights or persons, scaled to what simulations draw from.

Draws need whole tables, not rates. Each group's outcomes in a stratum keep their weighted shares,
and add up to the smallest effective size among the rates of its outcomes: the counts divided by
the design effect.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics.design import Design
from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.tally import how_of, tally

Table = npt.NDArray[Any]


def weighed(table: Table, design: Design[Any] | None) -> Table:
    """Return the sums of weights of a table where rows carry weights, else its rows.

    Args:
        table: (groups, ...) counts of rows.
        design: its layers, arrays or count tables; None for plain counts.
    """
    weight = None if design is None else design.weight
    return table if weight is None else np.asarray(getattr(weight, "table", weight))


def method(name: str, design: Design[Any] | None) -> str:
    """Return an interval's name with what makes its sizes effective; plain: as it is."""
    return name if design is None else f"{name}, {how_of(design)}"


def effective(table: Table, design: Design[Any] | None) -> Table:
    """Return a (groups, strata, outcomes) table scaled to effective sizes; plain ones as it is."""
    if design is None:
        return table

    def read(layer: Any) -> tuple[Array, Array]:
        counts = np.asarray(getattr(layer, "table", layer), np.float64)
        return counts, np.broadcast_to(counts.sum(-1, keepdims=True), counts.shape)

    size = tally(table, design, read).n.min(-1, keepdims=True)
    weights = weighed(table, design)
    return np.asarray(np.nan_to_num(share(weights, weights.sum(-1, keepdims=True))) * size)


def sized(table: Table, design: Design[Any] | None) -> Table:
    """Return the effective table in whole numbers, at least one row where there are rows."""
    found = effective(table, design)
    if design is None:
        return found
    room = np.where(found.sum(-1) > 0, np.maximum(np.rint(found.sum(-1)), 1), 0)
    return apportioned(found, room.astype(np.int64))


def apportioned(parts: Table, total: Table) -> Table:
    """Return whole numbers in the proportions of the last axis that add up to `total`.

    Args:
        parts: (..., k) non-negative numbers.
        total: (...) whole numbers; 0 where the parts are all 0.

    Source: largest remainders (Hamilton).
    """
    exact = np.nan_to_num(share(parts, parts.sum(-1, keepdims=True))) * total[..., None]
    floor = np.floor(exact + 1e-9)
    order = np.argsort(np.argsort(-(exact - floor), -1, kind="stable"), -1, kind="stable")
    left = total[..., None] - floor.sum(-1, keepdims=True)
    return np.asarray(floor + (order < left), np.int64)
