"""Figures for another population: the Waterbirds convention, by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.errors import DataError
from debias_cl.metrics import Settings, combinations, measure
from debias_cl.metrics.settings import TRAINING
from debias_cl.metrics.values import NO_LABEL
from debias_cl.records import Mass, Predictions

TRAIN = Settings(permutations=9, reweight=TRAINING)
# The training set of Waterbirds (Sagawa et al. 2020): landbirds and waterbirds on land and water.
WATERBIRDS = np.array([[3498, 184], [56, 1057]])
RIGHT = {"00": 90, "01": 70, "10": 50, "11": 80}
OF = {"00": 100, "01": 100, "10": 60, "11": 100}


def birds(make: Callable[..., Predictions], **options: Any) -> Predictions:
    """Cells of (label, place) with some predicted right."""
    rows = [
        (cell[0], cell[1], cell[0] if i < RIGHT[cell] else str(1 - int(cell[0])))
        for cell, n in OF.items()
        for i in range(n)
    ]
    label, place, answer = (list(column) for column in zip(*rows, strict=True))
    return make(label, answer, {"place": place}, training={"place": WATERBIRDS}, **options)


def test_the_training_shares_weigh_the_cells(make: Callable[..., Predictions]) -> None:
    document = measure(birds(make), TRAIN)
    found = document["overall"]["reweighted_accuracy"]
    wanted = (3498 * 0.9 + 184 * 0.7 + 56 * 50 / 60 + 1057 * 0.8) / 4795
    assert found["value"] == pytest.approx(wanted)
    assert found["population"] == "shares of the training set"
    assert (found["covered"], found["left_out"], found["n"]) == (1, [], 360)
    x, n = np.array(list(RIGHT.values())), np.array(list(OF.values()))
    _, low, high = combinations.linear(x, n, WATERBIRDS.ravel() / 4795)
    assert (found["low"], found["high"]) == pytest.approx((float(low), float(high)))
    # Beside the plain ones, never instead.
    assert document["overall"]["accuracy"]["value"] == pytest.approx(290 / 360)
    assert document["overall"]["unbiased_accuracy"]["value"] == pytest.approx(
        (0.9 + 0.7 + 5 / 6 + 0.8) / 4
    )
    assert document["attributes_overall"]["place"]["reweighted_accuracy"] == found


def test_rates_of_a_label_level_are_weighed_among_its_cells(
    make: Callable[..., Predictions],
) -> None:
    found = measure(birds(make), TRAIN)["overall"]
    tpr = (56 * 50 / 60 + 1057 * 0.8) / (56 + 1057)
    fpr = (3498 * 0.1 + 184 * 0.3) / (3498 + 184)
    assert found["reweighted_true_positive_rate"]["value"] == pytest.approx(tpr)
    assert found["reweighted_false_positive_rate"]["value"] == pytest.approx(fpr)
    selected = (tpr * 1113 + fpr * 3682) / 4795
    assert found["reweighted_selection_rate"]["value"] == pytest.approx(selected)


def test_its_own_shares_give_the_plain_accuracy(make: Callable[..., Predictions]) -> None:
    own = {(cell[0], cell[1]): n / 360 for cell, n in OF.items()}
    found = measure(birds(make), Settings(permutations=9, reweight={"place": own}))["overall"]
    assert found["reweighted_accuracy"]["value"] == pytest.approx(290 / 360)
    assert found["reweighted_accuracy"]["population"] == "shares as given"


def test_a_cell_without_rows_is_named_and_the_rest_adds_up_to_one(
    make: Callable[..., Predictions],
) -> None:
    rows = birds(make)
    known = rows.annotations
    assert known.truth is not None
    keep = ~((known.truth == 1) & (known.groups["place"] == 0))
    fewer = replace(rows, annotations=known.take(keep), predicted=rows.predicted[keep])
    found = measure(fewer, TRAIN)["overall"]["reweighted_accuracy"]
    assert found["left_out"] == [
        {"cell": {"y": "1", "place": "0"}, "share": pytest.approx(56 / 4795)}
    ]
    assert found["covered"] == pytest.approx(1 - 56 / 4795)
    assert found["value"] == pytest.approx((3498 * 0.9 + 184 * 0.7 + 1057 * 0.8) / 4739)


def test_shares_find_their_attribute_and_its_spelling(make: Callable[..., Predictions]) -> None:
    rows = birds(make)
    for shares in ({"": {("1.0", "0"): 2.0, ("0", "1"): 6.0}},):
        found = measure(rows, Settings(permutations=9, reweight=shares))["overall"]
        value = found["reweighted_accuracy"]["value"]
        assert value == pytest.approx((5 / 6 + 3 * 0.7) / 4)


def test_intersections_are_written_as_they_are_named(make: Callable[..., Predictions]) -> None:
    label, answer = list("0101"), list("0111")
    rows = make(label, answer, {"g": list("aabb"), "h": list("xyxy")})
    shares = {"": {("0", "a & x"): 1.0, ("0", "b & x"): 3.0}}
    found = measure(rows, Settings(permutations=9, reweight=shares))
    assert found["overall"]["reweighted_accuracy"]["value"] == 0.25
    assert found["attributes_overall"]["g"]["reweighted_accuracy"]["value"] is None


def test_what_is_not_known_has_a_reason(make: Callable[..., Predictions]) -> None:
    rows = make(list("01"), list("01"), {"g": list("ab")})
    found = measure(rows, TRAIN)["overall"]["reweighted_accuracy"]
    assert found["value"] is None
    assert found["reason"].startswith("the training set's cells are not known")
    unlabelled = make(None, list("01"), {"g": list("ab")}, training={"g": np.ones((2, 2))})
    reason = measure(unlabelled, TRAIN)["overall"]["reweighted_accuracy"]["reason"]
    assert reason == NO_LABEL
    plain = make(list("01"), list("01"), {})
    assert measure(plain, TRAIN)["overall"]["reweighted_accuracy"]["reason"] == "no attribute given"


def test_shares_that_fit_nothing_are_refused(make: Callable[..., Predictions]) -> None:
    shares = {"": {("0", "c"): 1.0}}
    with pytest.raises(DataError, match="fit no attribute") as caught:
        measure(birds(make), Settings(permutations=9, reweight=shares))
    assert "place: 0, 1" in str(caught.value)


def test_counted_rows_and_weights(make: Callable[..., Predictions]) -> None:
    rows = birds(make)
    known = rows.annotations
    assert known.truth is not None
    keys = np.stack([known.truth, rows.predicted, *known.groups.values()])
    _, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    entries = replace(known.take(first), mass=Mass(many.astype(np.int64)))
    counted = replace(rows, annotations=entries, predicted=rows.predicted[first])
    names = ("reweighted_accuracy", "reweighted_true_positive_rate")
    one, other = (measure(p, TRAIN)["overall"] for p in (counted, rows))
    assert json.dumps([one[n] for n in names]) == json.dumps([other[n] for n in names])
    # Rows' own weights move a cell's accuracy, not the cell's share of the other population.
    weight = np.where(rows.predicted == known.truth, 2.0, 1.0)
    mass = Mass(np.ones(len(weight), np.int64), weight, weight**2)
    heavy = replace(rows, annotations=replace(known, mass=mass))
    cells = [2 * RIGHT[cell] / (OF[cell] + RIGHT[cell]) for cell in OF]
    found = measure(heavy, TRAIN)["overall"]["reweighted_accuracy"]
    assert found["value"] == pytest.approx(np.average(cells, weights=WATERBIRDS.ravel()))


def test_nothing_is_added_without_the_flag(make: Callable[..., Predictions]) -> None:
    assert "reweighted_accuracy" not in measure(birds(make), Settings(permutations=9))["overall"]
