"""Section 3: every group and intersection, lowest first, and a forest plot of the same numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, clean, count, share
from debias_cl.sections.classes import class_forest, class_tables
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure
from debias_cl.sections.forest import ForestRow, Mark, forest
from debias_cl.sections.reading import (
    Chosen,
    Run,
    attributes,
    chosen,
    drawn,
    groups,
    low_first,
    min_group,
    same,
)
from debias_cl.sections.table import Cell, Head, Table, count_cell, number, row_head, share_cell
from debias_cl.sections.trends import trends

MOST_ROWS = 24
"""Most rows of a forest plot; the table has all."""


def context(document: Document) -> Mapping[str, Any] | str:
    """Return tables and figures of all groups."""
    if not document.get("groups"):
        return _by_class(document)
    metric, compared = chosen(document), drawn(document)
    single = [entry["name"] for entry in attributes(document, together=False)]
    joint = [entry["name"] for entry in attributes(document, together=True)]
    tables = [_table(document, metric, compared, single, "3a", "By one attribute")]
    if joint:
        tables.append(_table(document, metric, compared, joint, "3b", _together(document, joint)))
    figures = _figures(document, metric, compared, [*single, *joint])
    more, panels = trends(document, len(tables), len(figures))
    return {
        "lede": "How the model does for each group and each intersection; lowest "
        f"“{metric.short}” first.",
        "tables": [*tables, *more],
        "figures": [*figures, *panels],
        "compared": [run.name for run in compared],
        "metric": metric.short,
    }


def _by_class(document: Document) -> Mapping[str, Any] | str:
    """Return the classes, which stand in where no attribute is known."""
    if not document.get("classes"):
        return "No attribute was given, so there are no groups to compare."
    figure = class_forest(document, "3.1", "3a")
    return {
        "lede": "No attribute is known, so there are no groups to compare; accuracy by class, "
        "lowest first.",
        "tables": class_tables(document),
        "figures": [figure] if figure else [],
        "compared": [run.name for run in drawn(document)[:2]],
        "metric": "Accuracy",
    }


def _table(
    document: Document,
    metric: Chosen,
    compared: Sequence[Run],
    names: Sequence[str],
    place: str,
    caption: str,
) -> Table:
    others = compared[1:]
    heads = [
        Head("Group"),
        Head(metric.head, True),
        *([Head(capital(metric.rows), True)] if metric.rate == "true_positive_rate" else []),
        *(Head(f"{run.brief}: {metric.head[:1].lower()}{metric.head[1:]}", True) for run in others),
        *(Head(title, True) for _, title in _more(document, metric)),
        Head("All " + Names(document).noun, True),
        Head("Share", True),
    ]
    found = [group for name in names for group in groups(document, name, metric.rate)]
    found.sort(key=lambda group: low_first((group / metric.rate).number))
    rows = [_row(document, metric, others, group) for group in found]
    audited = compared[0].name
    told = f"{audited} unless another run is named. " if others else ""
    note = f"{told}95% intervals in brackets ({_method(document)}). A dash means undefined: the "
    note += "reason stands beside it, and it is left out of every comparison."
    return Table(place, caption, heads, rows, note, wide=True, dense=True, minimum=900)


def _together(document: Document, joint: Sequence[str]) -> str:
    names = Names(document)
    return f"By {names.attribute(joint[0])} together" if len(joint) == 1 else "By several together"


def _more(document: Document, metric: Chosen) -> list[tuple[str, str]]:
    names = Names(document)
    if not names.known:
        return []
    if names.binary:
        return [
            ("false_positive_rate", f"Others called {names.positive} (FPR)"),
            ("accuracy", "Accuracy"),
            ("precision", f"“{capital(names.positive)}” that is true (precision)"),
            ("selection_rate", f"Called {names.positive}"),
        ]
    return [("precision", "Precision, macro"), ("f1", "F1, macro")]


def _row(document: Document, metric: Chosen, others: Sequence[Run], group: Node) -> list[Cell]:
    value, reason = group / metric.rate, Names(document).reason
    return [
        row_head(Names(document).group((group / "group").value), _small(document, metric, group)),
        share_cell(value, reason),
        *([count_cell(value / "n")] if metric.rate == "true_positive_rate" else []),
        *(share_cell(same(run, "groups", group) / metric.rate, reason) for run in others),
        *(share_cell(group / rate, reason) for rate, _ in _more(document, metric)),
        count_cell(group / "n"),
        number(group / "share", share),
    ]


def _small(document: Document, metric: Chosen, group: Node) -> str:
    """Return the small line under a group's name."""
    least = min_group(document)
    n = (group / metric.rate / "n").number
    if n is not None and n < least:
        return f"under {least} {metric.rows}"
    return f"lowest of {least} or more" if _is_lowest(document, metric, group) else ""


