"""Checks of features and pictures, by their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from debias_cl.checks import CHECKS
from debias_cl.checks.pointer import resolve
from debias_cl.records import Finding

Document = dict[str, Any]
Maker = Callable[..., Document]
FEATURES = ("attribute_readable", "label_noise", "shortcut_reliance")
PICTURES = ("same_pictures", "same_persons")


def run(document: Document, name: str) -> Finding:
    """The first finding of a check, its pointers followed."""
    spec = CHECKS.get(name)
    found = next(iter(spec.run(document, spec.threshold)))
    for pointer in found.pointers:
        resolve(document, pointer)
    return found


def between(n: int, pairs: int, differ: int = 0) -> Document:
    """What training and test share."""
    listed = [
        {"train": {"id": f"a{i}.jpg", "label": "0"}, "test": {"id": f"b{i}.jpg", "label": "1"}}
        for i in range(min(20, pairs))
    ]
    about = {"splits": ["train", "test"], "n": n, "pairs": pairs, "labels_differ": differ}
    return {**about, "listed": listed}


def share(document: Document, one: Document) -> None:
    """Put what is shared into the document."""
    document["dataset"]["duplicates"] = {
        "compared": {"train": 2000, "validation": 500, "test": 2000},
        "side": 64,
        "within": {"train": 0, "validation": 0, "test": 0},
        "between": [{**between(0, 0), "splits": ["train", "validation"]}, one],
    }


@pytest.mark.parametrize("name", FEATURES + PICTURES)
def test_a_table_of_predictions_has_neither(document: Document, name: str) -> None:
    found = run(document, name)
    assert found.outcome == "skipped"
    assert found.sentence.startswith("Only predictions were given")


@pytest.mark.parametrize("name", FEATURES)
def test_features_may_be_left_out(document: Document, name: str) -> None:
    share(document, between(0, 0))
    assert "--no-representation" in run(document, name).sentence


def test_pictures_in_both_splits_are_named_and_counted(document: Document) -> None:
    share(document, between(0, 0))
    assert run(document, "same_pictures").outcome == "passed"
    share(document, between(3, 3))
    found = run(document, "same_pictures")
    assert (found.outcome, found.n) == ("note", 3)
    assert "3 of 2,000 images in test (0.1%)" in found.sentence
    assert "b0.jpg = a0.jpg, b1.jpg = a1.jpg, b2.jpg = a2.jpg." in found.sentence
    share(document, between(40, 60, 7))
    found = run(document, "same_pictures")
    assert found.outcome == "issue"
    assert "in 60 pairs, 7 of them with different labels" in found.sentence
    assert found.sentence.endswith("b19.jpg = a19.jpg and 40 more.")
    share(document, between(0, 0))
    document["dataset"]["duplicates"]["between"][0]["n"] = 6
    found = run(document, "same_pictures")
    assert found.outcome == "note" and "train and validation share 6" in found.sentence


def test_without_a_training_split_nothing_can_be_shared(document: Document) -> None:
    share(document, {**between(0, 0), "splits": ["validation", "test"]})
    document["dataset"]["persons"] = {"persons": {"test": 9}, "between": []}
    for name in PICTURES:
        assert run(document, name).outcome == "not applicable"


def test_persons_in_both_splits(document: Document) -> None:
    share(document, between(0, 0))
    document["dataset"]["persons"] = None
    assert run(document, "same_persons").outcome == "not applicable"
    one = {"splits": ["train", "test"], "n": 0, "persons": 0, "listed": []}
    known = {"persons": {"train": 800, "test": 300}, "between": [one]}
    document["dataset"]["persons"] = known
    assert run(document, "same_persons").outcome == "passed"
    one |= {"n": 90, "persons": 12, "listed": [{"train": "a.jpg", "test": "b.jpg"}]}
    found = run(document, "same_persons")
    assert found.outcome == "issue"
    assert "12 of 300 persons in test also stand in training, with 90 of 2,000" in found.sentence
    assert "b.jpg and a.jpg" in found.sentence


@pytest.mark.parametrize(
    ("linear", "outcome", "said"),
    [
        ((0.93, 0.91, 0.95), "note", "does not say that predictions use it"),
        ((0.55, 0.47, 0.63), "note", "Too few rows to tell it from guessing"),
        ((0.51, 0.46, 0.56), "passed", "close to guessing"),
    ],
)
def test_what_can_be_read_is_at_most_a_note(
    document: Document,
    make_value: Maker,
    linear: tuple[float, float, float],
    outcome: str,
    said: str,
) -> None:
    document["leakage"] = {
        "Male": {
            "linear_balanced_accuracy_within_label": make_value(*linear),
            "knn_balanced_accuracy_within_label": make_value(0.5, 0.45, 0.54),
            "majority_within_label": make_value(0.5, None, None),
            "linear_shuffled_within_label": make_value(0.49, 0.44, 0.54),
            "knn_shuffled_within_label": make_value(0.49, 0.44, 0.54),
        }
    }
    found = run(document, "attribute_readable")
    assert found.outcome == outcome
    assert said in found.sentence
    assert f"a linear probe reads Male right for {linear[0] * 100:.1f}%" in found.sentence


def test_what_cannot_be_judged_is_not_applicable(document: Document, make_value: Maker) -> None:
    names = ("linear_balanced_accuracy", "knn_balanced_accuracy", "majority")
    document["leakage"] = {
        "Male": {f"{name}_within_label": make_value(None, None, None) for name in names}
    }
    assert run(document, "attribute_readable").outcome == "not applicable"


def suspects(ids: list[str]) -> Document:
    """Suspected training rows of one encoder."""
    listed = [{"id": name, "label": "0", "neighbours": "1", "share": 0.95} for name in ids]
    train = {"n": len(ids), "explained": 4, "of": 1000, "listed": listed, "ids": ids}
    test = {"n": 0, "explained": 0, "of": 500, "listed": [], "ids": []}
    return {"suspects": {"agreed": 0.9, "train": train, "test": test}}


def test_labels_are_suspected_where_every_encoder_does(document: Document) -> None:
    document["representation"] = suspects(["x", "y", "z"])
    found = run(document, "label_noise")
    assert (found.outcome, found.n) == ("note", 3)
    assert "3 of 1,000 training images (0.3%)" in found.sentence
    assert "x (0, neighbours 1)" in found.sentence and "4 more carry" in found.sentence
    document["beside"] = [{"representation": suspects(["z", "w"])}, {"representation": None}]
    found = run(document, "label_noise")
    assert found.n == 1 and "z (0" in found.sentence and "x (0" not in found.sentence
    document["beside"] = [{"representation": suspects([])}]
    assert run(document, "label_noise").outcome == "passed"


@pytest.mark.parametrize(
    ("moved", "outcome"),
    [((0.3, 0.27, 0.33), "issue"), ((0.02, 0.01, 0.03), "passed"), ((0.09, 0.07, 0.11), "note")],
)
def test_predictions_that_follow_the_picture(
    document: Document, make_value: Maker, moved: tuple[float, float, float], outcome: str
) -> None:
    found = {
        "attribute": "Male",
        "n": 400,
        "moved": make_value(*moved),
        "changed": make_value(0.5, 0.4, 0.6),
        "follows": make_value(0.25, 0.2, 0.3),
    }
    document["representation"] = {"shortcut": found}
    one = run(document, "shortcut_reliance")
    assert (one.outcome, one.n) == (outcome, 400)
    assert "25.0% get that label" in one.sentence
    document["representation"] = {"shortcut": None}
    assert run(document, "shortcut_reliance").outcome == "not applicable"
