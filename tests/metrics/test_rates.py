"""Every named rate by hand, and by fairlearn and scikit-learn on hundreds of random tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fairness
from sklearn import metrics as sk

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.counts import count, subsets
from debias_cl.metrics.rates import NAMES, group_values
from debias_cl.records import Predictions

BY_FAIRLEARN: dict[str, Callable[..., Any]] = {
    "accuracy": sk.accuracy_score,
    "selection_rate": fairness.selection_rate,
    "true_positive_rate": fairness.true_positive_rate,
    "false_positive_rate": fairness.false_positive_rate,
    "true_negative_rate": fairness.true_negative_rate,
    "false_negative_rate": fairness.false_negative_rate,
    "precision": sk.precision_score,
    "f1": sk.f1_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "negative_predictive_value": lambda y, p: sk.precision_score(1 - y, 1 - p),
    "prevalence": lambda y, p: y.mean(),
    "error_rate": lambda y, p: (y != p).mean(),
}


def texts(values: np.ndarray) -> list[str]:
    return [str(v) for v in values]


def by_group(document: dict[str, Any], attribute: str = "g") -> dict[str, dict[str, Any]]:
    return {
        entry["group"][attribute]: entry
        for entry in document["groups"]
        if entry["attribute"] == attribute
    }


def test_a_table_worked_by_hand(table: Callable[..., Predictions]) -> None:
    """Group a: tp 4, fn 1, fp 2, tn 3; group b: tp 1, fn 1, fp 0, tn 8."""
    found = measure(
        table(
            {
                ("a", "1", "1"): 4, ("a", "1", "0"): 1, ("a", "0", "1"): 2, ("a", "0", "0"): 3,
                ("b", "1", "1"): 1, ("b", "1", "0"): 1, ("b", "0", "0"): 8,
            }
        )
    )  # fmt: skip
    groups = by_group(found)
    expected = {
        "accuracy": (0.7, 0.9, 10),
        "error_rate": (0.3, 0.1, 10),
        "selection_rate": (0.6, 0.1, 10),
        "true_positive_rate": (0.8, 0.5, 5),
        "false_positive_rate": (0.4, 0.0, 5),
        "true_negative_rate": (0.6, 1.0, 5),
        "false_negative_rate": (0.2, 0.5, 5),
        "precision": (4 / 6, 1.0, 6),
        "negative_predictive_value": (3 / 4, 8 / 9, 4),
        "f1": (8 / 11, 2 / 3, 7),
        "prevalence": (0.5, 0.2, 10),
        "balanced_accuracy": (0.7, 0.75, 10),
        "missing_prediction_rate": (0.0, 0.0, 10),
    }
    assert set(expected) == set(NAMES)
    for name, (a, b, n) in expected.items():
        assert groups["a"][name]["value"] == pytest.approx(a), name
        assert groups["b"][name]["value"] == pytest.approx(b), name
        assert groups["a"][name]["n"] == n, name
        for group in groups.values():
            value = group[name]
            assert 0 <= value["low"] <= value["value"] <= value["high"] <= 1
            assert value["method"]
    assert found["overall"]["accuracy"]["value"] == pytest.approx(16 / 20)
    assert found["overall"]["true_positive_rate"]["value"] == pytest.approx(5 / 7)


def random_rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and groups in which every group has all four outcomes."""
    groups = int(rng.integers(2, 5))
    base = np.array(np.meshgrid([0, 1], [0, 1], np.arange(groups))).reshape(3, -1)
    n = int(rng.integers(0, 120))
    more = np.stack([rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, groups, n)])
    y, p, g = np.concatenate([base, more], 1)
    return y, p, g


