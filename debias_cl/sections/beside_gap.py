"""Small lines under a gap: its tolerance, the spread over groups, the directional amplification."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, decimals, points, ratio, say, show
from debias_cl.sections.table import Cell, number, ratio_cell, words

LOGS = ("differential_fairness",)
"""Disparities that are logarithms, no points."""
Form = Callable[[float], str]


def other_cell(gap: Node, name: str) -> Cell:
    """Return the cell of a disparity that is no largest gap of one rate.

    Args:
        gap: the disparity.
        name: of it.
    """
    form = decimals if name in LOGS else points
    cell = number(gap, form, form)
    unit = [say("log ratio, no points")] if name in LOGS else []
    return _with(cell, gap, [*unit, *_lines(gap, form)])


def beside(cell: Cell, gap: Node) -> Cell:
    """Return the cell of a gap with its small lines."""
    return _with(cell, gap, list(_lines(gap, points)))


def ratio_beside(gap: Node) -> Cell:
    """Return the cell of a ratio with its small lines."""
    return _with(ratio_cell(gap), gap, list(_lines(gap, ratio)))


def _with(cell: Cell, gap: Node, lines: list[Sentence]) -> Cell:
    if gap.number is None:
        return cell
    inner = cell.inner
    for line in lines:
        inner += words("", line).inner
    return Cell(inner, cell.attributes)


def _lines(gap: Node, form: Form) -> Iterator[Sentence]:
    spread, many = gap / "standard_deviation", (gap / "groups_compared").value or 0
    if spread.number is not None and many > 2:  # of two groups it is half the gap
        yield say("standard deviation ", show(spread, form))
    if gap / "directional":
        yield say("directional ", show(gap / "directional", form))
    limit = gap / "tolerance" / "limit"
    if limit:
        yield say(str((gap / "tolerance" / "reading").value), ": tolerance ", show(limit, form))
