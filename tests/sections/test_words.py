"""The twelve rules, a case each, from the numbers of the rule's own example."""

from __future__ import annotations

import re
from typing import Any

import pytest

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence
from debias_cl.sections import words

FORBIDDEN = re.compile(r"\b(fair|safe|significant|good|proves|bias-free)\b|unbiased model", re.I)


def document() -> dict[str, Any]:
    male = {"name": "Male", "levels": ["0", "1"], "words": {"0": "women", "1": "men"}}
    young = {"name": "Young", "levels": ["0", "1"], "words": {"0": "not young", "1": "young"}}
    return {
        "dataset": {"noun": "images"},
        "label": {
            "name": "Blond_Hair",
            "levels": ["0", "1"],
            "positive": "1",
            "words": {"0": "not blond", "1": "blond"},
        },
        "attributes": [male, young],
    }


NAMES = Names(document())


def gap(value: float, few: float, many: float, attribute: str = "Male", **more: Any) -> Node:
    """A gap whose lowest group is level 1 of Male, or level 0 of Young."""
    ends = ("1", "0") if attribute == "Male" else ("0", "1")
    return Node(
        {
            "value": value,
            "low": None,
            "high": None,
            "lowest": {"group": {attribute: ends[0]}, "n": 182, "value": few},
            "highest": {"group": {attribute: ends[1]}, "n": 2480, "value": many},
            "groups_compared": 2,
            "rate": "true_positive_rate",
            "class": None,
            **more,
        },
        "/disparities/x",
    )


def said(sentence: Sentence) -> str:
    text = str(sentence).replace("\u00a0", " ")
    assert not FORBIDDEN.search(text)
    return text


def test_rule_1_issue() -> None:
    found = words.issue(NAMES, gap(0.338, 0.56, 0.898))
    assert said(found) == (
        "Yes. It finds 90 of every 100 blond women, but 56 of every 100 blond men."
    )
    assert found.pointers == ("/disparities/x/highest/value", "/disparities/x/lowest/value")


def test_rule_1_for_wrong_finds_and_accuracy() -> None:
    wrong = gap(0.04, 0.004, 0.046, rate="false_positive_rate")
    assert said(words.issue(NAMES, wrong)) == (
        "Yes. It wrongly calls “blond” 5 of every 100 not blond women, but fewer than 1 of every "
        "100 not blond men."
    )
    right = gap(0.1, 0.8, 0.9, rate="accuracy")
    assert said(words.issue(NAMES, right)) == (
        "Yes. It is right for 90 of every 100 women, but 80 of every 100 men."
    )
    selected = gap(0.1, 0.2, 0.3, rate="selection_rate")
    assert said(words.issue(NAMES, selected)) == (
        "Yes. It calls blond 30 of every 100 women, but 20 of every 100 men."
    )


def test_rule_2_note() -> None:
    found = words.note(NAMES, gap(0.075, 0.808, 0.883, "Young"), 0.10)
    assert said(found) == (
        "A little. It finds 88 of every 100 blond images in the group young and 81 of every 100 "
        "blond images in the group not young; the gap of 7.5 points is below the threshold of 10.0."
    )
    assert said(words.unsure(NAMES, gap(0.2, 0.5, 0.7))).startswith("Not clear. It finds 70 of")


def test_rule_3_passed() -> None:
    found = words.passed(gap(0.01, 0.5, 0.51, groups_compared=4, detectable=0.031))
    assert said(found) == (
        "No difference was found between four groups; with these numbers a gap below 3.1 points "
        "could easily have been missed."
    )


def test_rule_4_too_few() -> None:
    few = gap(0.05, 0.5, 0.55, "Young", detectable=0.19)
    few.value["lowest"]["n"] = 24
    assert said(words.too_few(NAMES, few)) == (
        "Too few to say: not young has 24 blond images; only a gap above 19.0 points would "
        "usually show."
    )


def test_rule_5_size() -> None:
    found = gap(0.338, 0.56, 0.898, low=0.265, high=0.411, null95=0.026, p=0.0001)
    assert said(words.extent(found)) == (
        "The gap is 33.8 percentage points, with a 95% interval of 26.5 to 41.1. Groups shuffled "
        "at random give a gap of up to 2.6 in 95 of 100 tries (p < 0.001)."
    )
    many = gap(0.2, 0.5, 0.7, at_least=0.1, at_most=0.3)
    many.value["low"] = None
    assert said(words.extent(many)) == (
        "The gap is 20.0 percentage points: at least 10.0, at most 30.0."
    )


def test_rule_6_worst() -> None:
    cell = Node(
        {
            "group": {"Blond_Hair": "1", "Male": "1"},
            "n": 182,
            "share": 0.0091,
            "predicted": {"0": 80, "1": 102},
        }
    )
    accuracy = Node({"value": 0.959})
    assert said(words.worst_missed(NAMES, cell, cell / "predicted" / "0", accuracy)) == (
        "Blond men: 80 of 182 are missed. The overall accuracy of 95.9% hides this, because blond "
        "men are 0.9% of the images."
    )
    cell.value["share"] = 0.2
    assert said(words.worst_missed(NAMES, cell, cell / "predicted" / "0", accuracy)) == (
        "Blond men: 80 of 182 are missed."
    )


