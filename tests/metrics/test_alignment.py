"""Accuracy over cells: by hand, against the authors' code, empty cells named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.proportions import clopper_pearson, wilson
from debias_cl.records import Alignment, Predictions

DIAGONAL = {
    "g": Alignment(frozenset({("0", "0"), ("1", "1")}), "the protocol"),
}


@pytest.mark.parametrize("name", ["two_by_two", "multi"])
def test_golden_cells(
    name: str, golden: dict[str, Any], golden_predictions: Callable[..., Predictions]
) -> None:
    theirs = golden["cases"]["biascon_group_matrix"][name]
    document = measure(
        golden_predictions(name, alignment=DIAGONAL), Settings(permutations=9, min_group=1)
    )
    matrix = theirs["cell_accuracy"]
    for cell in document["cells"]:
        value = matrix[int(cell["group"]["y"])][int(cell["group"]["g"])]
        if value == "nan":
            assert cell["accuracy"]["value"] is None
            assert cell["accuracy"]["reason"] == "no rows"
        else:
            assert cell["accuracy"]["value"] == pytest.approx(value)
    overall = document["overall"]
    assert overall["unbiased_accuracy"]["value"] == pytest.approx(theirs["unbiased_accuracy"])
    adjusted = golden["cases"]["subpopbench"][name]
    assert overall["unbiased_accuracy"]["value"] == pytest.approx(adjusted["adjusted_accuracy"])
    assert overall["worst_group_accuracy"]["value"] == pytest.approx(
        adjusted["worst_group_accuracy"]
    )
    assert overall["accuracy"]["value"] == pytest.approx(adjusted["accuracy"])
    assert overall["balanced_accuracy"]["value"] == pytest.approx(adjusted["balanced_accuracy"])
    if name == "multi":
        assert overall["f1"]["value"] == pytest.approx(adjusted["macro_f1"])
        assert overall["unbiased_accuracy"]["left_out"] == [{"y": "0", "g": "3"}]
    else:
        assert overall["aligned_accuracy"]["value"] == pytest.approx(theirs["utk_align"])
        assert overall["conflict_accuracy"]["value"] == pytest.approx(theirs["utk_skew"])


def test_group_dro_counts_an_empty_cell_as_0_and_we_do_not(
    golden: dict[str, Any], golden_predictions: Callable[..., Predictions]
) -> None:
    theirs = golden["cases"]["group_dro_accuracy"]
    assert theirs["multi"]["worst_group_accuracy"] == 0
    for name in ("two_by_two", "multi"):
        overall = measure(golden_predictions(name), Settings(permutations=9, min_group=1))[
            "overall"
        ]
        assert overall["accuracy"]["value"] == pytest.approx(theirs[name]["average_accuracy"])
        assert overall["worst_group_accuracy"]["value"] > 0


@pytest.fixture
def two_by_two(table: Callable[..., Predictions]) -> Predictions:
    """Aligned cells 90/100 and 40/50, conflicting cells 12/20 and 1/4."""
    return table(
        {
            ("0", "0", "0"): 90, ("0", "0", "1"): 10, ("1", "1", "1"): 40, ("1", "1", "0"): 10,
            ("1", "0", "0"): 12, ("1", "0", "1"): 8, ("0", "1", "1"): 1, ("0", "1", "0"): 3,
        }
    )  # fmt: skip


def with_alignment(predictions: Predictions, **changes: Any) -> Predictions:
    from dataclasses import replace

    known = replace(predictions.annotations, alignment=changes.pop("alignment", DIAGONAL))
    return replace(predictions, annotations=known, **changes)


def test_means_over_cells_by_hand(two_by_two: Predictions) -> None:
    overall = measure(with_alignment(two_by_two), Settings(permutations=9))["overall"]
    assert overall["unbiased_accuracy"]["value"] == pytest.approx((0.9 + 0.8 + 0.6 + 0.25) / 4)
    assert overall["aligned_accuracy"]["value"] == pytest.approx(0.85)
    assert overall["conflict_accuracy"]["value"] == pytest.approx(0.425)
    assert overall["aligned_minus_conflict"]["value"] == pytest.approx(0.425)
    assert overall["aligned_accuracy"]["n"] == 150
    for name in ("unbiased_accuracy", "aligned_accuracy", "conflict_accuracy"):
        value = overall[name]
        assert value["low"] < value["value"] < value["high"]
        assert value["left_out"] == []
    assert overall["aligned_minus_conflict"]["low"] > 0


def test_worst_group_with_and_without_small_cells(two_by_two: Predictions) -> None:
    worst = measure(with_alignment(two_by_two), Settings(permutations=9, min_group=20))["overall"][
        "worst_group_accuracy"
    ]
    assert worst["value"] == pytest.approx(0.6)
    assert worst["cell"] == {"y": "0", "g": "1"}
    assert worst["unfiltered"]["value"] == pytest.approx(0.25)
    assert worst["unfiltered"]["cell"] == {"y": "1", "g": "0"}
    x, n = np.array([90, 40, 12]), np.array([100, 50, 20])
    assert worst["low"] == pytest.approx(clopper_pearson(x, n)[0].min())
    assert worst["high"] == pytest.approx(clopper_pearson(x, n, 0.025, 0.025 / 3)[1].min())
    assert worst["low"] < worst["at_least"] < worst["value"]
    none = measure(two_by_two, Settings(permutations=9, min_group=500))["overall"][
        "worst_group_accuracy"
    ]
    assert none["value"] is None
    assert none["reason"] == "no cell has 500 rows"
    assert none["unfiltered"]["value"] == pytest.approx(0.25)


def test_cells_carry_their_own_interval_and_where_errors_go(two_by_two: Predictions) -> None:
    cells = measure(with_alignment(two_by_two), Settings(permutations=9))["cells"]
    assert len(cells) == 4
    cell = next(c for c in cells if c["group"] == {"y": "1", "g": "1"})
    assert cell["aligned"] is True
    assert cell["predicted"] == {"0": 10, "1": 40}
    low, high = wilson(np.array(40), np.array(50))
    assert (cell["accuracy"]["low"], cell["accuracy"]["high"]) == pytest.approx(
        (float(low), float(high))
    )
    assert cell["selection_rate"]["value"] == pytest.approx(0.8)
    assert cell["share"] == pytest.approx(50 / 174)
    assert sum(c["share"] for c in cells) == pytest.approx(1)


def test_alignment_by_majority_in_training_is_said(two_by_two: Predictions) -> None:
    training = {"g": np.array([[90, 30], [10, 70]])}
    predictions = with_alignment(two_by_two, alignment={}, training_cells=training)
    document = measure(predictions, Settings(permutations=9))
    by = document["attributes"][0]["alignment"]
    assert by["source"] == "majority label of each attribute level in training"
    assert by["pairs"] == [["0", "0"], ["1", "1"]]
    assert document["overall"]["aligned_accuracy"]["value"] == pytest.approx(0.85)


def test_a_tie_in_training_leaves_that_level_unknown(two_by_two: Predictions) -> None:
    training = {"g": np.array([[90, 0], [10, 0]])}
    predictions = with_alignment(two_by_two, alignment={}, training_cells=training)
    document = measure(predictions, Settings(permutations=9))
    known = {(c["group"]["y"], c["group"]["g"]): c["aligned"] for c in document["cells"]}
    assert known == {("0", "0"): True, ("1", "0"): False, ("0", "1"): None, ("1", "1"): None}
    assert document["overall"]["aligned_accuracy"]["value"] == pytest.approx(0.9)


def test_every_other_pair_of_a_protocol_is_conflicting(two_by_two: Predictions) -> None:
    one = {"g": Alignment(frozenset({("0", "0")}), "the protocol")}
    document = measure(with_alignment(two_by_two, alignment=one), Settings(permutations=9))
    known = {(c["group"]["y"], c["group"]["g"]): c["aligned"] for c in document["cells"]}
    assert known == {("0", "0"): True, ("1", "0"): False, ("0", "1"): False, ("1", "1"): False}


def test_without_alignment_or_attribute_a_reason_is_given(
    two_by_two: Predictions, make: Callable[..., Predictions]
) -> None:
    overall = measure(two_by_two, Settings(permutations=9))["overall"]
    for name in ("aligned_accuracy", "conflict_accuracy", "aligned_minus_conflict"):
        assert overall[name]["value"] is None
        assert "no alignment is known" in overall[name]["reason"]
    bare = measure(make(["0", "1"], ["0", "0"], {}))
    assert bare["overall"]["unbiased_accuracy"]["reason"] == "no attribute given"
    assert bare["overall"]["accuracy"]["value"] == 0.5
    assert (bare["groups"], bare["cells"], bare["disparities"]) == ([], [], {})
