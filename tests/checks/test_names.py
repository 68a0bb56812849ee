"""Words for groups and cells."""

from __future__ import annotations

from typing import Any

import pytest

from debias_cl.checks.names import Names, together

Document = dict[str, Any]


def test_the_words_of_the_data_set_are_used(document: Document) -> None:
    names = Names(document)
    assert names.cell({"Blond_Hair": "1", "Male": "1"}) == "blond men"
    assert names.found_among("1", {"Male": "0"}) == "blond women"
    assert names.examples("1") == "blond images"
    assert names.positive == "blond"
    assert names.negative == "not blond"


def test_without_words_columns_and_values_stand_in(document: Document) -> None:
    document["label"]["words"] = document["attributes"][0]["words"] = {}
    names = Names(document)
    assert names.cell({"Blond_Hair": "1", "Male": "1"}) == "Blond_Hair = 1, Male = 1"
    found = names.found_among("1", {"Male": "1"})
    assert found == "images with Blond_Hair = 1 where Male = 1"


def test_a_missing_level_names_its_column(document: Document) -> None:
    assert Names(document).group({"Male": "(missing)"}) == "Male missing"


def test_adjectives_stand_apart(document: Document) -> None:
    document["attributes"][0]["words"] = {"0": "Black", "1": "White"}
    names = Names(document)
    assert names.cell({"Blond_Hair": "1", "Male": "1"}) == "blond, White"
    assert names.found_among("1", {"Male": "1"}) == "blond images in the group White"


def test_digits_keep_their_column(document: Document) -> None:
    document["label"] |= {"name": "digit", "words": {"1": "1", "0": "0"}}
    assert Names(document).cell({"digit": "1", "Male": "1"}) == "digit 1, men"


def test_reasons_use_the_words(document: Document) -> None:
    names = Names(document)
    assert names.reason("no rows with Blond_Hair = 1") == "no blond images"
    assert names.reason("no rows predicted Blond_Hair = 1") == "never called blond"


@pytest.mark.parametrize(
    ("label", "people", "joined"),
    [
        ("blond", "men", "blond men"),
        ("digit 0", "on red", "digit 0 on red"),
        ("male faces", "non-White faces", "male non-White faces"),
        ("male faces", "faces of other races", "male faces of other races"),
        ("male faces", "aged 20-39", "male faces aged 20-39"),
        ("male faces", "adults (20+)", "male faces, adults (20+)"),
        ("women", "Black", "women, Black"),
        ("blond", "not young", "blond, not young"),
    ],
)
def test_words_of_label_and_group_join(label: str, people: str, joined: str) -> None:
    assert together(label, people) == joined


def test_a_group_stands_for_its_examples(document: Document) -> None:
    names = Names(document)
    assert names.people({"Male": "1"}) == "men"
    document["attributes"][0]["words"] = {"0": "on red", "1": "Black"}
    assert Names(document).people({"Male": "0"}) == "images on red"
    assert Names(document).people({"Male": "1"}) == "images in the group Black"
    assert Names(document).bare("Male", "0") == "red"
