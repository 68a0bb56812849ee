"""Signed gaps and ratios against a named group, all rows and the rest; fairlearn as second path."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import accuracy_score, precision_score

from debias_cl.errors import UsageError
from debias_cl.metrics import Settings, combinations, measure, ratios
from debias_cl.records import Mass, Predictions

ALL = Settings(permutations=9, reference={"g": "b"}, against=("overall", "rest"))
RATES: dict[str, Any] = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
    "precision": precision_score,
    "accuracy": accuracy_score,
}
FAMILY = {
    "demographic_parity": ("selection_rate",),
    "equal_opportunity": ("true_positive_rate",),
    "equalized_odds": ("true_positive_rate", "false_positive_rate"),
    "predictive_parity": ("precision",),
    "accuracy": ("accuracy",),
}


def table(make: Callable[..., Predictions], seed: int, groups: str = "abc") -> Predictions:
    rng = np.random.default_rng(seed)
    n = 300
    g = rng.choice(list(groups), n)
    label = rng.integers(0, 2, n).astype(str)
    answer = np.where(rng.random(n) < 0.75, label, rng.integers(0, 2, n).astype(str))
    return make(list(label), list(answer), {"g": list(g), "h": list(rng.choice(["x", "y"], n))})


def texts(rows: Predictions) -> tuple[Any, Any, Any]:
    known = rows.annotations
    assert known.truth is not None
    return known.truth, rows.predicted, np.array(known.column("g").levels)[known.groups["g"]]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_signed_gaps_and_ratios_are_fairlearns(make: Callable[..., Predictions], seed: int) -> None:
    rows = table(make, seed)
    truth, said, g = texts(rows)
    frame = MetricFrame(metrics=RATES, y_true=truth, y_pred=said, sensitive_features=g)
    found = measure(rows, ALL)["disparities"]["g"]
    for family, names in FAMILY.items():
        gaps, quotients = (found[f"{family}_{form}"]["against"] for form in ("difference", "ratio"))
        assert len(gaps) == len(quotients) == len(names) * (2 + 3 + 3)
        for gap, quotient in zip(gaps, quotients, strict=True):
            name, who = gap["rate"], gap["group"]["g"]
            mine = frame.by_group[name][who]
            rest = RATES[name](truth[g != who], said[g != who])
            other = {"overall": frame.overall[name], "rest": rest}.get(
                str(gap["reference"]), frame.by_group[name]["b"]
            )
            assert gap["value"] == pytest.approx(mine - other)
            assert quotient["value"] == pytest.approx(mine / other)
            assert gap["low"] <= gap["value"] <= gap["high"]
            assert quotient["low"] <= quotient["value"] <= quotient["high"]
            assert (gap["low"] <= 0 <= gap["high"]) == (quotient["low"] <= 1 <= quotient["high"])


def test_intervals_are_of_two_disjoint_groups(make: Callable[..., Predictions]) -> None:
    rows = table(make, 3)
    truth, said, g = texts(rows)
    right = truth == said
    found = measure(rows, ALL)["disparities"]["g"]
    for gap, quotient in zip(
        found["accuracy_difference"]["against"], found["accuracy_ratio"]["against"], strict=True
    ):
        mine = g == gap["group"]["g"]
        other = g == "b" if isinstance(gap["reference"], dict) else ~mine
        counts = (right[mine].sum(), mine.sum(), right[other].sum(), other.sum())
        _, low, high = combinations.difference(*counts)
        _, below, above = ratios.ratio(*counts)
        if gap["reference"] == "overall":
            # overall = s group + (1 - s) rest: the same rows stand on both sides.
            s = mine.mean()
            low, high = low * (1 - s), high * (1 - s)
            below, above = (1 / (s + (1 - s) / r) for r in (below, above))
        assert (gap["low"], gap["high"]) == pytest.approx((float(low), float(high)), abs=1e-9)
        assert (quotient["low"], quotient["high"]) == pytest.approx((float(below), float(above)))
        assert gap["n"] == mine.sum() + other.sum()


def test_the_group_and_the_rest_add_up_to_all_rows(make: Callable[..., Predictions]) -> None:
    rows = table(make, 4)
    found = measure(rows, ALL)["disparities"]["g"]["demographic_parity_difference"]["against"]
    gaps = {(one["group"]["g"], str(one["reference"])): one["value"] for one in found}
    _, _, g = texts(rows)
    for who in "abc":
        s = (g == who).mean()
        assert gaps[who, "overall"] == pytest.approx((1 - s) * gaps[who, "rest"])
    whole = sum((g == who).mean() * gaps[who, "overall"] for who in "abc")
    assert whole == pytest.approx(0, abs=1e-12)


def test_intersections_need_a_level_of_each_attribute(make: Callable[..., Predictions]) -> None:
    rows = table(make, 5)
    named = Settings(permutations=9, reference={"g": "b"})
    found = measure(rows, named)["disparities"]
    assert found["g & h"]["accuracy_difference"]["against"] == []
    assert found["h"]["accuracy_difference"]["against"] == []
    assert len(found["g"]["accuracy_difference"]["against"]) == 2
    both = replace(named, reference={"g": "b", "h": "y"})
    one = measure(rows, both)["disparities"]["g & h"]["accuracy_difference"]["against"]
    assert len(one) == 5
    assert all(entry["reference"] == {"g": "b", "h": "y"} for entry in one)


def test_zeros_are_said_and_never_divided_by(make: Callable[..., Predictions]) -> None:
    rows = make(list("1111") + list("0000"), list("1100") + list("0000"), {"g": list("aabbccbb")})
    settings = Settings(permutations=9, reference={"g": "b"}, against=("overall", "rest"))
    found = measure(rows, settings)["disparities"]["g"]
    by = {
        (one["group"]["g"], str(one["reference"])): one
        for one in found["equal_opportunity_ratio"]["against"]
    }
    assert by["a", "{'g': 'b'}"]["reason"] == "the rate is 0 in g = b"
    assert by["c", "{'g': 'b'}"]["reason"] == "no rows with y = 1"
    assert by["a", "rest"]["reason"] == "the rate is 0 in the rest"
    # Half of all positives are group a, and all of its are found: 1 against 1/2.
    assert by["a", "overall"]["value"] == by["a", "overall"]["high"] == 2
    assert 0 < by["a", "overall"]["low"] < 2
    assert by["b", "rest"]["value"] == 0
    gaps = {
        (one["group"]["g"], str(one["reference"])): one
        for one in found["equal_opportunity_difference"]["against"]
    }
    assert gaps["a", "overall"]["value"] == 0.5
    assert gaps["c", "rest"]["value"] is None


def test_many_levels_are_about_the_level_of_the_largest_gap(
    make: Callable[..., Predictions],
) -> None:
    rng = np.random.default_rng(1)
    label, answer = rng.integers(0, 4, (2, 400)).astype(str)
    rows = make(list(label), list(answer), {"g": list(rng.choice(["a", "b"], 400))})
    found = measure(rows, Settings(permutations=9, against=("rest",)))["disparities"]["g"]
    gap = found["equal_opportunity_difference"]
    assert {one["class"] for one in gap["against"]} == {gap["class"]}
    assert max(one["value"] for one in gap["against"]) == pytest.approx(gap["value"])


def test_counted_rows_give_the_same_lists(make: Callable[..., Predictions]) -> None:
    rows = table(make, 6)
    known = rows.annotations
    assert known.truth is not None
    keys = np.stack([known.truth, rows.predicted, *known.groups.values()])
    _, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    entries = replace(known.take(first), mass=Mass(many.astype(np.int64)))
    counted = replace(rows, annotations=entries, predicted=rows.predicted[first])
    assert json.dumps(measure(counted, ALL)) == json.dumps(measure(rows, ALL))


def test_equal_weights_change_nothing_and_others_move_the_share(
    make: Callable[..., Predictions],
) -> None:
    rows = table(make, 7)
    _, said, g = texts(rows)
    weight = np.where(g == "a", 3.0, 1.0)
    mass = Mass(np.ones(len(g), np.int64), weight, weight**2)
    heavy = replace(rows, annotations=replace(rows.annotations, mass=mass))
    found = measure(heavy, ALL)["disparities"]["g"]["demographic_parity_difference"]["against"]
    (one,) = [o for o in found if o["group"] == {"g": "a"} and o["reference"] == "overall"]
    wanted = said[g == "a"].mean() - np.average(said, weights=weight)
    assert one["value"] == pytest.approx(wanted)


def test_references_that_are_not_there_are_refused(make: Callable[..., Predictions]) -> None:
    rows = table(make, 8)
    with pytest.raises(UsageError, match="names no attribute"):
        measure(rows, Settings(permutations=9, reference={"gg": "b"}))
    with pytest.raises(UsageError, match="'z' is no level of 'g'"):
        measure(rows, Settings(permutations=9, reference={"g": "z"}))


def test_without_the_flag_nothing_is_added(make: Callable[..., Predictions]) -> None:
    found = measure(table(make, 9), Settings(permutations=9))["disparities"]["g"]
    assert "against" not in found["accuracy_difference"]
