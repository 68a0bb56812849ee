"""Tables of section 7 on pictures whose attribute was changed: does the prediction follow it?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, clean, count
from debias_cl.sections.contract import Document
from debias_cl.sections.reading import Run
from debias_cl.sections.table import Cell, Head, Table, count_cell, row_head, share_cell

LEVELS = 12
"""Label levels up to which what is predicted is counted for each."""


def painted(document: Document, moved: Sequence[Run], before: int) -> list[Table]:
    """Return how far predictions follow, by encoder and judge, and where to.

    Args:
        document: the metrics document.
        moved: runs whose pictures were painted; the audited one is the first.
        before: tables that the section has already.
    """
    letters = "abcdefghijkl"[before:]
    tables = [_encoders(document, moved, f"7{letters[0]}")]
    return [*tables, _levels(document, moved[0], f"7{letters[1]}")]


def _encoders(document: Document, moved: Sequence[Run], place: str) -> Table:
    names, first = Names(document), moved[0].node / "representation" / "shortcut"
    attribute, n = clean(str((first / "attribute").value)), (first / "n").number or 0
    follows = (first / "follows").value is not None
    columns = [
        ("moved", f"Other {attribute}: prediction changes"),
        *(
            [("follows", f"Called the usual {names.label} of the new {attribute}")]
            if follows
            else []
        ),
        ("changed", f"{capital(names.noun)} that change at least once"),
    ]
    rows = [
        [
            row_head(run.short, run.judge),
            *(share_cell(run.node / "representation" / "shortcut" / key) for key, _ in columns),
        ]
        for run in moved
    ]
    heads = [Head("Encoder"), *(Head(title, True) for _, title in columns)]
    note = f"{count(n)} tested {names.noun}, each painted in every {attribute}; nothing else is "
    note += "changed. 95% intervals count them: t for the means, Wilson for the last column."
    if follows:
        note += f" The usual {names.label}: of those whose own {names.label} is another one."
    return Table(
        place,
        f"The same {names.noun} in another {attribute}",
        heads,
        rows,
        note,
        wide=True,
        dense=True,
        minimum=600,
    )


def _levels(document: Document, run: Run, place: str) -> Table:
    """Return what is predicted of the same pictures in each level of the attribute."""
    names, found = Names(document), run.node / "representation" / "shortcut"
    attribute = clean(str((found / "attribute").value))
    labels = [str(level) for level in document["label"]["levels"]]
    counted = labels if len(labels) <= LEVELS else []
    usual = (found / "levels" / 0 / "usual").value is not None
    rows = [_level(names, attribute, level, counted, usual=usual) for level in found / "levels"]
    heads = [
        Head(attribute.capitalize()),
        Head("Prediction changes", True),
        *([Head(f"Called its usual {names.label}", True)] if usual else []),
        Head("Accuracy", True),
        *(Head(f"Called {names.bare(str(document['label']['name']), y)}", True) for y in counted),
    ]
    note = f"Each row has the same {names.noun}; counts are predictions. Without the shortcut all "
    note += "rows would be alike. 95% Wilson intervals."
    return Table(
        place,
        f"What {run.name} predicts in each {attribute}",
        heads,
        rows,
        note,
        wide=True,
        dense=True,
        minimum=440 + 58 * len(counted),
    )


def _level(
    names: Names, attribute: str, level: Node, counted: Sequence[str], *, usual: bool
) -> list[Cell]:
    label, own = (level / "usual_label").value, str(names.document["label"]["name"])
    small = f"usual: {names.bare(own, str(label))}" if label is not None else ""
    return [
        row_head(names.bare(attribute, str((level / "level").value)), small),
        share_cell(level / "changed"),
        *([share_cell(level / "usual")] if usual else []),
        share_cell(level / "accuracy"),
        *(count_cell(level / "predicted" / y) for y in counted),
    ]
