"""The rule of the five outcomes: one case for each of its branches."""

from __future__ import annotations

from typing import Any

import pytest

from debias_cl.checks.outcomes import judge
from debias_cl.checks.pointer import Node

SURE: dict[str, Any] = {"p": 0.001, "p_adjusted": 0.01, "detectable": 0.05}
CHANCE: dict[str, Any] = {"p": 0.2, "p_adjusted": 0.4, "detectable": 0.05}


@pytest.mark.parametrize(
    ("value", "more", "outcome", "why"),
    [
        (0.3, SURE | {"at_least": 0.2}, "issue", "wide"),
        (0.1, SURE | {"at_least": 0.01}, "issue", "wide"),
        (0.3, SURE | {"at_least": 0.0}, "note", "unsure"),
        (0.3, CHANCE | {"at_least": 0.2}, "note", "unsure"),
        (0.07, SURE | {"at_least": 0.02}, "note", "clear"),
        (0.07, CHANCE | {"at_least": 0.0}, "passed", "seen"),
        (0.07, CHANCE | {"at_least": 0.0, "detectable": 0.2}, "note", "few"),
        (0.07, CHANCE | {"at_least": 0.0, "detectable": None}, "note", "few"),
        (None, SURE, "not applicable", "undefined"),
    ],
)
def test_a_gap_has_one_outcome(
    value: float | None, more: dict[str, Any], outcome: str, why: str
) -> None:
    judged = judge(Node({"value": value, **more}), 0.10)
    assert (judged.outcome, judged.why) == (outcome, why)


def test_a_gap_that_was_not_measured_is_skipped() -> None:
    assert judge(Node({}) / "gap", 0.10).outcome == "skipped"


@pytest.mark.parametrize(
    ("low", "high", "value", "outcome"),
    [
        (0.12, 0.3, 0.2, "issue"),
        (-0.05, 0.4, 0.2, "note"),
        (0.01, 0.09, 0.05, "note"),
        (-0.02, 0.09, 0.03, "passed"),
        (-0.02, 0.15, 0.03, "note"),
    ],
)
def test_a_value_with_an_interval_alone_is_judged_by_it(
    low: float, high: float, value: float, outcome: str
) -> None:
    assert judge(Node({"value": value, "low": low, "high": high}), 0.10).outcome == outcome


def test_the_plain_p_counts_where_none_is_adjusted() -> None:
    gap = {"value": 0.3, "at_least": 0.1, "p": 0.01, "p_adjusted": None, "detectable": 0.05}
    assert judge(Node(gap), 0.10).outcome == "issue"
