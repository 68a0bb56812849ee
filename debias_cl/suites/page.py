"""The leaderboard as a page: tables, when accuracies are reached, curves. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from debias_cl.checks.text import bare_share, capital
from debias_cl.sections.bars import Curve, curves
from debias_cl.sections.figures import Figure
from debias_cl.sections.html import Shown, fill, page
from debias_cl.sections.numbers import plain
from debias_cl.sections.table import Cell, Head, Table, letter, row_head, told_cell
from debias_cl.suites import convergence, convergence_table, published_table
from debias_cl.suites.board import (
    WORDS,
    Board,
    about,
    difference_text,
    failures,
    holm_text,
    seeds_text,
    spread_text,
)
from debias_cl.suites.convergence_table import LEAST, methods_of, target_of, whom
from debias_cl.suites.grid import Suite
from debias_cl.suites.paired import verdict
from debias_cl.suites.results import Result
from debias_cl.suites.table import Row

LEVEL = 0.05
"""Below it an adjusted p-value is named."""
MOST_CURVES = 8
"""Methods of a setting whose curves are drawn; the tables and the CSV have all."""


def to_html(boards: Sequence[Board], suite: Suite, results: Sequence[Result]) -> str:
    """Return the page: a section a setting, then what failed and how it was made."""
    shown = [_section(board, place + 1) for place, board in enumerate(boards)]
    both = convergence_table.raced(boards)
    if both:
        number = len(shown) + 1
        table = convergence_table.summary(both, f"{number}a")
        body = fill("leaderboard.html.j2", {"ledes": [], "tables": [table], "figures": []})
        shown.append(Shown(number, convergence_table.ALL, Markup(body), 0))
    shown.append(_method(boards, results, len(shown) + 1))
    done = sum(result.status == "done" for result in results)
    says = suite.says.replace("`", "")
    told = f"{says} {done} runs done, {len(results) - done} failed."
    return page("Leaderboard", suite.title, told, shown)


def _section(board: Board, number: int) -> Shown:
    tables = [_table(board, number)]
    if board.published:
        tables.append(published_table.table_of(board, f"{number}{letter(len(tables))}"))
    name = convergence.measured(board.results)
    figures: list[Figure] = []
    ledes = [*filter(None, [board.says]), *(_lede(board, b) for b in board.question.baselines)]
    if name:
        target = target_of(board)
        if target is None:
            ledes.append(
                f"kNN accuracy on {whom(name)} ends below {bare_share(LEAST)}% with every method, "
                "so there is no level whose first epoch would say anything."
            )
        else:
            label = f"{number}{letter(len(tables))}"
            tables.append(convergence_table.table_of(board, target, label))
        figures = _curves(board, name, f"{number}a", number)
    body = fill("leaderboard.html.j2", {"ledes": ledes, "tables": tables, "figures": figures})
    return Shown(number, board.setting.title, Markup(body), 0)


def _lede(board: Board, baseline: str) -> str:
    question, said, kept = board.question, dict[str, list[str]](), []
    for row in board.rows:
        if row.judge == question.judge and baseline in row.against:
            found = row.against[baseline][question.measure]
            said.setdefault(verdict(found), []).append(row.method)
            if found.adjusted is not None and found.adjusted < LEVEL:
                kept.append(row.method)
    order = ("better", "worse", "no difference shown", "not known")
    # Names of methods have commas.
    parts = [f"{word}: {'; '.join(said[word])}" for word in order if word in said]
    if not parts:
        return f"No method is compared with {baseline} here."
    what = f"{WORDS[question.measure]} accuracy on the {question.split} split, {question.judge}"
    holm = (
        f"Holm p is below {LEVEL} for {'; '.join(kept)}" if kept else f"no Holm p is below {LEVEL}"
    )
    return (
        f"Against {baseline}, {what}. {'. '.join(map(capital, parts))}. After adjustment, {holm}."
    )


def _table(board: Board, number: int) -> Table:
    heads = [Head("Method"), *(Head(WORDS[name].capitalize(), True) for name in board.measures)]
    for name in board.question.baselines:
        heads += [Head(f"Difference to {name}", True), Head("Holm p", True)]
    heads += [Head("Seeds", True), Head("Selection")]
    return Table(
        f"{number}a",
        board.setting.title,
        heads,
        [_cells(row, board) for row in board.rows],
        f"{about(board)} The difference is that of {WORDS[board.question.measure]} accuracy.",
        wide=True,
        minimum=1000 + 260 * (len(board.question.baselines) - 1),
    )


def _cells(row: Row, board: Board) -> list[Cell]:
    return [
        row_head(row.method, row.judge),
        *(told_cell(row.spread[n].mean, spread_text(row.spread[n])) for n in board.measures),
        *(c for name in board.question.baselines for c in _difference(row, board, name)),
        told_cell(float(len(row.seeds)), seeds_text(row)),
        Cell(plain(row.setting.selection)),
    ]


def _difference(row: Row, board: Board, baseline: str) -> tuple[Cell, Cell]:
    against = row.against.get(baseline)
    found = None if against is None else against[board.question.measure]
    return (
        told_cell(
            None if found is None else found.difference, difference_text(row, board, baseline)
        ),
        told_cell(None if found is None else found.adjusted, holm_text(row, board, baseline)),
    )


def _curves(board: Board, name: str, table: str, number: int) -> list[Figure]:
    found = []
    for place, method in enumerate(methods_of(board)[:MOST_CURVES]):
        lines = []
        pairs = ((convergence.ALIGNED, "aligned"), (convergence.CONFLICT, "conflicting"))
        for kind, word in pairs if name == convergence.CONFLICT else ((name, ""),):
            drawn = convergence.course(board.results, board.setting, method, kind)
            if drawn is not None:
                lines.append(Curve(drawn.epochs, drawn.mean, "run", word != "aligned", word))
        if not lines:
            continue
        identity = f"f{number}{letter(place)}"
        told = "kNN accuracy on validation by epoch, mean over seeds"
        svg = curves(lines, 0, 1, "%", identity, f"Line chart: {method}", f"{told}.")
        title = method if len(method) < 50 else method[:48] + "…"
        told = f"{told}; every epoch stands in the results"
        found.append(Figure(identity, f"{number}.{place + 1}", title, told, svg, table))
    return found


def _method(boards: Sequence[Board], results: Sequence[Result], number: int) -> Shown:
    ledes = [
        "Selection says which weights were judged: the last ones, or the best on validation. The "
        "test split chooses nothing.",
        published_table.told(boards),
        "A run of seeds is a run of this program with other weights, order, views and colours; the "
        "standard deviation says how much those matter, not what another data set would give.",
        *[f"Failed: {text}" for text in failures(results)],
        *_provenance(results),
    ]
    body = fill("leaderboard.html.j2", {"ledes": ledes, "tables": [], "figures": []})
    return Shown(number, "Method, failures, provenance", Markup(body), 0)


def _provenance(results: Sequence[Result]) -> list[str]:
    done = [result for result in results if result.status == "done"]
    if not done:
        return []
    devices = sorted({str(result.provenance["device"]) for result in done})
    torch = sorted({str(result.provenance["versions"].get("torch", "")) for result in done})
    commits = sorted({str(result.provenance["commit"]) for result in done})
    hours = sum(sum(result.seconds.values()) for result in done) / 3600
    return [
        f"Made on {', '.join(devices)}; torch {', '.join(torch)}; commit {', '.join(commits)}; "
        f"{hours:.1f} hours of wall time over all runs. Each result file has the command that "
        "makes it again."
    ]
