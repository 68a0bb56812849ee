"""Reports of data without an attribute: classes stand in, nothing is said of groups."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from debias_cl.checks.run import run_checks
from debias_cl.document import groups_csv
from debias_cl.metrics import compare, measure
from debias_cl.metrics.schema import validate
from debias_cl.records import Annotations, Column, Predictions
from debias_cl.sections.html import render
from debias_cl.sections.terminal import summary

Document = dict[str, Any]
NAMES = ("bird", "cat", "dog", "ship")
UNSEEN = ("label-noise", "shortcut-reliance", "same-pictures", "same-persons")
"""Checks of features and pictures: these documents have predictions alone."""
RIGHT = (0.9, 0.6, 0.75, 0.95)


def predictions(names: tuple[str, ...], right: tuple[float, ...], each: int) -> Predictions:
    """`each` rows a class, of which exactly the given share is right; errors go to the next."""
    n = len(names)
    truth = np.repeat(np.arange(n), each)
    good = np.concatenate([np.arange(each) < share * each for share in right])
    label = Column("class", names, {name: name for name in names})
    ids = np.array([f"test/{i}" for i in range(n * each)])
    rows = Annotations(ids, label, truth, (), {})
    answers = np.where(good, truth, (truth + 1) % n)
    return Predictions(rows, answers, names, None, names[-1], "default")


def document(names: tuple[str, ...], right: tuple[float, ...], each: int = 200) -> Document:
    """A whole document of a set without attributes, one encoder beside, made by the package."""
    audited = predictions(names, right, each)
    other = predictions(names, tuple(0.5 for _ in names), each)
    counts = [
        {"attribute": "", "group": {"class": name}, "n": each, "aligned": None} for name in names
    ]
    about = {"source": "run", "run": "runs/x", "judge": "linear probe", "control": False}
    made: Document = {
        "schema": "debias_cl.metrics/1",
        "created": "2026-01-01T00:00:00+00:00",
        "dataset": {
            "name": "cifar10",
            "title": "CIFAR-10",
            "protocol": "holdout",
            "noun": "images",
            "test_split": "test",
            "licence": "none stated",
            "has_attributes": False,
            "splits": {
                "train": {"n": len(names) * each, "cells": counts},
                "test": {"n": len(names) * each, "cells": counts},
            },
            "exclusions": {"count": 0, "listed": []},
            "notes": [],
        },
        "encoder": {"name": "ConTeX", "architecture": "slim", **about},
        **measure(audited),
        "training": [
            {"epoch": epoch, "loss": 5.0 - epoch, "learning_rate": 0.1, "knn_accuracy": epoch / 8}
            for epoch in (1, 2, 3)
        ],
        "beside": [
            {
                "encoder": {"name": "SupCon", "architecture": "slim", **about, "run": "runs/y"},
                **measure(other),
                "training": [],
                "paired": compare(audited, other),
            }
        ],
        "verdict": {},
        "provenance": {
            "command": "",
            "seed": 0,
            "versions": {},
            "commit": None,
            "device": None,
            "wall_seconds": 1.0,
            "platform": None,
        },
        "settings": {"min_group": 30, "interval": "wilson", "thresholds": {}},
    }
    made["findings"] = [one.to_dict() for one in run_checks(made)]
    return made


@pytest.fixture(scope="module")
def four() -> Document:
    return document(NAMES, RIGHT)


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def test_the_document_fits_the_schema(four: Document) -> None:
    validate(four)


def test_nothing_is_skipped_and_nobody_is_told_to_name_an_attribute(four: Document) -> None:
    looked = [one for one in four["findings"] if one["code"] not in UNSEEN]
    outcomes = Counter(one["outcome"] for one in looked)
    assert outcomes["skipped"] == outcomes["issue"] == 0
    assert not any("--bias-attr" in one["sentence"] for one in four["findings"])
    said = {one["code"]: one for one in four["findings"]}
    assert said["accuracy-gap"]["outcome"] == "not applicable"
    assert said["majority-class"]["outcome"] == "passed"
    assert "25.0%" in said["majority-class"]["sentence"]
    assert said["constant-predictions"]["outcome"] == "passed"
    assert said["split-shares"]["outcome"] == "passed"


def test_a_bad_class_is_a_note_and_no_issue(four: Document) -> None:
    found = next(one for one in four["findings"] if one["code"] == "worst-group-gap")
    assert found["outcome"] == "note"
    assert found["whom"] == "cat images"
    assert found["sentence"].startswith("60.0% (")
    assert "20.0 points less than of all images (80.0%)" in found["sentence"]


def test_the_page_leads_with_accuracy_and_the_worst_class(four: Document) -> None:
    page = text(render(four))
    assert "How often is it right, and for which class least?" in page
    assert "of images are right; cat images least often, 60.0%" in page.replace(" .", ".")
    assert "Worst class: cat images" in page
    assert "Mean over the classes" in page
    assert "Worst cell" not in page
    assert "this data set has no attribute, so no groups to compare" in page
    assert "kNN accuracy" in page


def test_table_3a_has_every_class_lowest_first_with_pointers(four: Document) -> None:
    page = render(four)
    table = re.search(r'<table id="t3a".*?</table>', page, re.DOTALL) or re.search(
        r'id="t3a".*?</table>', page, re.DOTALL
    )
    assert table is not None
    order = re.findall(r"\b(bird|cat|dog|ship)\b", text(table[0]))
    assert order == ["cat", "dog", "bird", "ship"]
    pointers = re.findall(r'data-p="([^"]+)"', table[0])
    assert "/classes/1/accuracy" in pointers
    assert "/beside/0/classes/1/accuracy" in pointers
    for pointer in pointers:
        node: Any = four
        for step in pointer.strip("/").split("/"):
            node = node[int(step)] if isinstance(node, list) else node[step]
        assert node is not None


def test_confusions_say_truth_and_answer(four: Document) -> None:
    page = text(render(four))
    assert "Where errors go: the 4 commonest confusions" in page
    assert "cat images dog 80 200" in page


def test_two_classes_and_hundreds_and_small_ones_are_drawn_too() -> None:
    two = text(render(document(("no", "yes"), (0.9, 0.7))))
    assert "yes images least often, 70.0%" in two
    assert "Where errors go" in two
    many = document(tuple(f"c{i:03d}" for i in range(150)), (0.8,) * 150, 10)
    page = text(render(many))
    assert "All 150 classes" in page
    assert "every class has too few to name the worst" in page
    assert "no class has 30 rows" in page


def test_the_terminal_and_the_table_of_groups_show_classes(four: Document) -> None:
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(summary(four))
    said = capture.get()
    assert "mean over classes" in said
    assert "worst class" in said
    assert "aligned" not in said
    rows = groups_csv(four).splitlines()
    assert rows[0].startswith("attribute,group,n,accuracy,")
    assert "selection_rate" not in rows[0]
    assert rows[2].startswith("class,class=cat,200,0.6,")
