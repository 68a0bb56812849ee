"""Numbers as people read them, and sentences that remember where their numbers come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from debias_cl.checks.pointer import Node

MINUS = "\u2212"
SPACE = "\u00a0"
DASH = "\u2014"

# Marks that reorder or hide text: harmless to a parser, misleading to a reader.
_HIDDEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


def clean(text: str) -> str:
    """Return the text without control, direction and zero-width characters.

    >>> clean("men\\u202e")
    'men'
    """
    return _HIDDEN.sub("", text)


def share(value: float) -> str:
    """Return a fraction as a percentage; never 0.0% or 100.0% of something else.

    >>> share(0.5604), share(0.0002), share(0.99996), share(1.0)
    ('56.0%', '<0.1%', '>99.9%', '100.0%')
    """
    return bare_share(value) + "%"


def bare_share(value: float) -> str:
    """Return a percentage without its unit (for the ends of an interval)."""
    if 0 < value < 0.0005:
        return "<0.1"
    if 0.9995 <= value < 1:
        return ">99.9"
    return signed(f"{value * 100:.1f}")


def points(value: float) -> str:
    """Return a difference of fractions in percentage points, without the word.

    >>> points(0.3382), points(-0.02), points(0.0003), points(-0.0), points(-0.0003)
    ('33.8', '−2.0', '<0.1', '0.0', '>−0.1')
    """
    if 0 < abs(value) < 0.0005:
        return "<0.1" if value > 0 else f">{MINUS}0.1"
    return signed(f"{value * 100:.1f}")


def size(value: float) -> str:
    """Return the size of a difference in points, whatever its sign."""
    return points(abs(value))


def ratio(value: float) -> str:
    """Return a ratio with two decimals; a rounded 0.00 or 1.00 says that it is not quite.

    >>> ratio(0.6213), ratio(0.002), ratio(0.998), ratio(1.0)
    ('0.62', '<0.01', '>0.99', '1.00')
    """
    if 0 < value < 0.005:
        return "<0.01"
    if 0.995 <= value < 1:
        return ">0.99"
    return f"{value:.2f}"


def p_value(value: float) -> str:
    """Return a p-value: three decimals, or "< 0.001".

    >>> p_value(0.004), p_value(0.00002)
    ('0.004', '<\\xa00.001')
    """
    return f"<{SPACE}0.001" if value < 0.0005 else f"{value:.3f}"


def p_equals(value: float) -> str:
    """Return "p = 0.004" or "p < 0.001", held together by no-break spaces."""
    return f"p{SPACE}{p_value(value)}" if value < 0.0005 else f"p{SPACE}={SPACE}{p_value(value)}"


def count(value: float) -> str:
    """Return a count with thousands separators.

    >>> count(12287)
    '12,287'
    """
    return signed(f"{value:,.0f}")


def n_equals(value: float) -> str:
    """Return "n = 182", held together by no-break spaces."""
    return f"n{SPACE}={SPACE}{count(value)}"


def of_hundred(value: float) -> str:
    """Return a fraction as a whole number of 100; never 0 or 100 of something else.

    >>> of_hundred(0.56), of_hundred(0.999), of_hundred(0.002), of_hundred(1.0)
    ('56', 'more than 99', 'fewer than 1', '100')
    """
    if 0 < value < 0.005:
        return "fewer than 1"
    if 0.995 <= value < 1:
        return "more than 99"
    return f"{value * 100:.0f}"


def decimals(value: float) -> str:
    """Return a score such as AUC or a loss with three decimals."""
    return signed(f"{value:.3f}")


def score(value: float) -> str:
    """Return a score in [0, 1] with three decimals; never 0.000 or 1.000 of something else.

    >>> score(0.982), score(0.0002), score(0.99996), score(1.0)
    ('0.982', '<0.001', '>0.999', '1.000')
    """
    if 0 < value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1 else decimals(value)


def signed(text: str) -> str:
    """Return a formatted number with a real minus sign, and without one on zero."""
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]
    return text.replace("-", MINUS)


def spelled(number: int) -> str:
    """Return small whole numbers as words.

    >>> spelled(4), spelled(41)
    ('four', '41')
    """
    words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    return words[number] if 0 <= number < len(words) else count(number)


@dataclass(frozen=True)
class Number:
    """A number of the document as it is shown.

    Attributes:
        text: as shown.
        value: what is shown, full precision.
        pointer: JSON pointer of the value, or of its value object.
    """

    text: str
    value: float
    pointer: str


@dataclass(frozen=True)
class Name:
    """A name from the data, which HTML sets apart from the words around it."""

    text: str


Part = str | Number | Name


@dataclass(frozen=True)
class Sentence:
    """A sentence made by rule: words, names and numbers."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        text = "".join(part if isinstance(part, str) else part.text for part in self.parts)
        return text[:1].upper() + text[1:]

    def __add__(self, other: Sentence) -> Sentence:
        return Sentence((*self.parts, " ", *other.parts))

    @property
    def pointers(self) -> tuple[str, ...]:
        """The pointers of all numbers, in order, each once."""
        found = [part.pointer for part in self.parts if isinstance(part, Number)]
        return tuple(dict.fromkeys(found))


def say(*parts: Part | Sentence) -> Sentence:
    """Return a sentence from parts; sentences among them are taken in."""
    flat: list[Part] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Sentence) else [part])
    return Sentence(tuple(flat))


def join(sentences: Iterable[Sentence]) -> Sentence:
    """Return sentences one after another, parted by a space."""
    flat: list[Part] = []
    for sentence in sentences:
        flat.extend([" ", *sentence.parts] if flat else sentence.parts)
    return Sentence(tuple(flat))


def show(node: Node, form: Callable[[float], str]) -> Part:
    """Return the number at a node in a form, or a dash where it is undefined."""
    value = node.number
    return DASH if value is None else Number(form(value), value, node.pointer)


def between(node: Node, form: Callable[[float], str]) -> Sentence | None:
    """Return "26.5 to 41.1" from a value object's interval; None where it has none."""
    low, high = node / "low", node / "high"
    if low.number is None or high.number is None:
        return None
    return say(show(low, form), " to ", show(high, form))


def bounds(node: Node, form: Callable[[float], str]) -> Sentence | None:
    """Return the interval, or "at least 3.1, at most 9.2" where a gap has only those."""
    interval = between(node, form)
    if interval is not None:
        return interval
    ends = [("at least ", node / "at_least"), ("at most ", node / "at_most")]
    found = [say(word, show(end, form)) for word, end in ends if end.number is not None]
    if not found:
        return None
    return found[0] if len(found) == 1 else say(found[0], ", ", found[1])


def capital(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]
