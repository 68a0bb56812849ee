"""Worked examples that other packages print in their documentation, number by number.

fairlearn: user guide, "Common fairness metrics" and "Advanced usage of MetricFrame" (18 rows, three
groups, with and without sample weights), as of release 0.10. AIF360: German credit (UCI; 1,000
applicants), good credit by age (over 25 is privileged): the figures that AIF360 gives for its
GermanDataset, here from its four counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.metrics import Settings, measure
from debias_cl.records import Mass, Predictions

TRUTH = "011110101000111111"
ANSWER = "001011100111100110"
GROUP = "bbabbcccaacabccbcc"
QUICK = Settings(permutations=9, min_group=1)


@pytest.fixture(scope="module")
def guide(make: Any) -> Predictions:
    rows: Predictions = make(list(TRUTH), list(ANSWER), {"SF 0": list(GROUP)})
    return rows


def by_group(rows: Predictions, name: str) -> Mapping[str, float]:
    return {g["group"]["SF 0"]: g[name]["value"] for g in measure(rows, QUICK)["groups"]}


def test_fairlearns_common_fairness_metrics(guide: Predictions) -> None:
    found = measure(guide, QUICK)["disparities"]["SF 0"]
    printed = {
        "demographic_parity_difference": 0.25,
        "demographic_parity_ratio": 2 / 3,
        "equalized_odds_difference": 1.0,
        "equalized_odds_ratio": 0.0,
        "equal_opportunity_difference": 0.2,
    }
    for name, value in printed.items():
        assert found[name]["value"] == pytest.approx(value), name


def test_fairlearns_groups(guide: Predictions) -> None:
    overall = measure(guide, QUICK)["overall"]
    assert overall["selection_rate"]["value"] == pytest.approx(0.55555, abs=1e-5)
    assert overall["true_positive_rate"]["value"] == 0.5
    assert by_group(guide, "selection_rate") == {"a": 0.75, "b": 0.5, "c": 0.5}
    recall = by_group(guide, "true_positive_rate")
    assert recall == pytest.approx({"a": 0.5, "b": 0.6, "c": 0.4})
    assert by_group(guide, "precision") == pytest.approx({"a": 1 / 3, "b": 1, "c": 0.5})
    # F with beta 0.6, which it prints, from our recall and precision.
    f = {
        g: 1.36 * p * recall[g] / (0.36 * p + recall[g])
        for g, p in by_group(guide, "precision").items()
    }
    assert f == pytest.approx({"a": 0.365591, "b": 0.85, "c": 0.468966}, abs=1e-6)


def weighted(rows: Predictions, weights: str) -> Predictions:
    w = np.array([float(x) for x in weights])
    mass = Mass(np.ones(len(w), np.int64), w, w**2)
    return replace(rows, annotations=replace(rows.annotations, mass=mass))


@pytest.mark.parametrize(
    ("weights", "overall", "groups"),
    [
        ("121323121231232311", 0.454545, {"a": 0.5, "b": 0.583333, "c": 0.25}),
        ("312323141231214223", 0.458333, {"a": 0.666667, "b": 0.6, "c": 0.272727}),
    ],
)
def test_fairlearns_weighted_recall(
    guide: Predictions, weights: str, overall: float, groups: Mapping[str, float]
) -> None:
    rows = weighted(guide, weights)
    found = measure(rows, QUICK)["overall"]["true_positive_rate"]["value"]
    assert found == pytest.approx(overall, abs=1e-6)
    assert by_group(rows, "true_positive_rate") == pytest.approx(groups, abs=1e-6)


def test_aif360s_german_credit(make: Any) -> None:
    answers, groups = [], []
    for name, (good, n) in {"over 25": (590, 810), "to 25": (110, 190)}.items():
        answers += ["good"] * good + ["bad"] * (n - good)
        groups += [name] * n
    rows = make(None, answers, {"age": groups}, positive="good")
    found = measure(rows, QUICK)["disparities"]["age"]
    gap = found["demographic_parity_difference"]
    assert gap["value"] == pytest.approx(0.14944769330734242, rel=1e-14)
    assert gap["lowest"]["group"] == {"age": "to 25"}  # theirs is signed: -0.149...
    impact = found["demographic_parity_ratio"]["value"]
    assert impact == pytest.approx(0.7948260481712757, rel=1e-14)
