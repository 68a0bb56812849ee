"""Signed gaps and ratios of every group against a reference, where one was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.sections.blocks import LONG, Block, rate_heads, reasoned
from debias_cl.sections.contract import Document
from debias_cl.sections.reading import find, min_group
from debias_cl.sections.table import (
    Head,
    Table,
    letter,
    points_cell,
    ratio_cell,
    row_head,
    words,
)

COLUMNS: Sequence[tuple[str, str]] = (
    ("demographic_parity", "selection_rate"),
    ("equal_opportunity", "true_positive_rate"),
    ("equalized_odds", "false_positive_rate"),
    ("predictive_parity", "precision"),
    ("accuracy", "accuracy"),
)
"""A family of gaps and the rate of it that a column shows."""


def against(document: Document, place: int) -> Block | None:
    """Return signed gaps and ratios of every group against the references."""
    tables: list[Table] = []
    for attribute in document["disparities"]:
        of = Node(document) / "disparities" / attribute
        if not (of / "demographic_parity_difference" / "against").value:
            continue
        for form, caption in (("difference", "Signed gaps"), ("ratio", "Ratios")):
            label = f"5{letter(place + len(tables))}"
            tables.append(_against(document, attribute, form, caption, label))
    if not tables:
        return None
    told = "Each group minus (or over) a reference. The intervals are of one comparison each, not "
    told += "adjusted for their number. Against all rows, which hold the group itself, the gap to "
    told += "the rest is carried over at the rest’s share."
    return Block("Each group against a reference", told, tables, [])


def _against(document: Document, attribute: str, form: str, caption: str, label: str) -> Table:
    names, of = Names(document), Node(document) / "disparities" / attribute
    columns = [
        (rate, [n for n in of / f"{family}_{form}" / "against" if (n / "rate").value == rate])
        for family, rate in COLUMNS
    ]
    columns = [(rate, nodes) for rate, nodes in columns if nodes]
    heads = rate_heads(document)
    show_cell = points_cell if form == "difference" else ratio_cell
    first = columns[0][1]
    rows = [
        [
            row_head(names.group((node / "group").value), _few(document, attribute, node)),
            words(_reference(names, (node / "reference").value)),
            *(reasoned(names, nodes[turn], show_cell) for _, nodes in columns),
        ]
        for turn, node in enumerate(first)
    ]
    caption += f" by {names.attribute(attribute)}" + (", points" if form == "difference" else "")
    levels = {
        str((node / "class").value) for _, nodes in columns for node in nodes[:1] if node / "class"
    }
    note = "95% intervals in brackets."
    if levels:
        note += f" Of the level with the largest gap in each column: {', '.join(sorted(levels))}."
    return Table(
        label,
        caption,
        [Head("Group"), Head("Against"), *(Head(heads[rate], True) for rate, _ in columns)],
        rows,
        note,
        True,
        True,
        folded=caption if form == "ratio" or len(rows) > LONG else "",
        minimum=260 + 130 * len(columns),
    )


def _few(document: Document, attribute: str, node: Node) -> str:
    entry = find(document, "groups", attribute, (node / "group").value)
    n, least = (entry / "n").number, min_group(document)
    return f"under {least} {Names(document).noun}" if n is not None and n < least else ""


def _reference(names: Names, reference: object) -> str:
    if isinstance(reference, dict):
        return names.group(reference)
    return "all rows" if reference == "overall" else "the rest"
