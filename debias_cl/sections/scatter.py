"""The map of features: a small panel a level, its points against all others in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from debias_cl.sections.figures import WIDTH, Panel, cut

GAP, HEAD, BIN, DOT = 8, 18, 3, 2.6
"""Pixels between panels, above one for its name, of a bin of the grey, and of a dot."""

SHORT = 0.02
"""Length of a dot: matplotlib drops strokes of none, and the file's rounding makes it none."""

MOST = 12
"""Panels at most; levels with fewer points are grey in all of them."""

COLUMNS = ((2, 2), (6, 3), (MOST, 4))
"""Panels up to which so many stand in a row."""


@dataclass(frozen=True)
class Points:
    """Points of a map and their levels.

    Attributes:
        x, y: in [-1, 1].
        codes: place of each point's level in `names`.
        names: of the levels.
    """

    x: Sequence[float]
    y: Sequence[float]
    codes: Sequence[int]
    names: Sequence[str]

    @property
    def shown(self) -> list[int]:
        """Levels that get a panel: those with the most points, in their order."""
        sizes = {code: self.codes.count(code) for code in set(self.codes)}
        largest = sorted(sizes, key=lambda code: (-sizes[code], code))[:MOST]
        return sorted(largest)


def small_multiples(points: Points, token: str, figure: str, title: str, told: str) -> Markup:
    """Draw a panel a level.

    Args:
        points: of the map.
        token: colour of the level that a panel is about.
        figure: id.
        title, told: text alternative.
    """
    shown = points.shown
    columns = next(row for most, row in COLUMNS if len(shown) <= most)
    side = (WIDTH - GAP * (columns - 1)) / columns
    rows = -(-len(shown) // columns)
    panel = Panel(rows * (side * 0.8 + HEAD + GAP))
    for place, level in enumerate(shown):
        left = (place % columns) * (side + GAP)
        top = (place // columns) * (side * 0.8 + HEAD + GAP) + HEAD
        panel.text(left, top - 8, cut(points.names[level], int(side / 6.6)))
        _one(panel, points, level, token, (left, top, side, side * 0.8))
    return panel.svg(figure, title, told)


def _one(
    panel: Panel, points: Points, level: int, token: str, box: tuple[float, float, float, float]
) -> None:
    """Draw one panel: where other levels lie as grey bins, the level itself as dots."""
    left, top, width, height = box
    panel.box(left + 1, top, width - 2, height, edge="line")
    placed = [
        (left + 4 + (x + 1) / 2 * (width - 8), top + 4 + (1 - y) / 2 * (height - 8), code)
        for x, y, code in zip(points.x, points.y, points.codes, strict=True)
    ]
    rest = {(int(x // BIN), int(y // BIN)) for x, y, code in placed if code != level}
    panel.strokes(_runs(rest), "band", width=BIN)
    own = sorted({(round(x), round(y)) for x, y, code in placed if code == level})
    panel.strokes([(x, y, SHORT) for x, y in own], token, width=DOT, dots=True)


def _runs(bins: set[tuple[int, int]]) -> list[tuple[float, float, float]]:
    """Return strokes that cover the bins: neighbours in a row share one."""
    found: list[tuple[float, float, float]] = []
    for x, y in sorted(bins, key=lambda place: (place[1], place[0])):
        middle = (y + 0.5) * BIN
        if found and found[-1][1] == middle and found[-1][0] + found[-1][2] == x * BIN:
            start, _, long = found[-1]
            found[-1] = (start, middle, long + BIN)
        else:
            found.append((x * BIN, middle, BIN))
    return found
