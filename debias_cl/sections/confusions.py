"""Where errors go: answers by cell for few label levels, else the commonest confusions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import clean, share
from debias_cl.sections.contract import Document
from debias_cl.sections.reading import runs
from debias_cl.sections.table import Head, Table, count_cell, number, row_head
from debias_cl.sections.table import words as words_cell

CONFUSIONS = 15
"""Most rows of the table of confusions."""


def confusions(
    document: Document, entry: Mapping[str, Any], found: Sequence[Node], place: str
) -> Table:
    """Return where errors go: all of it for two label levels, else the commonest confusions."""
    make = _two_answers if len(document["label"]["levels"]) <= 3 else _commonest
    return make(document, entry, found, place)


def _two_answers(
    document: Document, entry: Mapping[str, Any], found: Sequence[Node], place: str
) -> Table:
    names, label = Names(document), document["label"]["name"]
    levels = [str(level) for level in document["label"]["levels"]]
    by = entry["name"] != label
    heads = [
        *([Head(names.attribute(entry["name"]))] if by else []),
        Head("Truth"),
        *(Head(f"Called {names.bare(label, level)}", True) for level in levels),
        Head("Wrong", True),
    ]
    rows = []
    for cell in found:
        group = {k: v for k, v in (cell / "group").value.items() if k != label}
        rows.append(
            [
                *([row_head(names.group(group))] if by else []),
                words_cell(names.bare(label, (cell / "group").value[label])),
                *(count_cell(cell / "predicted" / level) for level in levels),
                number(cell / "error_rate", share),
            ]
        )
    caption = f"Where errors go, by {names.attribute(entry['name'])}" if by else "Where errors go"
    note = f"Counts of {names.noun}, {runs(document)[0].name}."
    return Table(place, caption, heads, rows, note, minimum=480, wide=True)


def _commonest(
    document: Document, entry: Mapping[str, Any], found: Sequence[Node], place: str
) -> Table:
    names, label = Names(document), document["label"]["name"]
    usual = {str(a): str(y) for y, a in (entry.get("alignment") or {}).get("pairs") or ()}
    wrong = [
        (answer, cell)
        for cell in found
        for answer in cell / "predicted"
        if answer.key != (cell / "group").value[label] and answer.number
    ]
    wrong.sort(key=lambda pair: (-(pair[0].number or 0), pair[0].pointer))
    rows = []
    for answer, cell in wrong[:CONFUSIONS]:
        group = {k: v for k, v in (cell / "group").value.items() if k != label}
        colour = next(iter(group.values()), "")
        follows = usual.get(colour) == answer.key
        rows.append(
            [
                row_head(names.cell((cell / "group").value)),
                words_cell(
                    names.level(label, answer.key),
                    f"usual for {names.bare(entry['name'], colour)}" if follows else "",
                ),
                count_cell(answer),
                count_cell(cell / "n"),
            ]
        )
    noun, by = names.noun.capitalize(), entry["name"] != label
    heads = [
        Head("Cell" if by else "Truth"),
        Head("Called"),
        Head("How many", True),
        Head(f"{noun} in the cell" if by else f"{noun} of this class", True),
    ]
    caption = f"Where errors go: the {len(rows)} commonest confusions"
    usual_told = f" “Usual” marks an answer that {clean(entry['name'])} suggests." if by else ""
    note = f"{runs(document)[0].name}.{usual_told}"
    return Table(place, caption, heads, rows, note, minimum=460, wide=True)
