"""Gaps and curves: dots against a chance band, and lines by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from debias_cl.checks.text import MINUS
from debias_cl.sections.figures import DASHES, WIDTH, Panel, Scale, cut, ticks
from debias_cl.sections.forest import APART, SERIES, Mark

LEFT, RIGHT = 140, 296


@dataclass(frozen=True)
class GapRow:
    """A measure: its gap in each run, and what chance gives the audited one.

    Attributes:
        label: the measure.
        marks: one a run, audited first.
        chance: upper end of the chance band; None where there is none.
        shown: the audited value as text.
    """

    label: str
    marks: tuple[Mark, ...]
    chance: float | None
    shown: str


def gaps(
    rows: Sequence[GapRow], highest: float, figure: str, title: str, description: str
) -> Markup:
    """Draw gaps in points, from 0 to `highest` (the same in all panels of a row)."""
    end = max(0.05, min(1.0, (int(highest * 20) + 1) / 20))
    scale = Scale(0.0, end, LEFT, RIGHT, ticks(0.0, end))
    height = 28
    bottom = 8 + height * len(rows)
    panel = Panel(bottom + 20)
    for place, row in enumerate(rows):
        y = 8.0 + place * height
        if row.chance:
            wide = scale(row.chance) - LEFT
            panel.box(LEFT, y + 4, wide, height - 8, fill="band")
            panel.line([LEFT + wide] * 2, [y + 4, y + height - 4], "axis", width=1)
    for tick in scale.ticks:
        panel.line([scale(tick)] * 2, [8, bottom], "axis" if tick == 0 else "line", width=1)
        panel.text(scale(tick), bottom + 10, f"{tick * 100:.0f}", token="muted", anchor="center")
    for place, row in enumerate(rows):
        y = 8 + (place + 0.5) * height
        panel.text(0, y, cut(row.label))
        panel.text(WIDTH, y, row.shown, anchor="right")
        for series, mark in enumerate(row.marks):
            offset = (series - (len(row.marks) - 1) / 2) * APART
            _mark(panel, scale, mark, y + offset, SERIES[series])
    return panel.svg(figure, title, description)


def _mark(panel: Panel, scale: Scale, mark: Mark, y: float, series: str) -> None:
    if mark.value is None:
        return
    if mark.low is not None and mark.high is not None:
        ends = [scale(mark.low), scale(mark.high)]
        panel.line(ends, [y, y], series, width=1.6, dash=DASHES[series])
        if mark.high > scale.high + 1e-9:
            panel.arrow(scale.right + 3, y, series, left=False)
    panel.mark(scale(mark.value), y, series)


UNITS: dict[str, Callable[[float], str]] = {
    "%": lambda tick: f"{tick * 100:.0f}%",
    "points": lambda tick: f"{tick * 100:.0f}",
    "": lambda tick: f"{tick:g}",
}


@dataclass(frozen=True)
class Curve:
    """A line by epoch.

    Attributes:
        epochs, values: of equal length.
        series: "run" or "ref".
        thick: conflicting curves are thick, aligned ones thin.
        label: written at its end; "" for none.
    """

    epochs: tuple[float, ...]
    values: tuple[float, ...]
    series: str
    thick: bool = True
    label: str = ""


def curves(
    lines: Sequence[Curve],
    low: float,
    high: float,
    unit: str,
    figure: str,
    title: str,
    description: str,
) -> Markup:
    """Draw lines by epoch.

    Args:
        lines: at most four.
        low, high: ends of the vertical axis.
        unit: "%" for shares, "points" for their differences, "" for plain numbers.
        figure: id.
        title, description: text alternative.
    """
    last = max(line.epochs[-1] for line in lines)
    right = 254.0 if any(line.label for line in lines) else 334.0
    along = Scale(min(line.epochs[0] for line in lines), max(last, 2), 40, right, ())
    up = Scale(low, high, 176, 10, ticks(low, high))
    panel = Panel(206)
    _grid(panel, along, up, unit)
    for line in lines:
        xs = [along(epoch) for epoch in line.epochs]
        ys = [up(value) for value in line.values]
        wide = 2.6 if line.thick else 1.2
        panel.line(xs, ys, line.series, width=wide, dash=DASHES[line.series])
        if len(xs) == 1:
            panel.mark(xs[0], ys[0], line.series)
    for (x, _, words), y in _labels(lines, along, up):
        panel.text(x, y, words)
    return panel.svg(figure, title, description)


def _grid(panel: Panel, along: Scale, up: Scale, unit: str) -> None:
    for tick in up.ticks:
        ends = [along.left, along.right]
        panel.line(ends, [up(tick)] * 2, "axis" if tick == 0 else "line", width=1)
        shown = UNITS[unit](tick).replace("-", MINUS)
        panel.text(34, up(tick), shown, token="muted", anchor="right")
    for tick in (value for value in ticks(along.low, along.high, 7) if value == int(value)):
        panel.text(along(tick), 187, f"{tick:.0f}", token="muted", anchor="center")
    middle = (along.left + along.right) / 2
    panel.text(middle, 200, "epoch", token="muted", anchor="center")


def _labels(
    lines: Sequence[Curve], along: Scale, up: Scale
) -> list[tuple[tuple[float, float, str], float]]:
    """Return the labels at the line ends, moved apart so that none lies on another."""
    named = [line for line in lines if line.label]
    ends = sorted(
        ((along(line.epochs[-1]) + 5, up(line.values[-1]), cut(line.label, 13)) for line in named),
        key=lambda end: end[1],
    )
    placed: list[float] = []
    for _, y, _ in ends:
        placed.append(max(y, placed[-1] + 13) if placed else y)
    over = placed[-1] - 176 if placed and placed[-1] > 176 else 0
    return [(end, y - over) for end, y in zip(ends, placed, strict=True)]
