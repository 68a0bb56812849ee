"""Section 5's last part: rates and gaps against the decision threshold, where there are scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, points, score, share
from debias_cl.sections.contract import Document
from debias_cl.sections.curves import MOST_GREY, SERIES, drawn
from debias_cl.sections.figures import Figure
from debias_cl.sections.lines import Axis, Extras, Line, plain, plot
from debias_cl.sections.measures import measures
from debias_cl.sections.reading import attributes
from debias_cl.sections.table import Cell, Head, Table, letter, number, undefined

MOST_DRAWN = 2
"""Attributes with figures; metrics.json has all."""
LISTED = 11
"""Thresholds in a table at most."""
MOST_LISTED = 4
"""Groups in a table at most."""
DRAWN = 60
"""Thresholds drawn at most."""
GAPS: Mapping[str, tuple[str, bool, str]] = {
    "demographic_parity_difference": ("axis", False, "Thin"),
    "equalized_odds_difference": ("run", True, "solid"),
    "equal_opportunity_difference": ("ref", False, "dashed"),
}
"""Gap -> series, whether its line stands out, and how it looks in words."""


def sweep(document: Document, tables: int, figures: int) -> Mapping[str, Any] | None:
    """Return figures and tables of the sweep; None without scores.

    Args:
        document: the metrics document.
        tables, figures: how many section 5 has before.
    """
    found = Node(document) / "threshold_sweep"
    if not found or not (found / "thresholds").value:
        return None
    single = [entry["name"] for entry in attributes(document, together=False)]
    listed: list[Table] = []
    shown: list[Figure] = []
    for name in single[:MOST_DRAWN]:
        table = _table(document, name, f"5{letter(tables + len(listed))}")
        listed.append(table)
        for make in (_rates_figure, _gaps_figure):
            figure = make(document, name, figures + len(shown) + 1, table)
            shown += [figure] if figure else []
    return {"figures": shown, "tables": listed, "used": (found / "threshold").number}


def _places(found: Node, most: int) -> list[int]:
    """Return evenly spread places among the thresholds, with the one in use."""
    at = (found / "thresholds").value
    count = min(most, len(at))
    places = {round(i * (len(at) - 1) / max(count - 1, 1)) for i in range(count)}
    used = (found / "threshold").value
    if used in at and at.index(used) not in places:
        near = min(places - {0, len(at) - 1} or places, key=lambda i: abs(at[i] - used))
        places = places - {near} | {at.index(used)}
    return sorted(places)


def _axis(found: Node) -> tuple[Axis, Extras]:
    """Return the axis of thresholds, and the dotted line at the one in use."""
    at = (found / "thresholds").value
    low, high = at[0], at[-1]
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    across = Axis("selected at a score of at least", low, high, plain)
    return across, Extras(at=(found / "threshold").number)


def _line(found: Node, places: Sequence[int], values: Node, series: str, **more: Any) -> Line:
    """Return a line over the thresholds where it is defined, with its band if there is one."""
    at, rate = (found / "thresholds").value, (values / "value").value
    low, high = (values / "low").value or (), (values / "high").value or ()
    kept = [i for i in places if i < len(rate) and rate[i] is not None]
    banded = series != "axis" and low and all(low[i] is not None for i in kept)
    return Line(
        tuple(at[i] for i in kept),
        tuple(rate[i] for i in kept),
        series,
        tuple(low[i] for i in kept) if banded else (),
        tuple(high[i] for i in kept) if banded else (),
        **more,
    )


def _rate(document: Document) -> tuple[str, str]:
    """Return the rate that is drawn, and what it is called."""
    names = Names(document)
    if names.known:
        return "true_positive_rate", f"{names.positive} found (TPR)"
    return "selection_rate", f"called {names.positive}"


def _rates_figure(document: Document, attribute: str, place: int, table: Table) -> Figure | None:
    """Return the true positive rate of the groups, or what is selected where no truth is known."""
    found, names = Node(document) / "threshold_sweep", Names(document)
    rate, title = _rate(document)
    ends, rest = _apart(document, attribute)
    places, (across, extras) = _places(found, DRAWN), _axis(found)
    lines = [_line(found, places, node / rate, "axis") for node in rest[:MOST_GREY]]
    lines += [_line(found, places, n / rate, s) for n, s in zip(ends, SERIES, strict=False)]
    lines = [line for line in lines if len(line.x) > 1]
    if not lines:
        return None
    told = f"{_key(names, ends, rest)}. Thin edges: 95% interval; dotted: threshold in use."
    head = f"{capital(title)} by {names.attribute(attribute)}"
    identity = f"f5{place}"
    svg = plot(lines, across, Axis(title), extras, (identity, head, DESCRIPTION))
    return Figure(identity, f"5.{place}", head, told, svg, table.number)


DESCRIPTION = "Lines over the decision threshold. The table has some of the numbers."


def _apart(document: Document, attribute: str) -> tuple[list[Node], list[Node]]:
    """Return the swept groups drawn in colour, as in section 6, and the others."""
    found = Node(document) / "threshold_sweep" / "groups"
    mine = [node for node in found if (node / "attribute").value == attribute]
    first = [(node / "group").value for node in drawn(document, "roc", attribute).first]
    ends = [node for who in first for node in mine if (node / "group").value == who] or mine[:2]
    return ends, [node for node in mine if node not in ends]


def _key(names: Names, ends: Sequence[Node], rest: Sequence[Node]) -> str:
    told = [
        f"{mark}: {names.group((node / 'group').value)}"
        for mark, node in zip(("Solid", "dashed"), ends, strict=False)
    ]
    return "; ".join([*told, *(["thin: other groups"] if rest else [])])


def _gaps_figure(document: Document, attribute: str, place: int, table: Table) -> Figure | None:
    found, names = Node(document) / "threshold_sweep", Names(document)
    places, (across, extras) = _places(found, DRAWN), _axis(found)
    told, gaps = measures(names), found / "gaps" / attribute
    lines, said = [], []
    for name, (series, thick, mark) in GAPS.items():
        family = name.removesuffix("_difference")
        if family not in told:
            continue
        line = _line(found, places, gaps / name, series, thick=thick)
        if len(line.x) > 1:
            lines.append(line)
            said.append(f"{mark}: {told[family][0]}")
    if not lines:
        return None
    highest = max(value for line in lines for value in line.y)
    up = Axis("gap, points", 0.0, _roof(highest), lambda tick: f"{tick * 100:.0f}")
    head = f"Gaps by {names.attribute(attribute)}"
    identity = f"f5{place}"
    svg = plot(lines, across, up, extras, (identity, head, DESCRIPTION))
    least = (found / "min_group").number or 0
    which = f"Largest gap between groups of {least:.0f} or more. {'; '.join(said)}"
    which += "; dotted: threshold in use."
    return Figure(identity, f"5.{place}", head, which, svg, table.number)


def _roof(highest: float) -> float:
    return next(end for end in (0.1, 0.2, 0.5, 1.0) if highest <= end)


def _table(document: Document, attribute: str, label: str) -> Table:
    """Return some thresholds with their gaps, and the rate of the groups drawn."""
    found, names = Node(document) / "threshold_sweep", Names(document)
    rate, title = _rate(document)
    gaps = found / "gaps" / attribute
    said = {f"{family}_difference": words[0] for family, words in measures(names).items()}
    kinds = [name for name in GAPS if name in said and (gaps / name / "value").value]
    ends, rest = _apart(document, attribute)
    mine = [*ends, *rest][:MOST_LISTED]
    heads = [
        Head("Selected at a score of at least", True),
        *(Head(f"{said[k]}: gap, points", True) for k in kinds),
        *(Head(f"{names.group((n / 'group').value)}: {title}", True) for n in mine),
        *(Head(f"{names.group((n / 'group').value)}: accuracy", True) for n in mine if names.known),
    ]
    rows = []
    for place in _places(found, LISTED):
        cells = [number(found / "thresholds" / place, score)]
        cells += [_cell(gaps / kind / "value" / place, points) for kind in kinds]
        cells += [_cell(node / rate / "value" / place, share) for node in mine]
        if names.known:
            cells += [_cell(node / "accuracy" / "value" / place, share) for node in mine]
        rows.append(cells)
    caption = f"Rates and gaps by {names.attribute(attribute)} against the threshold"
    note = f"{len(rows)} of the thresholds in metrics.json; a score equal to one is selected."
    minimum = 160 + 96 * (len(heads) - 1)
    return Table(
        label,
        caption,
        heads,
        rows,
        note,
        wide=True,
        sort=False,
        folded=caption,
        minimum=minimum,
    )


def _cell(node: Node, form: Any) -> Cell:
    return undefined(Node({"reason": "no rows"})) if node.number is None else number(node, form)
