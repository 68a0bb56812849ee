"""Bias amplification and FSCL's mean over pairs, by hand and against the authors' code."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.amplification import directional, mean_gap, zhao
from debias_cl.records import Predictions

Build = Callable[..., Predictions]


def test_bias_amplification_by_hand(table: Build) -> None:
    """Label 1: group a has 6 of 8 true, 7 of 8 predicted; label 0: group b 8 of 12, 9 of 12.

    Both exceed 1/2, so (1/2) [(7/8 - 6/8) + (9/12 - 8/12)].
    """
    counts = {
        ("a", "1", "1"): 6, ("a", "0", "1"): 1, ("a", "0", "0"): 3,
        ("b", "1", "1"): 1, ("b", "1", "0"): 1, ("b", "0", "0"): 8,
    }  # fmt: skip
    found = measure(table(counts), Settings(permutations=9))["disparities"]["g"][
        "bias_amplification"
    ]
    assert found["value"] == pytest.approx((1 / 8 + 1 / 12) / 2)
    assert found["reference"] == "truth of these rows"
    assert found["low"] < found["value"] < found["high"]
    assert "Dirichlet" in found["method"]


@pytest.mark.parametrize("name", ["two_by_two", "multi"])
def test_golden_bias_amplification(
    name: str, golden: dict[str, Any], golden_predictions: Build
) -> None:
    theirs = golden["cases"]["bias_amplification"][name]
    plain = measure(golden_predictions(name), Settings(permutations=9, min_group=1))
    found = plain["disparities"]["g"]["bias_amplification"]
    assert found["value"] == pytest.approx(theirs["zhao_mals_truth_as_reference"])
    assert found["directional"] == pytest.approx(theirs["attribute_to_task"])
    training = {"g": np.array(golden["inputs"][name]["training"])}
    trained = measure(
        golden_predictions(name, training=training), Settings(permutations=9, min_group=1)
    )
    found = trained["disparities"]["g"]["bias_amplification"]
    assert found["value"] == pytest.approx(theirs["zhao_mals_training_as_reference"])
    assert found["reference"] == "training set"


def test_a_perfect_model_amplifies_nothing() -> None:
    truth = np.array([[6.0, 3], [2, 8]])
    table = np.zeros((2, 2, 2))
    table[:, [0, 1], [0, 1]] = truth
    assert float(zhao(table)) == pytest.approx(0)
    assert directional(table) == pytest.approx(0)


def test_a_class_that_is_never_predicted_is_said(table: Build) -> None:
    gaps = measure(table({("a", "1", "0"): 3, ("a", "0", "0"): 3, ("b", "1", "0"): 2}))
    found = gaps["disparities"]["g"]["bias_amplification"]
    assert found["value"] is None
    assert found["reason"] == "a class is never predicted or never true"


@pytest.mark.parametrize("name", ["two_by_two", "multi"])
def test_golden_mean_pair_equalized_odds(
    name: str, golden: dict[str, Any], golden_predictions: Build
) -> None:
    """The authors count an empty cell as accuracy 0; we leave its pairs out."""
    theirs = golden["cases"]["fscl_equalized_odds"][name]["equalized_odds_percent"] / 100
    document = measure(golden_predictions(name), Settings(permutations=199, min_group=1))
    found = document["disparities"]["g"]["mean_pair_equalized_odds"]
    counts = np.array(golden["inputs"][name]["counts"])
    sizes = counts.sum(2)
    accuracy = np.diagonal(counts, axis1=0, axis2=2).T / np.maximum(sizes, 1)
    pairs = list(itertools.combinations(range(sizes.shape[1]), 2))
    everything = [abs(row[j] - row[k]) for row in accuracy for j, k in pairs]
    assert np.mean(everything) == pytest.approx(theirs, abs=1e-6)
    defined = [
        abs(row[j] - row[k])
        for row, size in zip(accuracy, sizes, strict=True)
        for j, k in pairs
        if size[j] and size[k]
    ]
    assert found["value"] == pytest.approx(np.mean(defined))
    assert len(found["left_out"]) == int((sizes == 0).sum())
    assert found["p"] == pytest.approx(1 / 200)
    assert found["null95"] < found["value"]
    if name == "two_by_two":
        assert found["low"] < found["value"] < found["high"]
    else:
        assert found["low"] is None
        assert found["reason"] == "no interval: more than 8 counts"


def test_mean_gap_against_a_plain_loop() -> None:
    rates = np.random.default_rng(0).random((4, 6))
    expected = [sum(abs(a - b) for a, b in itertools.combinations(row, 2)) for row in rates]
    np.testing.assert_allclose(mean_gap(rates), expected)
