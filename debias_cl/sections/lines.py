"""Curves of two numbers against each other: ROC, calibration, rates against the threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from debias_cl.sections.figures import DASHES, Panel, Scale, cut, ticks

LEFT, RIGHT, TOP, DEEP = 40, 328, 22, 206
"""Pixels of the plot's edges, and its height where nothing else is said."""
MOST_DRAWN, MOST_BACK = 60, 24
"""Points drawn of a line at most, and of one that stands back."""

Numbers = tuple[float, ...]


def percent(tick: float) -> str:
    """Return an axis value as a percentage."""
    return f"{tick * 100:.0f}%"


def plain(tick: float) -> str:
    """Return an axis value as it is."""
    return f"{tick:g}"


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: in words.
        low, high: values at its ends.
        form: how its ticks are written.
    """

    title: str
    low: float = 0.0
    high: float = 1.0
    form: Callable[[float], str] = percent


@dataclass(frozen=True)
class Cross:
    """A point with an interval along each axis; None where there is none."""

    x: float
    y: float
    across: tuple[float, float] | None = None
    up: tuple[float, float] | None = None


@dataclass(frozen=True)
class Line:
    """A line and what belongs to it.

    Attributes:
        x, y: of equal length; only what lies inside the axes is drawn.
        series: its token; "axis" for lines that stand back.
        low, high: edges of its band, drawn thin; empty for none.
        points: marked, with intervals.
        thick: whether it stands out.
    """

    x: Numbers
    y: Numbers
    series: str
    low: Numbers = ()
    high: Numbers = ()
    points: tuple[Cross, ...] = ()
    thick: bool = True


@dataclass(frozen=True)
class Extras:
    """What a plot has besides its lines.

    Attributes:
        at: where the dotted upright line stands; None for none.
        diagonal: whether y = x is drawn.
        upper, lower: words in the left upper and right lower corner.
        height: of the plot in pixels.
    """

    at: float | None = None
    diagonal: bool = False
    upper: str = ""
    lower: str = ""
    height: float = DEEP


def plot(
    lines: Sequence[Line],
    across: Axis,
    up: Axis,
    extras: Extras,
    alternative: tuple[str, str, str],
) -> Markup:
    """Draw lines.

    Args:
        lines: in the order drawn; those that stand back first.
        across, up: the axes.
        extras: what else is drawn.
        alternative: id of the figure, title and description.
    """
    bottom = TOP + extras.height
    x = Scale(across.low, across.high, LEFT, RIGHT, ticks(across.low, across.high))
    y = Scale(up.low, up.high, bottom, TOP, ticks(up.low, up.high))
    panel = Panel(bottom + 34)
    _axes(panel, x, y, across, up)
    if extras.diagonal:
        ends = [max(x.low, y.low), min(x.high, y.high)]
        panel.line([x(v) for v in ends], [y(v) for v in ends], "axis", width=1, dash=(3, 3))
    if extras.at is not None and x.low <= extras.at <= x.high:
        panel.line([x(extras.at)] * 2, [TOP, bottom], "axis", width=1.2, dash=(1.2, 2.2))
    for line in lines:
        _line(panel, x, y, line)
    panel.text(LEFT + 6, TOP + 10, extras.upper, token="muted")
    panel.text(RIGHT - 6, bottom - 10, extras.lower, token="muted", anchor="right")
    return panel.svg(*alternative)


def _axes(panel: Panel, x: Scale, y: Scale, across: Axis, up: Axis) -> None:
    bottom = y.left
    for tick in y.ticks:
        panel.line([x.left, x.right], [y(tick)] * 2, "line", width=1)
        panel.text(x.left - 6, y(tick), up.form(tick), token="muted", anchor="right")
    panel.line([x.left, x.right], [bottom] * 2, "axis", width=1)
    for tick in x.ticks:
        panel.text(x(tick), bottom + 11, across.form(tick), token="muted", anchor="center")
    middle = (x.left + x.right) / 2
    panel.text(middle, bottom + 26, cut(across.title, 50), token="muted", anchor="center")
    panel.text(0, 8, cut(up.title, 50), token="muted")


def _line(panel: Panel, x: Scale, y: Scale, line: Line) -> None:
    back = line.series == "axis"
    wide = 1.0 if back else (2.0 if line.thick else 1.3)
    dash = () if back else DASHES[line.series]
    for values, width in ((line.y, wide), (line.low, 0.7), (line.high, 0.7)):
        inside = clipped(line.x, values, x, y, MOST_BACK if back else MOST_DRAWN) if values else ()
        if len(inside) > 1:
            xs, ys = [x(a) for a, _ in inside], [y(b) for _, b in inside]
            panel.line(xs, ys, line.series, width=width, dash=dash if width == wide else ())
    for point in line.points:
        if not (x.low <= point.x <= x.high and y.low <= point.y <= y.high):
            continue
        if point.across:
            panel.line([x(v) for v in point.across], [y(point.y)] * 2, line.series, width=1.2)
        if point.up:
            panel.line([x(point.x)] * 2, [y(v) for v in point.up], line.series, width=1.2)
        panel.mark(x(point.x), y(point.y), line.series)


def clipped(
    xs: Numbers, ys: Numbers, x: Scale, y: Scale, most: int = MOST_DRAWN
) -> Sequence[tuple[float, float]]:
    """Return the points of a line inside the axes, with those where it enters and leaves."""
    found: list[tuple[float, float]] = []
    points = list(zip(xs, ys, strict=True))
    if len(points) > most:
        places = {round(i * (len(points) - 1) / (most - 1)) for i in range(most)}
        points = [points[i] for i in sorted(places)]
    for one, other in pairwise(points):
        for end in _inside(one, other, x, y):
            if not found or found[-1] != end:
                found.append(end)
    return found


def _inside(
    one: tuple[float, float], other: tuple[float, float], x: Scale, y: Scale
) -> Sequence[tuple[float, float]]:
    """Return both ends of the part of a stretch that lies inside; () where none does."""
    start, end = 0.0, 1.0
    for place, scale in ((0, x), (1, y)):
        a, step = one[place], other[place] - one[place]
        for bound, sign in ((scale.low, 1), (scale.high, -1)):
            ahead = (a - bound) * sign
            if step == 0:
                if ahead < -1e-12:
                    return ()
            elif step * sign > 0:
                start = max(start, -ahead / (step * sign))
            else:
                end = min(end, -ahead / (step * sign))
    if start > end + 1e-12:
        return ()

    def at(part: float) -> tuple[float, float]:
        return one[0] + part * (other[0] - one[0]), one[1] + part * (other[1] - one[1])

    return (at(start), at(end))
