"""Which way the pooled gap points: Simpson's reversal and its milder kin."""

from __future__ import annotations

from typing import Any

import pytest

from debias_cl.checks.pooled_gap import SPEC


def signed(value: float | None, half: float) -> dict[str, Any]:
    known = value is not None
    return {
        "value": value,
        "low": value - half if known else None,
        "high": value + half if known else None,
        "n": 500,
        "reason": None if known else "no stratum has rows of both",
        "method": "x",
    }


def contrast(pooled: Any, within: Any, rate: str = "selection_rate") -> dict[str, Any]:
    return {
        "measure": "demographic_parity",
        "rate": rate,
        "class": None,
        "group": {"Male": "0"},
        "against": {"Male": "1"},
        "pooled": pooled,
        "within": within,
        "reversed": None,
        "strata": [],
    }


def finding(document: Any, *contrasts: Any, threshold: float = 0.0) -> Any:
    document["within"] = {
        "column": "site",
        "weights": "each stratum counts by its share of the rows",
        "strata": [],
        "attributes": {"Male": list(contrasts)},
    }
    (found,) = SPEC.run(document, threshold)
    return found


@pytest.mark.parametrize(
    ("pooled", "within", "outcome", "said"),
    [
        (signed(0.14, 0.03), signed(-0.04, 0.03), "issue", "opposite ways, both beyond chance"),
        (signed(0.14, 0.03), signed(-0.04, 0.05), "note", "not both are beyond chance"),
        (signed(0.02, 0.03), signed(-0.08, 0.05), "note", "not both are beyond chance"),
        (signed(0.02, 0.03), signed(0.08, 0.05), "note", "Only the gap inside the strata"),
        (signed(0.14, 0.03), signed(0.02, 0.05), "note", "Inside the strata chance alone"),
        (signed(0.14, 0.03), signed(0.09, 0.05), "passed", "Both point the same way"),
        (signed(0.01, 0.03), signed(-0.01, 0.05), "passed", "Chance alone can give both"),
        (signed(0.14, 0.03), signed(None, 0), "not applicable", "no stratum has rows of both"),
    ],
)
def test_each_case(document: Any, pooled: Any, within: Any, outcome: str, said: str) -> None:
    found = finding(document, contrast(pooled, within))
    assert found.outcome == outcome
    assert said in found.sentence
    assert found.code == "pooled-gap:Male"


def test_the_worst_measure_speaks_and_the_numbers_have_pointers(document: Any) -> None:
    same = contrast(signed(0.3, 0.02), signed(0.2, 0.02), "accuracy")
    turned = contrast(signed(0.14, 0.03), signed(-0.04, 0.03))
    found = finding(document, same, turned)
    assert found.outcome == "issue"
    assert "14.0 (11.0 to 17.0) points over all rows" in found.sentence
    assert "−4.0 (−7.0 to −1.0) points inside the levels of site" in found.sentence
    assert "/within/attributes/Male/1/within" in found.pointers


def test_a_threshold_lets_small_gaps_be_none(document: Any) -> None:
    turned = contrast(signed(0.14, 0.03), signed(-0.04, 0.03))
    assert finding(document, turned, threshold=0.05).outcome == "note"


def test_without_strata_it_does_not_apply(document: Any) -> None:
    (found,) = SPEC.run(document, 0.0)
    assert found.outcome == "not applicable"
    assert "--within" in found.sentence
