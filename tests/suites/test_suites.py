"""Suites: the grid, the arithmetic of the leaderboard, and a whole small suite end to end."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from debias_cl.benchmark import main
from debias_cl.errors import DataError
from debias_cl.suites.board import Board
from debias_cl.suites.convergence import reached
from debias_cl.suites.grid import Choice, Suite, cells_of, read_suite
from debias_cl.suites.leaderboard import to_csv, to_markdown, write_leaderboard
from debias_cl.suites.paired import holm, paired, spread
from debias_cl.suites.question import Question
from debias_cl.suites.results import Result, load_all
from debias_cl.suites.schedule import Plan
from debias_cl.suites.table import Setting, rows_of, settings_of

QUESTION = Question(("base",))
SUITE = Suite("s", "A suite", "Says.", QUESTION, ())


VALUES = {"base": [0.50, 0.52, 0.47], "new": [0.61, 0.60, 0.66], "<b>&_%": [0.1, 0.2, 0.3]}


@pytest.fixture
def results(result: Callable[..., Result]) -> list[Result]:
    """Three methods, three seeds, one failed cell."""
    made = [result(m, seed, v) for m, row in VALUES.items() for seed, v in enumerate(row)]
    return [*made, result("new", 7, None, status="failed", error="no memory", values={}, epochs=[])]


def test_results_are_read_back_and_damage_is_named(tmp_path: Path, results: list[Result]) -> None:
    for place, one in enumerate(results):
        one.save(tmp_path / "s" / f"{place:02}.json")
    assert load_all(tmp_path) == [replace(one, epochs=list(one.epochs)) for one in results]
    (tmp_path / "s" / "00.json").write_text("{")
    with pytest.raises(DataError, match="run again"):
        load_all(tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_paired_differences_are_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    a, b = rng.random(n), rng.random(n)
    found = paired(dict(enumerate(a)), {**dict(enumerate(b)), 99: 0.5})
    test = stats.ttest_rel(a, b)
    interval = test.confidence_interval(0.95)
    assert found.n == n
    assert found.difference == pytest.approx((a - b).mean(), abs=1e-12)
    assert found.p == pytest.approx(test.pvalue, rel=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_too_few_pairs_have_a_reason_and_no_number() -> None:
    none = paired({0: 0.5}, {1: 0.5})
    assert (none.difference, none.n) == (None, 0) and none.reason
    one = paired({0: 0.5}, {0: 0.4})
    assert one.difference == pytest.approx(0.1) and one.low is None and one.reason
    equal = paired({0: 0.5, 1: 0.5}, {0: 0.5, 1: 0.5})
    assert equal.p is None and (equal.low, equal.high) == (0, 0)


def test_spread_of_nothing_is_undefined() -> None:
    assert spread([]).mean is None and spread([0.5]).sd is None
    assert spread([0.1, 0.3]).sd == pytest.approx(np.std([0.1, 0.3], ddof=1))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])


def test_rows_count_failures_and_compare_with_the_baseline(results: list[Result]) -> None:
    (setting,) = settings_of(results)
    rows = rows_of(results, setting, QUESTION)
    assert [row.method for row in rows] == ["new", "base", "<b>&_%"]
    assert rows[0].failed == (7,) and rows[0].seeds == (0, 1, 2)
    assert not rows[1].against
    expected = np.mean(np.array(VALUES["new"]) - np.array(VALUES["base"]))
    assert rows[0].against["base"]["conflict_accuracy"].difference == pytest.approx(expected)


def test_the_leaderboard_shows_what_the_csv_has(tmp_path: Path, results: list[Result]) -> None:
    page = write_leaderboard(results, SUITE, tmp_path).read_text(encoding="utf-8")
    table = list(csv.DictReader(io.StringIO((tmp_path / "leaderboard.csv").read_text())))
    assert len(table) == 3 * 2
    for line in table:
        mean = np.mean(VALUES[line["method"]])
        assert float(line["mean"]) == pytest.approx(mean)
        assert f"{mean * 100:.1f}" in page
    assert "<b>&_%" not in page and "&lt;b&gt;&amp;_%" in page
    assert "no memory" in page and "no memory" in (tmp_path / "leaderboard.md").read_text()
    assert "src=" not in page and "http" not in page.replace("http://www.w3.org", "")
    latex = (tmp_path / "leaderboard.tex").read_text()
    assert r"\&\_\%" in latex and r"\toprule" in latex


def test_numbers_of_the_markdown_stand_in_the_csv(results: list[Result]) -> None:
    setting = Setting.of(results[0])
    rows = rows_of(results, setting, QUESTION)
    board = Board(setting, rows, ("accuracy", "conflict_accuracy"), QUESTION, results)
    text = to_markdown([board], SUITE, results)
    known = {
        f"{abs(float(value)) * 100:.1f}"
        for line in csv.DictReader(io.StringIO(to_csv([board])))
        for value in (line["mean"], line["sd"], line["difference"], line["low"], line["high"])
        if value
    }
    body = "\n".join(line for line in text.splitlines() if line.startswith("| "))
    assert set(re.findall(r"\d+\.\d\b", body)) <= known
    adjusted = {
        f"{float(line['p_holm']):.3f}"
        for line in csv.DictReader(io.StringIO(to_csv([board])))
        if line["p_holm"]
    }
    shown = set(re.findall(r"\d\.\d{3}", body))
    assert shown and shown <= adjusted | {"0.001"}


def test_when_an_accuracy_is_reached(results: list[Result]) -> None:
    setting = Setting.of(results[0])
    name = "knn_conflict_accuracy"
    found = reached(results, setting, "new", name, 0.3)
    assert found.median_epochs == 2 and found.median_seconds == 4.5 and found.never == 0
    assert reached(results, setting, "new", name, 0.5).median_epochs is None


def test_rates_come_from_finished_cells(tmp_path: Path, result: Callable[..., Result]) -> None:
    cells = cells_of(read_suite("quick"), Choice(methods=("contex",)))
    plan = Plan(cells, tmp_path / "runs", tmp_path / "results", 2, "cpu")
    assert plan.expected_seconds(plan.waiting()) is None
    done = result("contex", 0, 0.5, dataset="biased_mnist_mini", preset="quick")
    done.save(plan.result_of(cells[0]))
    waiting = plan.waiting()
    assert waiting == cells[1:]
    assert plan.expected_seconds(waiting) == pytest.approx(6.0 * len(waiting) / 2)


@pytest.fixture
def own_suite(tmp_path: Path) -> Callable[[str], list[str]]:
    """Write a tiny suite and return the arguments that run it."""

    def make(methods: str) -> list[str]:
        path = tmp_path / "own.toml"
        path.write_text(
            f'baseline = "cross_entropy"\n[[part]]\nname = "x"\ndatasets = ["biased_mnist_mini"]\n'
            f'methods = {methods}\npreset = "quick"\nseeds = [0]\n'
            'judges = ["linear probe", "DFR"]\n'
            'set = ["fit.epochs=1", "data.train_limit=300"]\n'
        )
        folders = ["--runs", "--results", "--out"]
        places = [w for f in folders for w in (f, str(tmp_path / f.strip("-")))]
        return ["--suite", str(path), "--device", "cpu", *places]

    return make


def test_a_suite_runs_records_a_failure_and_goes_on(
    tmp_path: Path, own_suite: Callable[[str], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = '{name = "broken", objective = "contex", set = ["objective.weight=7"]}'
    arguments = own_suite(f'["cross_entropy", {broken}]')
    assert main(arguments) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said and "weight is 7" in said
    found = {r.method: r for r in load_all(tmp_path / "results")}
    assert found["broken"].status == "failed" and "weight is 7" in found["broken"].error
    done = found["cross_entropy"]
    value = done.values["own classifier"]["test"]["conflict_accuracy"]["value"]
    assert value is not None and 0 <= value <= 1
    assert set(done.values) == {"linear probe", "DFR", "own classifier"}
    assert set(done.values["DFR"]) == {"test"}
    assert "--seeds 0" in done.provenance["command"]
    assert (tmp_path / "out" / "own" / "leaderboard.html").exists()
    assert main([*arguments, "--dry-run"]) == 0
    assert "cross_entropy, biased_mnist_mini, rho 0.9, views preset, seed 0: done" in (
        capsys.readouterr().out
    )
    assert json.loads(next((tmp_path / "results").rglob("*.json")).read_text())["schema"]
