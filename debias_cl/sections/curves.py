"""Section 6's figures: ROC and calibration curves of the groups of one attribute, and their data.

Of the groups of enough rows, the one with the lowest AUC and the one with the highest are drawn in
colour, the others thin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import count, score, share
from debias_cl.sections.contract import Document
from debias_cl.sections.figures import Figure
from debias_cl.sections.lines import Axis, Cross, Extras, Line, plain, plot
from debias_cl.sections.reading import find, groups, leading
from debias_cl.sections.table import Cell, Head, Table, number, row_head, share_cell

SERIES = ("s3", "s4")
HIGH = 0.95
"""Where every AUC lies above it the ROC axis is cut to a quarter."""
MOST_GREY = 14
"""Thin lines drawn at most; the tables of section 6 have all groups."""
SHOWN = 6
"""Points of an ROC curve in its table."""
MOST_LISTED = 8
"""Groups whose points and bins are listed at most."""
SQUARE = 260


@dataclass(frozen=True)
class Drawn:
    """The curves of one attribute's groups.

    Attributes:
        first: nodes of the curves in colour, lowest AUC first.
        rest: nodes of the others.
    """

    first: Sequence[Node]
    rest: Sequence[Node]

    @property
    def listed(self) -> Sequence[Node]:
        """The curves whose numbers are listed."""
        return [*self.first, *self.rest][:MOST_LISTED]


def drawn(document: Document, kind: str, attribute: str) -> Drawn:
    """Return the curves of an attribute.

    Args:
        document: the metrics document.
        kind: "roc" or "calibration".
        attribute: its name.
    """
    curves = {
        str((node / "group").value): node
        for node in Node(document) / "scores" / kind
        if (node / "attribute").value == attribute
    }
    ordered = [str((group / "group").value) for group in groups(document, attribute, "auc")]
    known = [curves[key] for key in ordered if key in curves]
    if len(known) < 3:
        return Drawn(known, [])
    gap = leading(Node(document) / "disparities" / attribute, "auc_difference")
    ends = [str((gap / end / "group").value) for end in ("lowest", "highest")]
    first = [curves[end] for end in ends if end in curves] or known[:1]
    rest = [node for node in known if node not in first]
    return Drawn(first, rest[:MOST_GREY])


def numbers(node: Node) -> tuple[float, ...]:
    """Return a list of numbers; a missing one ends it."""
    found: list[float] = []
    for entry in node:
        if entry.number is None:
            break
        found.append(entry.number)
    return tuple(found)


def key(names: Names, shown: Drawn) -> str:
    """Return which line is whose."""
    marks = ("Squares, solid", "triangles, dashed")
    told = [
        f"{mark}: {names.group((node / 'group').value)}"
        for mark, node in zip(marks, shown.first, strict=False)
    ]
    rest = "; thin: other groups" if shown.rest else ""
    return f"{'; '.join(told)}{rest}"


def roc_figure(document: Document, attribute: str, place: int, table: Table) -> Figure | None:
    """Return the ROC curves of an attribute's groups; None without any."""
    shown, names = drawn(document, "roc", attribute), Names(document)
    if not shown.first:
        return None
    lines = [_roc_line(node, "axis") for node in shown.rest]
    for node, series in zip(shown.first, SERIES, strict=False):
        group = find(document, "groups", attribute, (node / "group").value)
        lines.append(_roc_line(node, series, _in_use(group)))
    cut = _all_high(document, attribute)
    across = Axis("others called " + names.positive + " (FPR)", 0.0, 0.25 if cut else 1.0)
    up = Axis(f"{names.positive} found (TPR)", 0.75 if cut else 0.0, 1.0)
    told = f"{key(names, shown)}. Mark: predictions as given, with 95% intervals."
    if cut:
        told += " Axes cut to a quarter."
    identity = f"f6{place}"
    title = f"ROC curves by {names.attribute(attribute)}"
    svg = plot(
        lines,
        across,
        up,
        Extras(diagonal=True, height=SQUARE),
        (identity, title, "Lines: true against false positive rate. The table has the numbers."),
    )
    return Figure(identity, f"6.{place}", title, told, svg, table.number)


def _all_high(document: Document, attribute: str) -> bool:
    areas = [(group / "auc").number for group in groups(document, attribute, "auc")]
    known = [area for area in areas if area is not None]
    return bool(known) and min(known) > HIGH


