"""One setting's rows of a leaderboard, and their numbers as people read them. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from debias_cl.checks.text import DASH, bare_share, clean, points
from debias_cl.suites.grid import Suite
from debias_cl.suites.results import Result
from debias_cl.suites.table import MEASURES, Paired, Row, Setting, Spread, rows_of

WORDS = {
    "accuracy": "accuracy",
    "unbiased_accuracy": "mean of cells",
    "aligned_accuracy": "aligned",
    "conflict_accuracy": "conflicting",
    "worst_group_accuracy": "worst cell",
}
ABOUT = (
    "Percent on the test split: mean ± standard deviation over n seeds. Difference to {baseline} "
    "in points, paired by seed, with its 95 % t interval, not adjusted for the number of methods. "
    "{baseline} is judged by the {judge}."
)


@dataclass(frozen=True)
class Board:
    """One setting's rows and curves, ready to be written in any form."""

    setting: Setting
    rows: Sequence[Row]
    measures: tuple[str, ...]
    measure: str
    results: Sequence[Result]


def board_of(results: Sequence[Result], setting: Setting, suite: Suite) -> Board:
    here = [result for result in results if Setting.of(result) == setting]
    known = {
        name
        for result in here
        for splits in result.values.values()
        for name, value in splits.get("test", {}).items()
        if value["value"] is not None
    }
    measures = tuple(name for name in MEASURES if name in known) or ("accuracy",)
    measure = suite.measure if suite.measure in measures else "accuracy"
    rows = rows_of(results, setting, suite.baseline, suite.judge, measure)
    return Board(setting, rows, measures, measure, here)


def heads(board: Board) -> list[str]:
    words = [WORDS[name] for name in board.measures]
    return ["method", "judge", *words, f"difference, {WORDS[board.measure]}", "n"]


def texts(row: Row, board: Board) -> list[str]:
    spreads = [spread_text(row.spread[name]) for name in board.measures]
    found = row.against.get(board.measure)
    difference = "the baseline" if found is None else paired_text(found)
    return [row.method, row.judge, *spreads, difference, seeds_text(row)]


def spread_text(spread: Spread) -> str:
    """Return "55.3 +- 1.2" in percent; a dash where undefined."""
    if spread.mean is None:
        return DASH
    sd = "" if spread.sd is None else f" ± {bare_share(spread.sd)}"
    return bare_share(spread.mean) + sd


def paired_text(found: Paired) -> str:
    """Return "12.1 (8.0 to 16.2)" in points, or why there is none."""
    if found.difference is None:
        return found.reason
    if found.low is None or found.high is None:
        return f"{points(found.difference)} ({found.reason})"
    return f"{points(found.difference)} ({points(found.low)} to {points(found.high)})"


def seeds_text(row: Row) -> str:
    return f"{len(row.seeds)}" + (f", {len(row.failed)} failed" if row.failed else "")


def about(suite: Suite) -> str:
    return ABOUT.format(baseline=suite.baseline, judge=suite.judge)


def failures(results: Sequence[Result]) -> list[str]:
    return [
        f"{result.method}, {Setting.of(result).title}, seed {result.seed}: {clean(result.error)}"
        for result in results
        if result.status == "failed"
    ]
