"""One setting's rows of a leaderboard, and their numbers as people read them. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from debias_cl.checks.text import DASH, bare_share, clean, p_value, points
from debias_cl.suites.grid import Suite
from debias_cl.suites.paired import Paired, Spread
from debias_cl.suites.published import Published, beside
from debias_cl.suites.question import MEASURES, Question
from debias_cl.suites.results import Result
from debias_cl.suites.table import Row, Setting, rows_of, settings_of

WORDS = {
    "accuracy": "accuracy",
    "unbiased_accuracy": "mean of cells",
    "aligned_accuracy": "aligned",
    "conflict_accuracy": "conflicting",
    "worst_group_accuracy": "worst cell",
}
ABOUT = (
    "Percent on the {split} split: mean ± standard deviation over n seeds. Difference to "
    "{baseline} in points, paired by seed, with its 95 % t interval, not adjusted for the number "
    "of methods; Holm p is adjusted for all rows that are compared with the same numbers. "
    "{baseline}: under the row's own judge; for a method's own classifier, under the {judge}."
)
UNSEEN = "The test split is not looked at here."


@dataclass(frozen=True)
class Board:
    """One setting's rows and curves, ready to be written in any form.

    Attributes:
        setting: what its results share.
        rows: best first.
        measures: numbers that are known here.
        question: what its part asks; its measure is one of `measures`.
        results: its own, and those of baselines that stand in another part.
        borrowed: those baselines.
        says: what the suite says of the part.
        published: figures of others under the same protocol, apart from the rows.
    """

    setting: Setting
    rows: Sequence[Row]
    measures: tuple[str, ...]
    question: Question
    results: Sequence[Result]
    borrowed: tuple[str, ...] = ()
    says: str = ""
    published: tuple[Published, ...] = ()


def boards_of(results: Sequence[Result], suite: Suite) -> list[Board]:
    """Return a board for each setting, in the order of the suite's parts."""
    places = {part["name"]: place for place, part in enumerate(suite.parts)}
    settings = sorted(settings_of(results), key=lambda s: (places.get(s.part, len(places)), s))
    return [board_of(results, setting, suite) for setting in settings]


def board_of(results: Sequence[Result], setting: Setting, suite: Suite) -> Board:
    """Return the board of one setting."""
    question = suite.asks(setting.part)
    own = [result for result in results if Setting.of(result) == setting]
    lent = _lent(results, own, setting, question)
    here = [*own, *lent]
    known = {
        name
        for result in here
        for splits in result.values.values()
        for name, value in splits.get(question.split, {}).items()
        if value["value"] is not None
    }
    measures = tuple(name for name in MEASURES if name in known) or ("accuracy",)
    if question.measure not in measures:
        question = replace(question, measure="accuracy")
    return Board(
        setting,
        rows_of(here, setting, question),
        measures,
        question,
        here,
        tuple(dict.fromkeys(result.method for result in lent)),
        suite.tells(setting.part),
        beside(setting, question, measures, here),
    )


def _lent(
    results: Sequence[Result], own: Sequence[Result], setting: Setting, question: Question
) -> list[Result]:
    """Return the results of baselines that only another part has, under the same setting."""
    wanted = set(question.baselines) - {result.method for result in own}
    found = [
        replace(result, part=setting.part)
        for result in results
        if result.part == question.baseline_from and result.method in wanted
    ]
    return [result for result in found if Setting.of(result) == setting]


def heads(board: Board) -> list[str]:
    """Return the heads of a text table."""
    words = [WORDS[name] for name in board.measures]
    what = WORDS[board.question.measure]
    differences = [
        head
        for name in board.question.baselines
        for head in (f"difference to {name}, {what}", "Holm p")
    ]
    return ["method", "judge", *words, *differences, "n"]


def texts(row: Row, board: Board) -> list[str]:
    """Return the cells of a row of a text table."""
    spreads = [spread_text(row.spread[name]) for name in board.measures]
    differences = [
        text
        for name in board.question.baselines
        for text in (difference_text(row, board, name), holm_text(row, board, name))
    ]
    return [row.method, row.judge, *spreads, *differences, seeds_text(row)]


def difference_text(row: Row, board: Board, baseline: str) -> str:
    """Return the difference of the board's measure to a baseline, in words."""
    found = row.against.get(baseline)
    return "the baseline" if found is None else paired_text(found[board.question.measure])


def holm_text(row: Row, board: Board, baseline: str) -> str:
    """Return the adjusted p-value of that difference; a dash where there is none."""
    found = row.against.get(baseline)
    value = None if found is None else found[board.question.measure].adjusted
    return DASH if value is None else p_value(value)


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


def about(board: Board) -> str:
    """Say what the numbers of a board are."""
    question = board.question
    baselines = " and ".join(question.baselines)
    said = [ABOUT.format(baseline=baselines, judge=question.judge, split=question.split)]
    if question.split != "test":
        said.append(UNSEEN)
    if board.borrowed:
        said.append(f"{' and '.join(board.borrowed)}: from part {question.baseline_from}.")
    return " ".join(said)


def failures(results: Sequence[Result]) -> list[str]:
    """Return a line for each cell that failed."""
    return [
        f"{Setting.of(result).title}: {result.method}, seed {result.seed}: {clean(result.error)}"
        for result in results
        if result.status == "failed"
    ]
