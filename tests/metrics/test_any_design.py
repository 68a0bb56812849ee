"""Whatever the weights and persons of a small table are: no warning, no impossible number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debias_cl.metrics import Settings, compare, measure
from debias_cl.records import Annotations, Column, Mass, Predictions

QUICK = Settings(permutations=9, min_group=3)
WEIGHTS = st.sampled_from([0.0, 1e-3, 0.5, 1.0, 1.0, 3.0, 1e3])


@st.composite
def tables(draw: st.DrawFn) -> Predictions:
    """Draw 1 to 14 entries of two or three classes and groups, weighted, of persons, or both."""
    n, classes = draw(st.integers(1, 14)), draw(st.integers(2, 3))

    def codes(low: int, high: int) -> Any:
        return np.array(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)), np.int64)

    levels = tuple(map(str, range(classes)))
    weight = np.array(draw(st.lists(WEIGHTS, min_size=n, max_size=n)))
    rows = codes(1, 4)
    design = draw(st.sampled_from(["weights", "persons", "both"]))
    known = Annotations(
        ids=np.arange(n).astype(np.str_),
        label=Column("y", levels),
        truth=codes(-1, classes - 1),
        attributes=(Column("g", ("a", "b", "c")),),
        groups={"g": codes(0, 2)},
        mass=Mass(rows) if design == "persons" else Mass(rows, weight * rows, weight**2 * rows),
        persons=None if design == "weights" else codes(-1, 5),
    )
    return Predictions(known, codes(-1, classes - 1), levels, None, "1", "--positive")


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


def check(document: Any) -> None:
    """Hold every value object to what must be true of any."""
    json.dumps(document, allow_nan=False)
    for path, value in values_of(document):
        told = (path, value)
        if value["value"] is None:
            assert value["reason"] and value["low"] is None, told
            continue
        bounds = [value.get(key) for key in ("low", "at_least", "at_most")]
        assert value["reason"] or any(end is not None for end in bounds), told
        simulated = "Dirichlet" in str(value["method"]) or "bootstrap" in str(value["method"])
        if value["low"] is not None and value["high"] is not None and not simulated:
            assert value["low"] - 1e-6 <= value["value"] <= value["high"] + 1e-6, told
        if value.get("p") is not None:
            assert 0 <= value["p"] <= 1, told
        if "n_effective" in value:
            assert 0 <= value["n_effective"] <= value["n"] * (1 + 1e-9), told


@settings(max_examples=12, deadline=None, derandomize=True)
@given(tables())
def test_any_small_table(predictions: Predictions) -> None:
    check(measure(predictions, QUICK))
    turned = replace(predictions, predicted=predictions.predicted[::-1])
    check(compare(predictions, turned))


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(tables())
def test_many_small_tables(predictions: Predictions) -> None:
    check(measure(predictions, QUICK))
    check(compare(predictions, replace(predictions, predicted=predictions.predicted[::-1])))
