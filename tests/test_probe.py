"""Probes: each against a second path, and against bias that was planted."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.config import ProbeConfig
from debias_cl.errors import DataError, UsageError
from debias_cl.knn import knn_shares
from debias_cl.probe import predict
from debias_cl.records import Annotations, Column, Features


def planted(
    n: int = 600, classes: int = 2, shortcut: float = 3.0, aligned: float = 0.95, seed: int = 0
) -> Features:
    """Features whose first columns say the label weakly and the last ones the attribute."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    group = np.where(rng.random(n) < aligned, truth, rng.integers(0, classes, n))
    split = np.where(np.arange(n) < n // 2, "train", "test")
    group[split == "test"] = rng.integers(0, classes, int((split == "test").sum()))
    values = rng.normal(size=(n, 2 * classes))
    values[np.arange(n), truth] += 1.5
    values[np.arange(n), classes + group] += shortcut
    levels = tuple(str(level) for level in range(classes))
    annotations = Annotations(
        ids=np.array([f"row{i}" for i in range(n)]),
        label=Column("y", levels),
        truth=truth.astype(np.int64),
        attributes=(Column("a", levels),),
        groups={"a": group.astype(np.int64)},
    )
    return Features(values.astype(np.float32), split, annotations)


def judge(features: Features, seed: int = 0, **probe: Any) -> Any:
    return predict(features, ProbeConfig(**probe), "test", "1", "default: the level '1'", seed)


def accuracy(predictions: Any, mask: Any = None) -> float:
    right = predictions.predicted == predictions.annotations.truth
    return float(right.mean() if mask is None else right[mask].mean())


@pytest.mark.parametrize("classes", [2, 5])
def test_logistic_equals_scikit_learns_pipeline(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = planted(classes=classes)
    train, test = features.part("train"), features.part("test")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=5000, tol=1e-8))
    model.fit(train.values.astype(np.float64), train.annotations.truth)
    expected = model.predict_proba(test.values.astype(np.float64))

    found = judge(features, c=0.5)
    assert np.array_equal(found.predicted, expected.argmax(1))
    if classes == 2:
        assert np.allclose(found.scores, expected[:, 1], atol=1e-3)
    else:
        assert found.scores is None
    assert found.notes == ()
    assert np.array_equal(found.annotations.ids, test.annotations.ids)


def test_training_cells_are_those_of_the_training_split() -> None:
    features = planted()
    train = features.part("train").annotations
    cells = judge(features).training_cells["a"]
    for y in (0, 1):
        for a in (0, 1):
            assert cells[y, a] == ((train.truth == y) & (train.groups["a"] == a)).sum()


def test_balanced_weighs_every_cell_the_same_and_helps_the_rare_ones() -> None:
    features = planted(n=2000)
    plain, balanced = judge(features), judge(features, balanced=True)
    truth, group = plain.annotations.truth, plain.annotations.groups["a"]
    conflicting = truth != group
    assert accuracy(balanced, conflicting) > accuracy(plain, conflicting) + 0.1
    # Second path: the same fit on rows repeated until every cell has the same number.
    train = features.part("train")
    cells = train.annotations.cell_counts("a")
    own = cells[train.annotations.truth, train.annotations.groups["a"]]
    from sklearn.linear_model import LogisticRegression

    mean, sd = train.values.mean(0, dtype=np.float64), train.values.std(0, dtype=np.float64)
    weight = len(train.values) / (4 * own)
    model = LogisticRegression(max_iter=5000).fit(
        (train.values - mean) / sd, train.annotations.truth, sample_weight=weight
    )
    expected = model.predict_proba((features.part("test").values - mean) / sd)[:, 1]
    assert np.allclose(balanced.scores, expected, atol=1e-3)


