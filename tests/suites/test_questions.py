"""Parts of a suite ask questions of their own: seeds, baselines and splits are kept apart."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from scipy import stats

from debias_cl.benchmark import main
from debias_cl.suites.board import boards_of
from debias_cl.suites.grid import Choice, Suite, cells_of, read_suite
from debias_cl.suites.leaderboard import to_csv, write_leaderboard
from debias_cl.suites.question import Question
from debias_cl.suites.results import Result, load_all

Make = Callable[..., Result]
COMMITTED = Path(__file__).resolve().parents[2] / "reports" / "results" / "evidence"
MIXTURE = Question(("mix",), split="validation")
SUITE = Suite(
    "s",
    "A suite",
    "",
    Question(("base",)),
    [{"name": "b", "says": "Asked on validation."}, {"name": "a"}, {"name": "d"}],
    {"b": MIXTURE, "d": Question(("base",), baseline_from="a")},
)


@pytest.fixture
def results(result: Make) -> list[Result]:
    """Part a and part b run the same method on other seeds; part d leaves its baseline to a."""
    a = [result(m, seed, v, part="a") for m, v in (("base", 0.5), ("mix", 0.6)) for seed in (0, 1)]
    valued = {"linear probe": {"validation": {"conflict_accuracy": {"value": 0.25}}}}
    b = [result(m, seed, 0.9, part="b", values=valued) for m in ("mix", "new") for seed in (5, 6)]
    d = [result("other", 0, 0.7, part="d"), result("other", 1, 0.75, part="d")]
    return [*a, *b, *d]


def test_parts_never_share_seeds_and_stand_in_the_order_of_the_suite(results: list[Result]) -> None:
    boards = boards_of(results, SUITE)
    assert [board.setting.part for board in boards] == ["b", "a", "d"]
    seeds = {(row.setting.part, row.method): row.seeds for b in boards for row in b.rows}
    assert seeds["a", "mix"] == (0, 1) and seeds["b", "mix"] == (5, 6)


def test_a_part_asked_on_validation_shows_no_number_of_the_test_split(
    tmp_path: Path, results: list[Result]
) -> None:
    board = boards_of(results, SUITE)[0]
    lines = list(csv.DictReader(io.StringIO(to_csv([board]))))
    assert {line["split"] for line in lines} == {"validation"}
    assert {line["baseline"] for line in lines} == {"mix"}
    assert {float(line["mean"]) for line in lines} == {0.25}
    path = write_leaderboard(results, SUITE, tmp_path)
    for file in (path, path.with_suffix(".md"), path.with_suffix(".tex")):
        text = file.read_text(encoding="utf-8")
        assert "Percent on the validation split" in text.replace("\\%", "%"), file
        assert "The test split is not looked at here." in text
        assert "90.0" not in text


def test_a_baseline_is_lent_by_the_part_that_has_it(results: list[Result]) -> None:
    board = boards_of(results, SUITE)[2]
    assert board.borrowed == ("base",)
    found = next(row for row in board.rows if row.method == "other").against["base"]
    assert found["conflict_accuracy"].difference == pytest.approx((0.2 + 0.25) / 2)
    assert "mix" not in {row.method for row in board.rows}


def test_holm_adjusts_over_the_methods_of_a_table(result: Make) -> None:
    values = {
        "base": [0.5, 0.52, 0.49],
        "far": [0.7, 0.73, 0.7],
        "near": [0.6, 0.57, 0.58],
        "same": [0.5, 0.55, 0.45],
    }
    made = [result(m, seed, v) for m, row in values.items() for seed, v in enumerate(row)]
    (board,) = boards_of([*made, result("once", 0, 0.9)], SUITE)
    p = {m: stats.ttest_rel(values[m], values["base"]).pvalue for m in ("far", "near", "same")}
    by_hand = {"far": 3 * p["far"], "near": 2 * p["near"], "same": p["same"]}
    assert sorted(p, key=p.__getitem__) == list(by_hand), "the order that the factors stand for"
    found = {row.method: row.against.get("base", {}) for row in board.rows}
    for method, expected in by_hand.items():
        assert found[method]["conflict_accuracy"].adjusted == pytest.approx(expected)
        assert found[method]["conflict_accuracy"].family == 3
    assert found["once"]["conflict_accuracy"].adjusted is None
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(to_csv([board])))}
    assert float(lines["near"]["p_holm"]) == pytest.approx(by_hand["near"])
    assert (lines["once"]["p_holm"], lines["base"]["p_holm"]) == ("", "")


def test_several_baselines_have_a_column_each(results: list[Result], tmp_path: Path) -> None:
    suite = SUITE.comparing(("mix", "base"))
    board = next(b for b in boards_of(results, suite) if b.setting.part == "a")
    lines = list(csv.DictReader(io.StringIO(to_csv([board]))))
    found = {(line["method"], line["baseline"]): line for line in lines}
    assert float(found["mix", "base"]["difference"]) == pytest.approx(0.1)
    assert float(found["base", "mix"]["difference"]) == pytest.approx(-0.1)
    assert found["mix", "mix"]["reason"] == "the baseline itself"
    page = write_leaderboard(results, suite, tmp_path).read_text(encoding="utf-8")
    assert "Difference to mix" in page and "Difference to base" in page


def test_a_baseline_that_no_one_has_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--suite", "evidence", "--draw", "--baseline", "supconn"]) == 2
    assert "supcon" in capsys.readouterr().err


def test_the_questions_of_the_evidence() -> None:
    suite = read_suite("evidence")
    assert suite.asks("a") == Question(("supcon",))
    assert suite.asks("b") == Question(("supcon_simclr",), split="validation")
    assert suite.asks("c") == Question(("supcon",), split="validation")
    assert suite.asks("d").baseline_from == "a"


@pytest.mark.skipif(not COMMITTED.is_dir(), reason="the results are not in this copy")
def test_committed_results_are_cells_of_the_grid_under_the_names_that_they_have() -> None:
    cells = {cell.name: cell for cell in cells_of(read_suite("evidence"))}
    paths = sorted(COMMITTED.glob("*.json"))
    assert paths and {path.stem for path in paths} <= cells.keys()
    for path in paths:
        found, cell = Result.load(path), cells[path.stem]
        assert (found.part, found.method, found.seed, found.views) == (
            cell.part,
            cell.method,
            cell.config.seed,
            cell.views,
        )
    assert len(cells_of(read_suite("evidence"), Choice(parts=("a",)))) == 60


@pytest.mark.skipif(not COMMITTED.is_dir(), reason="the results are not in this copy")
def test_the_committed_results_are_drawn_again(tmp_path: Path) -> None:
    results = ["--results", str(COMMITTED.parent), "--out", str(tmp_path)]
    assert main(["--suite", "evidence", "--draw", *results]) == 0
    text = (tmp_path / "evidence" / "leaderboard.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(text)))
    loaded = load_all(COMMITTED)
    for line in lines[::40]:
        mine = [
            r.value(line["judge"], line["measure"], line["split"])
            for r in loaded
            if (r.part, r.method, r.views) == (line["part"], line["method"], line["views"])
        ]
        known = [value for value in mine if value is not None]
        assert float(line["mean"]) == pytest.approx(sum(known) / len(known))
        assert int(line["n"]) == len(known)
