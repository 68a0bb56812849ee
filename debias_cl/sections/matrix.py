"""The cell matrix: accuracy by label and attribute, conflicting or aligned cells framed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from debias_cl.checks.text import DASH
from debias_cl.sections.figures import WIDTH, Panel, cut
from debias_cl.sections.tokens import heat

MANY = 16
"""Above so many cells only the value stands in each."""


@dataclass(frozen=True)
class Square:
    """A cell.

    Attributes:
        wrong: share wrong, None where the cell is empty.
        value: accuracy as text.
        n: "n = 182".
        aligned: True, False, or None where no pattern is known.
    """

    wrong: float | None
    value: str
    n: str
    aligned: bool | None


def matrix(
    rows: Sequence[str],
    columns: Sequence[str],
    squares: Sequence[Sequence[Square]],
    figure: str,
    title: str,
    description: str,
) -> Markup:
    """Draw the matrix.

    Args:
        rows, columns: names of the levels.
        squares: a row a row name, a cell a column name.
        figure: id.
        title, description: text alternative.
    """
    many = len(rows) * len(columns) > MANY
    left = _left(rows, many)
    width = (WIDTH - left) / len(columns)
    height = 24 if many else (40 if len(rows) > 2 else 62)
    longest = max(len(cut(name, 16)) for name in columns)
    upright = longest * 6.6 > width
    top = 12 + longest * 6.8 if upright else 22.0
    panel = Panel(top + height * len(rows) + 4)
    for place, name in enumerate(columns):
        middle = left + (place + 0.5) * width
        if upright:
            panel.upright(middle, top - 5, cut(name, 16))
        else:
            panel.text(middle, 10, name, anchor="center")
    for i, name in enumerate(rows):
        panel.text(0, top + (i + 0.5) * height, cut(name, int(left / 6.4)))
    framed = many and any(square.aligned for line in squares for square in line)
    # Equal shades one after another: neighbours that look alike share one group in the file.
    placed = [(square, i, j) for i, line in enumerate(squares) for j, square in enumerate(line)]
    placed.sort(key=lambda entry: _shade(entry[0]))
    size = Size(width, height, many)
    for square, i, j in placed:
        marked = square.aligned is framed
        _fill(panel, square, left + j * width, top + i * height, size, marked=marked)
    for square, i, j in placed:
        if square.aligned is framed and square.wrong is not None:
            _frame(panel, left + j * width, top + i * height, size)
    return panel.svg(figure, title, description)


@dataclass(frozen=True)
class Size:
    """Width and height of a cell, and whether there are many."""

    width: float
    height: float
    many: bool


def _shade(square: Square) -> tuple[int, int]:
    step = -1 if square.wrong is None else heat(square.wrong)
    return (step // 5, step)


def _left(rows: Sequence[str], many: bool) -> float:
    longest = max(len(cut(name)) for name in rows)
    return min(130.0, max(22.0 if many else 70.0, longest * 6.6 + 8))


def _fill(panel: Panel, square: Square, x: float, y: float, size: Size, *, marked: bool) -> None:
    width, height = size.width, size.height
    if square.wrong is None:
        panel.box(x + 2, y + 2, width - 4, height - 4, edge="axis", dash=True)
        panel.text(x + width / 2, y + height / 2, DASH, anchor="center", token="muted")
        return
    step = heat(square.wrong)
    # A frame stands on the background, apart from its cell: no shade can swallow it.
    inset = (3.4 if size.many else 5.0) if marked else 1.0
    panel.box(x + inset, y + inset, width - 2 * inset, height - 2 * inset, fill=f"q{step}")
    words = [square.value] if size.many else [square.value, square.n]
    if not size.many and height > 44 and square.aligned is not None:
        words.append("= aligned" if square.aligned else "≠ conflicting")
    first = y + height / 2 - 14 * (len(words) - 1) / 2
    for place, word in enumerate(words):
        panel.text(
            x + width / 2,
            first + 14 * place,
            word,
            token=f"on{step}",
            anchor="center",
            bold=place == 0 and not size.many,
            size=9.5 if size.many else 11,
        )


def _frame(panel: Panel, x: float, y: float, size: Size) -> None:
    inset, line = (1.4, 1.5) if size.many else (2.0, 2.2)
    width, height = size.width - 2 * inset, size.height - 2 * inset
    panel.box(x + inset, y + inset, width, height, edge="ink", line=line)
