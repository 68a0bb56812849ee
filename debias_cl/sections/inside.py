"""Tables of section 7: leakage, neighbours, shares of variance, alignment and uniformity."""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import clean, count, decimals
from debias_cl.sections.contract import Document
from debias_cl.sections.reading import Run, low_first
from debias_cl.sections.table import Cell, Head, Table, count_cell, number, row_head, share_cell
from debias_cl.sections.table import words as words_cell

BESIDE = "Whom they lie beside"
MOST_CELLS = 24
"""Cells whose neighbours are shown."""

KINDS = (("all", "all"), ("aligned", "aligned"), ("conflicting", "conflicting"))


def leakage(document: Document, looked: Sequence[Run], place: str) -> list[Table]:
    """Return how well each attribute can be read, overall and within one label."""
    names, attributes = Names(document), list(document.get("leakage") or {})
    if not attributes:
        return []
    binary = any(
        (looked[0].node / "leakage" / name / "linear_auc").number is not None for name in attributes
    )
    within = f"within {names.one_label}"
    columns = [
        ("linear_balanced_accuracy_within_label", f"Linear, {within}", share_cell),
        ("knn_balanced_accuracy_within_label", f"Neighbours, {within}", share_cell),
        ("majority_within_label", "Guessing", share_cell),
        ("linear_shuffled_within_label", "Linear, levels shuffled", share_cell),
        ("linear_balanced_accuracy", "Linear, all together", share_cell),
        ("knn_balanced_accuracy", "Neighbours, all together", share_cell),
        *([("linear_auc_within_label", f"AUC, linear, {within}", _score)] if binary else []),
    ]
    rows = [
        [
            row_head(run.short, names.attribute(name)),
            *(form(run.node / "leakage" / name / key) for key, _, form in columns),
            count_cell(run.node / "leakage" / name / columns[0][0] / "n"),
        ]
        for name in attributes
        for run in looked
    ]
    heads = [Head("Encoder"), *(Head(title, True) for _, title, _ in columns)]
    heads.append(Head("Judged", True))
    note = "Share of each level read right, mean over levels (balanced accuracy), by a probe that "
    note += "was fitted on the other half of the rows; the 95% interval counts the rows judged. "
    note += f"{within.capitalize()}: fitted and judged inside each, so that it is "
    note += "not the label's echo; then the mean."
    caption = "How well the attribute can be read from the features"
    return [_table(place, caption, heads, rows, note, 980)]


def neighbours(document: Document, looked: Sequence[Run], place: str) -> list[Table]:
    """Return whom rows lie beside: the same label, or the same attribute."""
    names = Names(document)
    near = [run for run in looked if (run.node / "representation" / "neighbours")]
    if not near:
        return []
    rows = [row for run in near for row in _near(names, run)]
    k = int((near[0].node / "representation" / "neighbours" / "k").number or 0)
    note = f"Share of the {k} nearest training {names.noun} (by cosine); 95% t interval over rows. "
    note += "By chance: the share that the level has of the training rows."
    heads = _near_heads(names, "Encoder and rows")
    return [_table(place, BESIDE, heads, rows, note, 700)]


def _near_heads(names: Names, first: str) -> list[Head]:
    attribute = any(not entry.get("of") for entry in names.document.get("attributes") or ())
    label = [Head(f"Same {names.label}", True), Head("By chance", True)]
    more = [Head("Same attribute", True), Head("By chance", True)]
    return [Head(first), *label, *(more if attribute else []), Head(names.noun.capitalize(), True)]


def _near(names: Names, run: Run) -> list[list[Cell]]:
    found = run.node / "representation" / "neighbours"
    if found / "label":
        value = found / "label"
        chance = number(value / "chance", _percent)
        return [[row_head(run.short), share_cell(value), chance, count_cell(value / "n")]]
    return [
        [row_head(run.short, f"{names.attribute(by.key)}, {word}"), *_entry(by / kind)]
        for by in found / "attributes"
        for kind, word in KINDS
        if by / kind
    ]


def _entry(entry: Node) -> list[Cell]:
    """Return the cells of one entry: shares beside chance, and how many rows."""
    return [
        cell
        for key in ("label", "attribute")
        for cell in (share_cell(entry / key), _chance(entry / key / "chance"))
    ] + [count_cell(entry / "n")]