@pytest.mark.parametrize("seed", range(40))
def test_binary_rates_against_fairlearn(seed: int, make: Callable[..., Predictions]) -> None:
    y, p, g = random_rows(np.random.default_rng(seed))
    frame = fairness.MetricFrame(metrics=BY_FAIRLEARN, y_true=y, y_pred=p, sensitive_features=g)
    predictions = make(texts(y), texts(p), {"g": texts(g)})
    found = group_values(count(predictions, ("g",)))
    for i, values in enumerate(found):
        for name in BY_FAIRLEARN:
            assert values[name]["value"] == pytest.approx(frame.by_group[name][i]), name
    whole = group_values(count(predictions, ()).overall())[0]
    for name in BY_FAIRLEARN:
        assert whole[name]["value"] == pytest.approx(frame.overall[name]), name


@pytest.mark.parametrize("seed", range(100))
def test_undefined_is_null_with_a_reason(seed: int, make: Callable[..., Predictions]) -> None:
    """Sparse tables: a rate is null exactly where its denominator is empty, never 0."""
    rng = np.random.default_rng(seed)
    y, p, g = rng.integers(0, 2, (3, int(rng.integers(1, 9))))
    found = count(make(texts(y), texts(p), {"g": texts(g)}, levels=("0", "1")), ("g",))
    for i, values in enumerate(group_values(found)):
        mine = g == int(found.groups[i]["g"])
        sizes = {
            "accuracy": mine.sum(),
            "selection_rate": mine.sum(),
            "true_positive_rate": (mine & (y == 1)).sum(),
            "false_positive_rate": (mine & (y == 0)).sum(),
            "precision": (mine & (p == 1)).sum(),
            "negative_predictive_value": (mine & (p == 0)).sum(),
            "f1": (mine & ((p == 1) | (y == 1))).sum(),
        }
        for name, n in sizes.items():
            assert (values[name]["value"] is None) == (n == 0), name
            assert (values[name]["reason"] is None) == (n > 0), name
            assert values[name]["n"] == n
        both = all(sizes[name] for name in ("true_positive_rate", "false_positive_rate"))
        assert (values["balanced_accuracy"]["value"] is not None) == both


@pytest.mark.parametrize("seed", range(40))
def test_macro_means_against_scikit_learn(seed: int, make: Callable[..., Predictions]) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(3, 6))
    base = np.array(np.meshgrid(range(classes), range(classes))).reshape(2, -1)
    y, p = np.concatenate([base, rng.integers(0, classes, (2, 60))], 1)
    values = group_values(count(make(texts(y), texts(p), {}), ()).overall())[0]
    assert values["accuracy"]["value"] == pytest.approx(sk.accuracy_score(y, p))
    assert values["balanced_accuracy"]["value"] == pytest.approx(sk.balanced_accuracy_score(y, p))
    for name, theirs in {
        "precision": sk.precision_score,
        "true_positive_rate": sk.recall_score,
        "f1": sk.f1_score,
    }.items():
        assert values[name]["value"] == pytest.approx(theirs(y, p, average="macro")), name
        each = theirs(y, p, average=None)
        for c in range(classes):
            assert values["per_class"][str(c)][name]["value"] == pytest.approx(each[c]), name
    matrices = sk.multilabel_confusion_matrix(y, p)
    fpr = matrices[:, 0, 1] / matrices[:, 0].sum(1)
    npv = matrices[:, 0, 0] / matrices[:, :, 0].sum(1)
    assert values["false_positive_rate"]["value"] == pytest.approx(fpr.mean())
    assert values["true_negative_rate"]["value"] == pytest.approx(1 - fpr.mean())
    assert values["negative_predictive_value"]["value"] == pytest.approx(npv.mean())
    for name in ("f1", "false_positive_rate", "precision", "true_positive_rate"):
        assert values[name]["low"] <= values[name]["value"] <= values[name]["high"], name
    assert values["selection_rate"]["value"] is None
    assert "always 1/" in values["selection_rate"]["reason"]


