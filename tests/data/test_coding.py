"""The coding of levels, against worked examples and against a plain restatement."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_cl.data.cells import cells_of
from debias_cl.data.coding import (
    canonical,
    code_column,
    code_label,
    code_label_and_prediction,
    find_level,
    numeric,
)
from debias_cl.errors import DataError


def test_an_empty_cell_that_made_floats_of_the_predictions() -> None:
    label, truth, predicted, notes = code_label_and_prediction(
        ("y", cells_of(["1", "0", "1", "0", "0"])),
        ("yhat", cells_of(["1.0", "0.0", "0.0", None, "0.0"])),
    )
    assert label.levels == ("0", "1")
    assert truth.tolist() == [1, 0, 1, 0, 0]
    assert predicted.tolist() == [1, 0, 0, -1, 0]
    judged = predicted >= 0
    assert (truth == predicted)[judged].mean() == 0.75
    assert any("'1' and '1.0' are one level" in note for note in notes)


@pytest.mark.parametrize("predictions", [["True", "False"], ["1", "0"], ["1.0", "0.0"]])
def test_truth_values_and_numbers_are_one_set_of_levels(predictions: list[str]) -> None:
    label, truth, predicted, notes = code_label_and_prediction(
        ("y", cells_of(["TRUE", "FALSE"])), ("yhat", cells_of(predictions))
    )
    assert len(label.levels) == 2
    assert truth.tolist() == predicted.tolist() == [1, 0]
    assert notes


def test_levels_only_predicted_are_named() -> None:
    label, _, predicted, notes = code_label_and_prediction(
        ("y", cells_of(["a", "b"])), ("p", cells_of(["a", "c"]))
    )
    assert label.levels == ("a", "b", "c")
    assert predicted.tolist() == [0, 2]
    assert notes == ("predicted but never a label in 'y': 'c'",)


def test_what_is_not_merged() -> None:
    column, _, notes = code_column("g", cells_of(["01", "1", "1.50", "1.5", "Male", "male", "yes"]))
    assert column.levels == ("01", "1", "1.5", "1.50", "Male", "male", "yes")
    assert notes == ("column 'g': 'Male' and 'male' differ only in case and are kept apart",)


def test_natural_order_with_the_missing_level_last() -> None:
    column, codes, _ = code_column("age", cells_of(["10", "9", None, "x"]))
    assert column.levels == ("9", "10", "x", "(missing)")
    assert codes.tolist() == [1, 0, 3, 2]
    label, codes, _ = code_label("age", cells_of(["10", "9", None, "x"]))
    assert label.levels == ("9", "10", "x")
    assert codes.tolist() == [1, 0, -1, 2]


@pytest.mark.parametrize("mark", ["NA", "None", "nan", "null", "N/A"])
def test_marks_are_levels_with_a_note(mark: str) -> None:
    column, _, notes = code_column("g", cells_of([mark, "a", mark]))
    assert mark in column.levels
    assert f"'{mark}' (2 rows)" in notes[0]
    assert f"--missing {mark}" in notes[0]


@pytest.mark.parametrize(
    ("levels", "text", "found"),
    [
        (("0", "1"), "1.0", "1"),
        (("0", "1"), "True", "1"),
        (("False", "True"), "1", "True"),
        (("False", "True"), "TRUE", "True"),
        (("a", "b"), "c", None),
    ],
)
def test_a_users_text_finds_its_level(levels, text, found) -> None:
    assert find_level(levels, text) == found


def test_numbers_with_points_commas_marks_and_spaces() -> None:
    values, notes = numeric("s", cells_of(["0.5", None, " 1e-3", "nan", "inf", "2"]))
    np.testing.assert_array_equal(values, [0.5, np.nan, 1e-3, np.nan, np.inf, 2.0])
    assert "'nan' in 1 rows" in notes[0]
    values, _ = numeric("s", cells_of(["0,5", "2", ",25"]))
    assert values.tolist() == [0.5, 2.0, 0.25]


@pytest.mark.parametrize("texts", [["0.5", "0,5"], ["1,234.5"], ["high"], ["0x1"], ["1_0"]])
def test_what_is_no_number_is_refused_with_its_row(texts: list[str]) -> None:
    with pytest.raises(DataError, match="file, line"):
        numeric("s", cells_of(["1", *texts]), where=lambda row: f"file, line {row + 2}")


SPELLINGS = {
    "1": ["1", "1.0", "1.00", "True", "TRUE", "true", " 1"],
    "0": ["0", "0.0", "-0.0", "False", "FALSE", "false "],
}


@given(st.data(), st.lists(st.sampled_from(["0", "1", None]), min_size=1, max_size=30))
def test_every_spelling_of_a_column_gives_the_same_codes(data, values) -> None:
    spelt = [v if v is None else data.draw(st.sampled_from(SPELLINGS[v])) for v in values]
    column, codes, _ = code_column("g", cells_of(["1", "0", *spelt]))
    assert column.levels[:2] == ("0", "1")
    expected = [1, 0, *(2 if v is None else int(v) for v in values)]
    assert codes.tolist() == expected


@given(st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=1, max_size=30))
def test_coding_keeps_rows_apart_exactly_where_their_canonical_texts_differ(values) -> None:
    column, codes, _ = code_column("g", cells_of(values))
    texts = [(v or "").strip() for v in values]
    numbers = {"0", "1"} & {canonical(t) for t in texts}

    def level(text: str) -> str:
        if not text:
            return "(missing)"
        plain = canonical(text)
        return {"True": "1", "False": "0"}.get(plain, plain) if numbers else plain

    assert [column.levels[code] for code in codes] == [level(text) for text in texts]
    assert len(set(column.levels)) == len(column.levels)


@given(st.lists(st.sampled_from(["a", "b", "NA", None, "1", "1.0"]), min_size=2, max_size=30))
def test_the_order_of_the_rows_does_not_matter(values) -> None:
    column, codes, notes = code_column("g", cells_of(values))
    back, turned, more = code_column("g", cells_of(values[::-1]))
    assert back.levels == column.levels
    assert turned.tolist() == codes.tolist()[::-1]
    assert sorted(more) == sorted(notes)