def test_rule_7_small_worst() -> None:
    plain = Node({"group": {"Male": "1", "Young": "0"}, "n": 24, "value": 0.542})
    judged = Node({"group": {"Male": "1", "Young": "1"}, "n": 158, "value": 0.563})
    rate = Node({"value": 0.563, "low": 0.485, "high": 0.638})
    assert said(words.small_worst(NAMES, plain, judged, rate, 30)) == (
        "The lowest value, 54.2% for men, not young, rests on 24 images; of groups of 30 or more "
        "the lowest is men, young with 56.3% (48.5 to 63.8)."
    )


def test_rule_8_beside() -> None:
    other, where = Node({"value": 0.54}), "conflicting images"
    better = Node({"value": 0.202, "low": 0.133, "high": 0.274})
    assert said(words.beside("ConTeX", "SupCon", "images", other, better, where)) == (
        "SupCon has a gap of 54.0 points on the same images. ConTeX is right 20.2 points more "
        "often on conflicting images (95% interval 13.3 to 27.4)."
    )
    worse = Node({"value": -0.202, "low": -0.274, "high": -0.133})
    assert said(words.beside("ConTeX", "SupCon", "images", other, worse, where)).endswith(
        "ConTeX is right 20.2 points less often on conflicting images (95% interval 13.3 to 27.4)."
    )
    equal = Node({"value": 0.012, "low": -0.02, "high": 0.044})
    assert said(words.beside("ConTeX", "SupCon", "images", other, equal, where)).endswith(
        "On conflicting images the two cannot be told apart: difference 1.2 points (−2.0 to 4.4)."
    )
    assert said(words.beside_several("ConTeX", "SupCon", other, worse, where)) == (
        "SupCon: a gap of 54.0 points; ConTeX is right 20.2 points (13.3 to 27.4) less often on "
        "conflicting images."
    )


def test_rule_9_sure() -> None:
    assert "one training run was audited" in said(words.one_seed("images"))
    assert "is not known" in said(words.given_predictions("rows"))
    spread = Node({"value": 0.331, "low": 0.302, "high": 0.36, "n": 5})
    assert said(words.seeds(spread)) == (
        "Over 5 seeds the gap is 33.1 points on average (95% interval 30.2 to 36.0)."
    )


def test_rule_10_undefined() -> None:
    group = Node({"group": {"Male": "1", "Young": "(missing)"}})
    assert said(words.undefined(NAMES, group, "no blond image")) == (
        "Men, Young missing: no blond image, so nothing can be said."
    )


@pytest.mark.parametrize(("widening", "word"), [(0.023, "widens"), (-0.023, "narrows")])
def test_rule_11_truth_differs(widening: float, word: str) -> None:
    low = Node({"group": {"Male": "1"}, "selection_rate": 0.017, "prevalence": 0.024})
    high = Node({"group": {"Male": "0"}, "selection_rate": 0.218, "prevalence": 0.202})
    found = words.truth_differs(NAMES, low, high, Node({"value": widening}))
    assert said(found) == (
        "It calls 21.8% of women and 1.7% of men blond; 20.2% and 2.4% are. This gap alone is not "
        f"an error; the model {word} it by 2.3 points."
    )


def test_rule_12_useless() -> None:
    assert said(words.useless(NAMES, "not blond", Node({"value": 0.867}))) == (
        "It answers “not blond” for every one of the images. Its accuracy of 86.7% is that of not "
        "looking."
    )


def test_many_levels_are_told_by_the_pattern() -> None:
    made = document()
    made["dataset"]["noun"] = "digits"
    made["attributes"] = [{"name": "colour", "levels": ["0"], "words": {}}]
    overall = Node({"aligned_accuracy": {"value": 0.97}, "conflict_accuracy": {"value": 0.84}})
    assert said(words.pattern(Names(made), "colour", overall, ", but ")) == (
        "It is right for 97 of every 100 digits on their usual colour, but 84 of every 100 on "
        "another"
    )


def test_other_attributes_are_told_by_training() -> None:
    overall = Node({"aligned_accuracy": {"value": 0.81}, "conflict_accuracy": {"value": 0.48}})
    assert said(words.pattern(NAMES, "Male", overall, ", but ")) == (
        "It is right for 81 of every 100 images that follow the pattern of its training, but 48 of "
        "every 100 that break it"
    )


def test_the_lowest_of_all_cells_names_its_rows() -> None:
    lowest = Node({"value": 0.0, "n": 9, "cell": {"Blond_Hair": "1", "Male": "1"}})
    assert said(words.lowest_of_all(NAMES, lowest)) == (
        "The lowest of all cells, 0.0% for blond men, rests on 9 images."
    )
