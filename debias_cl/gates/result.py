"""What one gate says, and how numbers are written in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from debias_cl.checks.pointer import Node
from debias_cl.metrics.values import described

Outcome = Literal["passed", "failed", "undefined"]
Document = Mapping[str, Any]


@dataclass(frozen=True)
class Gate:
    """One gate after it was judged.

    Attributes:
        text: the rule as it was written ("equalized_odds_difference>0.1").
        of: attribute or group that it was judged on; "" for the whole.
        source: who asked for it ("--fail-on", the policy's file, the baseline's file).
        outcome: passed, failed, or undefined where it could not be judged.
        passes: whether the job may go on; an undefined gate passes only where the policy says so.
        found: the number that was judged; None where there is none.
        limit: the number that it was held against; None where there is none.
        reason: what was found, in words.
        pointer: JSON pointer of what was judged; "" where there is nothing.
    """

    text: str
    of: str
    source: str
    outcome: Outcome
    passes: bool
    found: float | None
    limit: float | None
    reason: str
    pointer: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return dict(self.__dict__)


def undefined(
    text: str,
    of: str,
    source: str,
    reason: str,
    *,
    limit: float | None = None,
    passes: bool = False,
    pointer: str = "",
) -> Gate:
    """Return a gate that could not be judged."""
    return Gate(text, of, source, "undefined", passes, None, limit, reason, pointer)


def judged(
    text: str,
    of: str,
    source: str,
    *,
    fails: bool,
    found: float,
    limit: float,
    reason: str,
    pointer: str,
) -> Gate:
    """Return a gate that holds a number against a limit."""
    outcome: Outcome = "failed" if fails else "passed"
    return Gate(text, of, source, outcome, not fails, found, limit, reason, pointer)


def figure(value: float) -> str:
    """Return a number as gates write it: counts whole, fractions with three decimals or more.

    >>> figure(12), figure(0.4), figure(0.00012)
    ('12', '0.400', '0.00012')
    """
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2g}"


def who(node: Node) -> str:
    """Return between whom a gap stands, and who was left out: "" where that is not known."""
    low, high = (node / "lowest" / "group").value, (node / "highest" / "group").value
    said = f", lowest for {described(low)}, highest for {described(high)}" if low and high else ""
    cell = (node / "cell").value
    said += f", for {described(cell)}" if cell else ""
    out = [
        f"{described(one['group'])} ({one['reason']})" if one["group"] else str(one["reason"])
        for one in (node / "left_out").value or ()
    ]
    return said + (f"; not judged: {', '.join(out)}" if out else "")