def _is_lowest(document: Document, metric: Chosen, group: Node) -> bool:
    of = Node(document) / "disparities" / str((group / "attribute").value)
    gap = of / f"{metric.disparity}_min_group"
    return gap.number is not None and (gap / "lowest" / "group").value == (group / "group").value


def _figures(
    document: Document, metric: Chosen, compared: Sequence[Run], names: Sequence[str]
) -> list[Figure]:
    """Return one panel a compared run, or one a metric where there is at most one."""
    others = compared[1:]
    if len(others) > 1:
        panels = [(metric.rate, metric.short, [compared[0], run]) for run in others]
    else:
        rates = [(metric.rate, metric.short)]
        rates += [(rate, title) for rate, title in _more(document, metric)][:2]
        panels = [(rate, title, list(compared)) for rate, title in rates]
    return [
        _figure(document, metric, rate, title, pair, names, place)
        for place, (rate, title, pair) in enumerate(panels, start=1)
    ]


def _figure(
    document: Document,
    metric: Chosen,
    rate: str,
    title: str,
    pair: Sequence[Run],
    names: Sequence[str],
    place: int,
) -> Figure:
    rows, left = _rows(document, metric, rate, pair, names)
    overall = (Node(document) / "overall" / rate).number
    identity = f"f3{place}"
    told = f"{title}, {pair[0].name}" + (f" and {pair[1].name}" if len(pair) > 1 else "")
    svg, scale = forest(rows, overall, identity, f"Forest plot: {told}", DESCRIPTION)
    cut = ""
    if scale.low > 0:
        cut = f"; axis from {scale.low * 100:.0f}%"
    elif scale.high < 1:
        cut = f"; axis to {scale.high * 100:.0f}%"
    fewer = f"; the {MOST_ROWS} lowest, {left} more in the table" if left else ""
    whole = f"{title} with 95% intervals; n is its rows{cut}{fewer}."
    heading = _message(document, metric, rate, names)
    if len(drawn(document)) > 2:
        heading = f"Beside {pair[1].brief}"
    return Figure(identity, f"3.{place}", heading, whole, svg, "3a")


DESCRIPTION = "A row a group, lowest first; points are shares, lines 95% intervals. Data: table 3a."


def _message(document: Document, metric: Chosen, rate: str, names: Sequence[str]) -> str:
    """Return the title of a panel: who is lowest (or highest, for wrong finds)."""
    words, wrong = Names(document), rate == "false_positive_rate"
    found = [
        ((group / rate).number, group)
        for name in names
        for group in groups(document, name, rate)
        if (group / rate).number is not None
        and ((group / rate / "n").number or 0) >= min_group(document)
    ]
    if not found:
        return "Too few rows in every group"
    end = (max if wrong else min)(found, key=lambda entry: entry[0] or 0.0)[1]
    who = capital(words.group((end / "group").value))
    label = MESSAGES.get(rate, "{who}: lowest here").format(who=who)
    return label if len(label) < 50 else f"{label[:47]}…"


MESSAGES = {
    "true_positive_rate": "{who}: found least often",
    "false_positive_rate": "{who}: most wrong finds",
    "accuracy": "{who}: lowest accuracy",
    "precision": "{who}: lowest precision",
    "selection_rate": "{who}: selected least often",
}


def _rows(
    document: Document, metric: Chosen, rate: str, pair: Sequence[Run], names: Sequence[str]
) -> tuple[list[ForestRow], int]:
    """Return forest rows under headings, and how many groups did not fit."""
    words = Names(document)
    found = [(name, groups(document, name, rate)) for name in names]
    every = sorted(
        (group for _, some in found for group in some),
        key=lambda group: low_first((group / rate).number),
    )
    shown = {group.pointer for group in every[:MOST_ROWS]}
    rows: list[ForestRow] = []
    for name, some in found:
        inside = [group for group in some if group.pointer in shown]
        if inside and len(names) > 1:
            rows.append(ForestRow(words.attribute(name)))
        rows += [forest_row(document, words, metric, rate, pair, group) for group in inside]
    return rows, max(0, len(every) - MOST_ROWS)


def forest_row(
    document: Document,
    words: Names,
    metric: Chosen,
    rate: str,
    pair: Sequence[Run],
    group: Node,
) -> ForestRow:
    values = [same(run, "groups", group) / rate for run in pair]
    n = (values[0] / "n").number
    return ForestRow(
        label=words.group((group / "group").value),
        n="0" if n is None else count(n),
        marks=tuple(mark(value) for value in values),
        bold=rate == metric.rate and _is_lowest(document, metric, group),
        reason=words.reason((values[0] / "reason").value),
    )


def mark(value: Node) -> Mark:
    return Mark(value.number, (value / "low").number, (value / "high").number)


def _method(document: Document) -> str:
    interval = (document.get("settings") or {}).get("interval") or "wilson"
    return {"wilson": "Wilson", "exact": "Clopper-Pearson"}.get(interval, clean(str(interval)))


SPEC = SectionSpec(number=3, title="Groups", template="groups.html.j2", context=context)
