"""The conditions of `--fail-on`: read, and judged on a document."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from debias_cl.checks.pointer import Node
from debias_cl.errors import UsageError
from debias_cl.gates import names
from debias_cl.gates.places import Place, places
from debias_cl.gates.result import Document, Gate, figure, judged, undefined, who

ISSUE = "issue"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
ONE = re.compile(rf"\s*(?:({ISSUE})|(.*?[\w)])\s*(>=|<=|>|<)\s*({NUMBER}))\s*(?:,|$)")
END = re.compile(r"(low|high)\s*\((.*)\)", re.IGNORECASE)
FORM = (
    'NAME>NUMBER as "equalized_odds_difference>0.1", "low(NAME)>0.1", '
    '"ATTRIBUTE:NAME>0.1", "ATTRIBUTE=LEVEL:NAME<0.8", or issue'
)
SHARES = ("_difference", "_ratio", "_rate", "accuracy", "precision", "_odds", "f1", "auc")
"""Endings of names of numbers that cannot lie beyond 1."""
SAME = 1e-12
"""Numbers this near are equal: 0.9 - 0.6 is not more than 0.3."""

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
SIDES: Mapping[str, tuple[str, str, str]] = {
    "low": ("low", "at_least", "at least"),
    "high": ("high", "at_most", "at most"),
}


@dataclass(frozen=True)
class Condition:
    """A condition under which an audit does not pass.

    Attributes:
        text: as written.
        source: option or file that it stands in.
        name: of the number, or `issue`: any finding of that outcome.
        operator: ">", ">=", "<" or "<=".
        limit: fraction, or a count for `n`.
        end: "low" or "high" for an end of the 95 % interval; "" for the value.
        scope: attribute, intersection or group; "" for the whole, or each attribute.
    """

    text: str
    source: str
    name: str
    operator: str = ">"
    limit: float = 0.0
    end: str = ""
    scope: str = ""

    def holds(self, found: float) -> bool:
        """Return whether a number meets the condition, so that the gate fails."""
        if math.isclose(found, self.limit, rel_tol=0, abs_tol=SAME):
            return self.operator in (">=", "<=")
        return OPERATORS[self.operator](found, self.limit)


def read(text: str, source: str) -> list[Condition]:
    """Read one or more conditions, parted by commas.

    Raises:
        UsageError: not a condition, an unknown name, or a percentage where a fraction is meant.
    """
    found, place = [], 0
    while place < len(text.rstrip(", ")):
        part = ONE.match(text, place)
        if part is None:
            raise UsageError(
                f"'{text[place:].strip()}' is no condition", where=source, expected=FORM
            )
        if part[1]:
            found.append(Condition(ISSUE, source, ISSUE))
        else:
            written = text[place : part.end()].strip().rstrip(",").strip()
            found.append(_number(written, source, part[2], part[3], float(part[4])))
        place = part.end()
    return found


def _number(text: str, source: str, what: str, sign: str, limit: float) -> Condition:
    inner = END.fullmatch(what.strip())
    end, what = (inner[1].lower(), inner[2].strip()) if inner else ("", what.strip())
    scope, _, name = what.rpartition(":")
    names.check(name.strip(), f"{source}, '{text}'")
    if abs(limit) > 1 and names.base(name.strip()).endswith(SHARES):
        raise UsageError(
            f"{name} cannot be {sign} {limit:g}: it is a fraction",
            where=f"{source}, '{text}'",
            remedy=f"write a percentage as a fraction: {limit / 100:g}",
        )
    return Condition(text, source, name.strip(), sign, limit, end, scope.strip())


def judge(document: Document, condition: Condition, *, excused: bool) -> list[Gate]:
    """Judge a condition wherever it applies.

    Args:
        document: the metrics document, with its findings.
        condition: as read.
        excused: whether an undefined value passes (the policy says so).
    """
    if condition.name == ISSUE:
        return [_issues(document, condition)]
    found = places(document, condition.scope, condition.name)
    return [_one(place, condition, excused=excused) for place in found]


def _issues(document: Document, condition: Condition) -> Gate:
    found = [one for one in document["findings"] if one["outcome"] == ISSUE]
    titles = "; ".join(one["title"] for one in found)
    reason = f"{len(found)} findings are issues: {titles}" if found else "no finding is an issue"
    return judged(
        condition.text,
        "",
        condition.source,
        fails=bool(found),
        found=len(found),
        limit=0,
        reason=reason.replace("1 findings are issues", "1 finding is an issue"),
        pointer="/findings",
    )


def _one(place: Place, condition: Condition, *, excused: bool) -> Gate:
    found, word = _end(place.node, condition.end)
    about = (condition.text, place.of, condition.source)
    if found is None:
        return undefined(
            *about,
            place.absent or _why(place.node, condition),
            limit=condition.limit,
            passes=excused and place.excusable,
            pointer=place.node.pointer,
        )
    return judged(
        *about,
        fails=condition.holds(found),
        found=found,
        limit=condition.limit,
        reason=f"it is {word}{figure(found)}{who(place.node)}",
        pointer=place.node.pointer,
    )


def _end(node: Node, end: str) -> tuple[float | None, str]:
    """Return the number that is judged, and the words before it.

    A gap over three or more groups has no interval; its "at least" and "at most" stand in.
    """
    if not end:
        value = node.value
        return (value, "") if isinstance(value, int) else (node.number, "")
    narrow, wide, word = SIDES[end]
    closed = (node / narrow).number
    return ((node / wide).number if closed is None else closed), f"{word} "


def _why(node: Node, condition: Condition) -> str:
    if condition.end and node.number is not None:
        return f"it is {figure(node.number)}, without an interval"
    reason = (node / "reason").value or "it has no value"
    left = who(node)
    hint = ""
    if condition.name == names.base(condition.name) and node.pointer.endswith(names.MIN_GROUP):
        hint = f"; {condition.name}{names.ALL} is judged over small groups too"
    return f"undefined: {reason}{left}{hint}"