def test_knn_by_hand() -> None:
    train = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0]])
    truth = np.array([0, 1, 1, 2])
    test = np.array([[5.0, 0.1], [0.0, 0.2]])
    one = knn_shares(train, truth, test, 1, 3)
    assert one == pytest.approx(np.array([[1.0, 0, 0], [0, 1.0, 0]]), abs=1e-8)
    two = knn_shares(train, truth, test, 2, 3)  # the tie of the first row goes to the nearer
    assert two == pytest.approx(np.array([[0.5, 0.5, 0], [0, 1.0, 0]]), abs=1e-8)
    assert two[0, 0] > two[0, 1]
    assert knn_shares(train, truth, test, 99, 3) == pytest.approx(
        np.full((2, 3), [0.25, 0.5, 0.25])
    )


def test_knn_equals_scikit_learn() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    features = planted(n=500, classes=3)
    train, test = features.part("train"), features.part("test")
    model = KNeighborsClassifier(7, metric="cosine", algorithm="brute")
    model.fit(train.values, train.annotations.truth)
    assert np.allclose(
        knn_shares(train.values, train.annotations.truth, test.values, 7, 3),
        model.predict_proba(test.values),
        atol=1e-6,
    )
    assert (
        judge(features, kind="knn", neighbours=7).predicted == model.predict(test.values)
    ).mean() > 0.95


def test_sgd_learns_and_depends_on_the_seed_alone() -> None:
    features = planted(n=1200, shortcut=0.0)
    settings: dict[str, Any] = {"kind": "sgd", "epochs": 30, "learning_rate": 0.1}
    first, again = judge(features, **settings), judge(features, **settings)
    assert np.array_equal(first.scores, again.scores)
    assert not np.array_equal(first.scores, judge(features, seed=1, **settings).scores)
    assert abs(accuracy(first) - accuracy(judge(features))) < 0.03


def test_the_shortcut_shows_and_the_oracle_does_not() -> None:
    features = planted(n=2000)
    found = judge(features)
    aligned = found.annotations.truth == found.annotations.groups["a"]
    assert accuracy(found, aligned) - accuracy(found, ~aligned) > 0.3
    oracle = replace(features, values=np.eye(2, dtype=np.float32)[features.annotations.truth])
    assert accuracy(judge(oracle)) == 1.0


def test_a_level_that_training_lacks_is_never_predicted() -> None:
    features = planted(n=600, classes=3)
    keep = (features.split == "test") | (features.annotations.truth != 2)
    features = Features(
        features.values[keep], features.split[keep], features.annotations.take(keep)
    )
    for kind in ("logistic", "knn", "sgd"):
        found = judge(features, kind=kind, epochs=3, learning_rate=0.1)
        assert found.levels == ("0", "1", "2")
        assert set(found.predicted) == {0, 1}


def test_rows_without_a_label_are_left_out_of_training_and_said() -> None:
    features = planted()
    truth = features.annotations.truth.copy()  # type: ignore[union-attr]
    truth[:10] = -1
    found = judge(replace(features, annotations=replace(features.annotations, truth=truth)))
    assert found.notes == ("10 training rows have no label: not used by the probe",)
    assert found.training_cells["a"].sum() == 290


def test_what_cannot_be_is_refused() -> None:
    features = planted()
    constant = replace(features.annotations, truth=np.zeros(len(features.values), np.int64))
    with pytest.raises(DataError, match=r"'y' has fewer than two levels .*only '0'"):
        judge(replace(features, annotations=constant))
    with pytest.raises(DataError, match="no split 'validation'"):
        predict(features, ProbeConfig(), "validation", "1", "", 0)
    with pytest.raises(UsageError, match="no level '7'"):
        predict(features, ProbeConfig(), "test", "7", "", 0)
    values = features.values.copy()
    values[3, 0] = np.nan
    with pytest.raises(DataError, match="row3"):
        judge(replace(features, values=values))


def test_not_converged_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debias_cl.probe.MOST_ITERATIONS", 1)
    assert judge(planted()).notes == ("the logistic probe did not converge in 1 iterations",)


def test_logistic_is_quick_and_needs_no_torch() -> None:
    rng = np.random.default_rng(0)
    features = planted(n=8000, classes=10)
    wide = np.hstack([features.values, rng.normal(size=(8000, 108)).astype(np.float32)])
    start = time.perf_counter()
    judge(replace(features, values=wide))
    assert time.perf_counter() - start < 10  # about one second on one idle core
    code = "import sys, debias_cl.probe; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
