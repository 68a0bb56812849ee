"""Wins and losses of one model against another on the same rows, with effective sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from debias_cl.metrics import combinations, contrasts
from debias_cl.metrics.design import Design, design_of
from debias_cl.metrics.proportions import Array, Counts, share
from debias_cl.metrics.tally import (
    ROUNDING,
    TINY,
    Parts,
    Tally,
    by_persons,
    by_weights,
    how_of,
)
from debias_cl.records import Annotations, Codes

TANGO = "Tango's score interval"


@dataclass(frozen=True)
class Wins:
    """Rows of some cells that only the first model, only the second, or both or neither have right.

    Attributes:
        rows: (cells, 3) rows gained, lost, equal.
        gained, lost: (cells,) as formulas take them: counts, or shares of the effective size.
        tally: (cells,) sizes; its parts hold each person's gains less losses.
    """

    rows: Codes
    gained: Counts
    lost: Counts
    tally: Tally


def count_wins(known: Annotations, cell: Codes, cells: int, outcome: Codes) -> Wins:
    """Return the wins of n entries.

    Args:
        known: the entries, all predicted by both models.
        cell: (n,) cell of each entry.
        cells: number of cells.
        outcome: (n,) 0 gained, 1 lost, 2 equal.
    """

    def layer(place: Codes, size: int, value: Counts) -> Array:
        flat = np.bincount(place * 3 + outcome, value, minlength=size * 3)
        return np.asarray(flat.reshape(size, 3), np.float64)

    rows = layer(cell, cells, known.rows).astype(np.int64)
    design = design_of(known, cell, cells, 3, layer)
    size = rows.sum(1)
    if design is None:
        return Wins(rows, rows[:, 0], rows[:, 1], Tally(rows[:, 0] - rows[:, 1], size, size))
    return _effective(rows, design)


def _effective(rows: Codes, design: Design[Array]) -> Wins:
    """Return wins at their effective size: as for a rate, with outcomes 1, -1 and 0."""
    weight = rows.astype(np.float64) if design.weight is None else design.weight
    total, many = weight.sum(1), rows.sum(1)
    shares = np.nan_to_num(share(weight, total[:, None]))
    d = shares[:, 0] - shares[:, 1]
    spread = np.maximum(shares[:, 0] + shares[:, 1] - d**2, 0)
    spread = np.where(spread < ROUNDING, 0.0, spread)
    square = design.square
    cap = total if square is None else share(total**2, square.sum(1))
    parts = alone = None
    if design.units is not None:
        own = design.units.sum(1)
        parts = Parts(design.owner, design.person, design.units[:, 0] - design.units[:, 1], own)
        n, alone = by_persons(d, total, cap, parts, spread)
    else:
        assert square is not None
        off = square * np.stack([(1 - d) ** 2, (1 + d) ** 2, d**2], 1)
        n = by_weights(many, total, cap, spread, off.sum(1))
    n = np.where(total > 0, np.maximum(np.nan_to_num(n), TINY), 0.0)
    tally = Tally(d * n, n, many, how_of(design), alone, parts)
    return Wins(rows, shares[:, 0] * n, shares[:, 1] * n, tally)


def contrast(wins: Wins, c: Counts) -> contrasts.Contrast:
    """Return sum over cells of c_i (gained_i - lost_i) / n_i, with its interval.

    Args:
        wins: of disjoint cells.
        c: (cells,) weights; 0 for empty cells.

    Source: Tango (1998) for one cell; its sum over cells: `combinations.paired`; where cells share
        persons, the delete-one-person jackknife.
    """
    found = combinations.paired(wins.gained, wins.lost, wins.tally.n, c)
    method = TANGO if len(wins.rows) == 1 else combinations.PAIRED
    reach = float(np.abs(c).sum())
    return contrasts.chosen(wins.tally, c, found, wins.tally.method(method), (-reach, reach))
