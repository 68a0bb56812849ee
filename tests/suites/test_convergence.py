"""Convergence over settings: the same numbers in the page, the Markdown and the CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from debias_cl.benchmark import main
from debias_cl.suites.board import boards_of
from debias_cl.suites.convergence_table import ALL, raced, target_of, to_csv
from debias_cl.suites.grid import Suite
from debias_cl.suites.leaderboard import write_leaderboard
from debias_cl.suites.question import Question
from debias_cl.suites.results import Result

Make = Callable[..., Result]
SUITE = Suite("s", "A suite", "", Question(("base",), measure="accuracy"), ())
CURVES = {
    ("cifar10", "base"): [[0.1, 0.3, 0.4], [0.2, 0.3, 0.6]],
    ("cifar10", "new"): [[0.5, 0.6, 0.7], [0.1, 0.1, 0.5]],
    ("cifar100", "base"): [[0.06, 0.1, 0.2], [0.05, 0.1, 0.3]],
    ("cifar100", "new"): [[0.0, 0.1, 0.1], [0.0, 0.1, 0.3]],
}
"""kNN accuracy after each epoch, seed by seed; an epoch of `new` takes 3 s, one of `base` 2 s."""


def logged(values: Sequence[float], seconds: float) -> list[dict[str, float]]:
    """The log of a run."""
    return [
        {"epoch": place + 1, "seconds": seconds * (place + 1), "knn_accuracy": value}
        for place, value in enumerate(values)
    ]


@pytest.fixture
def results(result: Make) -> list[Result]:
    """Two data sets, two methods, two seeds."""
    plain = {"rho": None, "attr": "class", "bias_attr": (), "views": "preset"}
    return [
        result(m, seed, 0.5, dataset=d, epochs=logged(v, 3 if m == "new" else 2), **plain)
        for (d, m), seeds in CURVES.items()
        for seed, v in enumerate(seeds)
    ]


def test_the_target_is_what_the_baseline_ends_with(results: list[Result]) -> None:
    found = {b.setting.dataset: target_of(b) for b in boards_of(results, SUITE)}
    for name, target in found.items():
        assert target is not None and target.whose == "base"
        ends = [curve[-1] for curve in CURVES[name, "base"]]
        assert target.accuracy == pytest.approx(np.mean(ends))


def test_nothing_is_stated_where_nobody_learns(result: Make) -> None:
    made = [result("base", 0, 0.5, epochs=logged([0.01, 0.04], 1))]
    assert target_of(boards_of(made, SUITE)[0]) is None
    other = [*made, result("new", 0, 0.5, epochs=logged([0.1, 0.4], 1))]
    target = target_of(boards_of(other, SUITE)[0])
    assert target is not None and (target.whose, target.accuracy) == ("new", 0.4)


def test_the_csv_has_median_and_spread_over_seeds(results: list[Result]) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(boards_of(results, SUITE)))))
    found = {(line["dataset"], line["method"]): line for line in lines}
    new = found["cifar10", "new"]
    assert (new["runs"], new["reached"]) == ("2", "2")
    assert [float(new[f"epochs_{w}"]) for w in ("median", "lowest", "highest")] == [2, 1, 3]
    assert [float(new[f"seconds_{w}"]) for w in ("median", "lowest", "highest")] == [6, 3, 9]
    slow = found["cifar100", "new"]
    assert (slow["reached"], slow["epochs_median"], slow["epochs_lowest"]) == ("1", "", "3.0")


def test_a_summary_needs_two_settings_and_says_the_same_everywhere(
    results: list[Result], tmp_path: Path
) -> None:
    boards = boards_of(results, SUITE)
    assert raced(boards[:1]) == () and len(raced(boards)) == 2
    page = write_leaderboard(results, SUITE, tmp_path).read_text(encoding="utf-8")
    text = (tmp_path / "leaderboard.md").read_text(encoding="utf-8")
    assert f"## {ALL}" in text and ALL in page
    assert "| new | 2 (1 to 3), 6 (3 to 9) s | most never (3), 9 s |" in text
    assert '2 (1 to 3)<span class="u">6 (3 to 9) s</span>' in page
    alone = write_leaderboard(results[:4], SUITE, tmp_path / "alone").read_text(encoding="utf-8")
    assert ALL not in alone


def test_all_suites_are_drawn_by_one_command(
    results: list[Result], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suite in ("quick", "standard"):
        for place, one in enumerate(results):
            one.save(tmp_path / "results" / suite / f"{place}.json")
    places = ["--results", str(tmp_path / "results"), "--out", str(tmp_path)]
    assert main(["--suite", "all", "--draw", *places]) == 0
    for suite in ("quick", "standard"):
        assert (tmp_path / suite / "leaderboard.html").exists()
        assert (tmp_path / suite / "convergence.csv").exists()
    assert not (tmp_path / "evidence").exists()
    assert main(["--suite", "all", *places]) == 2
    assert "--draw" in capsys.readouterr().err
