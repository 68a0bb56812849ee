"""Whole documents of weighted rows, of persons and of both: the schema, and what they say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.schema import schema
from debias_cl.records import Mass, Predictions

Build = Callable[..., Predictions]
QUICK = Settings(permutations=99)
DESIGNS = ("weights", "persons", "both")


def validator() -> Any:
    """Return a validator of the measured part."""
    whole = schema()
    return jsonschema.Draft202012Validator({"$defs": whole["$defs"], "$ref": "#/$defs/measured"})


def made(make: Build, design: str, classes: int = 2) -> Predictions:
    rng = np.random.default_rng(classes)
    person = rng.integers(0, 50, 300)
    y, g, h = (rng.integers(0, k, 300) for k in (classes, 3, 2))
    p = np.where(rng.random(300) < 0.8, y, rng.integers(0, classes, 300))
    columns = [[str(v) for v in column] for column in (y, p, g, h)]
    columns[1] = [None if i % 40 == 0 else v for i, v in enumerate(columns[1])]
    rows = make(columns[0], columns[1], {"g": columns[2], "h": columns[3]})
    w = rng.gamma(2, size=300)
    mass = Mass(np.ones(300, np.int64), w, w**2) if design != "persons" else None
    known = replace(rows.annotations, mass=mass, persons=None if design == "weights" else person)
    return replace(rows, annotations=known)


def values_of(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value object of a document with its place."""
    if isinstance(node, dict):
        if {"value", "low", "high", "method"} <= node.keys():
            yield path, node
        for key, inner in node.items():
            yield from values_of(inner, f"{path}/{key}")
    elif isinstance(node, list):
        for i, inner in enumerate(node):
            yield from values_of(inner, f"{path}/{i}")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("design", DESIGNS)
def test_documents_follow_the_schema_and_every_interval_says_its_design(
    make: Build, design: str, classes: int
) -> None:
    found = measure(made(make, design, classes), QUICK)
    validator().validate(json.loads(json.dumps(found)))
    silent = [
        path
        for path, value in values_of(found)
        if value["method"] and not any(word in value["method"] for word in ("F10", "F11"))
    ]
    assert silent == [], silent
    sizes = [value for _, value in values_of(found) if "n_effective" in value]
    assert sizes and all(value["n_effective"] <= value["n"] * 1.000001 for value in sizes)


@pytest.mark.parametrize("design", DESIGNS)
def test_the_document_says_what_makes_sizes_effective(make: Build, design: str) -> None:
    rows = made(make, design)
    found, known = measure(rows, QUICK)["sampling"], rows.annotations
    assert found["weighted"] == (design != "persons")
    if known.mass is not None and known.mass.weight is not None:
        w = known.mass.weight
        assert found["kish_n"] == pytest.approx(w.sum() ** 2 / (w**2).sum())
    if known.persons is not None:
        assert found["persons"] == len(set(known.persons))
        assert found["most_rows_of_one"] == np.bincount(known.persons).max()
    assert len(found["says"]) == (3 if design == "both" else 2)


def test_plain_rows_and_equal_weights_say_nothing(make: Build) -> None:
    rows = made(make, "weights")
    for mass in (None, Mass(np.ones(300, np.int64), np.full(300, 2.0), np.full(300, 4.0))):
        plain = replace(rows, annotations=replace(rows.annotations, mass=mass))
        assert "sampling" not in measure(plain, QUICK)
