"""Section 10: what could help, measured on the same test rows; accuracy against the gap."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import clean
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure, Panel, Scale, ticks
from debias_cl.sections.measures import measures
from debias_cl.sections.reading import chosen, leading
from debias_cl.sections.table import (
    Cell,
    Head,
    Table,
    points_cell,
    row_head,
    share_cell,
    words,
)

EQUALIZED = "equalized_odds_difference"
CROWDED = 22
"""Pixels between two marks below which their numbers stand on different sides."""
NONE = Cell(Markup("–"), Markup(' class="r"'))
NOTE = (
    "The difference of accuracy is to the first row, on the same rows, with Tango's interval. "
    "Fitted on training or validation rows, judged on the test rows."
)


@dataclass(frozen=True)
class Line:
    """What is audited, or one remedy.

    Attributes:
        number: in table and figure.
        name: for people.
        small: what it changes, and where it needs the attribute.
        node: holds `overall` and `disparities`.
        paired: holds the paired differences; None for what is audited.
        reason: why it was not tried; "" where it was.
    """

    number: int
    name: str
    small: str
    node: Node
    paired: Node | None
    reason: str


def context(document: Document) -> Mapping[str, Any] | str:
    """Return the table and the figure, or why there are none."""
    if "remedies" not in document:
        return "Nothing was tried: remedies need the features of an encoder, and an attribute."
    lines = _lines(document)
    attribute = document["remedies"]["attribute"]
    gap = chosen(document).disparity
    table = _table(document, lines, attribute, gap)
    tried = [line for line in lines if not line.reason]
    return {
        "tables": [table],
        "figures": [_figure(document, tried, gap)] if len(tried) > 1 else [],
        "says": [line.small for line in lines[1:]],
    }


def _lines(document: Document) -> list[Line]:
    root = Node(document)
    audited = str((root / "encoder" / "judge").value or "as audited")
    found = [Line(1, audited, "what this report audits", root, None, "")]
    for place, one in enumerate(root / "remedies" / "tried", start=2):
        said = f"{(one / 'says').value} The attribute is needed {(one / 'uses').value}."
        reason = clean(str((one / "reason").value or ""))
        name = str((one / "name").value)
        found.append(Line(place, name, said, one, one / "paired", reason))
    return found


def _table(document: Document, lines: Sequence[Line], attribute: str, gap: str) -> Table:
    heads = [
        Head("What"),
        Head("Accuracy", True),
        Head("Difference, points", True),
        Head("Worst cell", True),
        *(Head(f"Gap: {_called(document, name)}, points", True) for name in _gaps(gap)),
    ]
    rows = [_row(line, attribute, gap, len(heads)) for line in lines]
    caption = f"What could help, gaps by {Names(document).attribute(attribute)}"
    return Table("10a", caption, heads, rows, NOTE, wide=True, sort=False, minimum=760)


def _row(line: Line, attribute: str, gap: str, width: int) -> list[Cell]:
    head = row_head(f"{line.number} {line.name}")
    if line.reason:
        return [head, words(f"not tried: {line.reason}"), *[Cell(Markup(""))] * (width - 2)]
    of = line.node / "disparities" / attribute
    paired = NONE if line.paired is None else points_cell(line.paired / "accuracy")
    return [
        head,
        share_cell(line.node / "overall" / "accuracy"),
        paired,
        share_cell(line.node / "overall" / "worst_group_accuracy"),
        *(points_cell(leading(of, name)) for name in _gaps(gap)),
    ]


def _gaps(gap: str) -> tuple[str, ...]:
    """The gap that this report leads with, and equalized odds."""
    return tuple(dict.fromkeys((gap, EQUALIZED)))


def _called(document: Document, gap: str) -> str:
    return measures(Names(document))[gap.removesuffix("_difference")][0]


def _figure(document: Document, lines: Sequence[Line], gap: str) -> Figure:
    """Draw accuracy (up) against the gap (to the right): up and left is better."""
    attribute = document["remedies"]["attribute"]
    spots = []
    for line in lines:
        x = leading(line.node / "disparities" / attribute, gap).number
        y = (line.node / "overall" / "accuracy").number
        if x is not None and y is not None:
            spots.append((line, x, y))
    identity = "f101"
    told = "Each number is a row of the table; farther up and left is better."
    svg = _scatter(spots, identity, told)
    named = f"Gap: {_called(document, gap)}. {told}"
    return Figure(identity, "10.1", "Accuracy against the gap", named, svg, "10a")


def _scatter(spots: Sequence[tuple[Line, float, float]], figure: str, told: str) -> Markup:
    highest = max((x for _, x, _ in spots), default=0.1)
    end = max(0.1, min(1.0, (int(highest * 10) + 1) / 10))
    low, high = _ends([y for _, _, y in spots])
    along, up = Scale(0, end, 40, 330, ticks(0, end)), Scale(low, high, 176, 10, ticks(low, high))
    panel = Panel(206)
    for tick in up.ticks:
        panel.line([along.left, along.right], [up(tick)] * 2, "line", width=1)
        panel.text(34, up(tick), f"{tick * 100:.0f}%", token="muted", anchor="right")
    for tick in along.ticks:
        panel.text(along(tick), 187, f"{tick * 100:.0f}", token="muted", anchor="center")
    panel.text((along.left + along.right) / 2, 200, "gap, points", token="muted", anchor="center")
    above, last = True, -math.inf
    for line, x, y in sorted(spots, key=lambda spot: spot[1]):
        above = not above if along(x) - last < CROWDED else True
        last = along(x)
        panel.mark(last, up(y), "run" if line.paired is None else "ref")
        panel.text(last, up(y) - 11 if above else up(y) + 12, str(line.number), anchor="center")
    return panel.svg(figure, "Scatter chart: accuracy against the gap", told)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return round ends of an axis that leave room above and below."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    return max(0.0, math.floor(low * 20 - 0.5) / 20), min(1.0, math.ceil(high * 20 + 0.5) / 20)


SPEC = SectionSpec(number=10, title="What could help", template="remedies.html.j2", context=context)
