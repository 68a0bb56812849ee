"""Published figures in the four forms of the leaderboard, apart from our rows. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

from markupsafe import Markup

from debias_cl.sections.numbers import key, plain
from debias_cl.sections.table import Cell, Head, Table
from debias_cl.suites.board import WORDS, Board, spread_text
from debias_cl.suites.paired import Spread
from debias_cl.suites.published import Published
from debias_cl.suites.table import Setting

HEADS = ("published", "measure", "percent", "runs", "setting", "source", "checked")
NONE = (
    "No published figure has the data, the protocol, the encoder and the length of training of a "
    "table here, so none is shown."
)
RULE = (
    "Published figures stand under a table of the same data set, label, attribute, rho, protocol, "
    "encoder and epochs, and are not ranked with our rows; what their source does not state about "
    "encoder and epochs is not compared, nor are views, optimiser and the choice of the weights. "
    "A grey one was not checked against a source."
)
CAPTION = "Published under the same protocol"


def told(boards: Sequence[Board]) -> str:
    """Say by which rule published figures are shown, or that none is."""
    return RULE if any(board.published for board in boards) else NONE


def texts(figure: Published) -> list[str]:
    """Return the cells of a figure, as text."""
    return [
        figure.method,
        WORDS[figure.measure],
        spread_text(Spread(figure.value, figure.sd, 0)),
        figure.n_runs or "not stated",
        figure.setting,
        figure.source,
        "yes" if figure.checked else "no",
    ]


def table_of(board: Board, label: str) -> Table:
    """Return the table of the page; figures that were not checked are grey."""
    heads = [Head(text.capitalize(), text == "percent") for text in HEADS]
    rows = [_cells(figure) for figure in board.published]
    note = "Not ours, and not ranked with the rows above. Grey: not checked against a source."
    return Table(label, CAPTION, heads, rows, note, wide=True, minimum=900)


def _cells(figure: Published) -> list[Cell]:
    grey = "" if figure.checked else "un"
    cells = []
    for place, text in enumerate(texts(figure)):
        number = HEADS[place] == "percent"
        value = Markup(' data-v="{}"').format(key(figure.value)) if number else Markup("")
        names = Markup(' class="{}"').format(f"{'r ' if number else ''}{grey}".strip())
        cells.append(Cell(plain(text), names + value, head=place == 0))
    return cells


def markdown(board: Board, line: Callable[[Sequence[str]], str]) -> list[str]:
    """Return the lines of a Markdown table, an unchecked figure in italics; none without any."""
    if not board.published:
        return []
    rows = [texts(f) if f.checked else [f"*{text}*" for text in texts(f)] for f in board.published]
    head = [line(HEADS), line(["---" if text != "percent" else "---:" for text in HEADS])]
    return [f"{CAPTION}:", "", *head, *map(line, rows), ""]


def latex(board: Board, tex: Callable[[str], str]) -> list[str]:
    """Return the lines of a LaTeX table, an unchecked figure grey; none without any."""
    if not board.published:
        return []
    lines = [r"\begin{table}", r"\centering", r"\begin{tabular}{llrllll}", r"\toprule"]
    lines += [" & ".join(HEADS) + r" \\", r"\midrule"]
    for figure in board.published:
        cells = [tex(text) for text in texts(figure)]
        if not figure.checked:
            cells = [rf"\textcolor{{gray}}{{{cell}}}" for cell in cells]
        lines.append(" & ".join(cells) + r" \\")
    caption = tex(f"{CAPTION}: {board.setting.title}.")
    return [*lines, r"\bottomrule", r"\end{tabular}", rf"\caption{{{caption}}}", r"\end{table}", ""]


def csv_lines(board: Board, names: Sequence[str]) -> list[list[object]]:
    """Return the lines of the CSV: the setting of the board, the figure, where it is from.

    Args:
        board: with figures.
        names: columns of the CSV.
    """
    where = [field.name for field in fields(Setting) if field.name != "part"]
    lines = []
    for figure in board.published:
        found: dict[str, object] = {
            **dict(zip(where, board.setting.columns()[1:], strict=True)),
            "preset": "",
            "views": "",
            "selection": "",
            "part": board.setting.part,
            "method": figure.method,
            "split": board.question.split,
            "measure": figure.measure,
            "mean": figure.value,
            "sd": figure.sd,
            "n": figure.n_runs if figure.n_runs.isdigit() else "",
            "reason": "" if figure.n_runs.isdigit() else figure.n_runs,
            "origin": "published",
            "source": figure.source,
            "checked": "yes" if figure.checked else "no",
        }
        lines.append(["" if found.get(name) is None else found[name] for name in names])
    return lines
