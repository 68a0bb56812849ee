"""Section 4: the cell matrix, where errors go, and all encoders beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import clean, n_equals, share
from debias_cl.sections import words
from debias_cl.sections.confusions import confusions
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure
from debias_cl.sections.matrix import MANY, Square, matrix
from debias_cl.sections.numbers import html
from debias_cl.sections.reading import Run, attributes, cells, drawn, runs, same
from debias_cl.sections.table import (
    Cell,
    Head,
    Table,
    count_cell,
    letter,
    points_cell,
    row_head,
    share_cell,
)
from debias_cl.sections.table import words as words_cell

SHOWN = 20
"""Rows of a table of cells before it folds."""


def context(document: Document) -> Mapping[str, Any] | str:
    """Return a part an attribute, and the table of all encoders."""
    if not document.get("cells"):
        if document.get("classes"):
            return "No attribute is known, so nothing is aligned or conflicting."
        return "No attribute or no label was given, so there are no cells."
    single = attributes(document, together=False)
    joint = attributes(document, together=True)
    parts = [_part(document, entry, place) for place, entry in enumerate([*single, *joint])]
    return {
        "encoders": _encoders(document),
        "parts": [part for part in parts if part],
        "many": any(part and part["many"] for part in parts),
        "aligned": any(entry.get("alignment") for entry in single),
    }


def _part(document: Document, entry: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return what one attribute is told: tables, figures, sentences."""
    found = cells(document, entry["name"])
    if not found:
        return {}
    compared, place = drawn(document), place + 1
    table = _cells_table(document, entry, found, compared, f"4{letter(2 * place - 1)}")
    pictured = compared if not entry.get("of") else compared[:1]
    figures = [
        _figure(document, entry, run, f"4.{place}.{turn}", f"f4{place}{turn}", table)
        for turn, run in enumerate(pictured, start=1)
    ]
    return {
        "title": Names(document).attribute(entry["name"]),
        "pattern": _pattern(document, entry),
        "tables": [table, confusions(document, entry, found, f"4{letter(2 * place)}")],
        "figures": figures,
        "many": _many(document, found),
    }


def _pattern(document: Document, entry: Mapping[str, Any]) -> list[Any]:
    """Return sentences on what goes with what in training."""
    alignment, names = entry.get("alignment"), Names(document)
    if not alignment:
        return ["No pattern of the training set is known for it, so no cell is conflicting."]
    source = clean(str(alignment["source"]))
    pairs = [(str(y), str(a)) for y, a in alignment["pairs"]]
    if len(pairs) <= 4:
        label = document["label"]["name"]
        told = "; ".join(
            f"{names.level(label, y)} with {names.level(entry['name'], a)}" for y, a in pairs
        )
        start = f"Aligned, by {source}: {told}. Every other cell breaks this and is conflicting."
    else:
        attribute = clean(entry["name"])
        start = f"Aligned, by {source}: each {attribute} with its usual {names.label}."
    said: list[Any] = [start]
    errors = Node(document) / "verdict" / entry["name"] / "shortcut_errors"
    if errors.number is not None:
        said.append(html(words.shortcut(names, entry["name"], errors)))
    return said


def _cells_table(
    document: Document,
    entry: Mapping[str, Any],
    found: Sequence[Node],
    compared: Sequence[Run],
    place: str,
) -> Table:
    names, several = Names(document), len(compared) > 1
    heads = [
        Head("Cell"),
        Head(f"Accuracy, {compared[0].brief}" if several else "Accuracy", True),
        *(Head(f"Accuracy, {run.brief}", True) for run in compared[1:]),
        Head(names.noun.capitalize(), True),
        *([Head("Pattern")] if entry.get("alignment") else []),
    ]
    rows = [_cell_row(names, entry, cell, compared) for cell in found]
    caption = f"Cells of {names.label} and {names.attribute(entry['name'])}, lowest accuracy first"
    long = len(rows) > SHOWN
    folded = f"All {len(rows)} cells of {names.attribute(entry['name'])}" if long else ""
    note = "Share right in each cell, 95% intervals in brackets."
    return Table(
        place,
        caption,
        heads,
        rows,
        note,
        wide=True,
        dense=several,
        folded=folded,
        minimum=360 + 120 * len(compared),
    )


def _cell_row(
    names: Names, entry: Mapping[str, Any], cell: Node, compared: Sequence[Run]
) -> list[Cell]:
    pattern = [words_cell(PATTERN[(cell / "aligned").value])] if entry.get("alignment") else []
    return [
        row_head(names.cell((cell / "group").value)),
        *(share_cell(same(run, "cells", cell) / "accuracy") for run in compared),
        count_cell(cell / "n"),
        *pattern,
    ]


