"""The three-way reading of a gap, case by case and on a whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.tolerance import reading


def gap(value: float | None, low: Any, high: Any, *, bounds: bool = False) -> dict[str, Any]:
    keys = ("at_least", "at_most") if bounds else ("low", "high")
    return {"value": value, "low": None, "high": None, **dict(zip(keys, (low, high), strict=True))}


@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize(
    ("low", "value", "high", "said"),
    [
        (0.0, 0.01, 0.03, "within"),
        (0.0, 0.01, 0.05, "within"),  # the interval's end may equal the limit
        (0.0, 0.01, 0.0501, "inconclusive"),  # not beyond chance, and not within
        (0.02, 0.04, 0.06, "inconclusive"),  # beyond chance, and not outside
        (0.05, 0.06, 0.08, "inconclusive"),
        (0.0501, 0.06, 0.08, "exceeds"),
        (None, 0.06, None, "inconclusive"),
        (0.06, 0.07, None, "exceeds"),
        (None, None, None, None),
    ],
)
def test_a_difference(low: Any, value: Any, high: Any, said: str | None, bounds: bool) -> None:
    assert reading(gap(value, low, high, bounds=bounds), 0.05) == said


@pytest.mark.parametrize(
    ("low", "value", "high", "said"),
    [
        (0.85, 0.9, 1.0, "within"),
        (0.8, 0.9, 1.0, "within"),
        (0.79, 0.9, 1.0, "inconclusive"),
        (0.5, 0.7, 0.8, "inconclusive"),
        (0.5, 0.7, 0.79, "exceeds"),
    ],
)
def test_a_ratio_has_a_smallest(low: float, value: float, high: float, said: str) -> None:
    assert reading(gap(value, low, high), 0.8, smallest=True) == said


def test_every_gap_is_read_over_all_groups_and_over_large_ones(make: Any) -> None:
    rng = np.random.default_rng(2)
    n = 3000
    g = rng.choice(["a", "b"], n)
    label = rng.integers(0, 2, n).astype(str)
    answer = np.where(rng.random(n) < np.where(g == "a", 0.95, 0.7), label, "0")
    limits = {
        "accuracy_difference": 0.05,
        "demographic_parity_ratio_min_group": 0.2,
        "missing_prediction_difference": 0.01,
    }
    rows = make(list(label), list(answer), {"g": list(g)})
    found = measure(rows, Settings(permutations=9, tolerance=limits))["disparities"]["g"]
    for name in ("accuracy_difference", "accuracy_difference_min_group"):
        assert found[name]["tolerance"] == {"limit": 0.05, "reading": "exceeds"}
        assert found[name]["low"] > 0.05
    ratio = found["demographic_parity_ratio"]
    assert ratio["tolerance"] == {"limit": 0.2, "reading": "within"}
    assert found["missing_prediction_difference"]["tolerance"]["reading"] == "within"
    assert "tolerance" not in found["equalized_odds_difference"]


def test_too_few_rows_are_inconclusive_never_equal(make: Any) -> None:
    """The gap is far from beyond chance; that says nothing of its size."""
    rows = make(list("1100110011"), list("1100110010"), {"g": list("aabbaabbab")})
    limits = {"accuracy_difference": 0.1}
    found = measure(rows, Settings(permutations=9, tolerance=limits))["disparities"]["g"]
    assert found["accuracy_difference"]["p"] > 0.05
    assert found["accuracy_difference"]["tolerance"]["reading"] == "inconclusive"
    assert found["accuracy_difference_min_group"]["tolerance"]["reading"] is None
