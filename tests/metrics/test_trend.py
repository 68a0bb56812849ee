"""A straight line through the ranges of a numeric attribute, against least squares over rows."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.data.bins import Bins, ranges
from debias_cl.metrics import Settings, combinations, measure
from debias_cl.metrics.values import NO_LABEL
from debias_cl.records import Annotations, Column, Mass, Predictions

QUICK = Settings(permutations=9)
RATES = ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate")


def ages(seed: int = 0, n: int = 800, levels: int = 2, absent: bool = False) -> Predictions:
    """Accuracy falls with age."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 80, n).round()
    if absent:
        age[:20] = np.nan
    column, codes = ranges("age", age, np.ones(n, np.int64), Bins((0, 20, 40, 60, 80)))
    truth = rng.integers(0, levels, n)
    right = rng.random(n) < 0.95 - 0.005 * np.nan_to_num(age)
    said = np.where(right, truth, (truth + 1) % levels)
    classes = tuple(str(i) for i in range(levels))
    known = Annotations(
        np.array([str(i) for i in range(n)]),
        Column("y", classes),
        truth,
        (column,),
        {"age": codes},
    )
    return Predictions(known, said, classes, None, "1", "--positive")


def fitted(rows: Predictions, rate: str) -> tuple[float, float]:
    """Return slope and intercept of numpy's least squares over rows, each at its range's mean."""
    known, column = rows.annotations, rows.annotations.attributes[0]
    x = np.array([column.numbers.get(level, np.nan) for level in column.levels])
    x = x[known.groups["age"]]
    truth, said = known.truth, rows.predicted
    assert truth is not None
    of = {"true_positive_rate": truth == 1, "false_positive_rate": truth == 0}
    keep = of.get(rate, np.ones(len(x), bool)) & ~np.isnan(x)
    y = (truth == said if rate == "accuracy" else said == 1)[keep].astype(float)
    slope, intercept = np.polyfit(x[keep], y, 1)
    return float(slope), float(intercept)


@pytest.mark.parametrize("absent", [False, True])
def test_the_line_is_least_squares_over_rows(absent: bool) -> None:
    rows = ages(1, absent=absent)
    found = measure(rows, QUICK)["trends"]["age"]
    assert set(found) == set(RATES)
    for rate in RATES:
        slope, intercept = fitted(rows, rate)
        assert found[rate]["slope"]["value"] == pytest.approx(slope)
        line = found[rate]["line"]
        assert [point["level"] for point in line] == list(rows.annotations.attributes[0].levels)[:4]
        xs = [point["x"] for point in line]
        assert [point["value"] for point in line] == pytest.approx(
            [intercept + slope * x for x in xs]
        )
        assert found[rate]["change"]["value"] == pytest.approx(slope * (xs[-1] - xs[0]))
        assert all(point["low"] < point["value"] < point["high"] for point in line)


def test_the_interval_is_that_of_a_weighted_sum_and_near_walds() -> None:
    rows = ages(2, 4000)
    found = measure(rows, QUICK)["trends"]["age"]["accuracy"]
    known, column = rows.annotations, rows.annotations.attributes[0]
    right = rows.predicted == known.truth
    x = np.array([column.numbers[level] for level in column.levels])
    n = np.bincount(known.groups["age"], minlength=4)
    k = np.bincount(known.groups["age"], right, 4)
    middle = (n * x).sum() / n.sum()
    c = n * (x - middle) / (n * (x - middle) ** 2).sum()
    _, low, high = combinations.linear(k, n, c)
    slope = found["slope"]
    assert (slope["low"], slope["high"]) == pytest.approx((float(low), float(high)))
    p = k / n
    sd = float((c**2 * p * (1 - p) / n).sum() ** 0.5)
    assert slope["high"] - slope["value"] == pytest.approx(1.96 * sd, rel=0.05)
    assert slope["high"] < 0  # planted: half a point a year


def test_ranges_without_rows_and_missing_numbers_are_left_out() -> None:
    rows = ages(3)
    few = rows.annotations.groups["age"] != 1
    kept = replace(rows, annotations=rows.annotations.take(few), predicted=rows.predicted[few])
    line = measure(kept, QUICK)["trends"]["age"]["accuracy"]["line"]
    assert [point["level"] for point in line] == ["0 to under 20", "40 to under 60", "60 to 80"]
    one = rows.annotations.groups["age"] == 1
    alone = replace(rows, annotations=rows.annotations.take(one), predicted=rows.predicted[one])
    found = measure(alone, QUICK)["trends"]["age"]["accuracy"]
    assert found["slope"]["value"] is None
    assert found["slope"]["reason"] == "fewer than two ranges have rows"
    assert found["line"] == []


def test_many_levels_have_accuracy_alone() -> None:
    rows = ages(4, levels=3)
    found = measure(rows, QUICK)["trends"]["age"]
    assert set(found) == {"accuracy"}
    assert found["accuracy"]["slope"]["value"] == pytest.approx(fitted(rows, "accuracy")[0])


def test_without_labels_only_selection_has_a_line() -> None:
    rows = ages(5)
    blind = replace(rows, annotations=replace(rows.annotations, label=None, truth=None))
    found = measure(blind, QUICK)["trends"]["age"]
    assert found["selection_rate"]["slope"]["value"] == pytest.approx(
        fitted(rows, "selection_rate")[0]
    )
    assert found["accuracy"]["slope"]["reason"] == NO_LABEL


def test_counted_rows_and_weights_give_the_same_line() -> None:
    rows = ages(6)
    known = rows.annotations
    assert known.truth is not None
    keys = np.stack([known.truth, rows.predicted, known.groups["age"]])
    _, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    entries = replace(known.take(first), mass=Mass(many.astype(np.int64)))
    counted = replace(rows, annotations=entries, predicted=rows.predicted[first])
    wanted = measure(rows, QUICK)["trends"]
    assert json.dumps(measure(counted, QUICK)["trends"]) == json.dumps(wanted)
    mass = Mass(np.ones(len(rows), np.int64), np.full(len(rows), 2.0), np.full(len(rows), 4.0))
    alike = replace(rows, annotations=replace(known, mass=mass))
    assert json.dumps(measure(alike, QUICK)["trends"]) == json.dumps(wanted)
    weight = np.random.default_rng(6).uniform(1, 3, len(rows))
    mass = Mass(np.ones(len(rows), np.int64), weight, weight**2)
    heavy = replace(rows, annotations=replace(known, mass=mass))
    x = np.array([known.attributes[0].numbers[level] for level in known.attributes[0].levels])
    right = (rows.predicted == known.truth).astype(float)
    slope = np.polyfit(x[known.groups["age"]], right, 1, w=np.sqrt(weight))[0]
    found: Any = measure(heavy, QUICK)["trends"]["age"]["accuracy"]["slope"]
    assert found["value"] == pytest.approx(slope)
    assert found["n_effective"] < len(rows)


def test_other_attributes_have_no_trend(make: Any) -> None:
    assert "trends" not in measure(make(list("01"), list("01"), {"g": list("12")}), QUICK)
