"""Section 7 from documents with and without features."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from debias_cl.metrics.schema import validate
from debias_cl.sections import representation
from debias_cl.sections.scatter import MOST, Points, small_multiples
from debias_cl.sections.table import Table

Document = dict[str, Any]


def texts(table: Table, column: int) -> list[str]:
    """The plain text of one column."""
    return [str(row[column].inner.striptags()) for row in table.rows]


def told(document: Document) -> dict[str, Any]:
    """What the section's template is told."""
    found = representation.context(document)
    assert not isinstance(found, str)
    return dict(found)


def test_the_document_fits_its_schema(inside_base: Document) -> None:
    part = {key: value for key, value in inside_base.items() if key != "gates"}
    validate(part)


def test_numbers_come_before_maps_and_each_encoder_has_a_row(inside_base: Document) -> None:
    found = told(inside_base)
    numbers = [table.number for table in (*found["tables"], *found["painted"])]
    assert numbers == [f"7{letter}" for letter in "abcdefg"]
    leakage = found["tables"][0]
    assert texts(leakage, 0) == ["ConTeXcolour", "SupConcolour"]
    value = inside_base["leakage"]["colour"]["linear_balanced_accuracy_within_label"]["value"]
    assert texts(leakage, 1)[0].startswith(f"{value * 100:.1f}%")
    assert [figure.title.split(":")[0] for figure in found["figures"]] == ["ConTeX"] * 2 + [
        "SupCon"
    ] * 2
    assert "holds" in found["figures"][0].title
    assert all(len(figure.title) < 55 for figure in found["figures"])


def test_the_shortcut_table_has_a_row_a_colour_and_counts_of_digits(
    inside_base: Document,
) -> None:
    encoders, levels = told(inside_base)["painted"]
    assert len(encoders.rows) == 3  # two encoders, and one more judge
    shortcut = inside_base["representation"]["shortcut"]
    assert texts(encoders, 1)[0].startswith(f"{shortcut['moved']['value'] * 100:.1f}%")
    assert len(levels.rows) == 10 and len(levels.heads) == 14
    row = [int(texts(levels, 4 + digit)[0]) for digit in range(10)]
    assert row == list(shortcut["levels"][0]["predicted"].values())
    assert sum(row) == 300


def test_without_features_one_sentence_says_why(
    races_base: Document, inside_base: Document
) -> None:
    assert "Only predictions were given" in str(representation.context(races_base))
    document = copy.deepcopy(inside_base)
    document["representation"] = None
    for other in document["beside"]:
        other["representation"] = None
    assert "--no-representation" in str(representation.context(document))


def test_without_an_attribute_neighbours_and_a_map_remain(inside_base: Document) -> None:
    document = copy.deepcopy(inside_base)
    document["beside"], document["attributes"], document["leakage"] = [], [], {}
    part = document["representation"]
    part |= {"geometry": {}, "variance": {}, "shortcut": None}
    label = part["neighbours"]["attributes"]["colour"]["all"]["label"]
    part["neighbours"] = {"k": 20, "attributes": {}, "label": label}
    del part["map"]["codes"]["colour"]
    found = told(document)
    assert [table.caption for table in found["tables"]] == ["Whom they lie beside"]
    assert len(found["figures"]) == 1 and found["painted"] == []


@pytest.mark.parametrize("levels", [2, 5, 40])
def test_a_map_stays_small_whatever_its_levels(levels: int) -> None:
    n = 1000
    x = [((i * 37) % 997) / 498.5 - 1 for i in range(n)]
    y = [((i * 61) % 991) / 495.5 - 1 for i in range(n)]
    points = Points(x, y, [i % levels for i in range(n)], [f"level {i}" for i in range(levels)])
    assert len(points.shown) == min(levels, MOST)
    drawn = small_multiples(points, "run", "f71", "Scatter", "told")
    assert drawn.count("<text") == len(points.shown)
    assert len(drawn) < 40_000