PATTERN = {True: "= aligned", False: "≠ conflicting", None: "—"}


def _figure(
    document: Document,
    entry: Mapping[str, Any],
    run: Run,
    place: str,
    identity: str,
    table: Table,
) -> Figure:
    names, label = Names(document), document["label"]["name"]
    known = {
        _key((cell / "group").value): cell
        for cell in Node(document) / "cells"
        if (cell / "attribute").value == entry["name"]
    }
    levels = [str(level) for level in document["label"]["levels"]]
    if names.binary and levels[-1] == str(document["label"]["positive"]):
        levels.reverse()
    people = list(dict.fromkeys(tuple((k, v) for k, v in pairs if k != label) for pairs in known))
    grid = [[known[_key({label: y, **dict(a)})] for a in people] for y in levels]
    down, across = [names.bare(label, y) for y in levels], [_people(names, a) for a in people]
    if len(people) > len(levels) and len(people) > 3:
        grid, down, across = [list(line) for line in zip(*grid, strict=True)], across, down
    many = len(down) * len(across) > MANY
    squares = [[_square(same(run, "cells", cell), many) for cell in line] for line in grid]
    title = f"{run.name}: {names.label} by {names.attribute(entry['name'])}"
    svg = matrix(down, across, squares, identity, f"Heat map of accuracy, {title}", DESCRIPTION)
    told = "Accuracy per cell" + (" in %" if many else "") + "; a stronger shade is more wrong."
    heading = _message(names, run, entry["name"])
    return Figure(identity, place, heading, told, svg, table.number)


DESCRIPTION = "Rows and columns are label and attribute; the table below has the same numbers."


def _message(names: Names, run: Run, attribute: str) -> str:
    """Return the title of a matrix: the run and its lowest cell."""
    worst = run.node / "attributes_overall" / attribute / "worst_group_accuracy"
    cell = (worst / "cell").value
    if not cell or (worst / "unfiltered" / "cell").value != cell:
        return run.name
    title = f"{run.brief}: lowest for {names.cell(cell)}"
    return title if len(title) < 50 else run.name


def _square(cell: Node, many: bool) -> Square:
    value, n = (cell / "accuracy").number, (cell / "n").number
    aligned = (cell / "aligned").value
    if value is None or not n:
        return Square(None, "", "", aligned)
    shown = f"{value * 100:.0f}" if many else share(value)
    return Square(1 - value, shown, n_equals(n), aligned)


def _people(names: Names, pairs: Sequence[tuple[str, str]]) -> str:
    if len(pairs) == 1:
        return names.bare(*pairs[0])
    return names.group(dict(pairs))


def _key(group: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(group.items()))


def _many(document: Document, found: Sequence[Node]) -> bool:
    return len(found) > MANY


def _encoders(document: Document) -> Table | None:
    """Return the table of all encoders and judges."""
    compared = runs(document)
    known = any((run.node / "overall" / "conflict_accuracy").number is not None for run in compared)
    pattern = [("aligned_accuracy", "Aligned"), ("conflict_accuracy", "Conflicting")]
    shown = [
        ("accuracy", "Accuracy"),
        ("unbiased_accuracy", "Mean over cells"),
        *(pattern if known else []),
        ("worst_group_accuracy", "Worst cell"),
    ]
    paired = "conflict_accuracy" if known else "accuracy"
    differs = f"{compared[0].short} minus it, {'conflicting, ' if known else ''}points"
    heads = [
        Head("Encoder"),
        *(Head(title, True) for _, title in shown),
        *([Head(differs, True)] if len(compared) > 1 else []),
    ]
    rows = [
        [
            row_head(run.short, run.judge),
            *(share_cell(run.node / "overall" / name) for name, _ in shown),
            *(
                [
                    points_cell(run.node / "paired" / paired)
                    if place
                    else Cell(Markup("audited"), Markup(' class="r u" data-v=""'))
                ]
                if len(compared) > 1
                else []
            ),
        ]
        for place, run in enumerate(compared)
    ]
    note = "Rows are encoder and judge. 95% intervals; the difference is paired on the same rows."
    caption = "All encoders and judges" if len(compared) > 1 else "The encoder over its cells"
    return Table("4a", caption, heads, rows, note, wide=True, dense=True, minimum=110 * len(heads))


SPEC = SectionSpec(
    number=4, title="Aligned and conflicting", template="alignment.html.j2", context=context
)
