"""The whole measured part: schema, invariance, odd inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debias_cl.errors import UsageError
from debias_cl.metrics import Settings, compare, measure
from debias_cl.metrics.rates import NAMES
from debias_cl.metrics.schema import NAME, schema, validate
from debias_cl.records import Alignment, Annotations, Column, Predictions, to_json

Build = Callable[..., Predictions]


def whole(measured: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Put the measured part into a minimal document."""
    encoder = {
        "name": "ConTeX", "objective": "contex", "architecture": "slim", "source": "run",
        "run": "runs/a", "checkpoint": None, "judge": "linear probe", "seed": 0, "views": {},
        "epochs": 1, "preset": "quick", "parameters": 10,
    }  # fmt: skip
    return {
        "schema": NAME,
        "created": "2026-01-01T00:00:00Z",
        "dataset": {
            "name": "x", "title": "X", "protocol": "", "noun": "images", "test_split": "test",
            "licence": "", "notes": [], "exclusions": {"count": 0, "listed": []},
            "splits": {"test": {"n": 3, "cells": []}},
        },
        "encoder": encoder,
        **measured,
        "training": [{"epoch": 1, "loss": 0.5}],
        "beside": [],
        "verdict": {},
        "provenance": {
            "command": "x", "seed": 0, "versions": {}, "commit": None, "device": "cpu",
            "wall_seconds": 1.0, "platform": "x",
        },
        "settings": {"min_group": 30, "interval": "wilson", "thresholds": {}},
        **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def people(make: Build) -> Predictions:
    rng = np.random.default_rng(0)
    y, g, h = rng.integers(0, 2, 300), rng.integers(0, 2, 300), rng.integers(0, 3, 300)
    p = np.where(rng.random(300) < 0.8, y, g)
    predicted = [None if i % 50 == 0 else str(v) for i, v in enumerate(p)]
    groups = {"Male": [str(v) for v in g], "age": [("young", "old", "(missing)")[v] for v in h]}
    by = {"Male": Alignment(frozenset({("0", "0"), ("1", "1")}), "the protocol")}
    return make([str(v) for v in y], predicted, groups, alignment=by)


@pytest.fixture(scope="module")
def measured(people: Predictions) -> dict[str, Any]:
    return measure(people, Settings(permutations=9))


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())


def test_documents_fit_the_schema(people: Predictions, make: Build) -> None:
    measured = measure(people, Settings(permutations=99))
    beside = {"encoder": {"name": "SupCon"}, "training": [], "paired": compare(people, people)}
    document = whole(measured, beside=[{**measured, **beside}])
    validate(document)
    validate(json.loads(to_json(document)))
    validate(whole(measure(make(None, list("010"), {"g": list("aab")}), Settings(permutations=9))))
    validate(
        whole(measure(make(list("012"), list("011"), {"g": list("aab")}), Settings(permutations=9)))
    )
    validate(whole(measure(make(list("01"), list("01"), {}), Settings(permutations=9))))


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("overall"),
        lambda d: d["overall"].pop("worst_group_accuracy"),
        lambda d: d["disparities"]["Male"].pop("equalized_odds_difference_min_group"),
        lambda d: d["overall"]["accuracy"].update(value=None),
        lambda d: d["cells"][0].update(share=2),
        lambda d: d.update(schema="other"),
        lambda d: d["disparities"]["Male"]["accuracy_difference"].pop("detectable"),
    ],
)
def test_the_schema_refuses_a_damaged_document(
    measured: dict[str, Any], damage: Callable[[Any], Any]
) -> None:
    document = whole(deepcopy(measured))
    damage(document)
    with pytest.raises(jsonschema.ValidationError):
        validate(document)


def test_intersections_stand_beside_the_attributes(people: Predictions) -> None:
    document = measure(people, Settings(permutations=9))
    assert [a["name"] for a in document["attributes"]] == ["Male", "age", "Male & age"]
    both = document["attributes"][2]
    assert both["of"] == ["Male", "age"]
    assert both["alignment"] is None
    groups = [e for e in document["groups"] if e["attribute"] == "Male & age"]
    assert len(groups) == 6
    assert sum(e["n"] for e in groups) == document["n"] == 294
    assert groups[0]["group"] == {"Male": "0", "age": "old"}
    assert set(document["disparities"]) == set(document["attributes_overall"])
    assert (
        document["overall"]["aligned_accuracy"]
        == (document["attributes_overall"]["Male"]["aligned_accuracy"])
    )
    why = document["attributes_overall"]["Male & age"]["aligned_accuracy"]["reason"]
    assert why == "intersections have no alignment"


def test_empty_combinations_are_kept_and_many_are_counted(make: Build) -> None:
    document = measure(
        make(list("01"), list("01"), {"a": ["x", "y"], "b": ["u", "v"]}), Settings(permutations=9)
    )
    sizes = {tuple(e["group"].values()): e["n"] for e in document["groups"] if len(e["group"]) == 2}
    assert sizes == {("x", "u"): 1, ("x", "v"): 0, ("y", "u"): 0, ("y", "v"): 1}
    n = 20
    many = {name: [f"{name}{i}" for i in range(n)] for name in "ab"}
    document = measure(make(["0", "1"] * 10, ["0", "1"] * 10, many), Settings(permutations=9))
    both = document["attributes"][2]
    assert len(both["levels"]) == n
    assert both["empty_left_out"] == n * n - n


