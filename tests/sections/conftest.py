"""Example documents: simulated predictions, measured by the package itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from debias_cl.checks.run import run_checks
from debias_cl.metrics import Settings, compare, measure
from debias_cl.records import MISSING, Alignment, Annotations, Column, Features, Predictions
from debias_cl.representation import audit, shortcut, with_shortcut
from debias_cl.sections.html import render

Document = dict[str, Any]
Ints = npt.NDArray[np.int64]
PERMUTATIONS = 500
VIEWS = {
    "count": 2,
    "rotation": 20.0,
    "crop_scale": [0.4, 1.0],
    "crop_ratio": [0.75, 1.3333333333333333],
    "flip": 0.0,
    "jitter": [0.0, 0.0, 0.0, 0.0],
    "jitter_p": 0.8,
    "grey_p": 0.0,
    "permute_channels": True,
    "noise": 0.1,
    "touches_bias": "permutes the colour channels, so that a digit is seen in other colours",
}


def annotations(
    label: Column, truth: Ints, columns: Sequence[tuple[Column, Ints]], aligned: Mapping[str, Any]
) -> Annotations:
    """Build annotations with plain ids."""
    return Annotations(
        ids=np.array([f"{place:06d}.jpg" for place in range(len(truth))]),
        label=label,
        truth=truth,
        attributes=tuple(column for column, _ in columns),
        groups={column.name: codes for column, codes in columns},
        alignment=aligned,
    )


def log(seed: int, epochs: int, last: tuple[float, float]) -> list[dict[str, Any]]:
    """Invent a training log that ends at (aligned, conflicting)."""
    rng = np.random.default_rng(seed)
    rows = []
    for epoch in range(1, epochs + 1):
        near = 1 - np.exp(-4 * epoch / epochs)
        rows.append(
            {
                "epoch": epoch,
                "loss": float(4.8 - 2.9 * near + rng.normal(0, 0.02)),
                "learning_rate": 0.003 * (1 - epoch / epochs),
                "images_per_second": 1800.0,
                "seconds": 2.2,
                "knn_aligned_accuracy": float(0.3 + (last[0] - 0.3) * min(1, near * 1.2)),
                "knn_conflict_accuracy": float(0.1 + (last[1] - 0.1) * near),
            }
        )
    return rows


def encoder(name: str, judge: str = "linear probe", **more: Any) -> dict[str, Any]:
    """Describe an encoder as the pipeline does."""
    return {
        "name": name,
        "objective": name.lower(),
        "architecture": "slim",
        "source": "run",
        "run": f"runs/{name.lower()}",
        "checkpoint": None,
        "judge": judge,
        "seed": 0,
        "views": VIEWS,
        "epochs": 30,
        "preset": "quick",
        "parameters": 61_376,
        **more,
    }


def whole(
    audited: Predictions,
    described: Mapping[str, Any],
    dataset: Mapping[str, Any],
    beside: Sequence[tuple[Predictions, dict[str, Any], list[dict[str, Any]]]] = (),
    training: Sequence[Mapping[str, Any]] = (),
) -> Document:
    """Complete a document around measured parts, as the pipeline does."""
    document: Document = {
        "schema": "debias_cl.metrics/1",
        "created": "2026-01-01T00:00:00+00:00",
        "dataset": dict(dataset),
        "encoder": dict(described),
        **measure(audited, Settings(permutations=PERMUTATIONS)),
        "training": list(training),
        "beside": [
            {
                "encoder": other,
                **measure(predictions, Settings(permutations=PERMUTATIONS)),
                "training": lines,
                "paired": compare(audited, predictions),
            }
            for predictions, other, lines in beside
        ],
        "verdict": {},
        "provenance": {
            "command": "debias-cl evaluate --dataset example --seed 0",
            "seed": 0,
            "versions": {"debias_cl": "0.1.0", "python": "3.11.9", "numpy": "2.0.0"},
            "commit": "0123456789abcdef",
            "device": "cpu",
            "wall_seconds": 83.1,
            "platform": "Linux-x86_64",
        },
        "settings": {"min_group": 30, "interval": "wilson"},
    }
    document["findings"] = [finding.to_dict() for finding in run_checks(document)]
    return document


def cells_of(rows: Annotations, attribute: str) -> list[dict[str, Any]]:
    """Count a split's cells as the pipeline does."""
    counts, label = rows.cell_counts(attribute), rows.label
    assert label is not None
    levels = rows.attribute(attribute).levels
    return [
        {
            "attribute": attribute,
            "group": {label.name: y, attribute: a},
            "n": int(counts[i, j]),
            "aligned": None,
        }
        for i, y in enumerate(label.levels)
        for j, a in enumerate(levels)
    ]