def _chance(node: Node) -> Cell:
    return number(node, _percent) if node.number is not None else words_cell("—", "no rows")


def _percent(value: float) -> str:
    return f"{value * 100:.1f}%"


def cells(document: Document, looked: Sequence[Run], place: str) -> list[Table]:
    """Return the same for each cell of the audited encoder, folded; least of its label first."""
    names = Names(document)
    found = [
        cell
        for by in looked[0].node / "representation" / "neighbours" / "attributes"
        for cell in by / "cells"
    ]
    if not found:
        return []
    found.sort(key=lambda cell: low_first((cell / "label").number))
    shown = found[:MOST_CELLS]
    rows = [[row_head(names.cell((cell / "group").value)), *_entry(cell)] for cell in shown]
    caption = f"Whom each cell lies beside, {looked[0].short}"
    note = "Fewest neighbours of the own label first."
    if len(shown) < len(found):
        note += f" {count(len(shown))} of {count(len(found))} cells; metrics.json has all."
    heads = _near_heads(names, "Cell")
    return [_table(place, caption, heads, rows, note, 700, folded="Neighbours of each cell")]


def variance(document: Document, looked: Sequence[Run], place: str) -> list[Table]:
    """Return which share of the variance label and attribute hold, and alignment of all rows."""
    names = Names(document)
    attributes = list((looked[0].node / "representation" / "variance").value or {})
    if not attributes:
        return []
    columns = ("label", "attribute", "both", "attribute_within_label")
    rows = [
        [
            row_head(run.short, names.attribute(name)),
            *(share_cell(run.node / "representation" / "variance" / name / key) for key in columns),
            *(
                number(run.node / "representation" / "geometry" / name / 0 / key, decimals)
                for key in ("alignment", "uniformity")
            ),
        ]
        for name in attributes
        for run in looked
    ]
    heads = [
        Head("Encoder"),
        Head(f"{names.label.capitalize()} holds", True),
        Head("Attribute holds", True),
        Head("Both together", True),
        Head(f"Attribute, within {names.one_label}", True),
        Head("Alignment", True),
        Head("Uniformity", True),
    ]
    note = "Shares of the variance of the features between the levels. Alignment: mean squared "
    note += f"distance of two {names.noun} of {names.one_label} on the unit sphere (there are no "
    note += "views of one picture here). Uniformity: how evenly all are spread; lower is more even."
    return [_table(place, "What the features vary with", heads, rows, note, 760)]


def geometry(document: Document, looked: Sequence[Run], place: str) -> list[Table]:
    """Return alignment and uniformity of each group of the audited encoder, folded."""
    names = Names(document)
    found = [
        entry
        for by in looked[0].node / "representation" / "geometry"
        for entry in by
        if (entry / "group").value
    ]
    if not found:
        return []
    keys = ("alignment", "alignment_across", "uniformity")
    rows = [
        [
            row_head(names.group((entry / "group").value)),
            *(number(entry / key, decimals) for key in keys),
            count_cell(entry / "n"),
        ]
        for entry in found
    ]
    heads = [
        Head("Group"),
        Head("Alignment, inside", True),
        Head("Alignment, across", True),
        Head("Uniformity", True),
        Head(names.noun.capitalize(), True),
    ]
    note = f"Two {names.noun} of {names.one_label}: both inside the group, or one outside of it. "
    note += "Where the second is much larger, a label lies in pieces by group."
    caption = f"How close the groups of {clean(looked[0].short)} lie"
    return [_table(place, caption, heads, rows, note, 620, folded="Alignment of each group")]


def _score(node: Node) -> Cell:
    return number(node, decimals)


def _table(
    place: str,
    caption: str,
    heads: Sequence[Head],
    rows: Sequence[Sequence[Cell]],
    note: str,
    minimum: int,
    folded: str = "",
) -> Table:
    shown = f"{folded}, {count(len(rows))} rows" if folded else ""
    return Table(
        place,
        caption,
        heads,
        rows,
        note,
        wide=True,
        dense=True,
        folded=shown,
        minimum=minimum,
    )
