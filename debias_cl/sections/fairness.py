"""Section 5: every gap as difference and ratio, beside what chance gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import (
    Sentence,
    capital,
    n_equals,
    p_value,
    points,
    ratio,
    say,
    show,
)
from debias_cl.sections.bars import GapRow, gaps
from debias_cl.sections.beside_gap import beside, other_cell, ratio_beside
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure
from debias_cl.sections.forest import Mark
from debias_cl.sections.further import blocks
from debias_cl.sections.measures import MISSED, measures, others
from debias_cl.sections.reading import Run, drawn, leading, min_group, threshold
from debias_cl.sections.sweep import sweep
from debias_cl.sections.table import (
    Cell,
    Head,
    Table,
    letter,
    number,
    points_cell,
    row_head,
    undefined,
    words,
)

PANELS = 6
"""Most panels of gaps; the tables have all."""


def context(document: Document) -> Mapping[str, Any] | str:
    """Return definitions, a table an attribute, figures, what was left out."""
    if not document.get("disparities"):
        if (document.get("dataset") or {}).get("has_attributes") is False:
            return "Not applicable: this data set has no attribute, so no groups to compare."
        return "No attribute was given, so there are no gaps between groups."
    compared, names = drawn(document), Names(document)
    found = list(document["disparities"])
    tables = [_table(document, name, compared, place) for place, name in enumerate(found)]
    figures = _figures(document, compared, found[:PANELS])
    swept = sweep(document, len(tables), len(figures))
    return {
        "definitions": _definitions(names),
        "least": min_group(document),
        "tables": tables,
        "no_truth": "" if names.known else NO_TRUTH,
        "left_out": [line for name in found for line in _left_out(document, names, name)],
        "four_fifths": list(_four_fifths(document, names)),
        "figures": figures,
        "compared": [run.name for run in compared],
        "sweep": swept,
        "further": blocks(document, len(tables) + len(swept["tables"] if swept else ())),
    }


def _definitions(names: Names) -> list[tuple[str, str]]:
    found = [
        (f"{name} ({technical}):" if name != technical.capitalize() else f"{name}:", meaning)
        for name, technical, meaning in [*measures(names).values(), *others(names).values()]
    ]
    chance = "the gap that shuffled groups reach in 95 of 100 tries; p says how often chance gives "
    chance += "differences like these, adjusted over all gaps here (Benjamini-Hochberg)."
    return [*found, ("Chance:", chance)]


def _table(document: Document, attribute: str, compared: Sequence[Run], place: int) -> Table:
    names = Names(document)
    label = f"5{letter(place)}"
    heads = [
        Head("Measure"),
        Head("Gap, points", True),
        Head("Chance, points", True),
        Head("p, adjusted", True),
        Head("Ratio", True),
        Head("Lowest"),
        Head("Highest"),
        *(Head(f"{run.brief}: gap, points", True) for run in compared[1:]),
    ]
    rows = [
        _gap_row(document, names, attribute, key, told, compared)
        for key, told in measures(names).items()
    ]
    rows += [
        _other_row(document, attribute, key, told, compared)
        for key, told in others(names).items()
        if key != MISSED or document.get("n_missing_prediction")
    ]
    least = min_group(document)
    note = f"Groups whose denominator has at least {least} rows; “all groups” where that differs. "
    note += "Three or more groups: “at least” and “at most” instead of an interval."
    caption = f"Gaps and ratios by {names.attribute(attribute)}"
    minimum = 820 + 110 * (len(compared) - 1)
    return Table(label, caption, heads, rows, note, True, True, minimum=minimum)


def _gap_row(
    document: Document,
    names: Names,
    attribute: str,
    key: str,
    told: tuple[str, str, str],
    compared: Sequence[Run],
) -> list[Cell]:
    of = Node(document) / "disparities" / attribute
    gap = leading(of, f"{key}_difference")
    level = (gap / "class").value
    technical = told[1] + (f", {names.level(document['label']['name'], level)}" if level else "")
    return [
        row_head(told[0], technical),
        beside(_with_all(of, f"{key}_difference", gap), gap),
        _optional(gap / "null95", points),
        _optional(gap / "p_adjusted", p_value),
        ratio_beside(leading(of, f"{key}_ratio")),
        _end(names, gap / "lowest"),
        _end(names, gap / "highest"),
        *(
            points_cell(leading(run.node / "disparities" / attribute, f"{key}_difference"))
            for run in compared[1:]
        ),
    ]


def _other_row(
    document: Document,
    attribute: str,
    key: str,
    told: tuple[str, str, str],
    compared: Sequence[Run],
) -> list[Cell]:
    of, names = Node(document) / "disparities" / attribute, Names(document)
    gap = leading(of, key)
    level = (gap / "class").value
    about = f", {names.level(document['label']['name'], level)}" if level else ""
    return [
        row_head(told[0], told[1] + about),
        other_cell(gap, key),
        _optional(gap / "null95", points),
        _optional(gap / "p_adjusted", p_value),
        undefined(Node({"reason": "no ratio"})),
        _end(names, gap / "lowest"),
        _end(names, gap / "highest"),
        *(
            other_cell(leading(run.node / "disparities" / attribute, key), key)
            for run in compared[1:]
        ),
    ]


def _with_all(of: Node, disparity: str, gap: Node) -> Cell:
    """Return the gap, and the one over all groups in a small line where it differs."""
    cell, every = points_cell(gap), of / disparity
    if gap.number is None or every.number is None or abs(every.number - gap.number) < 5e-4:
        return cell
    tail = say(" (chance ", show(every / "null95", points), ")") if every / "null95" else say("")
    small = words("", say("all groups ", show(every, points), tail))
    return Cell(cell.inner + small.inner, cell.attributes)


def _optional(node: Node, form: Any) -> Cell:
    if node.number is None:
        return undefined(Node({"reason": "none computed"}))
    return number(node, form)


def _end(names: Names, end: Node) -> Cell:
    if not end or not (end / "group").value:
        return words("—", "of all groups")
    n = end / "n"
    small: str | Sentence = say(show(n, n_equals)) if n.number is not None else ""
    return words(names.group((end / "group").value), small)


def _left_out(document: Document, names: Names, attribute: str) -> Iterator[str]:
    """Name every group that a gap leaves out, with its reasons and the measures concerned."""
    said: dict[str, dict[str, list[str]]] = {}
    of = Node(document) / "disparities" / attribute
    for key, (title, _, _) in measures(names).items():
        for entry in leading(of, f"{key}_difference") / "left_out":
            who = names.group((entry / "group").value)
            reason = RATE.sub("", names.reason((entry / "reason").value))
            titles = said.setdefault(who, {}).setdefault(reason, [])
            titles += [title] if title not in titles else []
    for who, reasons in said.items():
        told = "; ".join(f"{reason} ({', '.join(titles)})" for reason, titles in reasons.items())
        yield f"{capital(who)}: {told}."


NO_TRUTH = "Accuracy, equal opportunity, equalized odds and predictive parity need the truth: not "
NO_TRUTH += "applicable, no labels given."
RATE = re.compile(r", (true|false)_positive_rate|, precision")


def _four_fifths(document: Document, names: Names) -> Iterator[Sentence]:
    """Say the four-fifths reading for each attribute of a binary label."""
    line = threshold(document, "four_fifths")
    for attribute in document["disparities"] if names.binary else ():
        found = leading(Node(document) / "disparities" / attribute, "demographic_parity_ratio")
        if found.number is None:
            continue
        most = (found / "at_most").number
        surely = most is not None and most < line
        below = "below" if found.number < line else "not below"
        tail = "" if found.number >= line else (", surely" if surely else ", but not surely")
        yield say(
            f"{names.attribute(attribute)}: the ratio of the least to the most called "
            f"{names.positive} is ",
            show(found, ratio),
            f", {below} {ratio(line)}{tail}.",
        )


def _figures(
    document: Document, compared: Sequence[Run], attributes: Sequence[str]
) -> list[Figure]:
    """Return a panel an attribute; with several other runs, one a run for the first attribute."""
    names = Names(document)
    if len(compared) > 2:
        panels = [(attributes[0], [compared[0], run]) for run in compared[1:]]
    else:
        panels = [(attribute, list(compared)) for attribute in attributes]
    highest = max(
        (
            max(gap.number or 0.0, _mark(gap).high or 0.0)
            for attribute, pair in panels
            for run in pair
            for gap in _gaps(names, run, attribute)
        ),
        default=0.1,
    )
    return [
        _figure(names, attribute, pair, highest, place, len(compared) > 2)
        for place, (attribute, pair) in enumerate(panels, start=1)
    ]


def _gaps(names: Names, run: Run, attribute: str) -> list[Node]:
    of = run.node / "disparities" / attribute
    return [leading(of, f"{key}_difference") for key in measures(names)]


def _figure(
    names: Names, attribute: str, pair: Sequence[Run], highest: float, place: int, several: bool
) -> Figure:
    both = [_gaps(names, run, attribute) for run in pair]
    rows = [
        GapRow(
            label=told[0],
            marks=tuple(_mark(found[turn]) for found in both),
            chance=(both[0][turn] / "null95").number,
            shown="—" if both[0][turn].number is None else points(both[0][turn].number or 0.0),
        )
        for turn, told in enumerate(measures(names).values())
    ]
    identity, label = f"f5{place}", f"5{letter(0 if several else place - 1)}"
    title = f"By {names.attribute(attribute)}"
    if several:
        title += f", beside {pair[1].brief}"
    told = "Gaps in points; the grey band is what chance gives. Lines: 95% interval or bounds."
    svg = gaps(rows, highest, identity, f"Gaps {title[0].lower()}{title[1:]}", DESCRIPTION)
    return Figure(identity, f"5.{place}", title, told, svg, label)


DESCRIPTION = "A row a measure: gap with interval, band of chance. The table has the same numbers."


def _mark(gap: Node) -> Mark:
    low, high = (gap / "low").number, (gap / "high").number
    if low is None or high is None:
        low, high = (gap / "at_least").number, (gap / "at_most").number
    return Mark(gap.number, low, high)


SPEC = SectionSpec(number=5, title="Fairness metrics", template="fairness.html.j2", context=context)
