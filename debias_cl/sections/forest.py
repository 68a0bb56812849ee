"""Forest plots: a row a group, both runs side by side, intervals, and n at the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from debias_cl.checks.text import DASH
from debias_cl.sections.figures import DASHES, WIDTH, Panel, Scale, cut, shares

LEFT, RIGHT, TOP = 148, 292, 22
APART = 9.0
SERIES = ("run", "ref")


@dataclass(frozen=True)
class Mark:
    """A value with its interval; all None where it is undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ForestRow:
    """A row: a group, or a heading where it has no marks.

    Attributes:
        label: name of the group or of the attribute.
        n: rows behind the value, as text.
        marks: one for each run, audited first.
        bold: whether it is the lowest that is judged.
        reason: why nothing is drawn.
        series: the series of each mark.
    """

    label: str
    n: str = ""
    marks: tuple[Mark, ...] = ()
    bold: bool = False
    reason: str = ""
    series: tuple[str, ...] = SERIES


def forest(
    rows: Sequence[ForestRow],
    overall: float | None,
    figure: str,
    title: str,
    description: str,
) -> tuple[Markup, Scale]:
    """Draw a forest plot and return it with its scale (the caption says where it is cut).

    Args:
        rows: in the order drawn; those without marks are headings.
        overall: value over all rows for the audited run, drawn as a dotted line.
        figure: id.
        title, description: text alternative.
    """
    values = [mark.value for row in rows for mark in row.marks if mark.value is not None]
    scale = shares(values, LEFT, RIGHT)
    two = any(len(row.marks) > 1 for row in rows)
    heights = [_height(row, place, two) for place, row in enumerate(rows)]
    bottom = TOP + sum(heights)
    panel = Panel(bottom + 20)
    panel.text(WIDTH, 8, "n", token="muted", anchor="right")
    for tick in scale.ticks:
        panel.line([scale(tick)] * 2, [TOP, bottom], "line", width=1)
        panel.text(scale(tick), bottom + 10, f"{tick * 100:.0f}%", token="muted", anchor="center")
    if overall is not None and scale.low <= overall <= scale.high:
        panel.line([scale(overall)] * 2, [TOP, bottom], "axis", width=1.2, dash=(1.2, 2.2))
    y: float = TOP
    for row, height in zip(rows, heights, strict=True):
        _row(panel, scale, row, y + height - (26 if two else 20) / 2)
        y += height
    return panel.svg(figure, title, description), scale


def _height(row: ForestRow, place: int, two: bool) -> float:
    usual = 26 if two else 20
    return usual + 6 if not row.n and not row.marks and place else usual


def _row(panel: Panel, scale: Scale, row: ForestRow, y: float) -> None:
    if not row.marks:
        panel.text(0, y, cut(row.label, 44), token="muted")
        return
    panel.text(8, y, cut(row.label), bold=row.bold)
    panel.text(WIDTH, y, row.n, token="muted", anchor="right")
    for place, mark in enumerate(row.marks):
        offset = (place - (len(row.marks) - 1) / 2) * APART
        if mark.value is not None:
            _mark(panel, scale, mark, y + offset, row.series[place])
    if row.marks[0].value is None:
        panel.text(LEFT, y, cut(f"{DASH} {row.reason}", 22), token="muted")


def _mark(panel: Panel, scale: Scale, mark: Mark, y: float, series: str) -> None:
    if mark.low is not None and mark.high is not None:
        ends = [scale(mark.low), scale(mark.high)]
        panel.line(ends, [y, y], series, width=1.6, dash=DASHES[series])
        if mark.low < scale.low - 1e-9:
            panel.arrow(scale.left - 3, y, series, left=True)
        if mark.high > scale.high + 1e-9:
            panel.arrow(scale.right + 3, y, series, left=False)
    if mark.value is not None:
        panel.mark(scale(mark.value), y, series)
