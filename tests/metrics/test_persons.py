"""Several rows of one person: effective sizes from a delete-one-person jackknife (F10)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from debias_cl.metrics import Settings, design, measure
from debias_cl.metrics.counts import count
from debias_cl.metrics.proportions import Z, wilson
from debias_cl.metrics.rates import counts_of
from debias_cl.records import Mass, Predictions

Build = Callable[..., Predictions]
QUICK = Settings(permutations=99)


def texts(codes: Any) -> list[str]:
    return [str(v) for v in codes]


def of_persons(rows: Predictions, persons: Any, mass: Mass | None = None) -> Predictions:
    """Say whom each row is of."""
    known = replace(rows.annotations, persons=np.asarray(persons, np.int64), mass=mass)
    return replace(rows, annotations=known)


@pytest.fixture
def rows(make: Build) -> Predictions:
    """60 persons with 1 to 12 rows each, their own error rates, one group each."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(60), rng.integers(1, 13, 60))
    own, group = rng.beta(6, 2, 60), rng.integers(0, 3, 60)
    y = rng.integers(0, 2, len(person))
    p = np.where(rng.random(len(person)) < own[person], y, 1 - y)
    return of_persons(make(texts(y), texts(p), {"g": texts(group[person])}), person)


def by_hand(right: Any, person: Any, weight: Any = None) -> tuple[float, float]:
    """Return rate and effective size by leaving out each person in turn."""
    w = np.ones(len(right)) if weight is None else np.asarray(weight)
    q, total = np.average(right, weights=w), w.sum()
    names = sorted(set(person))
    off, sizes = [], []
    for name in names:
        keep = person != name
        off.append(np.average(right[keep], weights=w[keep]) - q)
        sizes.append(w[~keep].sum())
    m, effective = len(names), total**2 / np.square(sizes).sum()
    v = (m - 1) / m * np.square(off).sum()
    ratio = q * (1 - q) / v if 0 < q < 1 else effective
    kish = total**2 / np.square(w).sum()
    return q, min(kish, ratio) * (Z / stats.t.ppf(0.975, effective - 1)) ** 2


@pytest.mark.parametrize("weighted", [False, True])
def test_intervals_are_those_of_an_explicit_jackknife(rows: Predictions, weighted: bool) -> None:
    known = rows.annotations
    assert known.truth is not None and known.persons is not None
    w = np.random.default_rng(1).gamma(3, size=len(rows)) if weighted else np.ones(len(rows))
    mass = Mass(np.ones(len(rows), np.int64), w, w**2) if weighted else None
    found = measure(of_persons(rows, known.persons, mass), QUICK)["groups"]
    right, positive = known.truth == rows.predicted, known.truth == 1
    for place in range(3):
        mine = known.groups["g"] == place
        for name, keep in (("accuracy", mine), ("true_positive_rate", mine & positive)):
            value = found[place][name]
            q, size = by_hand(right[keep], known.persons[keep], w[keep])
            low, high = wilson(q * size, size)
            assert value["value"] == pytest.approx(q)
            assert value["n"] == keep.sum()
            assert value["n_effective"] == pytest.approx(size)
            assert (value["low"], value["high"]) == pytest.approx((float(low), float(high)))
            word = "weighted persons" if weighted else "persons"
            assert value["method"] == f"Wilson, effective n of {word} (F10)"


def test_one_row_a_person_is_the_plain_interval_but_for_t(rows: Predictions) -> None:
    alone = of_persons(rows, np.arange(len(rows)))
    plain = replace(rows, annotations=replace(rows.annotations, persons=None))
    one, other = (measure(p, QUICK)["overall"]["accuracy"] for p in (alone, plain))
    n = len(rows)
    t = stats.t.ppf(0.975, n - 1)
    assert one["n_effective"] == pytest.approx((n - 1) * (Z / t) ** 2)
    assert one["low"] == pytest.approx(other["low"], abs=1e-3)
    assert one["high"] == pytest.approx(other["high"], abs=1e-3)


def test_rows_given_twice_count_once(rows: Predictions) -> None:
    """Each person is one row and its copy: half the rows are new."""
    n = 200
    few = replace(
        rows, annotations=rows.annotations.take(np.arange(n)), predicted=rows.predicted[:n]
    )
    index = np.r_[np.arange(n), np.arange(n)]
    twice = replace(few, annotations=few.annotations.take(index), predicted=few.predicted[index])
    found = measure(of_persons(twice, index), QUICK)["overall"]["accuracy"]
    assert found["n"] == 2 * n
    assert found["n_effective"] == pytest.approx(n, rel=0.02)


