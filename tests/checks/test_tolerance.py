"""Tolerances become findings: within passes, outside is an issue, unsettled is a note."""

from __future__ import annotations

from typing import Any

import pytest

from debias_cl.checks.run import run_checks
from debias_cl.checks.tolerance import SPEC

NAME = "demographic_parity_difference"


def found(document: Any, make_gap: Any, reading: str | None, **more: Any) -> Any:
    gap = make_gap(None if reading is None else 0.08, 0.02, **more)
    gap["tolerance"] = {"limit": 0.05, "reading": reading}
    document["disparities"]["Male"] |= {NAME: gap, f"{NAME}_min_group": gap}
    document["settings"] = {**document.get("settings", {}), "tolerance": {NAME: 0.05}}
    (finding,) = SPEC.run(document, 0.0)
    return finding


@pytest.mark.parametrize(
    ("reading", "outcome", "said"),
    [
        ("within", "passed", "all of its interval lies within the tolerance of 5.0 points"),
        ("exceeds", "issue", "all of its interval lies outside the tolerance of 5.0 points"),
        ("inconclusive", "note", "inconclusive, as its interval holds the tolerance of 5.0 points"),
        (None, "not applicable", "Not defined: no rows."),
    ],
)
def test_each_reading_has_its_outcome(
    document: Any, make_gap: Any, reading: str | None, outcome: str, said: str
) -> None:
    finding = found(document, make_gap, reading)
    assert finding.outcome == outcome
    assert said in finding.sentence
    assert finding.code == f"tolerance:Male:{NAME}"
    if reading:
        assert finding.sentence.startswith("8.0 points (2.0 to 13.0): ")
        assert f"/disparities/Male/{NAME}_min_group/tolerance/limit" in finding.pointers


def test_without_a_tolerance_it_does_not_apply(document: Any) -> None:
    (finding,) = SPEC.run(document, 0.0)
    assert finding.outcome == "not applicable"
    assert "No tolerance was given" in finding.sentence


def test_a_number_that_was_not_measured_is_skipped(document: Any) -> None:
    document["settings"] = {**document.get("settings", {}), "tolerance": {"auc_difference": 0.05}}
    document["disparities"]["Male"].pop("auc_difference", None)
    document["disparities"]["Male"].pop("auc_difference_min_group", None)
    (finding,) = SPEC.run(document, 0.0)
    assert finding.outcome == "skipped"


def test_groups_too_small_to_be_judged_are_no_issue(document: Any, make_gap: Any) -> None:
    found(document, make_gap, "exceeds")
    few = make_gap(None)
    few["tolerance"] = {"limit": 0.05, "reading": None}
    document["disparities"]["Male"][f"{NAME}_min_group"] = few
    (finding,) = SPEC.run(document, 0.0)
    assert finding.outcome == "note"


def test_it_runs_with_all_checks(document: Any, make_gap: Any) -> None:
    found(document, make_gap, "exceeds")
    codes = {one.code: one.outcome for one in run_checks(document)}
    assert codes[f"tolerance:Male:{NAME}"] == "issue"
