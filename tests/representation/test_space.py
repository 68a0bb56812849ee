"""Neighbours, geometry and the map, against plain loops and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from debias_cl.records import Features
from debias_cl.representation import Limits, audit

Make = Callable[..., Features]
Look = Callable[[Features], dict[str, Any]]


def test_neighbour_purity_equals_scikit_learns_neighbours(features: Make, look: Look) -> None:
    made = features(attribute=2.0, levels=3)
    train, test = made.part("train"), made.part("test")
    finder = NearestNeighbors(n_neighbors=20, metric="cosine").fit(train.values)
    index = finder.kneighbors(test.values, return_distance=False)
    truth, groups = train.annotations.truth, train.annotations.groups["a"]
    assert truth is not None and test.annotations.truth is not None
    same = truth[index] == test.annotations.truth[:, None]
    alike = groups[index] == test.annotations.groups["a"][:, None]
    found = look(made)["representation"]["neighbours"]
    assert found["k"] == 20
    entry = found["attributes"]["a"]
    assert entry["all"]["label"]["value"] == pytest.approx(same.mean(), abs=1e-4)
    assert entry["all"]["attribute"]["value"] == pytest.approx(alike.mean(), abs=1e-4)
    aligned = test.annotations.aligned("a")
    assert aligned is not None
    assert entry["conflicting"]["n"] == (~aligned).sum()
    assert entry["conflicting"]["label"]["value"] == pytest.approx(same[~aligned].mean(), abs=1e-4)
    cell = entry["cells"][5]
    assert cell["group"] == {"y": "1", "a": "2"} and cell["aligned"] is False
    mask = (test.annotations.truth == 1) & (test.annotations.groups["a"] == 2)
    assert cell["n"] == mask.sum()
    assert cell["attribute"]["value"] == pytest.approx(alike[mask].mean(), abs=1e-4)
    assert cell["attribute"]["chance"] == pytest.approx((groups == 2).mean())
    assert cell["label"]["low"] < cell["label"]["value"] < cell["label"]["high"]


def test_geometry_equals_plain_loops_over_pairs(features: Make, look: Look) -> None:
    made = features(attribute=2.0, sizes=(60, 0, 50))
    test = made.part("test")
    unit = test.values.astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    truth, groups = test.annotations.truth, test.annotations.groups["a"]
    assert truth is not None
    squared = {(i, j): ((unit[i] - unit[j]) ** 2).sum() for i, j in combinations(range(50), 2)}
    everything, one = look(made)["representation"]["geometry"]["a"][:2]

    def mean(wanted: Callable[[int, int], bool]) -> float:
        return float(np.mean([d for (i, j), d in squared.items() if wanted(i, j)]))

    def alike(i: int, j: int) -> bool:
        return bool(truth[i] == truth[j])

    assert everything["alignment"]["value"] == pytest.approx(mean(alike))
    assert everything["alignment_across"]["value"] is None
    assert one["group"] == {"a": "0"}
    inside = mean(lambda i, j: alike(i, j) and groups[i] == groups[j] == 0)
    across = mean(lambda i, j: alike(i, j) and (groups[i] == 0) != (groups[j] == 0))
    assert one["alignment"]["value"] == pytest.approx(inside)
    assert one["alignment_across"]["value"] == pytest.approx(across)
    spread = np.log(np.mean([np.exp(-2 * d) for d in squared.values()]))
    assert everything["uniformity"]["value"] == pytest.approx(spread)


def test_shares_of_variance(features: Make, look: Look) -> None:
    made = features(label=3.0, attribute=1.0, levels=3)
    test = made.part("test")
    x, truth = test.values.astype(float), test.annotations.truth
    assert truth is not None

    def share(codes: Any) -> float:
        total = ((x - x.mean(axis=0)) ** 2).sum()
        rest = sum(
            ((x[codes == c] - x[codes == c].mean(axis=0)) ** 2).sum() for c in np.unique(codes)
        )
        return float(1 - rest / total)

    found = look(made)["representation"]["variance"]["a"]
    cells = truth * 3 + test.annotations.groups["a"]
    assert found["label"]["value"] == pytest.approx(share(truth))
    assert found["both"]["value"] == pytest.approx(share(cells))
    rest = (share(cells) - share(truth)) / (1 - share(truth))
    assert found["attribute_within_label"]["value"] == pytest.approx(rest)
    rng = np.random.default_rng(0)
    shuffled = np.mean([share(rng.permutation(truth)) for _ in range(200)])
    assert found["label"]["chance"] == pytest.approx(shuffled, rel=0.05)


def test_the_map_is_the_first_two_components(features: Make) -> None:
    made = features(attribute=5.0)
    found = audit(made, "test", limits=Limits(points=120))["representation"]["map"]
    pca = PCA(2).fit(made.part("test").values.astype(float))
    assert found["explained"] == pytest.approx(pca.explained_variance_ratio_, rel=1e-4)
    assert found["n"] == len(found["x"]) == len(found["codes"]["y"]) == 120
    assert found["of"] == 300
    assert max(map(abs, found["x"])) == 1.0
    assert sum(abs(x) == 1 for x in found["x"]) <= 3
    assert (
        audit(replace(made, values=np.zeros_like(made.values)), "test")["representation"]["map"]
        is None
    )


def test_wrong_labels_are_suspected_and_named(features: Make, look: Look) -> None:
    made = features(label=14.0, attribute=0.0, levels=3, follows=0.0, sizes=(600, 0, 300))
    truth = made.annotations.truth
    assert truth is not None
    groups = made.annotations.groups["a"]
    # Wrong labels whose true label is not the attribute's usual one: that would explain them.
    free = np.flatnonzero((groups != truth) & (made.split == "train"))[:12]
    wrong = truth.copy()
    wrong[free] = 3 - truth[free] - groups[free]
    found = look(replace(made, annotations=replace(made.annotations, truth=wrong)))
    suspects = found["representation"]["suspects"]
    assert {one["id"] for one in suspects["train"]["listed"]} == {f"row {i}" for i in free}
    assert suspects["train"]["n"] == 12 and suspects["train"]["of"] == 600
    first = next(one for one in suspects["train"]["listed"] if one["id"] == f"row {free[0]}")
    assert first["neighbours"] == str(truth[free[0]])
    assert suspects["test"]["n"] == 0


def test_what_the_attribute_explains_is_counted_apart(features: Make, look: Look) -> None:
    shortcut = features(label=0.0, attribute=14.0, follows=0.97, sizes=(600, 0, 300))
    suspects = look(shortcut)["representation"]["suspects"]
    assert suspects["test"]["explained"] > 0
    assert suspects["test"]["n"] == suspects["train"]["n"] == 0


def test_neighbours_of_a_label_that_most_rows_have_say_nothing(features: Make, look: Look) -> None:
    made = features(label=0.0, levels=2)
    rare = (np.random.default_rng(1).random(len(made.split)) < 0.04).astype(np.int64)
    known = replace(made.annotations, truth=rare, alignment={})
    suspects = look(replace(made, annotations=known))["representation"]["suspects"]
    assert suspects["train"]["n"] == suspects["test"]["n"] == 0


def test_rows_are_subsampled_and_said(features: Make) -> None:
    limits = Limits(train=50, test=40, numbers=60 * 12)
    rows = audit(features(), "test", limits=limits)["representation"]["rows"]
    assert rows["train"] == {"n": 50, "of": 400}
    assert rows["test"] == {"n": 40, "of": 300}
    assert (rows["held_out"]["n"], rows["held_out"]["of"]) == (50, 400)


def test_rows_without_label_or_number_are_left_out(features: Make, look: Look) -> None:
    made = features()
    truth = made.annotations.truth
    assert truth is not None
    truth, values = truth.copy(), made.values.copy()
    truth[-3:] = -1
    values[-5] = np.nan
    found = look(replace(made, values=values, annotations=replace(made.annotations, truth=truth)))
    assert found["representation"]["rows"]["test"] == {"n": 296, "of": 300}
    truth[made.split == "test"] = -1
    nothing = look(replace(made, annotations=replace(made.annotations, truth=truth)))
    assert nothing == {"leakage": {}, "representation": None}


def test_without_an_attribute_the_label_alone_is_looked_at(features: Make, look: Look) -> None:
    made = features()
    known = replace(made.annotations, attributes=(), groups={}, alignment={})
    found = look(replace(made, annotations=known))
    assert found["leakage"] == {}
    assert found["representation"]["neighbours"]["label"]["value"] > 0.9