def test_a_class_without_rows_is_left_out_of_the_macro_mean_and_named(
    make: Callable[..., Predictions],
) -> None:
    values = group_values(
        count(make(["0", "0", "1"], ["0", "2", "1"], {}, levels=("0", "1", "2")), ()).overall()
    )[0]
    assert values["true_positive_rate"]["value"] == pytest.approx((0.5 + 1) / 2)
    assert values["true_positive_rate"]["left_out"] == ["y = 2"]
    assert values["per_class"]["2"]["true_positive_rate"]["reason"] == "no rows with y = 2"
    assert values["per_class"]["2"]["precision"]["value"] == 0


@pytest.mark.parametrize("name", ["groups", "two_by_two", "documentation"])
def test_golden_rates_of_fairlearn(
    name: str, golden: dict[str, Any], golden_predictions: Callable[..., Predictions]
) -> None:
    theirs = golden["cases"]["fairlearn"][name]
    names = {
        "tpr": "true_positive_rate", "fpr": "false_positive_rate", "tnr": "true_negative_rate",
        "fnr": "false_negative_rate", "selection_rate": "selection_rate", "f1": "f1",
        "precision": "precision", "accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy",
    }  # fmt: skip
    document = measure(golden_predictions(name), Settings(permutations=99))
    for short, ours in names.items():
        assert document["overall"][ours]["value"] == pytest.approx(theirs["overall"][short])
        for group, entry in by_group(document).items():
            key = "abc"[int(group)] if name == "documentation" else group
            value = theirs["by_group"][short][key]
            if entry[ours]["value"] is None:  # fairlearn and scikit-learn fill 0, or one class
                assert (name, group) == ("groups", "3")
                assert entry[ours]["reason"]
            else:
                assert entry[ours]["value"] == pytest.approx(value), (ours, group)


def test_exact_intervals_on_request(make: Callable[..., Predictions]) -> None:
    predictions = make(["1", "1", "0"], ["1", "0", "0"], {"g": ["a", "a", "b"]})
    wide = measure(predictions, Settings(interval="exact", permutations=9))["overall"]["accuracy"]
    narrow = measure(predictions, Settings(permutations=9))["overall"]["accuracy"]
    assert wide["method"] == "Clopper-Pearson"
    assert wide["low"] < narrow["low"]
    assert wide["high"] > narrow["high"]


def test_subsets() -> None:
    assert subsets([]) == []
    assert subsets(["a"]) == [("a",)]
    assert subsets(["a", "b"]) == [("a",), ("b",), ("a", "b")]
    assert len(subsets(list("abcd"))) == 15
    assert subsets(list("abcde")) == [(name,) for name in "abcde"]


def test_missing_predictions_and_labels_are_counted_apart(
    make: Callable[..., Predictions],
) -> None:
    predictions = make(["1", "0", None, "1"], ["1", None, "0", None], {"g": ["a", "a", "b", "b"]})
    document = measure(predictions, Settings(permutations=9))
    assert (document["n"], document["n_missing_prediction"], document["n_missing_label"]) == (
        1,
        2,
        1,
    )
    groups = by_group(document)
    assert groups["a"]["missing_prediction_rate"]["value"] == 0.5
    assert groups["b"]["missing_prediction_rate"]["value"] == 1.0
    assert groups["b"]["accuracy"]["reason"] == "no rows"


def test_predictions_may_take_levels_that_the_label_lacks(
    make: Callable[..., Predictions],
) -> None:
    from dataclasses import replace

    base = make(["a", "b", "a"], ["a", "b", "b"], {"g": ["x", "x", "y"]}, positive="b")
    other = replace(base, levels=("b", "unsure", "a"), predicted=np.array([2, 0, 1]))
    document = measure(other, Settings(permutations=9))
    assert document["label"]["levels"] == ["a", "b", "unsure"]
    assert document["overall"]["accuracy"]["value"] == pytest.approx(2 / 3)
    assert {cell["group"]["y"] for cell in document["cells"]} == {"a", "b"}
    assert sum(cell["predicted"]["unsure"] for cell in document["cells"]) == 1
