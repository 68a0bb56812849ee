"""The rule of the five outcomes for a gap, in one place.

Issue: at or above the threshold, beyond chance, and surely above zero. Passed: below the
threshold, and a gap of the threshold's size would have been seen in 80 of 100 audits with these
numbers. A note is everything between: a clear gap below the threshold, a wide one that chance
may give, or too few rows to say. Not applicable has no meaning; skipped lacked something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from debias_cl.checks.pointer import Node
from debias_cl.records import Outcome

Why = Literal["wide", "clear", "unsure", "few", "seen", "undefined", "missing"]
SURE = 0.05
"""Largest p-value that counts as beyond chance."""


@dataclass(frozen=True)
class Judged:
    """An outcome and why.

    Attributes:
        outcome: one of the five.
        why: wide (issue), clear (below the threshold, beyond chance), unsure (above it, chance may
            give it), few (too few rows), seen (passed),
            undefined (not applicable), missing (skipped).
    """

    outcome: Outcome
    why: Why


def judge(gap: Node, threshold: float) -> Judged:
    """Return the outcome of a gap (a disparity or value object; positive is worse)."""
    if not gap:
        return Judged("skipped", "missing")
    value = gap.number
    if value is None:
        return Judged("not applicable", "undefined")
    if value >= threshold:
        sure = beyond_chance(gap) and (least(gap) or 0.0) > 0
        return Judged("issue", "wide") if sure else Judged("note", "unsure")
    if value > 0 and beyond_chance(gap):
        return Judged("note", "clear")
    return Judged("passed", "seen") if would_be_seen(gap, threshold) else Judged("note", "few")


def beyond_chance(gap: Node) -> bool:
    """Return whether a gap is more than chance gives: by its p-value, its band, its interval.

    A shuffled attribute gives the p-value; without one the interval must leave 0 out.
    """
    for key in ("p_adjusted", "p"):
        p = (gap / key).number
        if p is not None:
            return p <= SURE
    return (least(gap) or 0.0) > 0


def least(gap: Node) -> float | None:
    """Return the lower end of a gap: "at least", else the interval's low end."""
    found = (gap / "at_least").number
    return (gap / "low").number if found is None else found


def would_be_seen(gap: Node, threshold: float) -> bool:
    """Return whether these numbers would usually show a gap of the threshold's size.

    By the detectable gap (80 % power) where there is one; else by the interval, which must end
    below the threshold.
    """
    detectable = (gap / "detectable").number
    if detectable is not None:
        return detectable <= threshold
    if "detectable" in gap.value:
        return False
    high = (gap / "high").number
    return high is not None and high < threshold
