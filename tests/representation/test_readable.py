"""Leakage: planted, absent, and carried by the label alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from debias_cl.metrics.combinations import linear
from debias_cl.records import MISSING, Column, Features
from debias_cl.representation import audit

Make = Callable[..., Features]
Look = Callable[[Features], dict[str, Any]]


def read(look: Look, made: Features) -> dict[str, Any]:
    """The leakage of the attribute."""
    found: dict[str, Any] = look(made)["leakage"]["a"]
    return found


def test_an_attribute_carried_by_the_label_alone_is_at_chance_within_it(
    features: Make, look: Look
) -> None:
    found = read(look, features(label=6.0, follows=0.9, sizes=(300, 200, 1000)))
    for probe in ("linear", "knn"):
        assert found[f"{probe}_balanced_accuracy"]["low"] > 0.85  # the label's echo
        assert found[f"{probe}_auc"]["value"] > 0.85
        within = found[f"{probe}_balanced_accuracy_within_label"]
        assert within["low"] < 0.5 < within["high"], within
        assert found[f"{probe}_auc_within_label"]["value"] == pytest.approx(0.5, abs=0.1)


def test_an_attribute_carried_directly_is_read_within_every_label(
    features: Make, look: Look
) -> None:
    found = read(look, features(label=6.0, attribute=8.0, follows=0.5))
    for probe in ("linear", "knn"):
        assert found[f"{probe}_balanced_accuracy_within_label"]["value"] > 0.97
        assert found[f"{probe}_auc_within_label"]["value"] > 0.99


def test_shuffled_levels_cannot_be_read(features: Make, look: Look) -> None:
    found = read(look, features(attribute=8.0, levels=3))
    for probe in ("linear", "knn"):
        for tail in ("", "_within_label"):
            chance = found[f"{probe}_shuffled{tail}"]
            assert chance["low"] - 0.05 < 1 / 3 < chance["high"] + 0.05
    assert found["majority"]["value"] == pytest.approx(1 / 3)
    assert found["linear_auc"]["value"] is None
    assert "two levels" in found["linear_auc"]["reason"]


def test_a_linear_probe_recomputed_with_scikit_learn(features: Make) -> None:
    """Two persons, so that the halves are known: one is fitted on, the other is judged."""
    made = features(attribute=1.0, sizes=(50, 0, 200))
    people = replace(made.annotations, persons=np.arange(len(made.annotations)) % 2)
    found = audit(replace(made, annotations=people), "test")["leakage"]["a"]
    test = made.part("test")
    codes, who = test.annotations.groups["a"], np.arange(200) % 2
    seen = []
    for person in (0, 1):
        fitted, judged = who != person, who == person
        x = test.values.astype(float)
        x = (x - x[fitted].mean(axis=0)) / x[fitted].std(axis=0)
        weight = fitted.sum() / (2 * np.bincount(codes[fitted]))[codes[fitted]]
        model = LogisticRegression(tol=1e-8, max_iter=1000)
        model.fit(x[fitted], codes[fitted], sample_weight=weight)
        answers, scores = model.predict(x[judged]), model.decision_function(x[judged])
        right = np.bincount(codes[judged], answers == codes[judged])
        ends = linear(right, np.bincount(codes[judged]), np.array([0.5, 0.5]))
        assert float(ends[0]) == pytest.approx(balanced_accuracy_score(codes[judged], answers))
        area = roc_auc_score(codes[judged], scores)
        seen.append([*(float(end) for end in ends), area])
    value = found["linear_balanced_accuracy"]
    known = [value["value"], value["low"], value["high"], found["linear_auc"]["value"]]
    assert any(known == pytest.approx(one, abs=0.003) for one in seen)
    assert value["n"] == 100


def test_persons_are_never_parted(features: Make, look: Look) -> None:
    """Each person has a place of its own and one level: only memory of persons could read it."""
    made = features(sizes=(30, 0, 1500), label=0.0, width=40)
    made = replace(made, annotations=replace(made.annotations, persons=np.arange(1530) // 15))
    rng = np.random.default_rng(1)
    persons = made.annotations.persons
    assert persons is not None
    level = rng.integers(2, size=persons.max() + 1)[persons]
    place = 6 * rng.normal(size=(persons.max() + 1, made.values.shape[1]))[persons]
    known = replace(made.annotations, groups={"a": level})
    made = replace(made, values=(made.values + place).astype(np.float32), annotations=known)
    apart = read(look, made)["knn_balanced_accuracy"]["value"]
    mixed = read(look, replace(made, annotations=replace(known, persons=None)))
    assert mixed["knn_balanced_accuracy"]["value"] > 0.85
    assert apart < 0.7


def test_rare_and_missing_levels_are_no_question(features: Make, look: Look) -> None:
    made = features(attribute=8.0)
    codes = made.annotations.groups["a"].copy()
    codes[np.flatnonzero(made.split == "test")[:40]] = 2
    columns = (Column("a", ("0", "1", MISSING)),)
    known = replace(made.annotations, attributes=columns, groups={"a": codes}, alignment={})
    found = read(look, replace(made, annotations=known))
    assert found["linear_balanced_accuracy"]["n"] in (180, 181)
    assert found["majority"]["value"] == 0.5
    codes = np.zeros_like(codes)
    codes[-5:] = 1
    known = replace(known, groups={"a": codes})
    found = read(look, replace(made, annotations=known))
    assert {value["value"] for value in found.values()} == {None}
    assert "fewer than two levels of a have 10 rows" in found["majority"]["reason"]


def test_equal_input_gives_equal_output(features: Make, look: Look) -> None:
    assert look(features(seed=3)) == look(features(seed=3))
