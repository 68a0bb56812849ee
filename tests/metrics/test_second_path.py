"""Every point value against fairlearn, scikit-learn and scipy on hundreds of random tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fairness
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn import metrics as sk

from debias_cl.metrics import Settings, measure
from debias_cl.records import Annotations, Column, Predictions

QUICK = Settings(permutations=3, min_group=1)
Codes = Any


def predictions(truth: Codes, answer: Codes, group: Codes, classes: int) -> Predictions:
    levels = tuple(str(i) for i in range(classes))
    groups = tuple(str(i) for i in range(int(group.max()) + 1))
    known = Annotations(
        np.arange(len(truth)).astype(str),
        Column("y", levels),
        truth,
        (Column("g", groups),),
        {"g": group},
    )
    return Predictions(known, answer, levels, None, "1", "--positive")


@st.composite
def tables(draw: Any, classes: int) -> tuple[Codes, Codes, Codes]:
    rows = draw(st.integers(4, 60))
    groups = draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    truth = rng.choice(classes, rows, p=rng.dirichlet(np.ones(classes)))
    answer = np.where(rng.random(rows) < rng.random(), truth, rng.choice(classes, rows))
    group = rng.choice(groups, rows, p=rng.dirichlet(np.full(groups, 2.0)))
    group[0] = groups - 1
    return truth, answer, group


def _zero(metric: Callable[..., float], **options: Any) -> Callable[[Codes, Codes], float]:
    return lambda y, p: float(metric(y, p, zero_division=0, **options))


THEIRS: Mapping[str, Callable[[Codes, Codes], float]] = {
    "accuracy": sk.accuracy_score,
    "error_rate": sk.zero_one_loss,
    "selection_rate": fairness.selection_rate,
    "true_positive_rate": fairness.true_positive_rate,
    "false_positive_rate": fairness.false_positive_rate,
    "true_negative_rate": fairness.true_negative_rate,
    "false_negative_rate": fairness.false_negative_rate,
    "precision": _zero(sk.precision_score),
    "negative_predictive_value": _zero(sk.precision_score, pos_label=0),
    "f1": _zero(sk.f1_score),
    "prevalence": lambda y, p: float(np.mean(y)),
    "balanced_accuracy": sk.balanced_accuracy_score,
}


def same(ours: Mapping[str, Any], y: Codes, p: Codes) -> None:
    """Every defined value equals theirs; one is undefined exactly where its denominator is 0."""
    tp, fp, fn, tn = (int(((p == a) & (y == b)).sum()) for a, b in ((1, 1), (1, 0), (0, 1), (0, 0)))
    sizes = {
        "true_positive_rate": tp + fn, "false_negative_rate": tp + fn,
        "false_positive_rate": fp + tn, "true_negative_rate": fp + tn,
        "precision": tp + fp, "negative_predictive_value": tn + fn, "f1": tp + fp + fn,
    }  # fmt: skip
    for name, theirs in THEIRS.items():
        value = ours[name]["value"]
        if sizes.get(name, len(y)) == 0:
            assert value is None and ours[name]["reason"], name
        elif name == "balanced_accuracy" and min(tp + fn, fp + tn) == 0:
            continue  # they take the mean over the classes that are there; ours is in test_rates
        else:
            assert value == pytest.approx(theirs(y, p), abs=1e-12), name


@settings(max_examples=300, deadline=None)
@given(tables(2))
def test_binary_values_and_disparities(rows: tuple[Codes, Codes, Codes]) -> None:
    truth, answer, group = rows
    document = measure(predictions(truth, answer, group, 2), QUICK)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(document["overall"], truth, answer)
        for entry in document["groups"]:
            mask = group == int(entry["group"]["g"])
            if mask.any():
                same(entry, truth[mask], answer[mask])
        _disparities(document["disparities"]["g"], truth, answer, group)
    _cells(document, truth, answer, group)


def _disparities(ours: Mapping[str, Any], y: Codes, p: Codes, g: Codes) -> None:
    whole = {"sensitive_features": g}
    if len(set(g)) < 2:
        assert ours["demographic_parity_difference"]["value"] is None
        return
    gap = ours["demographic_parity_difference"]["value"]
    assert gap == pytest.approx(fairness.demographic_parity_difference(y, p, **whole))
    if p.any():
        ratio = ours["demographic_parity_ratio"]["value"]
        assert ratio == pytest.approx(fairness.demographic_parity_ratio(y, p, **whole))
    frame = fairness.MetricFrame(metrics=sk.accuracy_score, y_true=y, y_pred=p, **whole)
    assert ours["accuracy_difference"]["value"] == pytest.approx(float(frame.difference()))
    rates = {"equal_opportunity": (1,), "equalized_odds": (0, 1)}
    for name, levels in rates.items():
        if all(((y == level) & (g == a)).any() for level in levels for a in set(g)):
            theirs = getattr(fairness, f"{name}_difference")(y, p, **whole)
            assert ours[f"{name}_difference"]["value"] == pytest.approx(theirs), name


def _cells(document: Mapping[str, Any], y: Codes, p: Codes, g: Codes) -> None:
    """Means over cells and the worst cell, by a plain loop."""
    cells = [
        (p[(y == t) & (g == a)] == t).mean()
        for t in set(y)
        for a in set(g)
        if ((y == t) & (g == a)).any()
    ]
    overall = document["overall"]
    assert overall["unbiased_accuracy"]["value"] == pytest.approx(np.mean(cells))
    assert overall["worst_group_accuracy"]["value"] == pytest.approx(min(cells))


@settings(max_examples=150, deadline=None)
@given(tables(4))
def test_several_classes_are_one_against_the_rest(rows: tuple[Codes, Codes, Codes]) -> None:
    truth, answer, group = rows
    document = measure(predictions(truth, answer, group, 4), QUICK)
    assert document["overall"]["accuracy"]["value"] == pytest.approx((truth == answer).mean())
    if len(set(group)) < 2:
        return
    gaps = document["disparities"]["g"]
    shares = np.array([[(answer[group == a] == c).mean() for a in set(group)] for c in range(4)])
    widest = np.ptp(shares, 1).max()
    assert gaps["demographic_parity_difference"]["value"] == pytest.approx(widest)
    recalls = [
        [
            (answer[(group == a) & (truth == c)] == c).mean()
            for a in set(group)
            if ((group == a) & (truth == c)).any()
        ]
        for c in range(4)
    ]
    spread = [np.ptp(values) for values in recalls if len(values) > 1]
    found = gaps["equal_opportunity_difference"]["value"]
    assert found == (pytest.approx(max(spread)) if spread else None)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 500), st.floats(0, 1), st.sampled_from(["wilson", "exact"]))
def test_the_interval_of_a_rate_is_scipys(n: int, share: float, method: Any) -> None:
    x = round(share * n)
    truth = np.ones(n, np.int64)
    answer = (np.arange(n) < x).astype(np.int64)
    rows = predictions(truth, answer, np.zeros(n, np.int64), 2)
    ours = measure(rows, Settings(permutations=3, interval=method))["overall"]["true_positive_rate"]
    low, high = binomtest(x, n).proportion_ci(method=method)
    assert (ours["low"], ours["high"]) == pytest.approx((low, high), abs=1e-9)
