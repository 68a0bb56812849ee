"""Odd tables that people audited, with answers worked out by hand; by every reader concerned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from debias_cl.auditing import audited, judge
from debias_cl.errors import UsageError
from debias_cl.gates import exit_code, rules
from debias_cl.metrics import Settings
from debias_cl.sections.html import render
from debias_cl.tables.files import open_files

D1 = "﻿id;label; gender;score\r\n1;1;F;0,73\r\n2;0;F;0,20\r\n3;1;M;0,55\r\n4;0;M;0,61\r\n"
D2 = "y,yhat,country\n1,1,NA\n1,0,NA\n0,0,NA\n1,1,ZA\n0,0,ZA\n0,1,ZA\n1,1,\n0,0,\n"
D3 = "y,yhat,g\n1,1.0,a\n0,0.0,a\n1,0.0,b\n0,,b\n0,0.0,b\n"
D4 = "y,yhat,g\n1,1,a\n0,0,b\ny,yhat,g\n1,0,a\n0,0,b\n"
D6 = "yhat,gender\n" + "".join(f"{p},a\n" for p in "1101") + "".join(f"{p},b\n" for p in "0001")
D8 = "y,p,g\n" + "".join(f"{1 - i % 2},0.9,{'ab'[i % 4 // 2]}\n" for i in range(20))


def rows(*kinds: tuple[str, str, str, int]) -> str:
    """Return a table of label, prediction, group, times."""
    return "y,yhat,g\n" + "".join(f"{y},{p},{g}\n" * n for y, p, g, n in kinds)


D5 = rows(
    ("approved", "approved", "m", 5),
    ("approved", "denied", "m", 1),
    ("denied", "approved", "m", 1),
    ("denied", "denied", "m", 3),
    ("approved", "approved", "f", 2),
    ("approved", "denied", "f", 2),
    ("denied", "denied", "f", 6),
)
D7 = (
    ("1", "1", "a", 450),
    ("1", "0", "a", 50),
    ("0", "1", "a", 100),
    ("0", "0", "a", 400),
    ("1", "1", "b", 250),
    ("1", "0", "b", 250),
    ("0", "1", "b", 100),
    ("0", "0", "b", 400),
    ("0", "0", "c", 40),
)


def by_group(document: Any, name: str) -> dict[str, Any]:
    """Return group level -> value of a rate, for one attribute."""
    return {
        next(iter(g["group"].values())): g[name]["value"] if isinstance(g[name], dict) else g[name]
        for g in document["groups"]
        if len(g["group"]) == 1
    }


@pytest.mark.parametrize("in_memory", [1 << 20, 0], ids=["csv", "csv by DuckDB"])
def test_d1_marks_separators_commas_and_spaces_are_recognised_and_said(
    in_memory: int, tmp_path: Path, roles: Any, document: Any
) -> None:
    path = tmp_path / "d1.csv"
    path.write_bytes(D1.encode("utf-8"))
    asked = roles("label", "", "score", "gender")
    found = document(open_files([str(path)], in_memory=in_memory), asked)
    assert by_group(found, "accuracy") == {"F": 1.0, "M": 0.5}
    assert found["overall"]["accuracy"]["value"] == 0.75
    assert by_group(found, "auc") == {"F": 1.0, "M": 0.0}
    assert found["overall"]["auc"]["value"] == 0.75
    said = found["dataset"]["notes"][0]
    for part in ("byte order mark", "';'", "Windows line ends", "header names trimmed"):
        assert part in said
    assert "decimal commas" in " ".join(found["dataset"]["notes"])


def test_d2_only_an_empty_cell_is_missing(
    reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    asked = roles(by="country")
    found = document(reader(D2, tmp_path, asked), asked)
    assert by_group(found, "n") == {"NA": 3, "ZA": 3, "(missing)": 2}
    assert by_group(found, "accuracy") == pytest.approx({"NA": 2 / 3, "ZA": 2 / 3, "(missing)": 1})
    assert any("'NA' (3 rows)" in note and "--missing NA" in note for note in found["notes"])


def test_d2_a_mark_is_missing_where_the_user_says_so(
    reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    asked = roles(by="country", missing=("NA",))
    found = document(reader(D2, tmp_path, asked), asked)
    assert by_group(found, "n") == {"ZA": 3, "(missing)": 5}


def test_d3_one_and_one_point_zero_are_one_level(
    reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    asked = roles()
    found = document(reader(D3, tmp_path, asked), asked)
    assert found["label"]["levels"] == ["0", "1"]
    assert found["overall"]["accuracy"]["value"] == 0.75
    assert by_group(found, "accuracy") == {"a": 1.0, "b": 0.5}
    assert by_group(found, "n") == {"a": 2, "b": 2}
    assert found["n_missing_prediction"] == 1
    assert by_group(found, "missing_prediction_rate") == pytest.approx({"a": 0, "b": 1 / 3})


@pytest.mark.parametrize("said", [("True", "False"), ("1", "0")], ids=str)
def test_d3_truth_values_are_one_level(
    said: tuple[str, str], reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    yes, no = said
    text = f"y,yhat,g\nTRUE,{yes},a\nFALSE,{no},a\nTRUE,{no},b\nFALSE,{no},b\n"
    asked = roles()
    found = document(reader(text, tmp_path, asked), asked)
    assert len(found["label"]["levels"]) == 2
    assert by_group(found, "accuracy") == {"a": 1.0, "b": 0.5}


@pytest.mark.parametrize("in_memory", [1 << 20, 0], ids=["csv", "csv by DuckDB"])
def test_d4_a_repeated_header_is_named_by_line(
    in_memory: int, tmp_path: Path, roles: Any, document: Any
) -> None:
    path = tmp_path / "d4.csv"
    path.write_text(D4)
    found = document(open_files([str(path)], in_memory=in_memory), roles())
    assert by_group(found, "accuracy") == {"a": 0.5, "b": 1.0}
    assert by_group(found, "n") == {"a": 2, "b": 2}
    assert found["dataset"]["exclusions"]["count"] == 1
    assert found["dataset"]["exclusions"]["listed"][0]["where"] == "d4.csv, line 4"
    assert any("line 4" in note for note in found["dataset"]["notes"])


@pytest.mark.parametrize(
    ("positive", "gaps"),
    [
        ("approved", (0.4, 1 / 3, 1 / 3, 1 / 3)),
        ("denied", (0.4, 1 / 2, 1 / 4, 1 / 3)),
        ("", (0.4, 1 / 2, 1 / 4, 1 / 3)),
    ],
)
def test_d5_the_positive_level_decides_and_is_said(
    positive: str, gaps: tuple[float, ...], reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    asked = roles(positive=positive)
    found = document(reader(D5, tmp_path, asked), asked)
    names = ("demographic_parity_difference", "demographic_parity_ratio")
    names += ("equal_opportunity_difference", "equalized_odds_difference")
    assert [found["disparities"]["g"][n]["value"] for n in names] == pytest.approx(list(gaps))
    assert found["label"]["positive"] == (positive or "denied")
    assert ("--positive" in found["label"]["positive_source"]) == bool(positive)


def test_d5_another_level_is_refused(reader: Any, tmp_path: Path, roles: Any) -> None:
    asked = roles(positive="aproved")
    with pytest.raises(UsageError, match="did you mean 'approved'"):
        judge(reader(D5, tmp_path, asked), asked)


def test_d6_what_needs_no_truth_is_audited_without_labels(
    reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    asked = roles("", "yhat", "", "gender")
    found = document(reader(D6, tmp_path, asked), asked)
    assert by_group(found, "selection_rate") == {"a": 0.75, "b": 0.25}
    gaps = found["disparities"]["gender"]
    assert gaps["demographic_parity_difference"]["value"] == 0.5
    assert gaps["demographic_parity_difference"]["low"] is not None
    assert gaps["demographic_parity_ratio"]["value"] == pytest.approx(1 / 3)
    assert found["overall"]["accuracy"]["value"] is None
    for name in ("equalized_odds_difference", "equal_opportunity_difference"):
        assert gaps[name]["value"] is None
        assert gaps[name]["reason"] == "not applicable: no labels given"


def test_d7_undefined_is_named_and_left_out(
    reader: Any, tmp_path: Path, roles: Any, document: Any
) -> None:
    asked = roles()
    gaps = document(reader(rows(*D7), tmp_path, asked), asked)["disparities"]["g"]
    equal = gaps["equal_opportunity_difference"]
    assert equal["value"] == pytest.approx(0.4)
    assert [one["group"] for one in equal["left_out"]] == [{"g": "c"}]
    assert gaps["equalized_odds_difference"]["value"] == pytest.approx(0.4)
    assert gaps["demographic_parity_difference"]["value"] == pytest.approx(0.55)


def test_d7_a_gate_fails_closed(reader: Any, tmp_path: Path, roles: Any) -> None:
    asked = roles()
    for kinds, passes in ((D7, "exceeds"), (D7[:4] + D7[8:], "undefined")):
        source = reader(rows(*kinds), tmp_path, asked)
        wanted = rules(("equal_opportunity_difference>0.1",), "", "")
        document = audited(source, asked, Settings(permutations=99), wanted)
        assert exit_code(document) == 1, passes


def test_d8_one_constant_score(reader: Any, tmp_path: Path, roles: Any, document: Any) -> None:
    asked = roles("y", "", "p")
    found = document(reader(D8, tmp_path, asked), asked)
    assert found["overall"]["accuracy"]["value"] == 0.5
    assert found["overall"]["selection_rate"]["value"] == 1.0
    wanted = {"ece": 0.4, "auc": 0.5, "brier": 0.41, "log_loss": 1.2040}
    for name, value in wanted.items():
        assert found["overall"][name]["value"] == pytest.approx(value, abs=5e-5), name
    outcomes = {one["code"]: one["outcome"] for one in found["findings"]}
    assert outcomes["constant-scores"] in {"issue", "note"}
    assert "Figure 6" in render(found)  # warnings are errors: the curves draw without one