def faces() -> tuple[Annotations, Callable[[Sequence[float], int], Predictions]]:
    """Blond hair by Male and Young: unbalanced, some Young missing, and a way to predict."""
    rng = np.random.default_rng(7)
    n = 9_000
    male, young = (rng.random(n) < 0.39).astype(int), (rng.random(n) < 0.76).astype(int)
    blond = (rng.random(n) < np.where(male == 1, 0.03, 0.21)).astype(int)
    young[rng.random(n) < 0.003] = 2
    label = Column("Blond_Hair", ("0", "1"), {"0": "not blond", "1": "blond"})
    sex = Column("Male", ("0", "1"), {"0": "women", "1": "men"})
    age = Column("Young", ("0", "1", MISSING), {"0": "not young", "1": "young"})
    usual = {"Male": Alignment(frozenset({("1", "0"), ("0", "1")}), "the protocol")}
    rows = annotations(label, blond, [(sex, male), (age, young)], usual)

    def predict(hits: Sequence[float], seed: int) -> Predictions:
        """Find blond women and men at two rates, and call others blond at 4.5 % and 0.4 %."""
        rates = np.where(
            blond == 1, np.where(male == 1, hits[1], hits[0]), np.where(male == 1, 0.004, 0.045)
        ) - 0.08 * ((blond == 1) & (young == 0))
        predicted = (np.random.default_rng(seed).random(n) < rates).astype(int)
        return Predictions(rows, predicted, ("0", "1"), None, "1", "default: the level '1'")

    return rows, predict


@pytest.fixture(scope="session")
def faces_base() -> Document:
    """Binary label, two attributes, one run beside; measured once."""
    rows, predict = faces()
    cells = cells_of(rows, "Male")
    dataset = {
        "name": "example_faces",
        "title": "Example faces",
        "protocol": "biascon",
        "noun": "images",
        "test_split": "test",
        "licence": "research only",
        "splits": {
            "train": {
                "n": 30_000,
                "cells": [{**cell, "n": 3 * cell["n"]} for cell in cells],
            },
            "test": {"n": len(rows), "cells": cells},
        },
        "exclusions": {
            "count": 2,
            "listed": [
                {"item": "000012.jpg", "where": "list.txt, row 12", "reason": "empty file"},
                {"item": "000090.jpg", "where": "list.txt, row 90", "reason": "empty file"},
            ],
        },
        "notes": ["Attribute values are -1 and 1 in the files, and 0 and 1 here."],
    }
    other = (predict((0.90, 0.36), 2), encoder("SupCon"), log(5, 20, (0.93, 0.64)))
    return whole(
        predict((0.91, 0.57), 1), encoder("ConTeX"), dataset, [other], log(4, 20, (0.94, 0.76))
    )


def digits() -> tuple[Annotations, Callable[[float, float, int], Predictions]]:
    """Ten digits in ten colours, mostly in an unusual one, and a way to predict."""
    rng = np.random.default_rng(11)
    n = 6_000
    names = ("red", "green", "blue", "yellow", "magenta", "cyan", "orange", "pink", "violet")
    colours = (*names, "grey")
    levels = tuple(str(level) for level in range(10))
    truth, colour = rng.integers(0, 10, n), rng.integers(0, 10, n)
    label = Column("digit", levels, {level: level for level in levels})
    attribute = Column("colour", levels, dict(zip(levels, colours, strict=True)))
    usual = {"colour": Alignment(frozenset((y, y) for y in levels), "the protocol")}
    rows = annotations(label, truth, [(attribute, colour)], usual)

    def predict(aligned: float, conflicting: float, seed: int) -> Predictions:
        """Be right at two rates; half of the other answers follow the colour."""
        draw = np.random.default_rng(seed)
        right = draw.random(n) < np.where(truth == colour, aligned, conflicting)
        wrong = np.where(draw.random(n) < 0.5, colour, draw.integers(0, 10, n))
        predicted = np.where(right, truth, wrong)
        return Predictions(rows, predicted, levels, None, "1", "default: the level '1'")

    return rows, predict


@pytest.fixture(scope="session")
def digits_base() -> Document:
    """Ten levels by ten colours, three runs beside; measured once."""
    rows, predict = digits()
    cells = cells_of(rows, "colour")
    dataset = {
        "name": "biased_mnist",
        "title": "Biased MNIST",
        "protocol": "rebias",
        "noun": "digits",
        "test_split": "test",
        "licence": "CC BY-SA 3.0",
        "splits": {
            "train": {"n": 60_000, "cells": []},
            "validation": {"n": 6_000, "cells": []},
            "test": {"n": len(rows), "cells": cells},
        },
        "exclusions": {"count": 0, "listed": []},
        "notes": [],
    }
    supcon = encoder("SupCon")
    entropy = encoder("Cross-entropy", "own classifier")
    balanced = encoder("ConTeX", "balanced linear probe")
    beside = [
        (predict(0.99, 0.60, 2), supcon, log(2, 30, (0.98, 0.61))),
        (predict(0.99, 0.16, 3), entropy, log(3, 30, (0.99, 0.2))),
        (predict(0.95, 0.86, 4), balanced, []),
    ]
    return whole(
        predict(0.97, 0.84, 1), encoder("ConTeX"), dataset, beside, log(1, 30, (0.97, 0.83))
    )


