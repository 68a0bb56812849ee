"""Tables as the templates show them: heads, cells with pointers and sort keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from debias_cl.checks.pointer import Node
from debias_cl.checks.text import (
    DASH,
    SPACE,
    Sentence,
    bare_share,
    bounds,
    clean,
    count,
    points,
    ratio,
)
from debias_cl.sections.numbers import attribute, html, key, plain

EMPTY = Markup("")
Form = Callable[[float], str]


@dataclass(frozen=True)
class Head:
    """A column head.

    Attributes:
        text: in words, the unit with it.
        right: whether its column holds numbers.
    """

    text: str
    right: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell, ready to be shown.

    Attributes:
        inner: its HTML.
        attributes: its data-p, data-v and class.
        head: whether it is the row's head.
    """

    inner: Markup
    attributes: Markup = EMPTY
    head: bool = False


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        number: "3a".
        caption: in bold; `note` is the small line under it (method, what n is).
        heads, rows: as many cells a row as heads.
        wide: whether it scrolls in a box of its own on narrow screens.
        dense: whether intervals stand under their values.
        sort: whether its heads sort.
        folded: text of the `<details>` around it; "" for none.
        minimum: least width of a wide table in CSS pixels.
    """

    number: str
    caption: str
    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    note: str | Sentence = ""
    wide: bool = False
    dense: bool = False
    sort: bool = True
    folded: str = ""
    minimum: int = 640

    @property
    def id(self) -> str:
        """Id of its element ("t3a")."""
        return f"t{self.number}"


def row_head(text: str, small: str = "") -> Cell:
    """Return a row's head, with a small line under it where there is one."""
    note = Markup('<span class="u">{}</span>').format(clean(small)) if small else Markup("")
    return Cell(plain(text) + note, head=True)


def words(text: str | Sentence | Markup, small: str | Sentence = "") -> Cell:
    """Return a cell of words."""
    note = Markup('<span class="u">{}</span>').format(html(small, first=False))
    return Cell(html(text, first=False) + (note if small else EMPTY))


def number(node: Node, form: Form, ends: Form | None = None, small: str = "") -> Cell:
    """Return a cell with the number at a node, its interval, and a small line.

    Args:
        node: a value object, or a plain number.
        form: how the value is shown.
        ends: how the ends of its interval are shown; None for no interval.
        small: a line under it.
    """
    value = node.number
    if value is None:
        return undefined(node)
    inner = plain(form(value))
    interval = bounds(node, ends) if ends else None
    if interval is not None:
        inner += Markup(' <span class="ci">({})</span>').format(_held(str(interval)))
    if small:
        inner += Markup('<span class="u">{}</span>').format(clean(small))
    return Cell(inner, _attributes("r", value, node.pointer))


def undefined(node: Node) -> Cell:
    """Return a dash and the reason: never blank, never only a tooltip."""
    reason = clean(str((node / "reason").value or "not measured"))
    inner = Markup('{} <span class="u">{}</span>').format(DASH, reason)
    return Cell(inner, Markup(' class="r un" data-v=""'))


def share_cell(node: Node, reason: Callable[[object], str] | None = None) -> Cell:
    """Return a share with its interval; `reason` puts an undefined one into plain words."""
    if node.number is None and reason is not None:
        return undefined(Node({"reason": reason((node / "reason").value)}))
    return number(node, lambda value: f"{bare_share(value)}%", bare_share)


def points_cell(node: Node) -> Cell:
    """Return a difference in points with its interval or bounds."""
    return number(node, points, points)


def ratio_cell(node: Node) -> Cell:
    """Return a ratio with its interval or bounds."""
    return number(node, ratio, ratio)


def told_cell(value: float | None, text: str, small: str = "") -> Cell:
    """Return a cell whose number stands in no metrics document, as its text says it.

    Args:
        value: sorts the column; None where there is none.
        text: what is read.
        small: a line under it.
    """
    shown = "" if value is None else key(value)
    note = Markup('<span class="u">{}</span>').format(small) if small else EMPTY
    return Cell(plain(text) + note, Markup(' class="r" data-v="{}"').format(shown))


def count_cell(node: Node) -> Cell:
    """Return a count."""
    return number(node, count)


def _held(interval: str) -> str:
    """Return an interval in lower case that breaks only between "at least" and "at most"."""
    parts = interval[:1].lower() + interval[1:]
    return ", ".join(part.replace(" ", SPACE) for part in parts.split(", "))


def _attributes(name: str, value: float, pointer: str) -> Markup:
    return Markup(' class="{}" data-v="{}" data-p="{}"').format(
        name, key(value), attribute(pointer)
    )


def letter(place: int) -> str:
    """Return the letter of a table: a, b, ..., z, aa, ab, ..."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return alphabet[place] if place < 26 else alphabet[place // 26 - 1] + alphabet[place % 26]
