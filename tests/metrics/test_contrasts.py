"""Sums, differences and ratios of cells that share persons: the jackknife of the contrast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from debias_cl.metrics import Settings, contrasts, measure
from debias_cl.metrics.combinations import difference
from debias_cl.metrics.counts import count
from debias_cl.metrics.rates import counts_of
from debias_cl.records import Predictions

Build = Callable[..., Predictions]
QUICK = Settings(permutations=99)


def texts(codes: Any) -> list[str]:
    return [str(v) for v in codes]


@pytest.fixture
def shared(make: Build) -> Predictions:
    """50 persons, each with rows in both groups and of both labels."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(50), rng.integers(4, 12, 50))
    n, own = len(person), rng.beta(6, 2, 50)
    y, g = rng.integers(0, 2, (2, n))
    p = np.where(rng.random(n) < own[person] - 0.1 * g, y, 1 - y)
    rows = make(texts(y), texts(p), {"g": texts(g)})
    return replace(rows, annotations=replace(rows.annotations, persons=person))


def jackknifed(
    right: Any, cell: Any, person: Any, c: Any, curve: Callable[[Any], Any] = lambda p: p
) -> tuple[float, float]:
    """Return a contrast of cells and half its interval's width, leaving out persons in turn."""

    def contrast(keep: Any) -> float:
        rates = [right[keep & (cell == i)].mean() for i in range(len(c))]
        return float(np.dot(c, curve(np.array(rates))))

    everyone = np.ones(len(right), bool)
    value, names = contrast(everyone), sorted(set(person))
    off = [contrast(person != name) - value for name in names]
    m, sizes = len(names), np.bincount(cell)
    h = [
        sum(abs(c[i]) * ((person == k) & (cell == i)).sum() / sizes[i] for i in range(len(c)))
        for k in names
    ]
    effective = np.sum(h) ** 2 / np.square(h).sum()
    v = (m - 1) / m * np.square(off).sum()
    return value, stats.t.ppf(0.975, effective - 1) * v**0.5


def test_means_over_cells_are_jackknifed(shared: Predictions) -> None:
    known = shared.annotations
    assert known.truth is not None and known.persons is not None
    right, overall = known.truth == shared.predicted, measure(shared, QUICK)["overall"]
    cells = {
        "balanced_accuracy": known.truth,
        "unbiased_accuracy": 2 * known.truth + known.groups["g"],
    }
    for name, cell in cells.items():
        k = cell.max() + 1
        value, half = jackknifed(right, cell, known.persons, np.full(k, 1 / k))
        assert overall[name]["value"] == pytest.approx(value)
        assert overall[name]["low"] == pytest.approx(value - half)
        assert overall[name]["high"] == pytest.approx(min(value + half, 1))
        assert overall[name]["method"] == contrasts.JACKKNIFE
        assert overall[name]["n_effective"] < overall[name]["n"]


def test_two_groups_that_share_persons(shared: Predictions) -> None:
    known = shared.annotations
    assert known.truth is not None and known.persons is not None
    right, group = known.truth == shared.predicted, known.groups["g"]
    found = measure(shared, QUICK)["disparities"]["g"]
    value, half = jackknifed(right, group, known.persons, np.array([1.0, -1.0]))
    gap = found["accuracy_difference"]
    assert gap["value"] == pytest.approx(abs(value))
    ends = sorted((abs(value - half), abs(value + half)))
    low = 0.0 if abs(value) < half else ends[0]
    assert (gap["low"], gap["high"]) == pytest.approx((low, ends[1]))
    assert gap["method"] == f"{contrasts.JACKKNIFE}, folded (F4)"
    log, width = jackknifed(right, group, known.persons, np.array([1.0, -1.0]), np.log)
    ratio = found["accuracy_ratio"]
    assert ratio["value"] == pytest.approx(np.exp(-abs(log)))
    assert ratio["low"] == pytest.approx(np.exp(-abs(log) - width))


def test_groups_of_different_persons_keep_the_score_interval(make: Build) -> None:
    rng = np.random.default_rng(1)
    person = rng.integers(0, 60, 400)
    g, y = person % 2, rng.integers(0, 2, 400)
    p = np.where(rng.random(400) < 0.8, y, 1 - y)
    rows = make(texts(y), texts(p), {"g": texts(g)})
    rows = replace(rows, annotations=replace(rows.annotations, persons=person))
    pair = counts_of(count(rows, ("g",)), "accuracy", 1)
    _, low, high = difference(pair.x[0], pair.n[0], pair.x[1], pair.n[1])
    found = contrasts.difference(pair)
    assert (found.low[0], found.high[0]) == (float(low), float(high))
    assert found.method[0].endswith("effective n of persons (F10)")


def test_a_spread_of_0_falls_back_on_the_effective_sizes(make: Build) -> None:
    y, g = list("01" * 40), list("ab" * 40)
    rows = make(y, y, {"g": g})
    rows = replace(rows, annotations=replace(rows.annotations, persons=np.arange(80) // 4))
    mean = measure(rows, QUICK)["overall"]["balanced_accuracy"]
    assert mean["value"] == mean["high"] == 1.0
    assert 0.7 < mean["low"] < 0.99
    assert contrasts.JACKKNIFE not in mean["method"]


def test_jackknife_intervals_stay_within_what_can_be(make: Build) -> None:
    y = list("01" * 10)
    p = ["1" if i == 0 else v for i, v in enumerate(y)]
    rows = make(y, p, {"g": list("ab" * 10)})
    rows = replace(rows, annotations=replace(rows.annotations, persons=np.arange(20) // 4))
    mean = measure(rows, QUICK)["overall"]["balanced_accuracy"]
    assert mean["value"] == pytest.approx(0.95)
    assert mean["high"] == 1.0 and mean["low"] >= 0


@pytest.mark.slow
def test_coverage_of_contrasts_by_simulation(make: Build) -> None:
    rng, held = np.random.default_rng(2), np.zeros(2)
    person = np.repeat(np.arange(60), 8)
    y, g = np.tile([0, 1], 240), np.tile([0, 0, 1, 1], 120)
    for _ in range(300):
        own = rng.beta(6 * 0.8, 6 * 0.2, 60)
        right = rng.random(480) < own[person] * np.where(g == 1, 1.0, 0.9)
        rows = make(texts(y), texts(np.where(right, y, 1 - y)), {"g": texts(g)})
        rows = replace(rows, annotations=replace(rows.annotations, persons=person))
        found = measure(rows, Settings(permutations=9))
        mean = found["overall"]["balanced_accuracy"]
        gap = found["disparities"]["g"]["accuracy_difference"]
        held += mean["low"] <= 0.76 <= mean["high"], gap["low"] <= 0.08 <= gap["high"]
    assert (held / 300 >= 0.915).all() and held[0] / 300 <= 0.985
