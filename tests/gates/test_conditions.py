"""`--fail-on`: what is read, where it is looked up, and that it fails closed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debias_cl.checks.pointer import resolve
from debias_cl.errors import UsageError
from debias_cl.gates import exit_code, judge, lines, rules
from debias_cl.gates.conditions import read
from debias_cl.gates.names import known
from debias_cl.metrics.schema import validate

Document = dict[str, Any]
Make = Callable[..., Document]
TWO = {
    ("a", 1, 1): 90, ("a", 1, 0): 10, ("a", 0, 1): 20, ("a", 0, 0): 80,
    ("b", 1, 1): 60, ("b", 1, 0): 40, ("b", 0, 1): 20, ("b", 0, 0): 80,
}  # fmt: skip


@pytest.fixture(scope="module")
def two(document: Make) -> Document:
    """Two groups of 200: TPR .9 and .6, FPR .2 in both."""
    return document(TWO)


def outcomes(document: Document, *conditions: str) -> list[str]:
    return [gate.outcome for gate in judge(document, rules(conditions))]


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("equal_opportunity_difference>0.29", "failed"),
        ("equal_opportunity_difference>0.3", "passed"),  # .9 - .6 is .3, whatever binary says
        ("equal_opportunity_difference>=0.3", "failed"),
        ("g:equal_opportunity_difference > 0.2", "failed"),
        ("equalized_odds_ratio<0.7", "failed"),
        ("equalized_odds_ratio<=0.5", "passed"),
        ("accuracy<0.9", "failed"),
        ("accuracy<0.7", "passed"),
        ("worst_group_accuracy<0.7", "failed"),
        ("g:worst_group_accuracy<0.5", "passed"),
        ("g=b:true_positive_rate<0.8", "failed"),
        ("g=a:true_positive_rate<0.8", "passed"),
        ("y=1 & g=b:accuracy<0.8", "failed"),
        ("g=b:n<200", "passed"),
        ("n<401", "failed"),
        ("equal_opportunity_difference_all>.29", "failed"),
        ("equal_opportunity_difference_min_group>.29", "failed"),
    ],
)
def test_conditions_are_judged_on_the_number_they_name(
    two: Document, condition: str, outcome: str
) -> None:
    (gate,) = judge(two, rules([condition]))
    assert gate.outcome == outcome, gate
    found = resolve(two, gate.pointer)
    assert gate.found == (found["value"] if isinstance(found, dict) else found)


@pytest.mark.parametrize("end", ["low", "high"])
def test_an_end_of_the_interval_is_judged(two: Document, end: str) -> None:
    gap = two["disparities"]["g"]["equal_opportunity_difference_min_group"]
    below, above = gap[end] - 0.001, gap[end] + 0.001
    name = f"{end}(equal_opportunity_difference)"
    assert outcomes(two, f"{name}>{below}", f"{name}>{above}") == ["failed", "passed"]
    assert outcomes(two, f"{end}(accuracy)<{two['overall']['accuracy'][end] + 0.001}") == ["failed"]


def test_of_three_groups_at_least_and_at_most_are_judged(
    document: Make, d7: Mapping[str, Any]
) -> None:
    found = document(d7["abc"])
    gap = found["disparities"]["g"]["demographic_parity_difference_min_group"]
    assert gap["low"] is None and gap["at_least"] is not None
    low, high = judge(found, rules(["low(demographic_parity_difference)>0.1",
                                    "high(demographic_parity_difference)>0.1"]))  # fmt: skip
    assert (low.found, high.found) == (gap["at_least"], gap["at_most"])
    assert "at least" in low.reason and "at most" in high.reason


def test_case_d7_fails_on_the_gap_and_names_who_was_left_out(
    document: Make, d7: Mapping[str, Any]
) -> None:
    asked = rules(["equal_opportunity_difference>0.1"])
    found = document(d7["abc"], asked)
    assert found["gates"][0]["found"] == pytest.approx(0.4)
    assert found["gates"][0]["outcome"] == "failed"
    assert "g = c (no rows with y = 1)" in found["gates"][0]["reason"]
    assert exit_code(found) == 1
    validate(found)


def test_case_d7_without_a_second_group_cannot_be_judged_and_does_not_pass(
    document: Make, d7: Mapping[str, Any], tmp_path: Any
) -> None:
    found = document(d7["ac"], rules(["equal_opportunity_difference>0.1"]))
    assert found["disparities"]["g"]["equal_opportunity_difference"]["value"] is None
    (gate,) = found["gates"]
    assert (gate["outcome"], gate["passes"], gate["found"]) == ("undefined", False, None)
    assert exit_code(found) == 1
    (line,) = lines(found)
    assert "equal_opportunity_difference>0.1" in line and "g = a alone" in line
    assert "does not pass" in line
    validate(found)
    policy = tmp_path / "policy.toml"
    policy.write_text('undefined = "pass"\nfail_on = ["equal_opportunity_difference>0.1"]\n')
    allowed = document(d7["ac"], rules(policy=policy))
    assert allowed["gates"][0]["outcome"] == "undefined" and allowed["gates"][0]["passes"]
    assert exit_code(allowed) == 0 and lines(allowed) == []


def test_the_gap_over_groups_of_enough_rows_is_judged_unless_all_are_named(document: Make) -> None:
    few = {**TWO, ("c", 1, 0): 7, ("c", 0, 0): 40}
    found = document(few)
    assert outcomes(found, "equal_opportunity_difference>0.5") == ["passed"]
    assert outcomes(found, "equal_opportunity_difference_all>0.5") == ["failed"]
    tiny = document({key: n // 10 for key, n in TWO.items()})
    (gate,) = judge(tiny, rules(["equal_opportunity_difference>0.9"]))
    assert not gate.passes and "at least 30 rows" in gate.reason
    assert "equal_opportunity_difference_all" in gate.reason


def test_every_attribute_is_judged_and_intersections_where_they_are_named(document: Make) -> None:
    counts = {(f"{g}/{h}", y, p): n for (g, y, p), n in TWO.items() for h in ("x", "z")}
    found = document(counts)
    gates = judge(found, rules(["equal_opportunity_difference>0.2"]))
    assert [(gate.of, gate.outcome) for gate in gates] == [("g", "failed"), ("h", "passed")]
    (both,) = judge(found, rules(["h & g:accuracy_difference>0.2"]))
    assert both.outcome == "undefined" and "did you mean 'g & h'?" in both.reason
    assert outcomes(found, "g&h:equal_opportunity_difference>0.2") == ["failed"]
    assert outcomes(found, "h=x & g=b:accuracy<0.8", "g=b&h=x:accuracy<0.8") == ["failed"] * 2


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("sex:accuracy_difference>0.1", "no such attribute"),
        ("g=c:accuracy<0.5", "no row is of this group; did you mean"),
        ("auc<0.5", "not measured"),
        ("auc_difference>0.5", "not measured"),
        ("share<0.5", "GROUP=LEVEL:share"),
        ("g:true_positive_rate<0.5", "g=LEVEL:true_positive_rate"),
        ("g=a:accuracy_difference>0.5", "not measured"),
        ("aligned_accuracy<0.5", "undefined: "),
        ("low(n)<5", "without an interval"),
    ],
)
def test_what_cannot_be_judged_does_not_pass(two: Document, condition: str, words: str) -> None:
    (gate,) = judge(two, rules([condition]))
    assert (gate.outcome, gate.passes) == ("undefined", False)
    assert words in gate.reason, gate.reason


def test_a_policy_excuses_undefined_values_but_not_what_was_asked_for_in_vain(
    two: Document, tmp_path: Any
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        'undefined = "pass"\n'
        'fail_on = ["aligned_accuracy<0.5", "g=c:accuracy<0.5", "sex:accuracy_difference>0.1",'
        ' "sex=f:accuracy<0.5", "auc<0.5"]\n'
    )
    gates = judge(two, rules(policy=path))
    assert {gate.outcome for gate in gates} == {"undefined"}
    assert [gate.passes for gate in gates] == [True, True, False, False, False]


def test_without_attributes_nothing_is_compared(two: Document) -> None:
    alone = copy.deepcopy(two) | {"attributes": [], "disparities": {}, "groups": []}
    (gate,) = judge(alone, rules(["accuracy_difference>0.1"]))
    assert not gate.passes and "no attribute" in gate.reason


def test_any_issue_stops(two: Document) -> None:
    assert any(one["outcome"] == "issue" for one in two["findings"])
    assert outcomes(two, "issue") == ["failed"]
    calm = two | {"findings": [one | {"outcome": "note"} for one in two["findings"]]}
    assert outcomes(calm, "issue") == ["passed"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("equalised_odds_difference>0.1", "did you mean 'equalized_odds_difference'?"),
        ("acuracy<0.5", "did you mean 'accuracy'?"),
        ("accuracy", "is no condition"),
        ("accuracy=0.5", "is no condition"),
        ("accuracy<half", "is no condition"),
        ("accuracy<0.5;issue", "is no condition"),
        ("accuracy<90", "write a percentage as a fraction: 0.9"),
        ("middle(accuracy)<0.5", "middle(accuracy)"),
        ("issues", "is no condition"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        rules([text])
    assert words in str(caught.value)


def test_several_conditions_stand_in_one_text_and_levels_may_hold_signs() -> None:
    found = read("accuracy<0.5, issue,age=<5, or more:accuracy>=.25,low(f1) <= 1e-1,", "--fail-on")
    assert [(one.scope, one.name, one.operator, one.limit, one.end) for one in found] == [
        ("", "accuracy", "<", 0.5, ""),
        ("", "issue", ">", 0.0, ""),
        ("age=<5, or more", "accuracy", ">=", 0.25, ""),
        ("", "f1", "<=", 0.1, "low"),
    ]


def test_every_number_of_a_document_with_scores_may_be_named(document: Make) -> None:
    n = sum(TWO.values())
    found = document(TWO, scores=[place / n for place in range(n)])
    names = known()
    for name, value in found["overall"].items():
        assert name in names.overall or not isinstance(value, dict) or "method" not in value
    for gap in found["disparities"]["g"]:
        assert gap.removesuffix("_min_group") in names.gaps
    assert {"auc", "equalized_odds_difference", "true_positive_rate"} <= names.all


rates = st.integers(0, 40)


@settings(max_examples=12, deadline=None)
@given(hits=st.tuples(rates, rates), limit=st.floats(0, 1, allow_nan=False))
def test_a_gate_stops_exactly_when_the_gap_of_the_rows_exceeds_the_limit(
    document: Make, hits: tuple[int, int], limit: float
) -> None:
    counts = {
        (g, 1, p): n for g, x in zip("ab", hits, strict=True) for p, n in ((1, x), (0, 40 - x))
    }
    counts |= {(g, 0, 0): 40 for g in "ab"}
    gap = abs(hits[0] - hits[1]) / 40
    found = document(counts, rules([f"equal_opportunity_difference>{limit:.6f}"]), permutations=10)
    assert exit_code(found) == int(gap > round(limit, 6) + 1e-12)
