"""Two models on the same rows, where rows carry weights or belong to persons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from debias_cl.metrics import Settings, compare, contrasts, measure
from debias_cl.metrics.combinations import paired
from debias_cl.metrics.proportions import Z
from debias_cl.records import Alignment, Mass, Predictions

Build = Callable[..., Predictions]
Pair = tuple[Predictions, Predictions]
DIAGONAL = {"g": Alignment(frozenset({("0", "0"), ("1", "1")}), "the protocol")}
NAMES = ("accuracy", "unbiased_accuracy", "aligned_accuracy", "conflict_accuracy")


def texts(codes: Any) -> list[str]:
    return [str(v) for v in codes]


@pytest.fixture
def pair(make: Build) -> Pair:
    rng = np.random.default_rng(0)
    y, g = rng.integers(0, 2, (2, 400))
    good = np.where(rng.random(400) < 0.9, y, 1 - y)
    poor = np.where(rng.random(400) < np.where(y == g, 0.9, 0.6), y, 1 - y)
    both = [make(texts(y), texts(p), {"g": texts(g)}, alignment=DIAGONAL) for p in (good, poor)]
    return both[0], both[1]


def told(pair: Pair, persons: Any = None, weight: Any = None) -> Pair:
    """Give both tables persons and weights."""
    n = len(pair[0])
    mass = None if weight is None else Mass(np.ones(n, np.int64), weight, weight**2)
    a, b = (
        replace(p, annotations=replace(p.annotations, persons=persons, mass=mass)) for p in pair
    )
    return a, b


def won(pair: Pair) -> Any:
    """Return 1 where only the first is right, -1 where only the second is."""
    truth = pair[0].annotations.truth
    return (pair[0].predicted == truth).astype(int) - (pair[1].predicted == truth)


def test_equal_weights_change_no_number(pair: Pair) -> None:
    assert compare(*told(pair, weight=np.full(400, 3.0))) == compare(*pair)


@pytest.mark.parametrize("persons", [None, np.arange(400) // 4])
def test_values_are_differences_of_the_weighted_ones(pair: Pair, persons: Any) -> None:
    both = told(pair, persons, np.random.default_rng(1).gamma(2, size=400))
    found = compare(*both)
    a, b = (measure(p, Settings(permutations=9))["overall"] for p in both)
    for name in NAMES:
        assert found[name]["value"] == pytest.approx(a[name]["value"] - b[name]["value"]), name
        assert found[name]["low"] < found[name]["value"] < found[name]["high"]
        assert found[name]["n_effective"] < found[name]["n"]


def test_weights_by_hand(pair: Pair) -> None:
    w, e = np.random.default_rng(2).lognormal(0, 0.8, 400), won(pair)
    found = compare(*told(pair, weight=w))["accuracy"]
    d, up, down = np.average(e, weights=w), w[e > 0].sum() / w.sum(), w[e < 0].sum() / w.sum()
    v = 400 / 399 * (w**2 * (e - d) ** 2).sum() / w.sum() ** 2
    size = min(w.sum() ** 2 / (w**2).sum(), (up + down - d**2) / v)
    one = [np.array([x]) for x in (up * size, down * size, size, 1.0)]
    _, low, high = paired(*one)
    assert found["n_effective"] == pytest.approx(size)
    assert (found["low"], found["high"]) == pytest.approx((float(low), float(high)))
    assert found["method"] == "Tango's score interval, effective n of weights (F11)"


def test_persons_by_hand(pair: Pair) -> None:
    person, e = np.random.default_rng(3).integers(0, 70, 400), won(pair)
    found = compare(*told(pair, person))["accuracy"]
    d, names = e.mean(), np.unique(person)
    off = [e[person != k].mean() - d for k in names]
    m, effective = len(names), 400**2 / np.square(np.bincount(person)).sum()
    v = (m - 1) / m * np.square(off).sum()
    size = min(400, e.var() / v) * (Z / stats.t.ppf(0.975, effective - 1)) ** 2
    assert found["n_effective"] == pytest.approx(size)
    shares = [(e > 0).mean() * size, (e < 0).mean() * size, size, 1.0]
    _, low, high = paired(*(np.array([x]) for x in shares))
    assert (found["low"], found["high"]) == pytest.approx((float(low), float(high)))
    assert (found["gained"], found["lost"]) == ((e > 0).sum(), (e < 0).sum())


def test_means_of_cells_that_share_persons_are_jackknifed(pair: Pair) -> None:
    person, e = np.arange(400) // 8, won(pair)
    known = pair[0].annotations
    assert known.truth is not None
    cell = 2 * known.truth + known.groups["g"]

    def mean(keep: Any) -> float:
        return float(np.mean([e[keep & (cell == i)].mean() for i in range(4)]))

    value = mean(np.ones(400, bool))
    off = [mean(person != k) - value for k in range(50)]
    h = [
        sum(((person == k) & (cell == i)).sum() / (cell == i).sum() for i in range(4))
        for k in range(50)
    ]
    t = stats.t.ppf(0.975, np.sum(h) ** 2 / np.square(h).sum() - 1)
    half = t * (49 / 50 * np.square(off).sum()) ** 0.5
    found = compare(*told(pair, person))["unbiased_accuracy"]
    assert found["value"] == pytest.approx(value)
    assert (found["low"], found["high"]) == pytest.approx((value - half, value + half))
    assert found["method"] == contrasts.JACKKNIFE


def test_rows_given_twice_are_no_more_certain(pair: Pair) -> None:
    index = np.r_[np.arange(400), np.arange(400)]
    twice = tuple(
        replace(
            p,
            annotations=replace(
                p.annotations.take(index), ids=np.arange(800).astype(str), persons=index
            ),
            predicted=p.predicted[index],
        )
        for p in pair
    )
    once, found = compare(*pair)["accuracy"], compare(*twice)["accuracy"]
    assert found["n"] == 800
    for key in ("value", "low", "high"):
        assert found[key] == pytest.approx(once[key], abs=2e-3)
    assert found["p"] == pytest.approx(once["p"], abs=0.01)


def test_one_person_gives_no_interval(pair: Pair) -> None:
    found = compare(*told(pair, np.zeros(400, np.int64)))
    for name in NAMES:
        assert found[name]["value"] is not None
        assert found[name]["low"] is None and "one person" in found[name]["reason"]
    assert found["accuracy"]["p"] is None


def test_a_model_against_itself(pair: Pair) -> None:
    rng = np.random.default_rng(4)
    same = told((pair[0], pair[0]), rng.integers(0, 50, 400), rng.gamma(2, size=400))
    for value in compare(*same).values():
        assert value["value"] == 0
        assert value["low"] == pytest.approx(-value["high"]) and value["high"] > 0
