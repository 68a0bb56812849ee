"""Judges of a cell: fitted once, on rows that they do not judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from debias_cl.dfr import balancing_split
from debias_cl.probe import predict
from debias_cl.records import Annotations, Column, Features, default_positive
from debias_cl.suites.grid import cells_of, read_suite
from debias_cl.suites.judges import JUDGES, USUAL, judged

SPLITS = ("validation", "test")


@pytest.fixture
def features() -> Features:
    """Two labels, a colour that follows them in training, 300 rows."""
    rng = np.random.default_rng(0)
    split = np.array(["train"] * 160 + ["validation"] * 60 + ["test"] * 80)
    truth = rng.integers(0, 2, 300)
    colour = np.where(rng.random(300) < np.where(split == "train", 0.1, 0.5), 1 - truth, truth)
    values = rng.normal(size=(300, 4)) + np.stack([truth, colour, truth, 0 * truth], axis=1)
    annotations = Annotations(
        np.array([f"{row:03}" for row in range(300)]),
        Column("digit", ("0", "1")),
        truth,
        (Column("colour", ("red", "green")),),
        {"colour": colour},
    )
    return Features(values.astype(np.float32), split, annotations)


def test_every_judge_gives_what_the_probe_gives_on_that_split(features: Features) -> None:
    found = dict(judged(features, tuple(JUDGES), SPLITS, 3))
    assert tuple(found) == tuple(JUDGES)
    positive = default_positive(("0", "1"))
    for name, by_split in found.items():
        for split, values in by_split.items():
            made = predict(features, JUDGES[name], split, *positive, 3)
            truth = features.annotations.truth[features.split == split]  # type: ignore[index]
            expected = float((made.predicted == truth).mean())
            assert values["accuracy"]["value"] == pytest.approx(expected), (name, split)
            assert {"unbiased_accuracy", "worst_group_accuracy"} <= values.keys()


def test_dfr_is_fitted_on_validation_and_judges_test_alone(features: Features) -> None:
    found = dict(judged(features, ("DFR", "linear probe"), SPLITS, 0))
    assert set(found["DFR"]) == {"test"} and set(found["linear probe"]) == set(SPLITS)
    assert balancing_split(features, "test") == "validation"
    # Other training rows leave DFR's rows as they are: only their moments count.
    swapped = features.annotations.truth.copy()  # type: ignore[union-attr]
    swapped[features.split == "train"] = 1 - swapped[features.split == "train"]
    other = replace(features, annotations=replace(features.annotations, truth=swapped))
    again = dict(judged(other, ("DFR",), SPLITS, 0))["DFR"]["test"]
    for name in ("accuracy", "unbiased_accuracy", "worst_group_accuracy"):
        assert again[name] == found["DFR"]["test"][name]
    there = features.split != "validation"
    without = replace(
        features,
        values=features.values[there],
        split=features.split[there],
        annotations=features.annotations.take(there),
    )
    assert set(dict(judged(without, ("DFR",), ("test",), 0))["DFR"]) == {"test"}


def test_without_an_attribute_only_plain_probes_judge(features: Features) -> None:
    plain = replace(features, annotations=replace(features.annotations, attributes=(), groups={}))
    found = dict(judged(plain, tuple(JUDGES), SPLITS, 0))
    assert set(found) == {"linear probe", "20 nearest neighbours", "SGD linear probe"}
    assert found["linear probe"]["test"].keys() == {"accuracy"}


def test_judges_are_named_in_the_grid_and_do_not_name_the_run() -> None:
    quick = cells_of(read_suite("quick"))[0]
    assert quick.judges == USUAL
    assert replace(quick, judges=("DFR",)).name == quick.name
    faces = {cell.judges for cell in cells_of(read_suite("standard"))}
    assert faces == {("linear probe", "20 nearest neighbours")}
