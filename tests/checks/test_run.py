"""All checks together."""

from __future__ import annotations

from typing import Any

import pytest

from debias_cl.checks import CHECKS
from debias_cl.checks.run import run_checks
from debias_cl.errors import UsageError
from debias_cl.records import OUTCOMES, to_json

Document = dict[str, Any]


def test_every_check_says_something_worst_first(document: Document) -> None:
    found = run_checks(document)
    assert len(found) >= len(CHECKS.names())
    order = [OUTCOMES.index(finding.outcome) for finding in found]
    assert order == sorted(order)


def test_the_thresholds_used_are_recorded(document: Document) -> None:
    document["settings"]["min_group"] = 50
    run_checks(document, {"equal_opportunity": 0.01})
    used = document["settings"]["thresholds"]
    assert used["equal_opportunity"] == 0.01
    assert used["equalized_odds"] == 0.10
    assert used["small_groups"] == 50
    assert set(used) == set(CHECKS.names())


def test_a_lower_threshold_makes_an_issue(document: Document, make_gap: Any) -> None:
    document["disparities"]["Male"]["accuracy_difference_min_group"] = make_gap(0.06, 0.03)
    by_code = {f.code: f.outcome for f in run_checks(document, {"accuracy_gap": 0.05})}
    assert by_code["accuracy-gap:Male"] == "issue"


def test_a_threshold_for_no_check_is_refused(document: Document) -> None:
    with pytest.raises(UsageError, match="did you mean 'equalized_odds'"):
        run_checks(document, {"equalised_odds": 0.1})


def test_numbers_of_sentences_are_kept(document: Document) -> None:
    document["groups"][0]["prevalence"]["value"] = 0.9
    run_checks(document)
    kept = document["verdict"]["Male"]
    assert kept["truth_gap"]["value"] == pytest.approx(0.1)
    assert kept["truth_widening"]["value"] == pytest.approx(0.02 - 0.1)


def test_findings_are_strict_json(document: Document) -> None:
    document["findings"] = [finding.to_dict() for finding in run_checks(document)]
    assert "Infinity" not in to_json(document)