def inside(attribute: float, seed: int) -> Document:
    """Audit invented features of ten digits in ten colours, and answers that half follow colour."""
    rng = np.random.default_rng(seed)
    n, levels = 900, tuple(str(level) for level in range(10))
    truth = rng.integers(0, 10, n)
    colour = np.where(rng.random(n) < 0.3, truth, rng.integers(0, 10, n))
    values = rng.normal(size=(n, 24)) + 3 * np.eye(24)[truth] + attribute * np.eye(24)[10 + colour]
    names = Column("digit", levels), Column("colour", levels)
    usual = {"colour": Alignment(frozenset((y, y) for y in levels), "the protocol")}
    known = annotations(names[0], truth, [(names[1], colour)], usual)
    split = np.repeat(["train", "validation", "test"], 300)
    found = audit(Features(values.astype(np.float32), split, known), "test")
    rows = known.take(split == "test")
    assert rows.truth is not None
    follows = rng.random((300, 10)) < attribute / 10
    answers = np.where(follows, np.arange(10), rows.truth[:, None])
    return with_shortcut(found, shortcut(rows, "colour", answers, 300))


@pytest.fixture(scope="session")
def inside_base(digits_base: Document) -> Document:
    """The digits with their features looked at: two encoders, and a judge more."""
    document = copy.deepcopy(digits_base)
    document |= inside(4.0, 1)
    document["beside"][0] |= inside(1.0, 2)
    more = inside(1.0, 3)["representation"]["shortcut"]
    document["beside"][1] |= {"leakage": {}, "representation": {"shortcut": more}}
    pair = {"train": {"id": "a.png", "label": "3"}, "test": {"id": "b.png", "label": "8"}}
    between = {"splits": ["train", "test"], "n": 1, "pairs": 1, "labels_differ": 1}
    document["dataset"]["duplicates"] = {
        "compared": {"train": 300, "test": 6000},
        "side": 28,
        "within": {"train": 0, "test": 0},
        "between": [{**between, "listed": [pair]}],
    }
    document["dataset"]["persons"] = None
    document["findings"] = [finding.to_dict() for finding in run_checks(document)]
    return document


@pytest.fixture(scope="session")
def races_base() -> Document:
    """Gender by seven race groups, from a table of predictions with scores: no run, no training."""
    rng = np.random.default_rng(3)
    sizes = (2085, 1556, 1623, 1516, 1209, 1415, 1550)
    words = {
        "White": "White",
        "Black": "Black",
        "Latino_Hispanic": "Latino or Hispanic",
        "Indian": "Indian",
        "Middle Eastern": "Middle Eastern",
        "East Asian": "East Asian",
        "Southeast Asian": "Southeast Asian",
    }
    n = sum(sizes)
    race = np.repeat(np.arange(7), sizes)
    women = (rng.random(n) < 0.47).astype(int)
    hit = np.array([0.95, 0.86, 0.94, 0.93, 0.94, 0.945, 0.93])[race]
    right = rng.random(n) < np.where(women == 1, hit, 0.955)
    predicted = np.where(right, women, 1 - women)
    predicted[rng.random(n) < 0.002] = -1
    label = Column("gender", ("Female", "Male"), {"Female": "women", "Male": "men"})
    rows = annotations(label, 1 - women, [(Column("race", tuple(words), words), race)], {})
    answers = np.where(predicted < 0, -1, 1 - predicted)
    sure = 0.5 * np.random.default_rng(4).beta(3, 1, n)
    scores = np.where(answers < 0, np.nan, np.where(answers == 0, 0.5 + sure, 0.499 - 0.99 * sure))
    audited = Predictions(rows, answers, ("Female", "Male"), scores, "Female", "--positive")
    dataset = {
        "name": "predictions.csv",
        "title": "predictions.csv",
        "protocol": "",
        "noun": "images",
        "test_split": "test",
        "licence": "",
        "splits": {},
        "notes": [],
    }
    table = {"name": "predictions.csv", "judge": "", "source": "predictions", "run": None}
    return whole(audited, table, dataset)


@pytest.fixture(scope="session")
def rendered(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Give an example's page by the name of its fixture; each is rendered once."""
    pages: dict[str, str] = {}

    def page(name: str) -> str:
        if name not in pages:
            pages[name] = render(request.getfixturevalue(name))
        return pages[name]

    return page


@pytest.fixture
def faces_document(faces_base: Document) -> Document:
    """A copy that a test may change."""
    return copy.deepcopy(faces_base)


@pytest.fixture
def digits_document(digits_base: Document) -> Document:
    """A copy that a test may change."""
    return copy.deepcopy(digits_base)


@pytest.fixture
def races_document(races_base: Document) -> Document:
    """A copy that a test may change."""
    return copy.deepcopy(races_base)
