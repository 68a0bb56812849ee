"""Section 6 and the threshold sweep of section 5: what is drawn, for whom, and what is said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from debias_cl.checks.run import run_checks
from debias_cl.metrics import Settings, measure
from debias_cl.records import Annotations, Column, Predictions
from debias_cl.sections import SECTIONS
from debias_cl.sections.curves import drawn
from debias_cl.sections.figures import Scale
from debias_cl.sections.html import render
from debias_cl.sections.lines import Axis, Cross, Extras, Line, clipped, plot
from debias_cl.sections.sweep import sweep

Document = dict[str, Any]


def document_of(
    label: list[str] | None,
    scores: list[float],
    groups: list[str],
    levels: tuple[str, ...] = ("0", "1"),
) -> Document:
    """Measure a small table with scores, check it, and complete it for the report."""
    names = tuple(sorted(set(groups)))
    truth = None if label is None else np.array([levels.index(y) for y in label])
    rows = Annotations(
        ids=np.array([str(place) for place in range(len(scores))]),
        label=None if label is None else Column("y", levels),
        truth=truth,
        attributes=(Column("g", names),),
        groups={"g": np.array([names.index(g) for g in groups])},
    )
    answers = np.array([1 if s >= 0.5 else 0 for s in scores])
    table = Predictions(rows, answers, levels, np.array(scores), "1", "--positive")
    document: Document = measure(table, Settings(permutations=99, min_group=5))
    document |= {"settings": {"min_group": 5}, "dataset": {"noun": "rows"}}
    document["findings"] = [finding.to_dict() for finding in run_checks(document)]
    return document


def section(document: Document) -> Any:
    return SECTIONS.get("scores").context(document)


def test_the_section_says_where_there_are_no_scores(digits_base: Document) -> None:
    assert "There are no scores" in section(digits_base)
    assert sweep(digits_base, 1, 1) is None


def test_groups_have_tables_curves_and_the_numbers_of_the_curves(races_base: Document) -> None:
    told = section(races_base)
    assert [t.caption for t in told["tables"]] == ["Scores by one attribute", "Gaps in scores"]
    assert [f.title for f in told["figures"]] == ["ROC curves by race", "Calibration by race"]
    assert [f.data for f in told["figures"]] == [t.id for t in told["data"]]
    head = [h.text for h in told["tables"][0].heads]
    assert head[:4] == ["Group", "AUC", "Brier score", "Log loss"]
    assert len(told["tables"][0].rows) == 8  # seven groups, all rows
    assert len(told["tables"][1].rows) == 4
    missing = races_base["scores"]["n_missing_score"]
    assert missing > 0 and f"{missing} images have no score" in str(told["lede"][-1])


def test_the_lowest_and_the_highest_are_drawn_in_colour(races_base: Document) -> None:
    shown = drawn(races_base, "roc", "race")
    gap = races_base["disparities"]["race"]["auc_difference_min_group"]
    ends = [(node / "group").value for node in shown.first]
    assert ends == [gap["lowest"]["group"], gap["highest"]["group"]]
    assert len(shown.rest) == 5
    svg = str(section(races_base)["figures"][0].svg)
    assert "s-s3" in svg and "s-s4" in svg and "s-axis" in svg


def test_the_sweep_stands_in_section_5(races_base: Document, rendered: Any) -> None:
    told = sweep(races_base, 1, 1)
    assert told is not None
    assert [f.number for f in told["figures"]] == ["5.2", "5.3"]
    assert told["figures"][1].title == "Gaps by race"
    assert 2 <= len(told["tables"][0].rows) <= 11
    at = [row[0].inner for row in told["tables"][0].rows]
    assert "0.500" in at  # the threshold in use is among them
    page = rendered("races_base")
    assert "Against the decision threshold" in page.split('<section id="s6"')[0]


def test_one_constant_score_is_drawn_and_named() -> None:
    document = document_of(["1", "0"] * 10, [0.9] * 20, ["a", "a", "b", "b"] * 5)
    page = render(document)
    found = next(f for f in document["findings"] if f["code"] == "constant-scores")
    assert found["outcome"] == "issue"
    assert found["sentence"].startswith("All rows have the score 0.900; it cannot order them")
    assert "ROC curves by g" in page and "Calibration by g" in page


def test_scores_that_are_no_probabilities_have_no_calibration_curve() -> None:
    scores = [3.0, -1.0, 2.0, 0.4, 1.5, -2.0, 0.1, 0.3]
    document = document_of(list("10101010"), scores, list("aaaabbbb"))
    told = section(document)
    assert [f.title for f in told["figures"]] == ["ROC curves by g"]
    assert "no probabilities" in str(told["lede"][-1])
    assert render(document)


def test_without_labels_scores_have_a_mean_and_what_is_selected() -> None:
    document = document_of(None, [0.2, 0.8, 0.6, 0.4, 0.9, 0.7], list("aaabbb"))
    told = section(document)
    assert [h.text for h in told["tables"][0].heads] == ["Group", "Mean score", "All rows"]
    assert not told["figures"] and len(told["tables"][1].rows) == 1
    swept = sweep(document, 1, 1)
    assert swept is not None and "called" in swept["figures"][0].title.lower()
    assert render(document)


def test_scores_missing_everywhere_are_said() -> None:
    document = document_of(list("1010"), [float("nan")] * 4, list("aabb"))
    assert "4 rows have no score" in " ".join(map(str, section(document)["lede"]))
    assert render(document)


@pytest.mark.parametrize(
    ("excess", "outcome"), [(0.2, "issue"), (0.01, "passed"), (-0.2, "issue"), (0.07, "note")]
)
def test_calibration_by_group_has_its_outcomes(excess: float, outcome: str) -> None:
    label = list("1000" * 400 + "1100" * 400)
    even = [(0.25 if place < 1600 else 0.5) for place in range(3200)]
    scores = [s + (excess if place < 1600 else 0.0) for place, s in enumerate(even)]
    groups = ["a"] * 1600 + ["b"] * 1600
    document = document_of(label, scores, groups)
    found = next(f for f in document["findings"] if f["code"].startswith("score-calibration"))
    assert found["outcome"] == outcome, found["sentence"]
    if outcome == "issue":
        way = "too high" if excess > 0 else "too low"
        assert f"scores are 20.0 points {way} on average" in found["sentence"]
        assert found["whom"] == "g = a" and found["usually_helps"]


def test_auc_has_a_finding_by_group() -> None:
    rng = np.random.default_rng(0)
    label = list("10" * 300)
    good = [0.6 + 0.3 * rng.random() if y == "1" else 0.4 * rng.random() for y in label[:300]]
    document = document_of(label, good + list(rng.random(300)), ["a"] * 300 + ["b"] * 300)
    found = next(f for f in document["findings"] if f["code"].startswith("auc-gap"))
    assert (found["outcome"], found["section"], found["whom"]) == ("issue", 6, "g = b")


def test_lines_are_cut_at_the_axes() -> None:
    x, y = Scale(0, 0.25, 0, 100, ()), Scale(0.75, 1, 100, 0, ())
    found = clipped((0.0, 0.1, 0.5), (0.0, 1.0, 1.0), x, y)
    assert found[0] == pytest.approx((0.075, 0.75)) and found[-1] == pytest.approx((0.25, 1.0))
    assert clipped((0.5, 0.9), (0.8, 0.9), x, y) == []


def test_a_plot_is_small_and_of_tokens_alone() -> None:
    steps = tuple(place / 200 for place in range(201))
    line = Line(steps, steps, "s3", steps, steps, (Cross(0.5, 0.5, (0.4, 0.6), (0.4, 0.6)),))
    extras, told = Extras(at=0.5, diagonal=True), ("f61", "A plot", "Told")
    svg, again = (str(plot([line], Axis("x"), Axis("y"), extras, told)) for _ in range(2))
    assert svg == again and len(svg.encode()) < 8_000
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb", svg.replace('href="#', ""))