def _roc_line(node: Node, series: str, points: tuple[Cross, ...] = ()) -> Line:
    false, true = numbers(node / "false_positive_rate"), numbers(node / "true_positive_rate")
    return Line(false, true, series, points=points)


def _in_use(group: Node) -> tuple[Cross, ...]:
    """Return the point of the predictions as given; () where a rate is undefined."""
    false, true = group / "false_positive_rate", group / "true_positive_rate"
    if false.number is None or true.number is None:
        return ()
    return (Cross(false.number, true.number, _ends(false), _ends(true)),)


def _ends(value: Node) -> tuple[float, float] | None:
    low, high = (value / "low").number, (value / "high").number
    return None if low is None or high is None else (low, high)


def calibration_figure(
    document: Document, attribute: str, place: int, table: Table
) -> Figure | None:
    """Return the calibration curves of an attribute's groups; None without any."""
    shown, names = drawn(document, "calibration", attribute), Names(document)
    if not shown.first:
        return None
    lines = [_bin_line(node, "axis") for node in shown.rest]
    lines += [_bin_line(n, series) for n, series in zip(shown.first, SERIES, strict=False)]
    told = f"{key(names, shown)}. Bins of equal mass with 95% intervals; on the dashed line "
    identity, title = f"f6{place}", f"Calibration by {names.attribute(attribute)}"
    svg = plot(
        lines,
        Axis("mean score", form=plain),
        Axis(f"share that is {names.positive}"),
        Extras(diagonal=True, upper="scores too low", lower="scores too high", height=SQUARE),
        (identity, title, "Lines: share of positives against mean score. The table has them."),
    )
    told += "scores say what happens."
    return Figure(identity, f"6.{place}", title, told, svg, table.number)


def _bin_line(node: Node, series: str) -> Line:
    bins = list(node / "bins")
    x = tuple((part / "mean_score").number or 0.0 for part in bins)
    rates = [part / "positive_rate" for part in bins]
    y = tuple(rate.number or 0.0 for rate in rates)
    marked = series != "axis"
    points = tuple(
        Cross(at, rate.number or 0.0, None, _ends(rate))
        for at, rate in zip(x, rates, strict=True)
        if marked
    )
    return Line(x, y, series, points=points, thick=False)


def roc_table(document: Document, attribute: str, label: str) -> Table:
    """Return some points of every ROC curve drawn."""
    names = Names(document)
    shown = drawn(document, "roc", attribute)
    heads = [
        Head("Group"),
        Head("Score of at least", True),
        Head(f"Others called {names.positive} (FPR)", True),
        Head(f"{names.positive} found (TPR)", True),
    ]
    rows = [row for node in shown.listed for row in _roc_rows(names, node)]
    told = f"{SHOWN} points of each curve{_fewer(shown)}; metrics.json has all."
    caption = f"Points of the ROC curves by {names.attribute(attribute)}"
    return _folded(label, caption, heads, rows, told)


def _roc_rows(names: Names, node: Node) -> Iterator[list[Cell]]:
    size = len((node / "threshold").value)
    places = sorted({round((i + 1) * (size - 1) / SHOWN) for i in range(SHOWN)} - {0})
    for place in places:
        yield [
            row_head(names.group((node / "group").value)),
            number(node / "threshold" / place, score),
            number(node / "false_positive_rate" / place, share),
            number(node / "true_positive_rate" / place, share),
        ]


def calibration_table(document: Document, attribute: str, label: str) -> Table:
    """Return the bins of every calibration curve drawn."""
    names = Names(document)
    shown = drawn(document, "calibration", attribute)
    heads = [
        Head("Group"),
        Head("Mean score", True),
        Head(f"Share that is {names.positive}", True),
        Head("n", True),
    ]
    rows = [
        [
            row_head(names.group((node / "group").value)),
            number(part / "mean_score", score),
            share_cell(part / "positive_rate"),
            number(part / "n", count),
        ]
        for node in shown.listed
        for part in node / "bins"
    ]
    caption = f"Calibration bins by {names.attribute(attribute)}"
    return _folded(label, caption, heads, rows, f"Bins of equal mass{_fewer(shown)}.")


def _fewer(shown: Drawn) -> str:
    every = len(shown.first) + len(shown.rest)
    return f" of {MOST_LISTED} of {every} groups" if every > MOST_LISTED else ""


def _folded(
    label: str, caption: str, heads: Sequence[Head], rows: Sequence[list[Cell]], note: str
) -> Table:
    return Table(label, caption, heads, rows, note, sort=False, folded=caption, minimum=420)
