"""Panels: a matplotlib canvas in CSS pixels, drawn in tokens, saved as a small inline SVG."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D

from debias_cl.checks.text import clean
from debias_cl.sections.svg import compact
from debias_cl.sections.tokens import ink

WIDTH = 344
"""Width of a panel in user units: CSS pixels on a phone."""
FONT = 11
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "debias_cl",
    "path.simplify": False,
}
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
MARKERS = {"run": "o", "ref": "D", "s3": "s", "s4": "^"}
HOLLOW = ("ref", "s4")
DASHES = {"run": (), "ref": (4.0, 2.0), "s3": (), "s4": (3.0, 2.0)}


@dataclass(frozen=True)
class Figure:
    """A figure as the templates show it.

    Attributes:
        id: also the start of every id inside ("f31").
        number: "3.1".
        title: the message, under 50 characters.
        subtitle: what is plotted, its unit and interval.
        svg: the drawing.
        table: number of the table with the same numbers ("3a").
    """

    id: str
    number: str
    title: str
    subtitle: str
    svg: Markup
    table: str

    @property
    def data(self) -> str:
        """Id of that table's element."""
        return f"t{self.table}"


class Panel:
    """A drawing in pixels: x to the right, y downwards, colours by token.

    Artists stand on the figure itself: axes, limits and styles would cost most of the drawing.

    Args:
        height: in user units.
        width: in user units.
    """

    def __init__(self, height: float, width: float = WIDTH) -> None:
        self.width, self.height = width, height
        self._drawing = Drawing(figsize=(width / 72, height / 72))
        FigureCanvasSVG(self._drawing)
        self._drawing.patch.set_visible(False)
        pixels = Affine2D().scale(1 / width, -1 / height).translate(0, 1)
        self._place = pixels + self._drawing.transSubfigure

    def _add(self, artist: Artist) -> None:
        artist.set_transform(self._place)
        self._drawing.add_artist(artist)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        token: str = "ink",
        anchor: str = "left",
        bold: bool = False,
        size: float = FONT,
    ) -> None:
        """Write one line with its middle at y; it begins, ends or is centred at x."""
        self._add(
            Text(
                x,
                y + size * 0.36,
                clean(words),
                color=ink(token),
                ha=anchor,
                va="baseline",
                fontsize=size,
                fontweight="bold" if bold else "normal",
                parse_math=False,
            )
        )

    def upright(self, x: float, y: float, words: str, *, token: str = "ink") -> None:
        """Write one line that runs upwards from y, centred on x."""
        self._add(
            Text(
                x + FONT * 0.36,
                y,
                clean(words),
                color=ink(token),
                rotation=90,
                rotation_mode="anchor",
                ha="left",
                va="baseline",
                fontsize=FONT,
                parse_math=False,
            )
        )

    def line(
        self,
        xs: Sequence[float],
        ys: Sequence[float],
        token: str,
        *,
        width: float = 1.5,
        dash: Sequence[float] = (),
    ) -> None:
        """Draw a line through points."""
        style: Any = (0, tuple(dash)) if dash else "-"
        self._add(
            Line2D(
                xs, ys, color=ink(token), linewidth=width, linestyle=style, solid_capstyle="butt"
            )
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str | None = None,
        edge: str | None = None,
        line: float = 1.0,
        dash: bool = False,
    ) -> None:
        """Draw a rectangle from its left upper corner."""
        xs, ys = [x, x + width, x + width, x, x], [y, y, y + height, y + height, y]
        if fill:
            self._fill(xs, ys, fill)
        if edge:
            self._add(
                Line2D(
                    xs,
                    ys,
                    color=ink(edge),
                    linewidth=line,
                    linestyle=(0, (3, 2)) if dash else "-",
                    solid_joinstyle="miter",
                    dash_joinstyle="miter",
                    solid_capstyle="projecting",
                )
            )

    def _fill(self, xs: Sequence[float], ys: Sequence[float], token: str) -> None:
        corners = list(zip(xs, ys, strict=True))
        self._add(Polygon(corners, facecolor=ink(token), linewidth=0, edgecolor="none"))

    def mark(self, x: float, y: float, series: str, *, size: float = 6.5) -> None:
        """Draw a series' marker: its shape tells it apart without colour."""
        hollow = series in HOLLOW
        self._add(
            Line2D(
                [x],
                [y],
                marker=MARKERS[series],
                markersize=size - 0.5 if hollow else size,
                color=ink(series),
                markerfacecolor=ink("bg") if hollow else ink(series),
                markeredgecolor=ink(series),
                markeredgewidth=1.4 if hollow else 0,
                linestyle="none",
            )
        )

    def strokes(
        self,
        strokes: Sequence[tuple[float, float, float]],
        token: str,
        *,
        width: float,
        dots: bool = False,
    ) -> None:
        """Draw many level strokes (x, y, length) as one path; very short ones are dots."""
        points = [point for x, y, long in strokes for point in ((x, y), (x + long, y))]
        codes = [Path.MOVETO, Path.LINETO] * len(strokes)
        drawn = PathPatch(Path(points, codes), facecolor="none", edgecolor=ink(token))
        drawn.set(linewidth=width, capstyle="round" if dots else "butt")
        self._add(drawn)

    def arrow(self, x: float, y: float, token: str, *, left: bool) -> None:
        """Draw the head of an interval that leaves the axis."""
        step = 5 if left else -5
        self._fill([x, x + step, x + step], [y, y - 3, y + 3], token)

    def svg(self, figure: str, title: str, description: str) -> Markup:
        """Return the panel as inline SVG.

        Args:
            figure: id of the figure.
            title, description: text alternative (what it is; the main reading and where the data
                are).
        """
        text = io.StringIO()
        with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
            # A script that DejaVu lacks is drawn by the reader's own font.
            warnings.filterwarnings("ignore", message=".*[Gg]lyph")
            self._drawing.savefig(text, format="svg", metadata=NO_METADATA)
        return compact(text.getvalue(), figure, title, description)


