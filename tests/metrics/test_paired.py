"""Two models on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from debias_cl.errors import DataError
from debias_cl.metrics import Settings, compare, measure
from debias_cl.metrics.combinations import mcnemar_mid_p
from debias_cl.records import Alignment, Predictions

Build = Callable[..., Predictions]
DIAGONAL = {"g": Alignment(frozenset({("0", "0"), ("1", "1")}), "the protocol")}


@pytest.fixture
def pair(make: Build) -> tuple[Predictions, Predictions]:
    rng = np.random.default_rng(0)
    y, g = rng.integers(0, 2, (2, 400))
    good = np.where(rng.random(400) < 0.9, y, 1 - y)
    poor = np.where(rng.random(400) < np.where(y == g, 0.9, 0.5), y, 1 - y)
    columns = [[str(v) for v in column] for column in (y, good, poor, g)]
    both = [make(columns[0], p, {"g": columns[3]}, alignment=DIAGONAL) for p in columns[1:3]]
    return both[0], both[1]


def test_values_are_differences_of_the_measured_ones(
    pair: tuple[Predictions, Predictions],
) -> None:
    a, b = (measure(p, Settings(permutations=9))["overall"] for p in pair)
    found = compare(*pair)
    for name in ("accuracy", "unbiased_accuracy", "aligned_accuracy", "conflict_accuracy"):
        value = found[name]
        assert value["value"] == pytest.approx(a[name]["value"] - b[name]["value"]), name
        assert value["low"] < value["value"] < value["high"]
    assert found["conflict_accuracy"]["low"] > 0.2
    assert found["aligned_accuracy"]["low"] < 0 < found["aligned_accuracy"]["high"]
    accuracy = found["accuracy"]
    assert accuracy["p"] == pytest.approx(mcnemar_mid_p(accuracy["gained"], accuracy["lost"]))


def test_rows_are_matched_by_id(pair: tuple[Predictions, Predictions]) -> None:
    a, b = pair
    order = np.random.default_rng(1).permutation(len(b))
    mixed = replace(b, annotations=b.annotations.take(order), predicted=b.predicted[order])
    assert compare(a, mixed) == compare(a, b)


def test_a_model_against_itself(pair: tuple[Predictions, Predictions]) -> None:
    found = compare(pair[0], pair[0])
    for value in found.values():
        assert value["value"] == 0
        assert value["low"] == pytest.approx(-value["high"])
        assert value["high"] > 0
    assert found["accuracy"]["p"] == 1.0


def test_rows_that_only_one_predicts_are_left_out(pair: tuple[Predictions, Predictions]) -> None:
    a, b = pair
    holed = b.predicted.copy()
    holed[:30] = -1
    assert compare(a, replace(b, predicted=holed))["accuracy"]["n"] == 370
    empty = compare(a, replace(b, predicted=np.full(400, -1)))
    assert all(v["value"] is None and v["reason"] for v in empty.values())


def test_different_examples_or_truth_are_refused(pair: tuple[Predictions, Predictions]) -> None:
    a, b = pair
    index = np.arange(399)
    short = replace(b, annotations=b.annotations.take(index), predicted=b.predicted[index])
    with pytest.raises(DataError, match="not about the same examples"):
        compare(a, short)
    assert b.annotations.truth is not None
    other = replace(b, annotations=replace(b.annotations, truth=1 - b.annotations.truth))
    with pytest.raises(DataError, match="disagree on the truth"):
        compare(a, other)


def test_without_labels_or_alignment(make: Build, pair: tuple[Predictions, Predictions]) -> None:
    bare = make(None, list("0101"), {"g": list("aabb")})
    assert {v["reason"] for v in compare(bare, bare).values()} == {
        "not applicable: no labels given"
    }
    plain = [replace(p, annotations=replace(p.annotations, alignment={})) for p in pair]
    found = compare(plain[0], plain[1])
    assert found["unbiased_accuracy"]["value"] is not None
    assert "no alignment is known" in found["aligned_accuracy"]["reason"]
