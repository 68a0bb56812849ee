"""The leaderboard of a suite as HTML, Markdown, CSV and LaTeX. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from debias_cl.checks.text import DASH
from debias_cl.files import write_atomic
from debias_cl.suites import convergence_table, published_table
from debias_cl.suites.board import Board, about, boards_of, failures, heads, texts
from debias_cl.suites.grid import Suite
from debias_cl.suites.page import to_html
from debias_cl.suites.paired import Paired
from debias_cl.suites.results import Result
from debias_cl.suites.table import Row, Setting


def write_leaderboard(results: Sequence[Result], suite: Suite, folder: Path) -> Path:
    """Write `leaderboard.html`, `.md`, `.csv`, `.tex` and `convergence.csv`; return the first.

    Args:
        results: of this suite; failed ones are counted and listed.
        suite: says what its parts ask.
        folder: where the files go.
    """
    boards = boards_of(results, suite)
    write_atomic(folder / "leaderboard.csv", to_csv(boards))
    write_atomic(folder / "convergence.csv", convergence_table.to_csv(boards))
    write_atomic(folder / "leaderboard.md", to_markdown(boards, suite, results))
    write_atomic(folder / "leaderboard.tex", to_latex(boards, suite))
    path = folder / "leaderboard.html"
    write_atomic(path, to_html(boards, suite, results))
    return path


def to_csv(boards: Sequence[Board]) -> str:
    """Return every number in long form, as fractions."""
    out = io.StringIO()
    names = [*Setting.__dataclass_fields__, "method", "judge", "split", "measure"]
    names += ["mean", "sd", "n", "baseline", "difference", "low", "high", "p", "p_holm"]
    names += ["compared", "pairs", "reason", "failed_seeds", "seconds"]
    names += ["origin", "source", "checked"]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for board in boards:
        for row in board.rows:
            for baseline in board.question.baselines:
                for name in board.measures:
                    writer.writerow(_csv_line(row, board, baseline, name))
        writer.writerows(published_table.csv_lines(board, names))
    return out.getvalue()


def _csv_line(row: Row, board: Board, baseline: str, name: str) -> list[object]:
    spread = row.spread[name]
    itself = {name: Paired(None, None, None, None, 0, "the baseline itself")}
    found = row.against.get(baseline, itself)[name]
    what = [row.method, row.judge, board.question.split, name]
    failed = " ".join(map(str, row.failed))
    seconds = None if row.seconds is None else round(row.seconds, 1)
    numbers = [spread.mean, spread.sd, spread.n]
    compared = [baseline, found.difference, found.low, found.high, found.p, found.adjusted]
    compared += [found.family or None, found.n, found.reason]
    line = [*row.setting.columns(), *what, *numbers, *compared, failed, seconds, "run", "", ""]
    return ["" if value is None else value for value in line]


def to_markdown(boards: Sequence[Board], suite: Suite, results: Sequence[Result]) -> str:
    """Return the tables for people, as Markdown."""
    lines = [f"# {suite.title}", ""]
    for board in boards:
        lines += [f"## {board.setting.title}", "", f"{board.says} {about(board)}".lstrip(), ""]
        names = heads(board)
        lines += [_line(names), _line(["---"] * 2 + ["---:"] * (len(names) - 2))]
        lines += [_line(texts(row, board)) for row in board.rows]
        lines += ["", *published_table.markdown(board, _line)]
    lines += convergence_table.markdown(convergence_table.raced(boards), _line)
    lines += [published_table.told(boards), ""]
    lines += [f"Failed: {text}" for text in failures(results)]
    return "\n".join(lines).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "−": r"$-$", "–": "--", "<": r"$<$", ">": r"$>$", "\u00a0": "~", DASH: "--",
}  # fmt: skip


def tex(text: str) -> str:
    """Escape text for LaTeX."""
    return "".join(TEX.get(letter, letter) for letter in text)


def to_latex(boards: Sequence[Board], suite: Suite) -> str:
    """Return one booktabs table a setting."""
    lines = ["% needs \\usepackage{booktabs} and \\usepackage{xcolor}"]
    for board in boards:
        columns = "ll" + "r" * (len(heads(board)) - 2)
        lines += [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
        lines += [_tex_line(heads(board)), r"\midrule"]
        lines += [_tex_line(texts(row, board)) for row in board.rows]
        caption = tex(f"{suite.title}: {board.setting.title}. {about(board)}")
        lines += [r"\bottomrule", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}", ""]
        lines += published_table.latex(board, tex)
    lines.append(f"% {published_table.told(boards)}\n")
    return "\n".join(lines)


def _tex_line(cells: Sequence[str]) -> str:
    return " & ".join(tex(cell) for cell in cells) + r" \\"
