"""Numbers and sentences as people read them."""

from __future__ import annotations

import doctest

import pytest

from debias_cl.checks import pointer, text
from debias_cl.checks.pointer import Node, resolve


@pytest.mark.parametrize("module", [text, pointer])
def test_the_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0.0%"), (1.0, "100.0%"), (0.00049, "<0.1%"), (0.0005, "0.1%"), (0.9995, ">99.9%")],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(value: float, shown: str) -> None:
    assert text.share(value) == shown


def test_minus_is_the_real_sign_and_n_does_not_break() -> None:
    assert text.points(-0.2) == "\u221220.0"
    assert text.n_equals(12287) == "n\u00a0=\u00a012,287"
    assert text.p_equals(0.00001) == "p\u00a0<\u00a00.001"
    assert text.p_equals(0.004) == "p\u00a0=\u00a00.004"


def test_a_sentence_knows_where_its_numbers_come_from() -> None:
    node = Node({"a": {"value": 0.5, "low": 0.4, "high": 0.6}}) / "a"
    sentence = text.say(
        "it is ", text.show(node, text.share), " (", text.between(node, text.share) or "", ")."
    )
    assert str(sentence) == "It is 50.0% (40.0% to 60.0%)."
    assert sentence.pointers == ("/a", "/a/low", "/a/high")


def test_an_undefined_number_is_a_dash() -> None:
    assert text.show(Node({"value": None}), text.share) == text.DASH


def test_a_gap_over_three_groups_shows_at_least_and_at_most() -> None:
    gap = Node({"value": 0.3, "low": None, "high": None, "at_least": 0.1, "at_most": 0.4})
    assert str(text.bounds(gap, text.points)) == "At least 10.0, at most 40.0"


def test_hidden_characters_go_and_other_scripts_stay() -> None:
    assert text.clean("a\u202eb\u200b\u0007\u2066") == "ab"
    assert text.clean("女性 и नारी") == "女性 и नारी"


def test_pointers_lead_back_to_the_value() -> None:
    document = {"a/b": {"~x": [1, {"y": 2}]}}
    node = Node(document) / "a/b" / "~x" / 1 / "y"
    assert resolve(document, node.pointer) == 2
    with pytest.raises(KeyError, match="stops at"):
        resolve(document, "/a~1b/none")
