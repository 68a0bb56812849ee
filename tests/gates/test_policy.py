"""The policy file, required groups, and an earlier audit as the measure."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from debias_cl.cli import MetricOptions
from debias_cl.errors import DataError, UsageError
from debias_cl.gates import exit_code, judge, lines, rules
from debias_cl.gates.policy import read_policy
from debias_cl.records import to_json

Document = dict[str, Any]
Make = Callable[..., Document]


def counts(
    hits_a: int, hits_b: int, n: int = 200, wrong: int = 20
) -> dict[tuple[str, int, int], int]:
    """Two groups of n positives with so many found, and n negatives with so many called."""
    found: dict[tuple[str, int, int], int] = {}
    for group, hits in (("a", hits_a), ("b", hits_b)):
        found |= {(group, 1, 1): hits, (group, 1, 0): n - hits}
        found |= {(group, 0, 1): wrong, (group, 0, 0): n - wrong}
    return found


def policy(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_policy_says_it_all(document: Make, tmp_path: Path) -> None:
    path = policy(
        tmp_path,
        """
        undefined = "fail"
        fail_on = ["accuracy<0.5", "issue"]
        [required]
        "g=a" = 300
        "g = b" = 401
        "g=c" = 1
        [tolerance]
        demographic_parity_difference = 0.05
        """,
    )
    found = document(counts(180, 60), rules(["g=b:accuracy<0.9"], path))
    told = [(gate["text"], gate["source"], gate["outcome"]) for gate in found["gates"]]
    assert told == [
        ("g=b:accuracy<0.9", "--fail-on", "failed"),
        ("accuracy<0.5", "policy.toml", "passed"),
        ("issue", "policy.toml", "failed"),
        ("g=a has 300 rows or more", "policy.toml", "passed"),
        ("g = b has 401 rows or more", "policy.toml", "failed"),
        ("g=c has 1 rows or more", "policy.toml", "undefined"),
    ]
    assert exit_code(found) == 1
    assert "it has 400 rows" in lines(found)[2] and "no row is of this group" in lines(found)[3]
    assert MetricOptions(policy=str(path)).settings().tolerance == {
        "demographic_parity_difference": 0.05
    }


def test_a_required_group_that_is_absent_is_not_excused(document: Make, tmp_path: Path) -> None:
    path = policy(tmp_path, 'undefined = "pass"\n[required]\n"g=c" = 1\n')
    assert exit_code(document(counts(180, 180), rules(policy=path))) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('failon = ["issue"]', "did you mean 'fail_on'?"),
        ("fail_on = 3", "a list of conditions"),
        ("fail_on = ['accuracy<half']", "is no condition"),
        ("undefined = 'ignore'", '"fail" or "pass"'),
        ("required = 3", "a table of groups"),
        ("[required]\n'g=a' = 0", "a table of groups"),
        ("[required]\n'g' = 5", "a table of groups"),
        ("[required]\n'g=a' = true", "a table of groups"),
        ("[tolerance]\ndemographic_parity_diference = 0.1", "did you mean"),
        ("[tolerance]\naccuracy = 0.1", "no number 'accuracy'"),
        ("[tolerance]\naccuracy_difference = 5", "a fraction from 0 to 1"),
        ("fail_on = [", "not TOML"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    path = policy(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        rules(policy=path)
    assert words in str(caught.value) and "policy.toml" in str(caught.value)


def test_an_absent_policy_names_the_nearest(tmp_path: Path) -> None:
    policy(tmp_path, "")
    with pytest.raises(UsageError, match=r"did you mean 'policy\.toml'"):
        read_policy(tmp_path / "polcy.toml")


@pytest.fixture
def before(document: Make, tmp_path: Path) -> Callable[..., Path]:
    """Writes an earlier audit and returns its file."""

    def write(found: Document) -> Path:
        path = tmp_path / "metrics.json"
        path.write_text(to_json(found), encoding="utf-8")
        return path

    return write


def test_the_same_audit_is_no_worse_than_itself(document: Make, before: Any) -> None:
    found = document(counts(180, 120))
    gates = judge(found, rules(baseline=before(found)))
    assert len(gates) > 10
    assert all(gate.passes for gate in gates)
    assert {gate.of for gate in gates} == {"", "g"}


def test_a_gap_is_worse_only_beyond_the_noise_of_both(document: Make, before: Any) -> None:
    earlier = before(document(counts(180, 170)))
    near = judge(document(counts(180, 164)), rules(baseline=earlier))
    assert all(gate.passes for gate in near)
    far = judge(document(counts(180, 100)), rules(baseline=earlier))
    worse = {gate.text.split()[0]: gate for gate in far if not gate.passes}
    assert {"equal_opportunity_difference", "worst_group_accuracy"} <= set(worse)
    gate = worse["equal_opportunity_difference"]
    assert gate.outcome == "failed" and gate.found is not None and gate.limit is not None
    assert gate.found > gate.limit
    assert "0.400 here, 0.050 before; at least" in gate.reason


def test_getting_better_passes(document: Make, before: Any) -> None:
    earlier = before(document(counts(180, 60)))
    assert all(gate.passes for gate in judge(document(counts(180, 178)), rules(baseline=earlier)))


def test_a_missing_counterpart_is_named_and_does_not_pass(document: Make, before: Any) -> None:
    old, new = document(counts(180, 170)), document(counts(180, 170))
    lacking = copy.deepcopy(new)
    gap = lacking["disparities"]["g"]["accuracy_difference_min_group"]
    gap |= {"value": None, "reason": "no such groups"}
    (gate,) = [g for g in judge(lacking, rules(baseline=before(old))) if not g.passes]
    assert gate.outcome == "undefined"
    assert "accuracy_difference has no value in this audit: no such groups" in gate.reason
    (gate,) = [g for g in judge(new, rules(baseline=before(lacking))) if not g.passes]
    assert "accuracy_difference has no value in the baseline" in gate.reason
    more = copy.deepcopy(new)
    more["attributes"].append(more["attributes"][0] | {"name": "h"})
    more["disparities"]["h"] = more["disparities"]["g"]
    void = [g for g in judge(more, rules(baseline=before(old))) if not g.passes]
    assert {gate.of for gate in void} == {"h"} and len(void) > 5


def test_what_is_undefined_in_both_is_no_worse(document: Make, before: Any, d7: Any) -> None:
    found = document(d7["ac"])
    gates = judge(found, rules(baseline=before(found)))
    both = [gate for gate in gates if gate.outcome == "undefined"]
    assert both and all(gate.passes and "both" in gate.reason for gate in both)


def test_without_an_interval_values_are_compared(document: Make, before: Any) -> None:
    old, new = document(counts(180, 170)), document(counts(180, 170))
    for found, value in ((old, 0.1), (new, 0.11)):
        found["disparities"]["g"]["bias_amplification_min_group"] |= {
            "value": value, "low": None, "high": None, "at_least": None, "at_most": None,
        }  # fmt: skip
    (gate,) = [g for g in judge(new, rules(baseline=before(old))) if not g.passes]
    assert gate.text.startswith("bias_amplification") and "values are compared" in gate.reason


def test_another_question_is_no_baseline(document: Make, before: Any) -> None:
    old = document(counts(180, 170))
    path = before(old | {"label": old["label"] | {"positive": "0"}})
    (gate,) = judge(old, rules(baseline=path))
    assert not gate.passes and "favourable level is 0, here it is 1" in gate.reason


def test_a_baseline_must_be_a_metrics_document(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no metrics"):
        rules(baseline=tmp_path / "none.json")
    (tmp_path / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match=r"debias_cl\.metrics/1"):
        rules(baseline=tmp_path)
