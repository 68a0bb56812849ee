"""Panels and their SVG: tokens only, no duplicate id, small, the same bytes again."""

from __future__ import annotations

import doctest
import re
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from debias_cl.sections import figures
from debias_cl.sections.bars import Curve, GapRow, curves, gaps
from debias_cl.sections.figures import Panel, shares, ticks
from debias_cl.sections.forest import ForestRow, Mark, forest
from debias_cl.sections.matrix import Square, matrix
from debias_cl.sections.svg import compact

LITERAL = re.compile(r"#[0-9a-f]{3,8}\b|rgb|hsl|(?:fill|stroke)=\"(?!none)", re.IGNORECASE)


def a_forest() -> Markup:
    rows = [
        ForestRow("Male"),
        ForestRow("men", "182", (Mark(0.56, 0.48, 0.63), Mark(0.36, 0.3, 0.42)), bold=True),
        ForestRow("women", "2,480", (Mark(0.9, 0.88, 0.91), Mark(0.9, 0.88, 0.91))),
        ForestRow("men, Young missing", "0", (Mark(None), Mark(None)), reason="no blond images"),
    ]
    return forest(rows, 0.8, "f31", "A forest", "Of groups")[0]


def a_matrix(size: int = 2) -> Markup:
    names = [f"level {place}" for place in range(size)]
    squares = [
        [Square((i + j) / (2 * size), "50", "n = 7", i == j) for j in range(size)]
        for i in range(size)
    ]
    squares[0][size - 1] = Square(None, "", "", False)
    return matrix(names, names, squares, "f41", "A matrix", "Of cells")


def some_gaps() -> Markup:
    rows = [GapRow("Accuracy", (Mark(0.3, 0.2, 0.9), Mark(0.1, 0.0, 0.2)), 0.05, "30.0")]
    return gaps(rows, 0.4, "f51", "Gaps", "Of measures")


def some_curves() -> Markup:
    epochs = tuple(float(epoch) for epoch in range(1, 31))
    lines = [
        Curve(epochs, tuple(0.5 + epoch / 100 for epoch in epochs), "run", False, "aligned"),
        Curve(epochs, tuple(0.5 + epoch / 101 for epoch in epochs), "run", True, "conflicting"),
        Curve(epochs, tuple(epoch / 60 for epoch in epochs), "ref"),
    ]
    return curves(lines, 0, 1, "%", "f81", "Curves", "By epoch")


PANELS = {
    "forest": a_forest,
    "matrix": a_matrix,
    "large matrix": lambda: a_matrix(10),
    "gaps": some_gaps,
    "curves": some_curves,
}


@pytest.mark.parametrize("name", PANELS)
def test_panels_hold_tokens_only_and_ids_of_their_own(name: str) -> None:
    drawn = str(PANELS[name]())
    assert not LITERAL.search(re.sub(r'href="#[^"]*"', "", drawn))
    assert "<style" not in drawn and "clip" not in drawn and "font-family" not in drawn
    root = ElementTree.fromstring(drawn)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    figure = root.get("aria-labelledby", "").split("-")[0]
    assert all(str(one).startswith(f"{figure}-") for one in ids)
    assert root.find("title") is not None and root.find("desc") is not None


@pytest.mark.parametrize("name", PANELS)
def test_equal_input_gives_equal_bytes(name: str) -> None:
    assert PANELS[name]() == PANELS[name]()


@pytest.mark.parametrize("name", PANELS)
def test_panels_are_small(name: str) -> None:
    assert len(PANELS[name]().encode()) < (10_000 if name == "large matrix" else 8_000)


def test_a_colour_that_is_no_token_is_refused() -> None:
    raw = '<svg xmlns="http://www.w3.org/2000/svg"><path style="fill: #ff0000" d="M 0 0"/></svg>'
    with pytest.raises(ValueError, match="#ff0000, which is no token"):
        compact(raw, "f", "t", "d")


def test_black_text_is_refused() -> None:
    raw = '<svg xmlns="http://www.w3.org/2000/svg"><text x="1">a</text></svg>'
    with pytest.raises(ValueError, match="black"):
        compact(raw, "f", "t", "d")


def test_many_equal_dots_become_one_path() -> None:
    dots = "".join(f'<use xlink:href="#m" x="{x}" y="2" style="fill: #008ada"/>' for x in range(60))
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<g id="dots" clip-path="url(#c)">{dots}</g></svg>'
    )
    drawn = compact(raw, "f", "t", "d")
    assert drawn.count("<use") == 0
    assert drawn.count("h0") == 60
    assert 'stroke-linecap="round"' in drawn


def test_hostile_names_are_text_and_nothing_else() -> None:
    hostile = "$x_1$ <script>alert(1)</script>\u202e&"
    panel = Panel(40)
    panel.text(0, 10, hostile)
    drawn = panel.svg("f1", hostile, hostile)
    assert "<script" not in drawn and "\u202e" not in drawn
    words = ElementTree.fromstring(str(drawn)).find("text")
    assert words is not None and words.text == "$x_1$ <script>alert(1)</script>&"


def test_a_name_in_another_script_gives_no_warning() -> None:
    panel = Panel(40)
    panel.text(0, 10, "女性 महिला نساء")
    assert "女性" in panel.svg("f1", "t", "d")


def test_the_axis_is_cut_where_all_values_lie_near_one_end() -> None:
    assert (shares([0.3, 0.9], 0, 1).low, shares([0.3, 0.9], 0, 1).high) == (0, 1)
    assert shares([0.93, 0.98], 0, 1).low == 0.9
    assert shares([0.01, 0.04], 0, 1).high == 0.1
    assert ticks(0, 1) == (0, 0.25, 0.5, 0.75, 1)


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(figures).failed == 0
