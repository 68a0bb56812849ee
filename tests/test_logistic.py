"""The logistic solver that reads rows in chunks, against scikit-learn's and by small checks."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from debias_cl import logistic
from debias_cl.config import ProbeConfig
from debias_cl.probe import predict
from debias_cl.records import Annotations, Column, Features


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 64 rows, and a second worker wherever the machine lets one be."""
    monkeypatch.setattr(logistic, "CHUNK_BYTES", 1)
    monkeypatch.setattr(logistic, "NUMBERS_A_WORKER", 1000)


def drawn(n: int, width: int, classes: int, seed: int = 0) -> tuple[Any, Any, Any]:
    """Features far from standard, labels that follow them, uneven weights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, width)) * np.exp(rng.normal(size=width)) + 5 * rng.normal(size=width)
    x = x.astype(np.float32)
    logits = (x - x.mean(0)) / x.std(0) @ rng.normal(size=(width, classes))
    truth = (logits / width**0.5 + rng.gumbel(size=logits.shape)).argmax(1)
    weight = rng.uniform(0.2, 3.0, n)
    return x, truth, weight / weight.mean()


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("c", [0.01, 1.0, 100.0])
def test_equals_scikit_learn(classes: int, c: float) -> None:
    x, truth, weight = drawn(1500, 12, classes)
    model = logistic.fit(x, truth, weight, c=c, tolerance=1e-8)
    scaler = StandardScaler().fit(x.astype(np.float64))
    standard = scaler.transform(x.astype(np.float64))
    theirs = LogisticRegression(C=c, tol=1e-8, max_iter=2000)
    theirs.fit(standard, truth, sample_weight=weight)
    assert np.allclose((model.weights * model.scale[:, None]).T, theirs.coef_, atol=1e-5)
    assert np.allclose(model.intercept, theirs.intercept_, atol=1e-5)
    assert np.allclose(model.probabilities(x), theirs.predict_proba(standard), atol=1e-5)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("classes", [2, 4])
def test_slope_is_the_loss_s_difference_quotient(classes: int) -> None:
    x, truth, weight = drawn(200, 3, classes)
    outputs = 1 if classes == 2 else classes
    mean, scale = logistic.moments(x)
    rng = np.random.default_rng(1)
    flat = rng.normal(size=4 * outputs)
    with logistic.ThreadPoolExecutor(2) as pool:
        at = logistic.Problem(x, truth, weight, mean, scale, outputs, 0.3, pool, 2)
        _, slope = at(flat)
        for i in range(len(flat)):
            step = np.eye(len(flat))[i] * 1e-6
            assert slope[i] == pytest.approx((at(flat + step)[0] - at(flat - step)[0]) / 2e-6, 1e-4)


@pytest.mark.usefixtures("small_chunks")
def test_moments_and_finite_rows_by_numpy() -> None:
    x = drawn(333, 5, 2)[0]
    x[:, 2] = 0.1  # a constant that float64 sums cannot average exactly
    mean, scale = logistic.moments(x)
    assert np.allclose(mean, x.mean(0, dtype=np.float64), rtol=1e-12)
    expected = x.std(0, dtype=np.float64)
    assert np.allclose(np.delete(scale, 2), np.delete(expected, 2), rtol=1e-12)
    assert scale[2] == 1.0
    x[7, 1], x[300, 4] = np.nan, -np.inf
    assert np.flatnonzero(~logistic.finite_rows(x)).tolist() == [7, 300]


@pytest.mark.usefixtures("small_chunks")
def test_extreme_features_give_no_nan() -> None:
    x = np.array([[1e30, 0.0], [-1e30, 0.0], [1e30, 1e-30], [-1e30, 0.0]])
    truth = np.array([0, 1, 0, 1])
    shares = logistic.fit(x, truth, np.ones(4), c=1e6).probabilities(x)
    assert np.isfinite(shares).all()
    assert (shares.argmax(1) == truth).all()
    assert np.allclose(shares.sum(1), 1)
    assert logistic.fit(x, truth, np.ones(4)).probabilities(x[:0]).shape == (0, 2)


def test_the_probe_takes_it_by_size_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, truth, _ = drawn(600, 8, 4)
    truth[truth == 1] = 3  # a level that training lacks
    known = Annotations(
        ids=np.arange(600).astype(np.str_),
        label=Column("y", ("0", "1", "2", "3")),
        truth=truth.astype(np.int64),
        attributes=(Column("a", ("0", "1")),),
        groups={"a": (np.arange(600) % 3 == 0).astype(np.int64)},
    )
    features = Features(x, np.where(np.arange(600) < 400, "train", "test"), known)

    def judged(**probe: Any) -> Any:
        return predict(features, ProbeConfig(**probe), "test", "1", "", 0)

    plain, balanced = judged(), judged(balanced=True)
    calls = []
    fit = logistic.fit
    monkeypatch.setattr(
        "debias_cl.probe.fit_streamed", lambda *a, **k: (calls.append(1), fit(*a, **k))[1]
    )
    monkeypatch.setattr("debias_cl.probe.STREAMED_BYTES", 400 * 8 * 8)
    judged()
    assert calls == []  # at the threshold it is still scikit-learn
    monkeypatch.setattr("debias_cl.probe.STREAMED_BYTES", 400 * 8 * 8 - 1)
    assert np.array_equal(judged().predicted, plain.predicted)
    assert np.array_equal(judged(balanced=True).predicted, balanced.predicted)
    assert len(calls) == 2
    monkeypatch.setattr("debias_cl.probe.MOST_ITERATIONS", 1)
    assert judged().notes == ("the logistic probe did not converge in 1 iterations",)


def test_a_memory_mapped_array_is_never_held_whole(tmp_path: Path) -> None:
    x, truth, weight = drawn(20_000, 64, 2)
    path = tmp_path / "rows.npy"
    np.save(path, x)
    mapped = np.load(path, mmap_mode="r")
    logistic.fit(x[:100], truth[:100], weight[:100])  # imports and first use
    tracemalloc.start()
    model = logistic.fit(mapped, truth, weight)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * logistic.CHUNK_BYTES + 2 * 2**20  # the float64 copy alone: 10 MB
    assert np.array_equal(model.weights, logistic.fit(x, truth, weight).weights)


def test_a_split_that_stands_together_is_a_view() -> None:
    known = Annotations(np.array(["a", "b", "c"]), None, None, (), {})
    features = Features(np.eye(3, dtype=np.float32), np.array(["train", "train", "test"]), known)
    assert np.shares_memory(features.part("train").values, features.values)
    mixed = Features(features.values, np.array(["train", "test", "train"]), known)
    assert np.array_equal(mixed.part("train").values, features.values[[0, 2]])
    assert features.part("validation").values.shape == (0, 3)
