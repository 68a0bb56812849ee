"""Rows that carry weights: values by weight, intervals and chance from effective sizes (F11)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.errors import DataError
from debias_cl.metrics import Settings, measure
from debias_cl.metrics.counts import count
from debias_cl.metrics.proportions import wilson
from debias_cl.metrics.rates import counts_of
from debias_cl.records import Mass, Predictions

Build = Callable[..., Predictions]
QUICK = Settings(permutations=99)


def texts(codes: Any) -> list[str]:
    return [str(v) for v in codes]


def weighed(rows: Predictions, weight: Any) -> Predictions:
    """Give each row its weight."""
    weight = np.asarray(weight, np.float64)
    mass = Mass(np.ones(len(weight), np.int64), weight, weight**2)
    return replace(rows, annotations=replace(rows.annotations, mass=mass))


@pytest.fixture
def plain(make: Build) -> Predictions:
    """Four classes, three groups, missing predictions and training counts."""
    rng = np.random.default_rng(503)
    y, g, h = rng.integers(0, 4, 500), rng.integers(0, 3, 500), rng.integers(0, 2, 500)
    p = np.where(rng.random(500) < 0.7 + 0.05 * g, y, rng.integers(0, 4, 500))
    said = [None if gone else str(v) for gone, v in zip(rng.random(500) < 0.05, p, strict=True)]
    training = {"g": rng.integers(5, 50, (4, 3))}
    columns = {"g": texts(g), "h": texts(h)}
    return make(texts(y), said, columns, levels=texts(range(4)), training=training)


@pytest.fixture
def binary(make: Build) -> Predictions:
    rng = np.random.default_rng(0)
    y, g = rng.integers(0, 2, 400), rng.integers(0, 3, 400)
    p = np.where(rng.random(400) < 0.75 + 0.08 * (g == 1), y, 1 - y)
    return make(texts(y), texts(p), {"g": texts(g)})


def test_plain_rows_have_no_design_and_keep_their_counts(plain: Predictions) -> None:
    table = count(plain, ("g",))
    assert table.design is None
    found = counts_of(table, "accuracy", 1)
    assert found.n.dtype == np.int64 and found.rows is found.n
    assert found.how == "" and found.beside(3) == {}


def test_plain_rows_give_the_numbers_they_always_gave(make: Build) -> None:
    """Written down from the package before it knew of weights and persons."""
    rng = np.random.default_rng(403)
    y, g, h = (rng.integers(0, k, 400) for k in (2, 5, 2))
    p = np.where(rng.random(400) < 0.7 + 0.05 * g, y, rng.integers(0, 2, 400))
    rng.random(400), rng.integers(0, 2, 400)
    said = [None if gone else str(v) for gone, v in zip(rng.random(400) < 0.05, p, strict=True)]
    rows = make(texts(y), said, {"g": texts(g), "h": texts(h)}, levels=["0", "1"])
    found = measure(rows, Settings(permutations=499))
    odds = found["disparities"]["g"]["equalized_odds_difference"]
    gap = found["disparities"]["h"]["accuracy_difference"]
    overall = found["overall"]
    for value, numbers in (
        (overall["accuracy"], (0.8924731182795699, 0.8568872446873654, 0.9200360913283852)),
        (overall["balanced_accuracy"], (0.8937853107344633, 0.858606813544434, 0.921008428771802)),
        (gap, (0.0031347962382445305, 0.0, 0.06909739540988769)),
    ):
        assert [value[k] for k in ("value", "low", "high")] == pytest.approx(numbers, rel=1e-12)
    assert odds["value"] == pytest.approx(0.16577060931899645, rel=1e-12)
    assert odds["at_most"] == pytest.approx(0.3365612430513989, rel=1e-12)
    assert (odds["p"], odds["null95"]) == (0.134, pytest.approx(0.21739130434782605))
    assert gap["null95"] == pytest.approx(0.06165099268547547, rel=1e-12)


@pytest.mark.parametrize("weight", [1.0, 2.0, 0.1])
def test_equal_weights_change_no_number(plain: Predictions, weight: float) -> None:
    same = weighed(plain, np.full(len(plain), weight))
    assert json.dumps(measure(same, QUICK)) == json.dumps(measure(plain, QUICK))


def test_values_are_weighted_and_n_is_kishs_or_the_linearised(binary: Predictions) -> None:
    w = np.random.default_rng(1).lognormal(0, 0.8, len(binary))
    known = binary.annotations
    assert known.truth is not None
    found = measure(weighed(binary, w), QUICK)["groups"]
    for place in range(3):
        value = found[place]["accuracy"]
        mine = known.groups["g"] == place
        right, own = (known.truth == binary.predicted)[mine], w[mine]
        q, n = np.average(right, weights=own), mine.sum()
        kish = own.sum() ** 2 / (own**2).sum()
        v = n / (n - 1) * (own**2 * (right - q) ** 2).sum() / own.sum() ** 2
        size = min(kish, q * (1 - q) / v)
        low, high = wilson(q * size, size)
        assert value["value"] == pytest.approx(q)
        assert value["n"] == n
        assert value["n_effective"] == pytest.approx(size)
        assert (value["low"], value["high"]) == pytest.approx((float(low), float(high)))
        assert value["method"] == "Wilson, effective n of weights (F11)"


def test_rates_of_0_and_1_take_kishs_size(make: Build) -> None:
    rows = weighed(make(list("1111"), list("1111"), {"g": list("aaaa")}), [1, 2, 3, 4])
    value = measure(rows, QUICK)["overall"]["accuracy"]
    assert value["n_effective"] == pytest.approx(100 / 30)
    assert value["value"] == value["high"] == 1.0
    assert value["low"] == pytest.approx(float(wilson(100 / 30, 100 / 30)[0]))


def test_only_the_proportions_of_weights_matter(plain: Predictions) -> None:
    w = np.random.default_rng(2).gamma(2, size=len(plain))
    one, other = (measure(weighed(plain, w * k), QUICK) for k in (1.0, 4.0))
    assert json.dumps(one) == json.dumps(other)


def test_entries_counted_together_give_the_numbers_of_their_rows(binary: Predictions) -> None:
    w = np.random.default_rng(3).integers(1, 4, len(binary)).astype(np.float64)
    known = binary.annotations
    assert known.truth is not None
    keys = np.stack([known.truth, binary.predicted, known.groups["g"]])
    _, first, place, many = np.unique(
        keys, axis=1, return_index=True, return_inverse=True, return_counts=True
    )
    place = place.ravel()
    mass = Mass(many, np.bincount(place, w), np.bincount(place, w**2))
    entries = replace(known.take(first), mass=mass)
    together = replace(binary, annotations=entries, predicted=binary.predicted[first])
    found, wanted = measure(together, QUICK), measure(weighed(binary, w), QUICK)
    for one, other in zip(found["groups"], wanted["groups"], strict=True):
        for name in ("accuracy", "true_positive_rate", "f1"):
            for key in ("value", "low", "high", "n", "n_effective"):
                assert one[name][key] == pytest.approx(other[name][key]), (name, key)
    gaps = [d["disparities"]["g"]["equalized_odds_difference"] for d in (found, wanted)]
    for key in ("value", "p", "null95", "at_most", "detectable"):
        assert gaps[0][key] == pytest.approx(gaps[1][key]), key


def test_chance_power_and_bounds_use_the_effective_size(binary: Predictions) -> None:
    w = np.random.default_rng(4).lognormal(0, 1, len(binary))
    plain, gap = (
        measure(rows, Settings(permutations=999))["disparities"]["g"]["accuracy_difference"]
        for rows in (binary, weighed(binary, w))
    )
    assert gap["shuffled"].startswith("effective rows")
    assert gap["n"] == 400 and gap["n_effective"] < 250
    assert gap["null95"] > plain["null95"]
    assert gap["detectable"] > plain["detectable"]
    assert "effective n of weights" in gap["method"]


def test_min_group_counts_rows_and_not_weights(make: Build) -> None:
    groups = list("a" * 40 + "b" * 20)
    rows = weighed(make(list("1" * 60), list("10" * 30), {"g": groups}), [0.01] * 40 + [9.0] * 20)
    found = measure(rows, QUICK)["disparities"]["g"]
    assert found["accuracy_difference"]["groups_compared"] == 2
    small = found["accuracy_difference_min_group"]
    assert small["value"] is None
    assert small["left_out"][0]["reason"] == "20 of the 30 rows needed"


def test_rows_of_weight_0_count_in_no_rate(make: Build) -> None:
    rows = weighed(make(list("1100"), list("1000"), {"g": list("aabb")}), [1, 0, 2, 1])
    found = measure(rows, QUICK)
    assert found["overall"]["accuracy"]["value"] == 1.0
    void = weighed(make(list("1100"), list("1000"), {"g": list("aabb")}), [0, 0, 2, 1])
    assert measure(void, QUICK)["groups"][0]["accuracy"]["value"] is None


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_weights_that_cannot_be_are_refused(binary: Predictions, bad: float) -> None:
    w = np.ones(len(binary))
    w[7] = bad
    with pytest.raises(DataError, match="negative or no number"):
        measure(weighed(binary, w), QUICK)


def test_shares_of_groups_are_by_weight(make: Build) -> None:
    rows = weighed(make(list("1111"), list("1111"), {"g": list("aabb")}), [3, 3, 1, 1])
    found = measure(rows, QUICK)
    assert [entry["share"] for entry in found["groups"]] == [0.75, 0.25]
    assert [entry["n"] for entry in found["groups"]] == [2, 2]


@pytest.mark.slow
def test_coverage_with_weights_by_simulation(make: Build) -> None:
    rng, held, n = np.random.default_rng(5), 0, 300
    for _ in range(400):
        right = rng.random(n) < 0.85
        w = rng.lognormal(0, 0.7, n) * np.where(right, 1.0, 1.6)
        rows = weighed(make(["1"] * n, texts(right.astype(int)), {}, levels=["0", "1"]), w)
        value = measure(rows, QUICK)["overall"]["accuracy"]
        held += value["low"] <= 0.85 / (0.85 + 0.15 * 1.6) <= value["high"]
    assert 0.92 <= held / 400 <= 0.98
