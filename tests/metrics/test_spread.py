"""Standard deviation over groups, average odds and differential fairness, by second paths."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations as pairs_of
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

from debias_cl.metrics import Settings, combinations, measure
from debias_cl.records import Mass

QUICK = Settings(permutations=99)


def three(make: Any, seed: int = 0, levels: int = 2, groups: str = "abc") -> Any:
    rng = np.random.default_rng(seed)
    n = 600
    g = rng.choice(list(groups), n)
    label = rng.integers(0, levels, n).astype(str)
    keep = rng.random(n) < np.where(g == "a", 0.9, 0.6)
    answer = np.where(keep, label, rng.integers(0, levels, n).astype(str))
    return make(list(label), list(answer), {"g": list(g)})


def frame(rows: Any, metric: Any) -> Any:
    known = rows.annotations
    g = np.array(known.column("g").levels)[known.groups["g"]]
    return MetricFrame(
        metrics=metric, y_true=known.truth, y_pred=rows.predicted, sensitive_features=g
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_deviation_is_that_of_fairlearns_rates(make: Any, seed: int) -> None:
    rows = three(make, seed)
    found = measure(rows, QUICK)["disparities"]["g"]
    for name, metric in (
        ("demographic_parity", selection_rate),
        ("equal_opportunity", true_positive_rate),
    ):
        wanted = np.std(list(frame(rows, metric).by_group))
        assert found[f"{name}_difference"]["standard_deviation"] == pytest.approx(wanted)
        assert found[f"{name}_difference_min_group"]["standard_deviation"] == pytest.approx(wanted)


def test_a_gap_that_is_undefined_has_no_deviation(make: Any) -> None:
    found = measure(make(list("01"), list("01"), {"g": list("aa")}), QUICK)["disparities"]["g"]
    assert found["accuracy_difference"]["standard_deviation"] is None


@pytest.mark.parametrize("groups", ["ab", "abcd"])
def test_average_odds_is_the_largest_gap_of_the_mean_of_both(make: Any, groups: str) -> None:
    rows = three(make, 3, groups=groups)
    tpr, fpr = (frame(rows, m).by_group for m in (true_positive_rate, false_positive_rate))
    mean = (tpr + fpr) / 2
    found = measure(rows, QUICK)["disparities"]["g"]["average_odds_difference"]
    assert found["value"] == pytest.approx(mean.max() - mean.min())
    assert found["lowest"]["group"] == {"g": mean.idxmin()}
    assert found["highest"]["group"] == {"g": mean.idxmax()}
    assert found["n"] == 600
    assert found["at_least"] <= found["value"] <= found["at_most"]
    assert (found["low"] is None) == (len(groups) > 2)


def test_average_odds_of_two_groups_has_the_interval_of_four_cells(make: Any) -> None:
    # (group, label, prediction): TPR .9 and .6, FPR .2 and .4: means .55 and .5.
    counts = {"a11": 45, "a10": 5, "a01": 10, "a00": 40, "b11": 30, "b10": 20, "b01": 20, "b00": 30}
    rows = [key for key, n in counts.items() for _ in range(n)]
    table = make([r[1] for r in rows], [r[2] for r in rows], {"g": [r[0] for r in rows]})
    found = measure(table, QUICK)["disparities"]["g"]["average_odds_difference"]
    assert found["value"] == pytest.approx(0.05)
    x, n = np.array([45, 30, 10, 20]), np.array([50, 50, 50, 50])
    _, low, high = combinations.linear(x, n, np.array([0.5, -0.5, 0.5, -0.5]))
    assert low < 0 < high
    assert found["low"] == 0
    assert found["high"] == pytest.approx(max(-float(low), float(high)))
    # Equalized odds sees what the average hides.
    assert measure(table, QUICK)["disparities"]["g"]["equalized_odds_difference"][
        "value"
    ] == pytest.approx(0.3)


def by_hand(rows: Any, levels: int) -> tuple[float, set[str], str]:
    """Largest |log ratio| over pairs and outcomes, by loops."""
    known = rows.annotations
    g = np.array(known.column("g").levels)[known.groups["g"]]
    found = (-1.0, {""}, "")
    for outcome in range(levels):
        for one, other in pairs_of(np.unique(g), 2):
            p, q = ((rows.predicted[g == who] == outcome).mean() for who in (one, other))
            found = max(found, (abs(np.log(p / q)), {one, other}, str(outcome)), key=lambda f: f[0])
    return found


@pytest.mark.parametrize("levels", [2, 3])
@pytest.mark.parametrize("groups", ["ab", "abcd"])
def test_differential_fairness_by_loops(make: Any, levels: int, groups: str) -> None:
    rows = three(make, 4, levels, groups)
    value, pair, outcome = by_hand(rows, levels)
    found = measure(rows, QUICK)["disparities"]["g"]["differential_fairness"]
    assert found["value"] == pytest.approx(value)
    assert {found["lowest"]["group"]["g"], found["highest"]["group"]["g"]} == pair
    assert found["class"] == outcome
    assert found["at_least"] <= found["value"] <= found["at_most"]
    assert (found["low"], found["high"]) == (
        (found["at_least"], found["at_most"]) if groups == "ab" else (None, None)
    )


def test_the_example_of_a_rare_refusal(make: Any) -> None:
    """98 and 99 of 100 selected: hardly a difference in selection, twofold in refusal."""
    said = ["1"] * 98 + ["0"] * 2 + ["1"] * 99 + ["0"]
    rows = make(None, said, {"g": ["a"] * 100 + ["b"] * 100})
    found = measure(rows, QUICK)["disparities"]["g"]["differential_fairness"]
    assert found["value"] == pytest.approx(np.log(2))
    assert found["class"] == "0"
    assert found["lowest"]["group"] == {"g": "b"}
    assert found["at_least"] == 0  # chance may give it


def test_an_outcome_that_one_group_lacks_leaves_it_undefined(make: Any) -> None:
    rows = make(None, list("1100") + list("1111"), {"g": list("aaaabbbb")})
    found = measure(rows, QUICK)["disparities"]["g"]["differential_fairness"]
    assert found["value"] is None
    assert found["reason"] == "'0' is never predicted where g = b"


def test_an_outcome_that_nobody_has_is_none(make: Any) -> None:
    rows = make(list("0101"), list("1111"), {"g": list("aabb")})
    assert measure(rows, QUICK)["disparities"]["g"]["differential_fairness"]["value"] == 0


def test_counted_rows_give_the_same(make: Any) -> None:
    rows = three(make, 6)
    known = rows.annotations
    keys = np.stack([known.truth, rows.predicted, *known.groups.values()])
    _, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    entries = replace(known.take(first), mass=Mass(many.astype(np.int64)))
    counted = replace(rows, annotations=entries, predicted=rows.predicted[first])
    names = ("average_odds_difference", "differential_fairness", "accuracy_difference")
    one, other = (measure(p, QUICK)["disparities"]["g"] for p in (counted, rows))
    assert json.dumps([one[name] for name in names]) == json.dumps([other[n] for n in names])


def test_persons_widen_average_odds(make: Any) -> None:
    """Every row given three times, as one person's: no more is known than by one."""
    rows = three(make, 7, groups="ab")
    thrice = np.repeat(np.arange(len(rows)), 3)
    known = replace(rows.annotations.take(thrice), persons=thrice.astype(np.int64))
    copies = replace(rows, annotations=known, predicted=rows.predicted[thrice])
    one, other = (
        measure(p, QUICK)["disparities"]["g"]["average_odds_difference"] for p in (rows, copies)
    )
    assert other["value"] == pytest.approx(one["value"])
    assert other["high"] == pytest.approx(one["high"], abs=5e-3)
    assert "n_effective" in other


def test_groups_that_are_all_equal_still_give_two_groups(make: Any) -> None:
    """The interval is that of two groups, not of one against itself."""
    rows = make(list("0001" * 2), list("0001" * 2), {"g": list("aaaabbbb")})
    found = measure(rows, QUICK)["disparities"]["g"]
    for name in ("average_odds_difference", "differential_fairness"):
        assert found[name]["value"] == 0, name
        assert found[name]["lowest"]["group"] != found[name]["highest"]["group"], name