def test_an_empty_cell_of_floats_does_not_make_new_levels(make: Build) -> None:
    """Four rows judged, one without a prediction, listed under its group."""
    predictions = make(["1", "0", "1", "0", "0"], ["1", "0", "0", None, "0"], {"g": list("aabbb")})
    document = measure(predictions, Settings(permutations=99))
    assert (document["n"], document["n_missing_prediction"]) == (4, 1)
    assert document["overall"]["accuracy"]["value"] == 0.75
    a, b = document["groups"]
    assert (a["accuracy"]["value"], a["n"]) == (1.0, 2)
    assert (b["accuracy"]["value"], b["n"]) == (0.5, 2)
    assert b["missing_prediction_rate"]["value"] == pytest.approx(1 / 3)
    gap = document["disparities"]["g"]["missing_prediction_difference"]
    assert gap["value"] == pytest.approx(1 / 3)
    assert sum(c["missing_predictions"] for c in document["cells"]) == 1


def test_equal_input_and_seed_give_equal_output(people: Predictions) -> None:
    assert measure(people, Settings(permutations=99, seed=4)) == measure(
        people, Settings(permutations=99, seed=4)
    )


def test_another_attribute_changes_no_number_of_the_first(people: Predictions) -> None:
    known = people.annotations
    alone = replace(known, attributes=known.attributes[:1], groups={"Male": known.groups["Male"]})
    one = measure(replace(people, annotations=alone), Settings(permutations=99))["disparities"][
        "Male"
    ]
    two = measure(people, Settings(permutations=99))["disparities"]["Male"]
    for name, value in one.items():
        assert {**value, "p_adjusted": 0} == {**two[name], "p_adjusted": 0}


TABLES = st.lists(
    st.tuples(st.integers(0, 1), st.integers(-1, 1), st.integers(0, 2)), min_size=1, max_size=40
)


def coded(
    rows: list[tuple[int, int, int]], names: tuple[str, ...] = ("a", "b", "c")
) -> Predictions:
    y, p, g = np.array(rows).T
    order = sorted(names)
    place = np.array([order.index(name) for name in names])
    annotations = Annotations(
        np.array([str(i) for i in range(len(rows))]),
        Column("y", ("0", "1")), y, (Column("g", tuple(order)),), {"g": place[g]},
    )  # fmt: skip
    return Predictions(annotations, p, ("0", "1"), None, "1", "test")


@settings(max_examples=25, deadline=None)
@given(TABLES, st.randoms(use_true_random=False))
def test_row_order_does_not_matter(rows: list[tuple[int, int, int]], random: Any) -> None:
    mixed = list(rows)
    random.shuffle(mixed)
    assert measure(coded(rows), Settings(permutations=9)) == measure(
        coded(mixed), Settings(permutations=9)
    )


@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_names_of_groups_do_not_matter(rows: list[tuple[int, int, int]]) -> None:
    """Renamed groups stand in another order: values and intervals follow them."""
    first = measure(coded(rows), Settings(permutations=9, min_group=2))
    second = measure(coded(rows, ("c", "a", "b")), Settings(permutations=9, min_group=2))
    renamed = {"a": "c", "b": "a", "c": "b"}
    groups = {e["group"]["g"]: e for e in second["groups"]}
    for entry in first["groups"]:
        other = groups[renamed[entry["group"]["g"]]]
        for name in NAMES:
            ours, theirs = entry[name], other[name]
            assert ours["reason"] == theirs["reason"]
            for key in ("value", "low", "high", "n"):
                assert ours[key] == pytest.approx(theirs[key]), (name, key)
    for name, value in first["disparities"]["g"].items():
        other = second["disparities"]["g"][name]
        for key in ("value", "detectable", "n", "groups_compared"):
            assert value[key] == pytest.approx(other[key]), (name, key)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_every_number_is_sound(rows: list[tuple[int, int, int]]) -> None:
    document = measure(coded(rows), Settings(permutations=19, min_group=3))
    to_json(document)  # strict: neither NaN nor infinity

    def walk(node: Any) -> None:
        if isinstance(node, dict) and {"value", "low", "reason"} <= set(node):
            if node["value"] is None:
                assert node["reason"]
            elif node["low"] is not None:
                assert node["low"] - 1e-9 <= node["value"] <= node["high"] + 1e-9
        if isinstance(node, dict | list):
            for child in node.values() if isinstance(node, dict) else node:
                walk(child)

    walk({key: value for key, value in document.items() if key != "disparities"})
    for gap in document["disparities"]["g"].values():
        assert (gap["value"] is None) == (gap["lowest"] is None) or gap["p"] is None
        if gap["at_least"] is not None:
            assert gap["at_least"] - 1e-9 <= gap["value"] <= gap["at_most"] + 1e-9


def test_a_positive_level_that_is_no_level_is_refused(people: Predictions) -> None:
    with pytest.raises(UsageError, match="'yes' is no level of the label"):
        measure(replace(people, positive="yes"))


def test_wrong_options_are_refused(people: Predictions) -> None:
    with pytest.raises(UsageError, match="no interval 'bayes'"):
        measure(people, Settings(interval="bayes"))  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        measure(people, Settings(min_group=0))
