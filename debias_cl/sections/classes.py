"""Classes in place of groups: what section 3 shows where no attribute is known."""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, count, share
from debias_cl.sections.confusions import confusions
from debias_cl.sections.contract import Document
from debias_cl.sections.figures import Figure
from debias_cl.sections.forest import ForestRow, forest
from debias_cl.sections.reading import Run, drawn, low_first, min_group, same
from debias_cl.sections.table import Cell, Head, Table, count_cell, number, row_head, share_cell

SHOWN = 20
"""Rows of the table before it folds, and of the figure."""
MORE = (("precision", "Right when called so (precision)"), ("f1", "F1"))


def classes(document: Document) -> list[Node]:
    """Return the label levels, lowest accuracy first, those without rows last."""
    found = list(Node(document) / "classes")
    return sorted(found, key=lambda node: low_first((node / "accuracy").number))


def class_tables(document: Document) -> list[Table]:
    """Return the table of all classes, and where the errors go."""
    found, compared = classes(document), drawn(document)
    names = Names(document)
    per_class = Node(document) / "overall" / "per_class"
    more = MORE if per_class else ()
    heads = [
        Head(capital(names.label)),
        Head("Accuracy", True),
        *(Head(f"{run.brief}: accuracy", True) for run in compared[1:]),
        *(Head(title, True) for _, title in more),
        Head("All " + names.noun, True),
        Head("Share", True),
    ]
    rows = [_row(document, compared[1:], node, [rate for rate, _ in more]) for node in found]
    note = "95% intervals in brackets. A dash means undefined; the reason stands beside it. "
    note += "Classes are no groups of people: some are harder than others."
    fold = f"All {count(len(rows))} classes" if len(rows) > SHOWN else ""
    caption = f"By {names.label}, lowest first"
    table = Table("3a", caption, heads, rows, note, True, True, folded=fold, minimum=720)
    entry = {"name": names.label, "alignment": None}
    return [table, confusions(document, entry, found, "3b")]


def _row(document: Document, others: Sequence[Run], node: Node, more: list[str]) -> list[Cell]:
    names, least = Names(document), min_group(document)
    level = str((node / "group").value[document["label"]["name"]])
    n = (node / "n").number or 0
    rates = Node(document) / "overall" / "per_class" / level
    return [
        row_head(names.level(document["label"]["name"], level), f"under {least}" * (n < least)),
        share_cell(node / "accuracy", names.reason),
        *(share_cell(same(run, "classes", node) / "accuracy", names.reason) for run in others),
        *(share_cell(rates / rate, names.reason) for rate in more),
        count_cell(node / "n"),
        number(node / "share", share),
    ]


def class_forest(document: Document, place: str, table: str, most: int = SHOWN) -> Figure | None:
    """Return the forest plot of the lowest classes; None where none has a row.

    Args:
        document: the metrics document.
        place: number of the figure ("3.1").
        table: number of the table with the same numbers ("3a").
        most: most classes shown.
    """
    from debias_cl.sections.groups import mark

    names, compared = Names(document), drawn(document)[:2]
    found = [node for node in classes(document) if (node / "n").number]
    if not found:
        return None
    rows = [
        ForestRow(
            label=names.level(names.label, str((node / "group").value[names.label])),
            n=count((node / "n").number or 0),
            marks=tuple(mark(same(run, "classes", node) / "accuracy") for run in compared),
            bold=not turn,
        )
        for turn, node in enumerate(found[:most])
    ]
    overall = (Node(document) / "overall" / "accuracy").number
    identity = f"f{place.replace('.', '')}"
    svg, scale = forest(rows, overall, identity, "Forest plot: accuracy by class", DESCRIPTION)
    left = len(found) - most
    rest = f"; the {most} lowest, {left} more in the table" if left > 0 else ""
    axis = f"; axis from {scale.low * 100:.0f}%" if scale.low > 0 else ""
    told = f"Share right, with 95% intervals; n is {names.noun}{axis}{rest}."
    return Figure(identity, place, "Accuracy by class", told, svg, table)


DESCRIPTION = "A row a class, lowest first; points are shares, lines 95% intervals. Data: table 3a."
