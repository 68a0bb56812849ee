"""Every check by its outcomes, on a document made by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from debias_cl.checks import CHECKS
from debias_cl.checks.pointer import resolve
from debias_cl.records import OUTCOMES, Finding

Document = dict[str, Any]
Maker = Callable[..., Document]
FORBIDDEN = re.compile(
    r"\b(fair|unbiased model|safe|significant|good|proves|bias-free|should|must)\b", re.IGNORECASE
)


def run(document: Document, name: str, threshold: float | None = None) -> Finding:
    """The first finding of a check."""
    spec = CHECKS.get(name)
    return next(iter(spec.run(document, spec.threshold if threshold is None else threshold)))


GAPS = {
    "demographic_parity": "demographic_parity_difference",
    "equalized_odds": "equalized_odds_difference",
    "equal_opportunity": "equal_opportunity_difference",
    "predictive_parity": "predictive_parity_difference",
    "accuracy_gap": "accuracy_difference",
}


def put(document: Document, disparity: str, gap: Document) -> None:
    """Set a disparity over groups of enough rows and over all groups."""
    document["disparities"]["Male"] |= {disparity: gap, f"{disparity}_min_group": gap}


@pytest.mark.parametrize(("check", "disparity"), GAPS.items())
def test_each_gap_check_has_its_outcomes(
    document: Document, make_gap: Maker, check: str, disparity: str
) -> None:
    assert run(document, check).outcome == "passed"
    put(document, disparity, make_gap(0.338, 0.265))
    found = run(document, check)
    assert found.outcome == "issue"
    assert "33.8 points (26.5 to 38.8)" in found.sentence
    assert (found.whom, found.n, found.section) == ("men", 200, 5)
    put(document, disparity, make_gap(0.06, 0.03))
    assert run(document, check).outcome == "note"
    put(document, disparity, make_gap(None, reason="fewer than two groups"))
    found = run(document, check)
    assert found.outcome == "not applicable"
    assert "fewer than two groups" in found.sentence
    document["disparities"] = {}
    assert run(document, check).outcome == "skipped"


def test_a_gap_of_small_groups_alone_is_no_more_than_a_note(
    document: Document, make_gap: Maker
) -> None:
    name = "equal_opportunity_difference"
    document["disparities"]["Male"][name] = make_gap(0.5, 0.4)
    document["disparities"]["Male"][f"{name}_min_group"] = make_gap(None)
    found = run(document, "equal_opportunity")
    assert found.outcome == "note"
    assert found.sentence.startswith("Gap of 50.0 points")


def test_selection_is_a_note_where_the_truth_differs_by_as_much(
    document: Document, make_gap: Maker
) -> None:
    put(document, "demographic_parity_difference", make_gap(0.2, 0.15))
    document["groups"][0]["prevalence"]["value"] = 0.25
    document["groups"][1]["prevalence"]["value"] = 0.08
    found = run(document, "demographic_parity")
    assert found.outcome == "note"
    assert "by 17.0 points (8.0% and 25.0%), so this gap alone is not an error" in found.sentence
    document["groups"][0]["prevalence"]["value"] = 0.10
    assert run(document, "demographic_parity").outcome == "issue"


def test_four_fifths(document: Document, make_gap: Maker) -> None:
    assert run(document, "four_fifths").outcome == "passed"
    name = "demographic_parity_ratio"
    put(document, name, make_gap(0.9, 0.7, at_most=1.0))
    assert run(document, "four_fifths").outcome == "note"
    put(document, name, make_gap(0.7, 0.5, at_most=0.9))
    assert run(document, "four_fifths").outcome == "note"
    put(document, name, make_gap(0.5, 0.4, at_most=0.6))
    document["disparities"]["Male"]["demographic_parity_difference_min_group"] = make_gap(0.3, 0.2)
    assert run(document, "four_fifths").outcome == "issue"
    document["groups"][0]["prevalence"]["value"] = 0.5
    document["groups"][1]["prevalence"]["value"] = 0.2
    assert run(document, "four_fifths").outcome == "note"
    put(document, name, make_gap(None, reason="no row was selected"))
    assert run(document, "four_fifths").outcome == "not applicable"
    document["label"]["levels"] = ["0", "1", "2"]
    assert run(document, "four_fifths").outcome == "not applicable"
    document["disparities"] = {}
    assert run(document, "four_fifths").outcome == "skipped"


def test_worst_group_gap(document: Document, make_value: Maker) -> None:
    assert run(document, "worst_group_gap").outcome == "passed"
    cell = {"cell": {"Blond_Hair": "1", "Male": "1"}}
    of = document["attributes_overall"]["Male"]
    of["worst_group_accuracy"] = make_value(0.56, 0.488, 0.631) | cell
    found = run(document, "worst_group_gap")
    assert found.outcome == "issue"
    assert found.sentence.startswith(
        "56.0% (48.8 to 63.1) of blond men are classified right, 39.0 points less"
    )
    of["worst_group_accuracy"] = make_value(0.84, 0.7, 0.96) | cell
    assert run(document, "worst_group_gap").outcome == "note"
    of["worst_group_accuracy"] = make_value(None, None, None) | {"cell": None}
    assert run(document, "worst_group_gap").outcome == "not applicable"
    document["attributes_overall"] = {}
    assert run(document, "worst_group_gap").outcome == "skipped"


def test_conflict_below_aligned(document: Document, make_value: Maker) -> None:
    assert run(document, "conflict_below_aligned").outcome == "passed"
    of = document["attributes_overall"]["Male"]
    of["aligned_minus_conflict"] = make_value(0.19, 0.153, 0.227)
    found = run(document, "conflict_below_aligned")
    assert found.outcome == "issue"
    assert "a gap of 19.0 points (15.3 to 22.7)" in found.sentence
    of["aligned_minus_conflict"] = make_value(0.19, -0.01, 0.4)
    assert run(document, "conflict_below_aligned").outcome == "note"
    document["attributes"][0]["alignment"] = None
    assert run(document, "conflict_below_aligned").outcome == "not applicable"
    document["attributes"] = []
    assert run(document, "conflict_below_aligned").outcome == "skipped"


def test_small_groups(document: Document) -> None:
    assert run(document, "small_groups").outcome == "passed"
    document["groups"][1]["true_positive_rate"]["n"] = 24
    found = run(document, "small_groups")
    assert found.outcome == "note"
    assert "One group has fewer than 30 blond images: men (24)" in found.sentence
    document["groups"] = []
    assert run(document, "small_groups").outcome == "skipped"


def test_empty_cells(document: Document) -> None:
    assert run(document, "empty_cells").outcome == "passed"
    document["cells"][1]["n"] = 0
    found = run(document, "empty_cells")
    assert found.outcome == "note"
    assert "One cell has no images: blond men" in found.sentence
    document["cells"] = []
    assert run(document, "empty_cells").outcome == "skipped"


def test_constant_predictions(document: Document) -> None:
    assert run(document, "constant_predictions").outcome == "passed"
    for cell in document["cells"]:
        cell["predicted"] = {"0": cell["n"], "1": 0}
    found = run(document, "constant_predictions")
    assert found.outcome == "issue"
    assert found.sentence == "It answers “not blond” for every one of 2,000 images."
    assert run(document, "constant_predictions", 1.1).outcome == "note"
    document["cells"] = []
    assert run(document, "constant_predictions").outcome == "skipped"


def test_majority_class(document: Document, make_value: Maker) -> None:
    found = run(document, "majority_class")
    assert found.outcome == "passed"
    assert found.sentence.endswith("always answering “not blond” is right for 70.0%.")
    document["overall"]["accuracy"] = make_value(0.7, 0.68, 0.72)
    assert run(document, "majority_class").outcome == "note"
    document["overall"]["accuracy"] = make_value(0.6, 0.58, 0.62)
    assert run(document, "majority_class").outcome == "issue"
    document["cells"] = []
    assert run(document, "majority_class").outcome == "not applicable"


def test_missing_attributes(document: Document) -> None:
    assert run(document, "missing_attributes").outcome == "passed"
    document["groups"][1] |= {"group": {"Male": "(missing)"}, "n": 45, "share": 0.002}
    found = run(document, "missing_attributes")
    assert found.outcome == "note"
    assert found.sentence.startswith("Male is missing for 45 images (0.2%)")
    document["groups"][1]["share"] = 0.3
    assert run(document, "missing_attributes").outcome == "issue"
    document["attributes"] = []
    assert run(document, "missing_attributes").outcome == "skipped"


def test_missing_predictions(document: Document, make_gap: Maker) -> None:
    assert run(document, "missing_predictions").outcome == "passed"
    document["n_missing_prediction"] = 12
    assert run(document, "missing_predictions").outcome == "note"
    put(document, "missing_prediction_difference", make_gap(0.2, 0.1))
    found = run(document, "missing_predictions")
    assert found.outcome == "issue"
    assert found.sentence.startswith("12 images have no prediction")
    document["disparities"] = {}
    assert run(document, "missing_predictions").outcome == "skipped"


def test_split_shares(document: Document) -> None:
    assert run(document, "split_shares").outcome == "passed"
    splits = document["dataset"]["splits"]
    splits["train"]["cells"] = [dict(cell) for cell in splits["test"]["cells"]]
    splits["train"]["cells"][1]["n"] = 20
    found = run(document, "split_shares")
    assert found.outcome == "note"
    assert "blond men are 1.0% of training and 10.0% of test, 9.0 points" in found.sentence
    splits["train"]["cells"] = []
    assert run(document, "split_shares").outcome == "not applicable"
    del splits["train"]
    assert run(document, "split_shares").outcome == "skipped"


def test_exclusions(document: Document) -> None:
    assert run(document, "exclusions").outcome == "passed"
    listed = [{"item": "a.jpg", "where": "a.jpg", "reason": "empty file"}]
    document["dataset"]["exclusions"] = {"count": 1, "listed": listed}
    found = run(document, "exclusions")
    assert found.outcome == "note"
    assert found.sentence == "1 of 4,001 images were left out (<0.1%): empty file (1)."
    document["dataset"]["exclusions"]["count"] = 900
    assert run(document, "exclusions").outcome == "issue"
    del document["dataset"]["exclusions"]
    assert run(document, "exclusions").outcome == "skipped"


@pytest.mark.parametrize("name", CHECKS.names())
def test_every_check_keeps_the_contract(document: Document, name: str) -> None:
    spec = CHECKS.get(name)
    assert spec.question.endswith("?")
    found = list(spec.run(document, spec.threshold))
    assert found
    for finding in found:
        assert finding.outcome in OUTCOMES
        assert re.fullmatch(r"[a-z-]+(:.+)?", finding.code)
        assert finding.sentence.endswith(".")
        assert not FORBIDDEN.search(finding.sentence)
        for pointer in finding.pointers:
            resolve(document, pointer)
