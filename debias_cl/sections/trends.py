"""How rates go with a numeric attribute: its ranges, and a straight line with a band."""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import clean
from debias_cl.sections.blocks import rate_heads, reasoned
from debias_cl.sections.contract import Document
from debias_cl.sections.figures import Figure
from debias_cl.sections.lines import Axis, Cross, Extras, Line, plain, plot
from debias_cl.sections.reading import find
from debias_cl.sections.table import Head, Table, letter, points_cell, row_head, share_cell

MOST_DRAWN = 2
"""Attributes with figures; the tables have all."""
HEIGHT = 120


def trends(document: Document, tables: int, figures: int) -> tuple[list[Table], list[Figure]]:
    """Return a table for each numeric attribute, and a panel for each of its rates.

    Args:
        document: content of metrics.json.
        tables, figures: how many the section has before.
    """
    made: list[Table] = []
    drawn: list[Figure] = []
    for node in Node(document) / "trends":
        table = _table(document, node, f"3{letter(tables + len(made))}")
        made.append(table)
        for rate in node if len(made) <= MOST_DRAWN else ():
            if (rate / "line").value:
                number = figures + len(drawn) + 1
                drawn.append(_figure(document, node.key, rate, number, table))
    return made, drawn


def _table(document: Document, node: Node, label: str) -> Table:
    names, heads = Names(document), rate_heads(document)
    levels = list(
        dict.fromkeys(str((one / "level").value) for rate in node for one in rate / "line")
    )
    rows = []
    for rate in node:
        at = {str((one / "level").value): one for one in rate / "line"}
        empty = Node({"reason": (rate / "slope" / "reason").value or "no rows"})
        rows.append(
            [
                row_head(heads[rate.key]),
                reasoned(names, rate / "change", points_cell),
                *(reasoned(names, at.get(level, empty), share_cell) for level in levels),
            ]
        )
    title = [Head("Rate"), Head("Lowest to highest range, points", True)]
    title += [Head(f"Line at {clean(level)}", True) for level in levels]
    note = "A straight line of least squares, each row at the mean of its range; 95% intervals. "
    note += "It sums up the ranges and does not say that the rate is straight."
    caption = f"How the rates go with {names.attribute(node.key)}"
    minimum = 300 + 110 * len(levels)
    return Table(label, caption, title, rows, note, True, True, minimum=minimum)


def _figure(document: Document, attribute: str, rate: Node, number: int, table: Table) -> Figure:
    names, line = Names(document), list(rate / "line")
    title = rate_heads(document)[rate.key]
    x = [float((one / "x").value) for one in line]
    band = [
        tuple(
            float(one.value[end] if one.value[end] is not None else one.value["value"])
            for one in line
        )
        for end in ("low", "high")
    ]
    drawn = Line(
        tuple(x),
        tuple(float(one.value["value"]) for one in line),
        "run",
        band[0],
        band[1],
        tuple(_cross(document, attribute, rate.key, one) for one in line),
    )
    up = _axis(title, drawn)
    identity, who = f"f3{number}", names.attribute(attribute)
    svg = plot(
        [drawn],
        Axis(who, *_ends(x), plain),
        up,
        Extras(height=HEIGHT),
        (identity, f"{title} against {who}", DESCRIPTION),
    )
    told = "Ranges at their mean, 95% intervals; line of least squares with its band; axis from "
    told += f"{up.low * 100:.0f}% to {up.high * 100:.0f}%."
    heading = f"{title}, by {who}"
    return Figure(identity, f"3.{number}", heading[:49], told, svg, table.number)


DESCRIPTION = "A point a range with its interval, and a straight line with its band."


def _cross(document: Document, attribute: str, rate: str, one: Node) -> Cross:
    """Return a range's own rate and interval at its mean number."""
    group = find(document, "groups", attribute, {attribute: str((one / "level").value)})
    value = (group / rate).value or {}
    low, high, at = value.get("low"), value.get("high"), value.get("value")
    up = None if low is None or high is None else (float(low), float(high))
    return Cross(
        float((one / "x").value), float(at if at is not None else one.value["value"]), up=up
    )


def _ends(x: Sequence[float]) -> tuple[float, float]:
    room = (max(x) - min(x)) * 0.06 or 1.0
    return min(x) - room, max(x) + room


def _axis(title: str, line: Line) -> Axis:
    """Return the axis of shares: all of 0 to 1, or the tenths that hold every point and band."""
    ends = [v for cross in line.points for v in (cross.y, *(cross.up or ()))]
    values = [*line.y, *line.low, *line.high, *ends]
    low = max(0.0, int(min(values) * 10) / 10)
    high = min(1.0, -int(-max(values) * 10 - 0.999) / 10)
    return Axis(title, low, max(high, low + 0.1))
