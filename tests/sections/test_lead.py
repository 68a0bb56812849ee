"""Which gap leads the report."""

from __future__ import annotations

from typing import Any

from debias_cl.sections.lead import lead, lead_sentence
from debias_cl.sections.reading import chosen

Document = dict[str, Any]


def first_sentence(document: Document) -> str:
    """The lead as plain text."""
    return str(lead_sentence(document, lead(document), chosen(document)))


def test_a_binary_label_leads_with_the_share_found(faces_base: Document) -> None:
    found = lead(faces_base)
    assert found is not None
    assert (found.attribute, found.measure) == ("Male", "equal_opportunity_difference")
    assert found.judged.outcome == "issue"
    assert first_sentence(faces_base).startswith("Yes. It finds 89 of every 100 blond women, but ")


def test_many_levels_lead_with_aligned_against_conflicting(digits_base: Document) -> None:
    found = lead(digits_base)
    assert found is not None and found.conflict
    aligned = digits_base["overall"]["aligned_accuracy"]["value"]
    assert f"{aligned * 100:.0f} of every 100 digits on their usual" in first_sentence(digits_base)


def test_a_clear_gap_below_the_threshold_is_a_little(races_base: Document) -> None:
    assert first_sentence(races_base).startswith("A little. It finds ")


def test_an_issue_elsewhere_leads_over_a_passed_share(races_document: Document) -> None:
    gaps = races_document["disparities"]["race"]
    gap = gaps["equal_opportunity_difference_min_group"]
    gap |= {"value": 0.01, "p_adjusted": 0.9, "detectable": 0.05}
    wrong = gaps["equalized_odds_difference_min_group"]
    wrong |= {"value": 0.3, "at_least": 0.2, "p_adjusted": 0.01, "rate": "false_positive_rate"}
    assert first_sentence(races_document).startswith("Yes. It wrongly calls “women” ")


def test_one_answer_for_everything_leads_before_all(faces_document: Document) -> None:
    for cell in faces_document["cells"]:
        cell["predicted"] = {"0": cell["n"], "1": 0}
    assert first_sentence(faces_document).startswith("It answers “not blond” for every one")


def test_without_groups_nothing_is_claimed(faces_document: Document) -> None:
    faces_document |= {"attributes": [], "disparities": {}, "classes": []}
    assert lead(faces_document) is None
    assert first_sentence(faces_document).startswith("No groups could be compared")


def test_without_a_label_what_is_selected_is_compared(races_document: Document) -> None:
    races_document["label"]["name"] = None
    assert chosen(races_document).rate == "selection_rate"
    found = lead(races_document)
    assert found is not None and found.measure == "demographic_parity_difference"
