"""The label alone as the grouping: every class's accuracy and the worst one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix, recall_score

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.alignment import MOST_SPELLED
from debias_cl.records import Predictions

Make = Callable[..., Predictions]


def columns(sizes: dict[str, int], seed: int = 0) -> tuple[list[str], list[str]]:
    """Return truths and answers, right in about two of three rows."""
    rng = np.random.default_rng(seed)
    truth = [name for name, n in sizes.items() for _ in range(n)]
    answers = [y if rng.random() < 0.66 else str(rng.choice(list(sizes))) for y in truth]
    return truth, answers


def test_classes_are_scikit_learns_recalls_and_confusions(make: Make) -> None:
    sizes = {"cat": 80, "dog": 60, "eel": 40, "fox": 5}
    truth, answers = columns(sizes)
    document = measure(make(truth, answers, {}, positive="fox"))
    levels = sorted(sizes)
    recalls = recall_score(truth, answers, labels=levels, average=None)
    table = confusion_matrix(truth, answers, labels=levels)
    assert [entry["group"] for entry in document["classes"]] == [{"y": name} for name in levels]
    for entry, recall, row in zip(document["classes"], recalls, table, strict=True):
        assert entry["accuracy"]["value"] == pytest.approx(recall)
        assert list(entry["predicted"].values()) == row.tolist()
        assert entry["n"] == row.sum()
    assert document["overall"]["balanced_accuracy"]["value"] == pytest.approx(recalls.mean())
    assert (document["groups"], document["cells"], document["disparities"]) == ([], [], {})
    assert document["overall"]["worst_group_accuracy"]["reason"] == "no attribute given"


def test_the_worst_class_has_enough_rows_and_honest_limits(make: Make) -> None:
    truth, answers = columns({"cat": 80, "dog": 60, "eel": 40, "fox": 5})
    worst = measure(make(truth, answers, {}, positive="fox"))["overall"]["worst_class_accuracy"]
    right = {
        name: sum(y == name == a for y, a in zip(truth, answers, strict=True))
        for name in ("cat", "dog", "eel")
    }
    sizes = {"cat": 80, "dog": 60, "eel": 40}
    share = {name: right[name] / sizes[name] for name in sizes}
    lowest = min(share, key=lambda name: share[name])
    assert worst["cell"] == {"y": lowest}
    assert worst["value"] == share[lowest]
    low = min(stats.beta.ppf(0.025, right[c], sizes[c] - right[c] + 1) for c in sizes)
    assert worst["low"] == pytest.approx(low, rel=1e-6)
    assert worst["unfiltered"]["cell"] is not None


def test_no_class_of_enough_rows_is_undefined_with_that_reason(make: Make) -> None:
    truth, answers = columns({"cat": 20, "dog": 20})
    worst = measure(make(truth, answers, {}, positive="cat"))["overall"]["worst_class_accuracy"]
    assert worst["value"] is None
    assert worst["reason"] == "no class has 30 rows"


def test_without_a_label_there_are_no_classes(make: Make) -> None:
    document = measure(make(None, ["0", "1"], {}))
    assert document["classes"] == []
    assert document["overall"]["worst_class_accuracy"]["value"] is None


def test_with_attributes_the_classes_are_the_same_and_the_cells_stay(make: Make) -> None:
    truth, answers = columns({"0": 50, "1": 50})
    groups = {"g": ["a", "b"] * 50}
    document = measure(make(truth, answers, groups), Settings(permutations=9))
    alone = measure(make(truth, answers, {}))
    assert document["classes"] == alone["classes"]
    assert len(document["cells"]) == 4


def test_many_classes_keep_given_answers_alone(make: Make) -> None:
    names = [f"{i:03d}" for i in range(MOST_SPELLED + 5)]
    truth = [name for name in names for _ in range(3)]
    answers = [names[0] if i % 3 == 0 else y for i, y in enumerate(truth)]
    document = measure(make(truth, answers, {}, positive=names[0]))
    assert document["classes"][7]["predicted"] == {names[0]: 1, names[7]: 2}
    assert document["classes"][0]["predicted"] == {names[0]: 3}
