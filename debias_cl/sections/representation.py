"""Section 7: what the features hold before any label is predicted from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, clean, count, say, share, show
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure
from debias_cl.sections.inside import BESIDE, cells, geometry, leakage, neighbours, variance
from debias_cl.sections.painted import painted
from debias_cl.sections.reading import Run, runs
from debias_cl.sections.scatter import MOST, Points, small_multiples
from debias_cl.sections.table import Table

COMPARED = 2
"""Encoders whose maps are drawn: the audited one and the first beside it."""

MAPPED = 3
"""Columns by which a map is drawn: the label and the first attributes."""

SERIES = ("run", "ref")


def context(document: Document) -> Mapping[str, Any] | str:
    """Return tables and maps, or why there are none."""
    looked = [run for run in runs(document) if (run.node / "representation" / "rows")]
    moved = [run for run in runs(document) if (run.node / "representation" / "shortcut")]
    if not looked and not moved:
        if (document.get("dataset") or {}).get("duplicates") is None:
            return "Only predictions were given, so there are no features to look at."
        return "The features were not looked at (--no-representation, or too few labelled rows)."
    made: list[Table] = []
    for table in (leakage, neighbours, cells, variance, geometry):
        if looked:
            made += table(document, looked, f"7{'abcdefghijkl'[len(made)]}")
    further = painted(document, moved, len(made)) if moved else []
    return {
        "rows": _rows(document, looked[0]) if looked else "",
        "tables": made,
        "painted": further,
        "figures": _maps(document, looked, made),
        "most": MOST,
        "folded": any(len(column["levels"]) > MOST for column in _columns(document)),
    }


def _rows(document: Document, run: Run) -> Any:
    """Return how many rows were looked at, of how many."""
    rows, noun = run.node / "representation" / "rows", Names(document).noun
    held = rows / "held_out"
    splits = " and ".join(clean(str(name)) for name in (held / "splits").value)
    return say(
        "Looked at: ",
        *(show(rows / "test" / "n", count), " of ", show(rows / "test" / "of", count)),
        f" tested {noun}, beside ",
        *(show(rows / "train" / "n", count), " of ", show(rows / "train" / "of", count)),
        " training ones; probes of an attribute have ",
        *(show(held / "n", count), " of ", show(held / "of", count)),
        f" {noun} of {splits}.",
    )


def _maps(document: Document, looked: Sequence[Run], tables: Sequence[Table]) -> list[Figure]:
    """Return the maps of the first encoders, by label and by attribute."""
    found: list[Figure] = []
    single = _columns(document)
    for run, series in zip(looked[:COMPARED], SERIES, strict=False):
        drawn = run.node / "representation" / "map"
        for column in single if drawn.value and tables else ():
            if column["name"] in drawn.value["codes"]:
                place = len(found) + 1
                found.append(_map(document, run, column, series, place, _nearest(tables)))
    return found


def _columns(document: Document) -> list[Mapping[str, Any]]:
    """Return the label and the first attributes, by which maps are drawn."""
    columns = [document["label"], *(document.get("attributes") or ())]
    return [column for column in columns if not column.get("of")][:MAPPED]


def _nearest(tables: Sequence[Table]) -> Table:
    """Return the table whose numbers say best what a map shows: whom rows lie beside."""
    return next((table for table in tables if table.caption == BESIDE), tables[0])


def _map(
    document: Document,
    run: Run,
    column: Mapping[str, Any],
    series: str,
    place: int,
    table: Table,
) -> Figure:
    drawn, names = (run.node / "representation" / "map").value, Names(document)
    levels = [names.bare(column["name"], level) for level in column["levels"]]
    points = Points(drawn["x"], drawn["y"], drawn["codes"][column["name"]], levels)
    first, second = (share(float(part)) for part in drawn["explained"][:2])
    name, identity = names.attribute(column["name"]), f"f7{place}"
    told = f"{count(drawn['n'])} {names.noun} on the first two principal components ({first} and "
    told += f"{second} of the variance); each panel has one level against all others."
    alternative = f"Scatter plots of features, {run.short}, by {name}"
    held = _held(run.node, column["name"], document["label"]["name"])
    title = f"{run.short}, by {name}"
    if held is not None:
        title = f"{run.short}: {name} holds {share(held)} of the variance"
    svg = small_multiples(points, series, identity, alternative, title)
    number = f"7.{place}"
    return Figure(identity, number, capital(title), told, svg, table.number)


def _held(node: Node, column: str, label: str | None) -> float | None:
    """Return the share of the variance that the label or an attribute holds."""
    for by in node / "representation" / "variance":
        if column == label:
            return (by / "label").number
        if by.key == column:
            return (by / "attribute").number
    return None


SPEC = SectionSpec(
    number=7, title="Representation", template="representation.html.j2", context=context
)
