"""Contrast of the tokens, computed again with the WCAG formula."""

from __future__ import annotations

import doctest
import re

import pytest

from debias_cl.sections import tokens
from debias_cl.sections.tokens import SENTINELS, THEMES, TOKENS, contrast, value

TEXT = ("ink", "muted", "link", "issue", "note")
MARKS = ("axis", "run", "ref", "s3", "s4")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("token", TEXT)
def test_text_reaches_four_and_a_half_to_one(token: str, theme: str) -> None:
    assert contrast(value(token, theme), value("bg", theme)) >= 4.5
    assert contrast(value(token, theme), value("surface", theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("token", MARKS)
def test_marks_and_lines_reach_three_to_one(token: str, theme: str) -> None:
    assert contrast(value(token, theme), value("bg", theme)) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("step", range(7))
def test_numbers_on_the_heat_ramp_can_be_read(step: int, theme: str) -> None:
    assert contrast(value(f"on{step}", theme), value(f"q{step}", theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_words_on_the_issue_badge_can_be_read(theme: str) -> None:
    assert contrast(value("on-issue", theme), value("issue", theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_the_heat_ramp_goes_one_way(theme: str) -> None:
    away = [contrast(value(f"q{step}", theme), value("bg", theme)) for step in range(7)]
    assert away == sorted(away)


def test_contrast_of_black_and_white_is_twenty_one() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_sentinels_are_all_different_and_no_token() -> None:
    assert len(set(SENTINELS.values())) == len(TOKENS)
    assert not set(SENTINELS.values()) & {colour for row in TOKENS.values() for colour in row}


def test_every_theme_sets_every_token() -> None:
    sheet = tokens.style()
    for name in TOKENS:
        assert len(re.findall(rf"--{name}:", sheet)) == 5


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(tokens).failed == 0