def test_entries_counted_together_within_persons_give_the_same(rows: Predictions) -> None:
    known = rows.annotations
    assert known.truth is not None and known.persons is not None
    keys = np.stack([known.persons, known.truth, rows.predicted, known.groups["g"]])
    _, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    assert len(first) < len(rows)
    entries = replace(known.take(first), mass=Mass(many))
    together = replace(rows, annotations=entries, predicted=rows.predicted[first])
    assert json.dumps(measure(together, QUICK)) == json.dumps(measure(rows, QUICK))


def test_names_of_persons_do_not_matter(rows: Predictions) -> None:
    known = rows.annotations
    assert known.persons is not None
    other = of_persons(rows, 1_000_000 - 7 * known.persons)
    wanted = measure(rows, QUICK)["groups"]
    for one, two in zip(measure(other, QUICK)["groups"], wanted, strict=True):
        assert one["accuracy"]["low"] == pytest.approx(two["accuracy"]["low"], rel=1e-12)


def test_rows_of_nobody_known_are_persons_of_their_own(rows: Predictions) -> None:
    unknown = of_persons(rows, np.full(len(rows), -1))
    alone = of_persons(rows, np.arange(len(rows)))
    assert json.dumps(measure(unknown, QUICK)) == json.dumps(measure(alone, QUICK))


def test_one_person_has_a_value_and_no_interval(make: Build) -> None:
    y, p, g = list("1111" * 10), list("1011" * 10), ["a"] * 20 + ["b"] * 20
    rows = of_persons(make(y, p, {"g": g}, levels=["0", "1"]), [0] * 20 + list(range(1, 21)))
    found = measure(rows, QUICK)
    value = found["groups"][0]["accuracy"]
    assert value["value"] == 0.75
    assert value["low"] is value["high"] is value["method"] is None
    assert value["reason"] == "no interval: one person"
    assert found["groups"][1]["accuracy"]["low"] > 0
    gap = found["disparities"]["g"]["accuracy_difference"]
    assert gap["value"] is None
    assert {"group": {"g": "a"}, "n": 20, "reason": "all rows are of one person"} in gap["left_out"]


def test_one_person_in_a_cell_leaves_the_mean_without_interval(make: Build) -> None:
    y, p = list("1111" * 10), list("1011" * 10)
    rows = make(y, p, {"g": ["a"] * 20 + ["b"] * 20}, levels=["0", "1"])
    found = measure(of_persons(rows, [0] * 20 + list(range(1, 21))), QUICK)
    mean = found["attributes_overall"]["g"]["unbiased_accuracy"]
    assert mean["value"] == 0.75
    assert (
        mean["low"] is None
        and mean["reason"] == "no interval: all rows of one cell are of one person"
    )


def test_a_rate_of_1_rests_on_the_number_of_persons(make: Build) -> None:
    rows = make(["1"] * 100, ["1"] * 100, {}, levels=["0", "1"])
    value = measure(of_persons(rows, np.arange(100) // 10), QUICK)["overall"]["accuracy"]
    size = 10 * (Z / stats.t.ppf(0.975, 9)) ** 2
    assert value["n_effective"] == pytest.approx(size)
    assert value["low"] == pytest.approx(float(wilson(size, size)[0]))


def test_too_many_persons_are_put_together(
    rows: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many units as fit, at random: about the same interval, never an unclustered one."""
    rng = np.random.default_rng(2)
    index = rng.integers(0, len(rows), 20_000)
    many = replace(rows, annotations=rows.annotations.take(index), predicted=rows.predicted[index])
    many = of_persons(many, rng.integers(0, 5_000, len(index)))
    wanted = counts_of(count(many, ()), "accuracy", 1)
    monkeypatch.setattr(design, "MOST_CELLS", 9 * 1_000)
    found = counts_of(count(many, ()), "accuracy", 1)
    assert found.parts is not None and len(set(found.parts.person)) == 1_000
    assert found.n[0] == pytest.approx(wanted.n[0], rel=0.1)


@pytest.mark.slow
def test_coverage_with_persons_by_simulation(make: Build) -> None:
    rng, held = np.random.default_rng(3), {"persons": 0, "rows": 0}
    sizes = rng.integers(1, 13, 40)
    person = np.repeat(np.arange(40), sizes)
    for _ in range(400):
        own = rng.beta(4 * 0.8, 4 * 0.2, 40)
        right = (rng.random(len(person)) < own[person]).astype(int)
        rows = make(["1"] * len(person), texts(right), {}, levels=["0", "1"])
        for name, one in (("persons", of_persons(rows, person)), ("rows", rows)):
            value = measure(one, QUICK)["overall"]["accuracy"]
            held[name] += value["low"] <= 0.8 <= value["high"]
    assert 0.91 <= held["persons"] / 400 <= 0.985
    assert held["rows"] / 400 < 0.85
