"""What could help: each remedy on planted features, its reasons, and its section of the report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.config import ProbeConfig
from debias_cl.document import Judged, assemble
from debias_cl.metrics import Settings, measure
from debias_cl.probe import predict
from debias_cl.records import Annotations, Column, Features
from debias_cl.remedies import REMEDIES, Tried, try_all
from debias_cl.sections.html import render

POSITIVE = ("1", "--positive")
QUICK = Settings(permutations=19, min_group=1)


def planted(rows: int = 4000, levels: int = 2, attribute: bool = True, seed: int = 0) -> Features:
    """Features of a weak label and a strong attribute that mostly go together."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, levels, rows)
    group = np.where(rng.random(rows) < 0.85, label, rng.integers(0, levels, rows))
    values = rng.normal(size=(rows, 4 * levels)).astype(np.float32)
    values[np.arange(rows), label] += 1.5
    values[np.arange(rows), levels + group] += 4
    names = tuple(str(level) for level in range(levels))
    about = Annotations(
        np.arange(rows).astype(str),
        Column("y", names),
        label,
        (Column("a", names),) if attribute else (),
        {"a": group} if attribute else {},
    )
    split = rng.choice(["train", "validation", "test"], rows, p=[0.6, 0.2, 0.2])
    return Features(values, split, about)


def tried(features: Features) -> dict[str, Tried]:
    return {one.remedy.title: one for one in try_all(features, "test", POSITIVE, 0)}


@pytest.fixture(scope="module")
def binary() -> dict[str, Tried]:
    return tried(planted())


def numbers(predictions: Any) -> tuple[float, float]:
    found = measure(predictions, QUICK)
    gap = found["disparities"]["a"]["equalized_odds_difference"]["value"]
    return found["overall"]["worst_group_accuracy"]["value"], gap


def test_every_remedy_answers_every_test_row(binary: dict[str, Tried]) -> None:
    test = planted().part("test")
    assert list(binary) == [remedy.title for remedy in REMEDIES]
    for name, one in binary.items():
        assert one.predictions is not None, (name, one.reason)
        assert (one.predictions.annotations.ids == test.annotations.ids).all()
        assert (one.predictions.predicted >= 0).all()


@pytest.mark.parametrize(
    "name", ["group-balanced probe", "DFR", "thresholds by group", "reductions"]
)
def test_the_planted_shortcut_shrinks(binary: dict[str, Tried], name: str) -> None:
    plain = predict(planted(), ProbeConfig(), "test", *POSITIVE, 0)
    worst, gap = numbers(plain)
    better, smaller = numbers(binary[name].predictions)
    assert smaller < 0.6 * gap
    assert better > worst


def test_a_label_of_three_levels_names_what_is_not_defined_for_it() -> None:
    found = tried(planted(levels=3))
    for name in ("thresholds by group", "reductions"):
        assert found[name].predictions is None
        assert found[name].reason == "defined for two label levels; 'y' has 3"
    assert found["DFR"].predictions is not None


def test_without_an_attribute_nothing_is_tried() -> None:
    assert {one.reason for one in tried(planted(attribute=False)).values()} == {
        "no attribute is known, so nothing could be made equal"
    }


def test_a_group_of_one_label_is_the_reason() -> None:
    features = planted()
    truth = features.annotations.truth
    assert truth is not None
    lonely = (features.split == "validation") & (features.annotations.groups["a"] == 1)
    keep = ~(lonely & (truth == 0))
    few = replace(
        features,
        values=features.values[keep],
        split=features.split[keep],
        annotations=features.annotations.take(keep),
    )
    reason = tried(few)["thresholds by group"].reason
    assert reason == "the validation rows of '1' have one label level alone"


def test_the_report_shows_what_was_tried(binary: dict[str, Tried]) -> None:
    plain = predict(planted(), ProbeConfig(), "test", *POSITIVE, 0)
    dataset = {
        "name": "planted", "title": "Planted", "card": "", "licence": "", "protocol": "",
        "noun": "rows", "test_split": "test", "splits": {}, "notes": [],
        "exclusions": {"count": 0, "listed": []},
    }  # fmt: skip
    encoder = {"name": "planted", "judge": "linear probe", "objective": None}
    audited = Judged(encoder, plain, (), tuple(binary.values()))
    facts = dict.fromkeys(("command", "seed", "commit", "device", "wall_seconds", "platform"))
    document = assemble(
        audited, (), dataset=dataset, provenance={**facts, "versions": {}}, settings=QUICK
    )
    entry = document["remedies"]["tried"][0]
    assert entry["overall"]["accuracy"]["value"] == pytest.approx(
        document["overall"]["accuracy"]["value"] + entry["paired"]["accuracy"]["value"]
    )
    page = render(document)
    assert "What could help" in page
    assert "6 reductions" in page
    assert 'data-p="/remedies/tried/4/overall/accuracy' in page