@dataclass(frozen=True)
class Scale:
    """A straight axis: a range of values onto a range of pixels.

    Attributes:
        low, high: values at the ends.
        left, right: pixels at the ends.
        ticks: values at which the grid stands.
    """

    low: float
    high: float
    left: float
    right: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, held inside the axis."""
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + part * (self.right - self.left)


def shares(values: Sequence[float], left: float, right: float) -> Scale:
    """Return a scale for shares: 0 to 100 %, or cut where all of it lies near one end."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    start, end = 0.0, 1.0
    if low > 0.6:
        steps = 10 if low < 0.93 else 20
        start = math.floor(low * steps - 0.3) / steps
    elif high < 0.4:
        steps = 10 if high > 0.08 else 20
        end = math.ceil(high * steps + 0.3) / steps
    return Scale(start, end, left, right, ticks(start, end))


def ticks(low: float, high: float, most: int = 5) -> tuple[float, ...]:
    """Return round values between two ends, both round themselves.

    >>> ticks(0, 1)
    (0.0, 0.25, 0.5, 0.75, 1.0)
    >>> ticks(0.85, 1)
    (0.85, 0.9, 0.95, 1.0)
    """
    fitting = [found for step in STEPS if 1 < len(found := _every(step, low, high)) <= most]
    whole = [found for found in fitting if abs(found[0] - low) + abs(found[-1] - high) < 1e-6]
    return next(iter(whole or fitting), (low, high))


STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000)


def _every(step: float, low: float, high: float) -> tuple[float, ...]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(place * step, 4) for place in range(first, last + 1))


def cut(label: str, most: int = 20) -> str:
    """Shorten a label in the middle; the whole of it stands in the table.

    >>> cut("women, Southeast Asian, young", 20)
    'women, Sou…an, young'
    """
    label = clean(label)
    if len(label) <= most:
        return label
    keep = most - 1
    return f"{label[: keep - keep // 2]}…{label[len(label) - keep // 2 :]}"
