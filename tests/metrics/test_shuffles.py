"""Chance where rows carry weights or belong to persons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from debias_cl.metrics import Settings, measure, null, shuffles, sizes
from debias_cl.metrics.counts import count
from debias_cl.metrics.views import View, by_label, by_rightness
from debias_cl.records import Mass, Predictions

Build = Callable[..., Predictions]


def texts(codes: Any) -> list[str]:
    return [str(v) for v in codes]


def clustered(make: Build, seed: int, *, one_group: bool, m: int = 60) -> Predictions:
    """Persons with 1 to 8 rows and error rates of their own; no group is worse off."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(m), rng.integers(1, 9, m))
    own, n = rng.beta(3, 1, m), len(person)
    y = rng.integers(0, 2, n)
    g = rng.integers(0, 3, m)[person] if one_group else rng.integers(0, 3, n)
    p = np.where(rng.random(n) < own[person], y, 1 - y)
    rows = make(texts(y), texts(p), {"g": texts(g)}, levels=["0", "1"])
    return replace(rows, annotations=replace(rows.annotations, persons=person))


def weighed(rows: Predictions, weight: Any) -> Predictions:
    mass = Mass(np.ones(len(weight), np.int64), weight, weight**2)
    return replace(rows, annotations=replace(rows.annotations, mass=mass))


def view_of(rows: Predictions) -> View:
    return by_rightness(count(rows, ("g",)), ("accuracy",))


def everyone(view: View) -> Any:
    return np.ones(view.table.shape[:2], np.bool_)


def test_dealing_kinds_of_persons_is_shuffling_persons(make: Build) -> None:
    """Against the persons' groups permuted one by one, with the same mean and spread."""
    rows = clustered(make, 0, one_group=True)
    known, view = rows.annotations, view_of(rows)
    assert known.truth is not None and known.persons is not None
    found = shuffles.shuffle(view, everyone(view), 4_000, [1])
    assert found.unit == shuffles.PERSONS and len(found.drawn) == 4_000
    assert (found.drawn.sum((1, 2)) == view.table.sum((0, 1))).all()
    right = known.truth == rows.predicted
    first = np.unique(known.persons, return_index=True)[1]
    group, rng = known.groups["g"][first], np.random.default_rng(2)
    by_hand = np.zeros((4_000, 3, 2))
    hits = np.bincount(known.persons, right)
    total = np.bincount(known.persons)
    for i in range(4_000):
        mixed = rng.permutation(group)
        x = np.bincount(mixed, hits, 3)
        by_hand[i] = np.stack([x, np.bincount(mixed, total, 3) - x], 1)
    gaps = [np.ptp(t[..., 0] / t.sum(-1), axis=-1) for t in (found.drawn[:, :, 0], by_hand)]
    assert stats.ks_2samp(*gaps).pvalue > 0.01
    assert gaps[0].mean() == pytest.approx(gaps[1].mean(), rel=0.03)


def test_permuting_persons_is_dealing_kinds_of_them(
    make: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = clustered(make, 3, one_group=True)
    view = view_of(rows)
    dealt = shuffles.shuffle(view, everyone(view), 3_000, [1]).drawn
    monkeypatch.setattr(shuffles.Kinds, "few", False)
    permuted = shuffles.shuffle(view, everyone(view), 3_000, [2]).drawn
    assert (permuted.sum((1, 2)) == view.table.sum((0, 1))).all()
    gaps = [np.ptp(t[:, :, 0, 0] / t[:, :, 0].sum(-1), axis=-1) for t in (dealt, permuted)]
    assert stats.ks_2samp(*gaps).pvalue > 0.01


def test_groups_keep_their_number_of_persons_in_every_stratum(make: Build) -> None:
    """One row a person: dealing persons is dealing rows."""
    rng = np.random.default_rng(4)
    y, g, p = rng.integers(0, 2, (3, 200))
    rows = make(texts(y), texts(p), {"g": texts(g)})
    rows = replace(rows, annotations=replace(rows.annotations, persons=np.arange(200)))
    view = by_label(count(rows, ("g",)), ("true_positive_rate", "false_positive_rate"))
    found = shuffles.shuffle(view, everyone(view), 500, [1])
    assert (found.drawn.sum(-1) == view.table.sum(-1)).all()
    plain = null.shuffled(view.table, everyone(view), 500, [1])
    assert found.drawn[..., 0].mean(0) == pytest.approx(plain[..., 0].mean(0), rel=0.05)


def test_persons_of_several_groups_are_dealt_as_effective_rows(make: Build) -> None:
    rows = clustered(make, 5, one_group=False)
    view = view_of(rows)
    found = shuffles.shuffle(view, everyone(view), 300, [1])
    assert found.unit == shuffles.EFFECTIVE
    room = np.rint(found.observed.sum(-1))
    assert (found.drawn.sum(-1) == room).all()
    assert room.sum() < view.table.sum()
    total = found.drawn.sum(1)[0, 0]
    assert total[0] == round(found.observed[:, 0, 0].sum())
    assert (found.drawn.sum(1) == total).all()


def test_weighted_groups_are_dealt_at_their_effective_size(make: Build) -> None:
    rows = clustered(make, 6, one_group=True)
    rows = replace(rows, annotations=replace(rows.annotations, persons=None))
    rows = weighed(rows, np.random.default_rng(0).lognormal(0, 1, len(rows)))
    view = view_of(rows)
    found = shuffles.shuffle(view, everyone(view), 200, [1])
    tally = view.tally(view.picks[0])
    assert found.observed[:, 0, 0] == pytest.approx(tally.x)
    assert found.observed[:, 0].sum(-1) == pytest.approx(tally.n)


def test_apportioned_numbers_add_up() -> None:
    rng = np.random.default_rng(7)
    parts, total = rng.random((50, 4)), rng.integers(0, 30, 50)
    found = sizes.apportioned(parts, total)
    assert (found.sum(-1) == total).all()
    exact = parts / parts.sum(-1, keepdims=True) * total[:, None]
    assert (np.abs(found - exact) < 1).all()
    assert (sizes.apportioned(np.zeros((1, 3)), np.zeros(1, np.int64)) == 0).all()


@pytest.mark.parametrize("name", ["accuracy_difference", "equalized_odds_difference"])
def test_disparities_say_what_was_shuffled(make: Build, name: str) -> None:
    quick = Settings(permutations=99)
    for one_group, unit in ((True, shuffles.PERSONS), (False, shuffles.EFFECTIVE)):
        rows = clustered(make, 8, one_group=one_group)
        gap = measure(rows, quick)["disparities"]["g"][name]
        assert gap["shuffled"] == unit
        plain = replace(rows, annotations=replace(rows.annotations, persons=None))
        assert "shuffled" not in measure(plain, quick)["disparities"]["g"][name]


@pytest.mark.slow
@pytest.mark.parametrize("one_group", [True, False])
def test_size_of_the_p_value_by_simulation(make: Build, one_group: bool) -> None:
    """Shuffled rows would reject a difference that is not there far too often."""
    rejected, naive, tries = 0, 0, 200
    for seed in range(tries):
        rows = clustered(make, 100 + seed, one_group=one_group, m=45)
        bare = replace(rows, annotations=replace(rows.annotations, persons=None))
        p, plain = (
            measure(r, Settings(permutations=199))["disparities"]["g"]["accuracy_difference"]["p"]
            for r in (rows, bare)
        )
        rejected, naive = rejected + (p <= 0.05), naive + (plain <= 0.05)
    assert rejected / tries <= 0.09
    if one_group:
        assert naive / tries >= 0.12
