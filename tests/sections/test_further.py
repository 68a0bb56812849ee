"""The further readings on the page: every number leads to the document, none without its flag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from html import unescape
from typing import Any

import numpy as np
import pytest

from debias_cl.checks.pointer import resolve
from debias_cl.checks.run import run_checks
from debias_cl.data.bins import Bins, ranges
from debias_cl.metrics import Settings, measure
from debias_cl.records import Annotations, Column, Predictions
from debias_cl.sections import fairness, groups
from debias_cl.sections.html import fill
from debias_cl.sections.trends import trends

Document = dict[str, Any]
NUMBER = re.compile(r'(?:value|data-v)="([^"]+)" data-p="([^"]+)"')


def predictions(levels: int = 2) -> Predictions:
    rng = np.random.default_rng(12)
    n = 700
    site, race = rng.integers(0, 2, n), rng.integers(0, 3, n)
    age, codes = ranges("age", rng.uniform(18, 90, n), np.ones(n, np.int64), Bins((18, 40, 60, 90)))
    truth = rng.integers(0, levels, n)
    right = rng.random(n) < np.where(race == 0, 0.9, 0.7) - 0.2 * site
    classes = tuple(str(i) for i in range(levels))
    known = Annotations(
        ids=np.array([str(i) for i in range(n)]),
        label=Column("y", classes),
        truth=truth,
        attributes=(Column("race", ("a", "b", "<c>")), age),
        groups={"race": race, "age": codes, "site": site},
        strata=(Column("site", ("s", "t & <i>u</i>")),),
    )
    said = np.where(right, truth, (truth + 1) % levels)
    return Predictions(known, said, classes, None, "1", "--positive")


ASKED = Settings(
    permutations=49,
    reference={"race": "b"},
    against=("overall", "rest"),
    within="site",
    tolerance={"accuracy_difference": 0.05, "demographic_parity_ratio": 0.8},
    reweight={"race": {("0", "a"): 2, ("1", "<c>"): 1, ("1", "a"): 3}},
)


def document(asked: Settings, levels: int = 2) -> Document:
    made: Document = {
        "dataset": {"name": "t", "noun": "rows"},
        "encoder": {"name": "m"},
        **measure(predictions(levels), asked),
        "beside": [],
        "settings": asked.to_dict(),
    }
    made["findings"] = [finding.to_dict() for finding in run_checks(made)]
    return made


@pytest.fixture(scope="module")
def full() -> Document:
    return document(ASKED)


def page(made: Document) -> str:
    out = ""
    for section, template in ((fairness, "fairness.html.j2"), (groups, "groups.html.j2")):
        told = section.context(made)
        assert isinstance(told, Mapping)
        out += fill(template, told)
    return out


def check(made: Document, text: str) -> int:
    """Resolve every number on the page; return how many there are."""
    found = NUMBER.findall(text)
    for shown, pointer in found:
        value = resolve(made, unescape(pointer))
        value = value["value"] if isinstance(value, dict) else value
        assert float(shown) == pytest.approx(value, rel=1e-8)
    return len(found)


def test_every_number_leads_to_the_document(full: Document) -> None:
    text = page(full)
    assert check(full, text) > 300
    for heading in ("Each group against a reference", "For another population"):
        assert f"<h3>{heading}</h3>" in text
    assert "How the rates go with age" in text
    assert "<c>" not in text
    assert "<i>u</i>" not in text


def test_blocks_stand_in_the_page_of_many_levels_too() -> None:
    asked = replace(ASKED, reweight={"race": {("0", "a"): 2, ("2", "b"): 1}})
    made = document(asked, levels=3)
    text = page(made)
    assert check(made, text) > 100
    assert "Of the level with the largest gap in each column" in text


def test_table_labels_are_all_different(full: Document) -> None:
    labels = re.findall(r'<table id="([^"]+)"', page(full))
    assert len(labels) == len(set(labels))


def test_a_tolerance_stands_under_its_gap(full: Document) -> None:
    text = page(full)
    said = full["disparities"]["race"]["accuracy_difference_min_group"]["tolerance"]["reading"]
    pointer = "/disparities/race/accuracy_difference_min_group/tolerance/limit"
    assert re.search(rf'{said}: tolerance <data value="0.05" data-p="{pointer}">5.0</data>', text)
    codes = {one["code"]: one["outcome"] for one in full["findings"]}
    wanted = {"within": "passed", "exceeds": "issue", "inconclusive": "note"}[said]
    assert codes["tolerance:race:accuracy_difference"] == wanted
    assert {"pooled-gap:race", "pooled-gap:age"} <= set(codes)


def test_cells_without_rows_of_the_other_population_are_named() -> None:
    rows = predictions()
    known = rows.annotations
    keep = (known.groups["race"] != 0) | (known.truth == 0)
    fewer = replace(rows, annotations=known.take(keep), predicted=rows.predicted[keep])
    made: Document = {
        "dataset": {"name": "t", "noun": "rows"},
        "encoder": {"name": "m"},
        **measure(fewer, ASKED),
        "beside": [],
    }
    told = fairness.context(made)
    assert isinstance(told, Mapping)
    (block,) = [one for one in told["further"] if one.title == "For another population"]
    (line,) = block.lines
    assert "no rows here of y = 1, race = a (50.0%)" in str(line)
    assert "the other 50.0% of that population" in str(line)


def test_a_panel_a_rate_and_a_table_an_attribute(full: Document) -> None:
    tables, figures = trends(full, 2, 3)
    assert [table.number for table in tables] == ["3c"]
    assert [figure.number for figure in figures] == ["3.4", "3.5", "3.6", "3.7"]
    assert all(len(figure.title) < 50 for figure in figures)
    assert all(len(figure.svg) < 8000 for figure in figures)


def test_nothing_is_shown_without_the_flags() -> None:
    made = document(Settings(permutations=49))
    told = fairness.context(made)
    assert isinstance(told, Mapping)
    assert told["further"] == []
    outcomes = {one["code"]: one["outcome"] for one in made["findings"]}
    assert outcomes["tolerance"] == outcomes["pooled-gap"] == "not applicable"
