"""Numbers in HTML: each carries the JSON pointer that leads to it in metrics.json."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from debias_cl.checks.text import Name, Number, Part, Sentence, clean

_HIDDEN = re.compile(
    "[^\x20-\x7e\u00a0-\u02ff\u0370-\u05ff\u0620-\u1fff\u2c00-\ud7ff\uf900-\ufdff]"
)


def attribute(text: str) -> Markup:
    """Return text for an attribute: unusual characters as references, so that none acts."""
    safe = str(escape(text))
    return Markup(_HIDDEN.sub(lambda found: f"&#{ord(found[0])};", safe))


def plain(text: str) -> Markup:
    """Return text from data as HTML: escaped, without control and direction characters."""
    return escape(clean(text))


def element(number: Number) -> Markup:
    """Return a number as `<data>` with its full value and its pointer.

    >>> element(Number("56.0%", 0.56044, "/groups/1/accuracy"))
    Markup('<data value="0.56044" data-p="/groups/1/accuracy">56.0%</data>')
    """
    return Markup('<data value="{}" data-p="{}">{}</data>').format(
        key(number.value), attribute(number.pointer), number.text
    )


def key(value: float) -> str:
    """Return a number as short text that still sorts and checks right (nine digits)."""
    return f"{value:.9g}"


def part(piece: Part) -> Markup:
    """Return a part of a sentence as HTML."""
    if isinstance(piece, Number):
        return element(piece)
    if isinstance(piece, Name):
        return Markup("<b>{}</b>").format(clean(piece.text))
    return plain(piece)


def html(sentence: Sentence | str | Markup, *, first: bool = True) -> Markup:
    """Return a sentence as HTML, with a capital first letter unless `first` is False."""
    if isinstance(sentence, Markup):
        return sentence
    if isinstance(sentence, str):
        return plain(sentence)
    parts = list(sentence.parts)
    if first and parts and isinstance(parts[0], str):
        parts[0] = parts[0][:1].upper() + parts[0][1:]
    return Markup("").join(part(piece) for piece in parts)
