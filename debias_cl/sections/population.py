"""Overall figures for another population, beside the plain ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, capital, clean, say, share, show
from debias_cl.sections.blocks import Block, rate_heads
from debias_cl.sections.contract import Document
from debias_cl.sections.table import (
    Head,
    Table,
    letter,
    row_head,
    share_cell,
)

FIGURES: Sequence[tuple[str, str]] = (
    ("reweighted_accuracy", "accuracy"),
    ("reweighted_selection_rate", "selection_rate"),
    ("reweighted_true_positive_rate", "true_positive_rate"),
    ("reweighted_false_positive_rate", "false_positive_rate"),
)


def reweighted(document: Document, place: int) -> Block | None:
    """Return the overall figures for another population, beside the plain ones."""
    of, names = Node(document) / "attributes_overall", Names(document)
    found = [node for node in of if node / "reweighted_accuracy"]
    if not found:
        return None
    found = [node for node in found if (node / FIGURES[0][0]).number is not None] or found[:1]
    columns = [(name, plain) for name, plain in FIGURES if any(node / name for node in found)]
    heads, label = rate_heads(document), f"5{letter(place)}"
    overall = Node(document) / "overall"
    rows = [[row_head("As they are"), *(share_cell(overall / plain) for _, plain in columns)]]
    rows += [
        [
            row_head(f"Cells by {names.attribute(node.key)}"),
            *(share_cell(node / name) for name, _ in columns),
        ]
        for node in found
    ]
    title = [Head("Rows weighted"), *(Head(heads[plain], True) for _, plain in columns)]
    caption = "Overall figures for another population"
    note = "The cells of label and group keep their rates and get another population’s shares."
    minimum = 200 + 130 * len(columns)
    table = Table(label, caption, title, rows, note, True, True, minimum=minimum)
    told = f"{capital(_population(found))}, beside the rows as they are, never instead of them."
    return Block("For another population", told, [table], list(_uncovered(names, found)))


def _population(found: Sequence[Node]) -> str:
    said = [(node / "reweighted_accuracy" / "population").value for node in found]
    return clean(str(next((one for one in said if one), "its shares are not known")))


def _uncovered(names: Names, found: Sequence[Node]) -> Iterator[Sentence]:
    """Name the cells that the other population has and these rows do not."""
    for node in found:
        value = node / "reweighted_accuracy"
        out = value / "left_out"
        if not out.value:
            continue
        cells = [
            say(names.cell((one / "cell").value), " (", show(one / "share", share), ")")
            for one in out
        ]
        shown = [piece for cell in cells for piece in (", ", cell)][1:]
        yield say(
            f"{capital(names.attribute(node.key))}: no rows here of ",
            *shown,
            "; the figures are of the other ",
            show(value / "covered", share),
            " of that population.",
        )
