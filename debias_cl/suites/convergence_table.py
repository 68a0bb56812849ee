"""When the methods reach a stated accuracy: a table a setting, one over all, a CSV. No torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from debias_cl.checks.text import DASH, bare_share
from debias_cl.sections.table import Cell, Head, Table, row_head, told_cell
from debias_cl.suites import convergence
from debias_cl.suites.board import Board
from debias_cl.suites.convergence import Reached
from debias_cl.suites.table import Setting

LEAST = 0.05
"""Accuracy below which a method has learned nothing that others could reach sooner."""
ALL = "Convergence over settings"
HOW = (
    "Epochs until kNN accuracy on validation first reaches what the named method ends with (mean "
    "over its seeds), and seconds of training: median over runs, with the lowest and the highest "
    "of those that reached it; looked at after each epoch. On conflicting examples where there is "
    "a bias attribute."
)


@dataclass(frozen=True)
class Target:
    """The accuracy that is asked for in a setting.

    Attributes:
        name: of the logged accuracy.
        accuracy: a fraction.
        whose: method that ends with it, on average over its seeds.
    """

    name: str
    accuracy: float
    whose: str


def target_of(board: Board) -> Target | None:
    """Return what the first baseline ends with that learns anything, else what the best row does.

    None where nothing was logged, or nobody ends at `LEAST`.
    """
    name = convergence.measured(board.results)
    for method in [*board.question.baselines, *methods_of(board)]:
        found = convergence.course(board.results, board.setting, method, name)
        if name and found is not None and found.mean[-1] >= LEAST:
            return Target(name, found.mean[-1], method)
    return None


def methods_of(board: Board) -> list[str]:
    """Return the methods of a board, best first."""
    return list(dict.fromkeys(row.method for row in board.rows))


def whom(name: str) -> str:
    """Say on which examples an accuracy was measured."""
    conflicting = name == convergence.CONFLICT
    return "conflicting validation examples" if conflicting else "validation examples"


def reached_by(board: Board, target: Target) -> dict[str, Reached]:
    """Return when each method of a board reaches the target."""
    return {
        method: convergence.reached(
            board.results, board.setting, method, target.name, target.accuracy
        )
        for method in methods_of(board)
    }


def table_of(board: Board, target: Target, label: str) -> Table:
    """Return the table of one setting."""
    rows = []
    for method, found in reached_by(board, target).items():
        hits, runs = len(found.epochs), len(found.epochs) + found.never
        rows.append(
            [
                row_head(method),
                told_cell(found.median_epochs, _range(found.median_epochs, found.epochs)),
                told_cell(found.median_seconds, _range(found.median_seconds, found.seconds)),
                told_cell(float(hits), f"{hits} of {runs}"),
            ]
        )
    heads = [Head("Method"), Head("Epochs", True), Head("Seconds of training", True)]
    caption = f"When kNN accuracy on {whom(target.name)} first reaches "
    return Table(
        label,
        f"{caption}{bare_share(target.accuracy)}%",
        [*heads, Head("Runs", True)],
        rows,
        f"What {target.whose} ends with. Median over runs, with the lowest and the highest of "
        "those that reached it; looked at after each epoch.",
        wide=True,
        minimum=520,
    )


def _range(median: float | None, values: Sequence[float]) -> str:
    if not values:
        return "never"
    return f"most never ({_ends(values)})" if median is None else f"{median:.0f} ({_ends(values)})"


def _ends(values: Sequence[float]) -> str:
    first, last = f"{min(values):.0f}", f"{max(values):.0f}"
    return first if first == last else f"{first} to {last}"


def _seconds(found: Reached) -> str:
    """Return the seconds beside the epochs, which have said where most runs never got there."""
    if found.median_seconds is None:
        return f"{_ends(found.seconds)} s" if found.seconds else ""
    return f"{_range(found.median_seconds, found.seconds)} s"


Raced = Sequence[tuple[Board, Target]]


def raced(boards: Sequence[Board]) -> Raced:
    """Return the boards that have a target, with it; () for fewer than two: nothing to sum up."""
    found = [(board, target) for board in boards if (target := target_of(board)) is not None]
    return found if len(found) > 1 else ()


def summary(boards: Raced, label: str) -> Table:
    """Return the table over settings: a row a method, a column a setting."""
    found = [reached_by(*pair) for pair in boards]
    methods = list(dict.fromkeys(method for one in found for method in one))
    heads = [Head("Method"), *(Head(_head(*pair), True) for pair in boards)]
    rows = [[row_head(method), *(_both(one.get(method)) for one in found)] for method in methods]
    return Table(label, ALL, heads, rows, HOW, wide=True, minimum=200 + 190 * len(boards))


def _head(board: Board, target: Target) -> str:
    return f"{board.setting.title}: {bare_share(target.accuracy)}% of {target.whose}"


def _both(found: Reached | None) -> Cell:
    if found is None:
        return told_cell(None, DASH)
    epochs = _range(found.median_epochs, found.epochs)
    return told_cell(found.median_epochs, epochs, _seconds(found))


def markdown(boards: Raced, line: Callable[[Sequence[str]], str]) -> list[str]:
    """Return the lines of the table over settings; none without one."""
    if not boards:
        return []
    found = [reached_by(*pair) for pair in boards]
    methods = dict.fromkeys(method for one in found for method in one)
    heads = ["method", *(_head(*pair) for pair in boards)]
    lines = [f"## {ALL}", "", HOW, "", line(heads)]
    lines.append(line(["---", *["---:"] * len(boards)]))
    lines += [line([method, *(_text(one.get(method)) for one in found)]) for method in methods]
    return [*lines, ""]


def _text(found: Reached | None) -> str:
    if found is None:
        return DASH
    return ", ".join(filter(None, [_range(found.median_epochs, found.epochs), _seconds(found)]))


def to_csv(boards: Sequence[Board]) -> str:
    """Return a line for each setting and method: target, epochs and seconds over seeds."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spread = ["median", "lowest", "highest"]
    writer.writerow(
        [*Setting.__dataclass_fields__, "method", "measure", "target", "target_of", "runs"]
        + ["reached", *(f"epochs_{word}" for word in spread)]
        + [f"seconds_{word}" for word in spread]
    )
    for board in boards:
        target = target_of(board)
        if target is None:
            continue
        for method, found in reached_by(board, target).items():
            hits = len(found.epochs)
            what = [method, target.name, target.accuracy, target.whose, hits + found.never, hits]
            epochs = _spread(found.median_epochs, found.epochs)
            seconds = _spread(found.median_seconds, found.seconds)
            writer.writerow([*board.setting.columns(), *what, *epochs, *seconds])
    return out.getvalue()


def _spread(median: float | None, values: Sequence[float]) -> list[object]:
    ends = [min(values), max(values)] if values else ["", ""]
    return ["" if median is None else median, *ends]
