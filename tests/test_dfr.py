"""DFR: the authors' numbers, balanced subsets, which split it may learn from, planted bias."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debias_cl.config import ProbeConfig
from debias_cl.dfr import Rows, averaged, balancing_split, choose_c, fit
from debias_cl.errors import DataError, UsageError
from debias_cl.logistic import moments
from debias_cl.probe import predict
from debias_cl.records import Annotations, Column, Features

GOLDEN = json.loads((Path(__file__).parent / "golden" / "dfr.json").read_text(encoding="utf-8"))
QUICK: dict[str, Any] = {"kind": "dfr", "l1_c": (1.0, 0.1), "retrains": 3}


def planted(classes: int = 2, seed: int = 0, validation: bool = True) -> Features:
    """Training follows an attribute that validation and test do not."""
    rng = np.random.default_rng(seed)
    parts = {"train": (600, 0.97), "validation": (300, 0.6), "test": (600, 1 / classes)}
    if not validation:
        del parts["validation"]
    split = np.concatenate([np.full(n, name) for name, (n, _) in parts.items()])
    n = len(split)
    truth = rng.integers(0, classes, n)
    aligned = rng.random(n) < np.concatenate([np.full(n, share) for n, share in parts.values()])
    group = np.where(aligned, truth, rng.integers(0, classes, n))
    values = rng.normal(size=(n, 2 * classes + 4))
    values[np.arange(n), truth] += 2.0
    values[np.arange(n), classes + group] += 3.0
    levels = tuple(str(level) for level in range(classes))
    annotations = Annotations(
        ids=np.array([f"row{i}" for i in range(n)]),
        label=Column("y", levels),
        truth=truth.astype(np.int64),
        attributes=(Column("a", levels),),
        groups={"a": group.astype(np.int64)},
    )
    return Features(values.astype(np.float32), split, annotations)


def judge(features: Features, test_split: str = "test", seed: int = 0, **probe: Any) -> Any:
    return predict(features, ProbeConfig(**{**QUICK, **probe}), test_split, "1", "", seed)


def conflict_accuracy(found: Any) -> float:
    truth, group = found.annotations.truth, found.annotations.groups["a"]
    return float((found.predicted == truth)[truth != group].mean())


def rows_of(features: Features, split: str) -> Rows:
    part = features.part(split)
    about = part.annotations
    assert about.truth is not None
    cell = about.truth * len(about.attributes[0].levels) + about.groups["a"]
    values = part.values.astype(np.float64)
    return Rows(values, about.truth, np.unique(cell, return_inverse=True)[1], split, 0)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_equals_the_authors_coefficients_and_accuracies(case: dict[str, Any]) -> None:
    sets = {
        name: {key: np.array(value) for key, value in content.items()}
        for name, content in GOLDEN["inputs"][case["input"]].items()
    }
    asked = case["parameters"]
    mean, scale = moments(sets["train"]["embeddings"])
    val, test = sets["val"], sets["test"]
    rows = Rows((val["embeddings"] - mean) / scale, val["labels"], val["groups"], "validation", 0)
    weight = np.array(asked["class_weight"])[rows.truth]
    layers = [fit(rows.values, rows.truth, asked["C"], weight=weight)]
    if len(set(asked["class_weight"])) == 1:
        layers += [averaged(rows, asked["C"], asked["retrains"], np.random.default_rng(0))]
    for layer in layers:
        assert layer.coefficients[0] == pytest.approx(np.array(case["coef"]), abs=1e-3)
        assert layer.intercepts[0] == pytest.approx(case["intercept"], abs=1e-3)
        found = layer.probabilities((test["embeddings"] - mean) / scale, 2).argmax(1)
        right = found == test["labels"]
        each = [right[test["groups"] == group].mean() for group in range(4)]
        assert each == pytest.approx(case["test_group_accuracy"])
        assert right.mean() == pytest.approx(case["test_mean_accuracy"])


def test_the_intercept_is_penalised() -> None:
    values, truth = np.zeros((10, 1)), np.array([0] * 3 + [1] * 7)
    assert fit(values, truth, 0.4).intercepts[0] == 0.0  # pull at 0: 0.4 (7 - 3) / 2 < 1
    # Where the penalty gives way: C (7 - 10 p) = 1, b = logit p.
    p = (7 - 1 / 2.0) / 10
    assert fit(values, truth, 2.0).intercepts[0] == pytest.approx(np.log(p / (1 - p)), abs=1e-3)


def test_several_labels_are_one_against_the_rest_as_in_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    rows = rows_of(planted(classes=3), "validation")
    new = LogisticRegression().penalty == "deprecated"
    kind: dict[str, Any] = {"l1_ratio": 1.0} if new else {"penalty": "l1"}
    model = LogisticRegression(C=0.3, solver="liblinear", random_state=0, **kind)
    expected = OneVsRestClassifier(model).fit(rows.values, rows.truth)
    found = fit(rows.values, rows.truth, 0.3)
    assert found.probabilities(rows.values, 3) == pytest.approx(
        expected.predict_proba(rows.values), abs=1e-4
    )


def test_a_subset_has_the_same_number_of_each_cell_and_no_row_twice() -> None:
    rows = rows_of(planted(classes=3), "train")
    subset = rows.balanced(np.random.default_rng(0))
    counts, least = np.bincount(subset.cell), np.bincount(rows.cell).min()
    assert (counts == least).all() and len(counts) == rows.cell.max() + 1
    assert len(np.unique(subset.values, axis=0)) == len(subset.values)


def test_what_is_averaged_is_the_mean_of_fits_on_different_subsets() -> None:
    rows = rows_of(planted(), "validation")
    rng, again = np.random.default_rng(3), np.random.default_rng(3)
    mean = averaged(rows, 0.3, 4, rng)
    fits = []
    for _ in range(4):
        subset = rows.balanced(again)
        fits.append(fit(subset.values, subset.truth, 0.3, int(again.integers(2**31))))
    found = np.array([one.coefficients for one in fits])
    assert mean.coefficients == pytest.approx(found.mean(0))
    assert found.std(0).max() > 0


def test_it_helps_where_the_bias_was_planted_and_says_what_it_did() -> None:
    features = planted()
    plain = predict(features, ProbeConfig(), "test", "1", "", 0)
    found = judge(features)
    assert conflict_accuracy(found) > conflict_accuracy(plain) + 0.15
    (note,) = found.notes
    least = np.bincount(rows_of(features, "validation").cell).min()
    assert f"each on {least} rows of each of the 4 label x attribute cells" in note
    assert "the split 'validation'" in note and "mean of 3 L1 fits" in note
    assert found.scores is not None and ((found.scores >= 0) & (found.scores <= 1)).all()


def test_without_a_validation_split_it_balances_the_training_split() -> None:
    found = judge(planted(validation=False))
    assert "the split 'train'" in found.notes[0]


def test_it_never_learns_from_the_split_that_it_judges() -> None:
    features = planted()
    assert balancing_split(features, "test") == "validation"
    assert balancing_split(features, "validation") == "train"
    for test_split in ("test", "validation"):
        before = judge(features, test_split)
        truth = features.annotations.truth
        assert truth is not None
        mine = features.split == test_split
        other = replace(features.annotations, truth=np.where(mine, 1 - truth, truth))
        after = judge(replace(features, annotations=other), test_split)
        assert np.array_equal(before.scores, after.scores)


def test_the_seed_alone_decides() -> None:
    features = planted(classes=3)
    first, again, other = (judge(features, seed=seed).predicted for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_c_is_the_one_with_the_best_worst_cell() -> None:
    rows = rows_of(planted(), "validation")
    # So strong a penalty leaves nothing: one label is never predicted, its cells have accuracy 0.
    found = choose_c(rows, (1e-6, 0.3), np.random.default_rng(0))
    assert found == (0.3, ())
    assert choose_c(rows, (1e-6,), np.random.default_rng(0)) == (1e-6, ())


def test_too_few_rows_to_choose_c_are_said() -> None:
    rows = Rows(np.eye(2), np.array([0, 1]), np.array([0, 1]), "validation", 2)
    c, notes = choose_c(rows, (0.7, 0.1), np.random.default_rng(0))
    assert c == 0.7 and notes == ("DFR: too few rows of 'validation' to choose C from halves",)


def test_a_level_that_the_split_lacks_is_never_predicted_and_empty_cells_are_said() -> None:
    features = planted(classes=3)
    keep = (features.split != "validation") | (features.annotations.truth != 2)
    features = Features(
        features.values[keep], features.split[keep], features.annotations.take(keep)
    )
    found = judge(features)
    assert set(found.predicted) == {0, 1}
    assert "3 cells have no row there" in found.notes[0]


def test_rows_without_a_label_are_not_drawn() -> None:
    features = planted()
    assert features.annotations.truth is not None
    truth = features.annotations.truth.copy()
    truth[600:620] = -1  # of the validation split
    found = judge(replace(features, annotations=replace(features.annotations, truth=truth)))
    assert set(found.predicted) <= {0, 1}


def test_what_cannot_be_is_refused() -> None:
    features = planted()
    bare = replace(features.annotations, attributes=(), groups={})
    with pytest.raises(UsageError, match="DFR needs a label and an attribute"):
        judge(replace(features, annotations=bare))
    assert features.annotations.truth is not None
    one = np.where(features.split == "validation", 0, features.annotations.truth)
    with pytest.raises(DataError, match="fewer than two levels in the split 'validation'"):
        judge(replace(features, annotations=replace(features.annotations, truth=one)))
    for wrong in ({"retrains": 0}, {"l1_c": ()}, {"l1_c": (0.0, 1.0)}):
        with pytest.raises(UsageError, match="retrains"):
            judge(features, **wrong)
    values = features.values.copy()
    values[700, 0] = np.nan
    with pytest.raises(DataError, match="row700"):
        judge(replace(features, values=values))


def test_a_fit_that_stopped_early_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debias_cl.dfr.MOST_ITERATIONS", 1)
    assert judge(planted()).notes[-1] == "DFR: a fit did not converge in 1 iterations"
