"""Both ends of a gap in natural frequencies, as the rate behind it asks."""

from __future__ import annotations

from collections.abc import Callable

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, of_hundred, say, show


def two_ends(names: Names, gap: Node, joint: str) -> Sentence:
    """Say both ends of a gap in natural frequencies, the higher first."""
    return SAID[str((gap / "rate").value)](names, gap, joint)


def _found(names: Names, gap: Node, joint: str) -> Sentence:
    level = str((gap / "class").value or names.document["label"]["positive"])
    return _ends(gap, "It finds ", lambda group: names.found_among(level, group), "", joint)


def _called(names: Names, gap: Node, joint: str) -> Sentence:
    levels = names.document["label"]["levels"]
    positive = names.document["label"]["positive"]
    other = next((level for level in levels if level != positive), positive)

    def who(group: dict[str, str]) -> str:
        return names.found_among(other, group)

    return _ends(gap, f"It wrongly calls “{names.positive}” ", who, "", joint)


def _right(names: Names, gap: Node, joint: str) -> Sentence:
    return _ends(gap, "It is right for ", names.people, "", joint)


def _ends(
    gap: Node, start: str, who: Callable[[dict[str, str]], str], tail: str, joint: str
) -> Sentence:
    low, high = gap / "lowest", gap / "highest"
    first = say(start, show(high / "value", of_hundred), " of every 100 ")
    second = say(joint, show(low / "value", of_hundred), " of every 100 ")
    return say(first, who((high / "group").value), second, who((low / "group").value), tail)


def _selected(names: Names, gap: Node, joint: str) -> Sentence:
    return _ends(gap, f"It calls {names.positive} ", names.people, "", joint)


SAID: dict[str, Callable[[Names, Node, str], Sentence]] = {
    "true_positive_rate": _found,
    "false_positive_rate": _called,
    "accuracy": _right,
    "selection_rate": _selected,
    "None": _right,
}
