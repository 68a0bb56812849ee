"""Gaps inside strata, their mean, and the pooled gap beside it."""

from __future__ import annotations

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, clean, say, share
from debias_cl.sections.blocks import Block, fold, rate_heads
from debias_cl.sections.contract import Document
from debias_cl.sections.reading import both
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


def within(document: Document, place: int) -> Block | None:
    """Return the gaps inside strata, their mean, and the pooled gap."""
    found = Node(document) / "within"
    if not found:
        return None
    column = clean(str((found / "column").value))
    tables: list[Table] = []
    for entries in found / "attributes":
        if not entries.value:
            continue
        label = f"5{letter(place + len(tables))}"
        tables.append(_pooled(document, entries, column, label))
        label = f"5{letter(place + len(tables))}"
        tables.append(_strata(document, entries, column, label))
    several = any(
        (node / "against").value == "rest" for entries in found / "attributes" for node in entries
    )
    told = f"The same gaps inside each level of {column}, and their mean: "
    told += f"{clean(str((found / 'weights').value))}. "
    told += "Each group minus the rest. " if several else ""
    told += "A gap over all rows may point the other way than those inside (Simpson)."
    lines = [] if tables else [say("No attribute has a gap that is defined.")]
    return Block(f"Inside the levels of {column}", told, tables, lines)


WAYS = {True: "the other way", False: "the same way", None: "not known"}


def _who(names: Names, node: Node) -> str:
    against = (node / "against").value
    other = "the rest" if against == "rest" else names.group(against)
    return f"{names.group((node / 'group').value)} minus {other}"


def _pooled(document: Document, entries: Node, column: str, label: str) -> Table:
    names, heads = Names(document), rate_heads(document)
    rows = [
        [
            row_head(heads[str((node / "rate").value)], _level(names, node) + _who(names, node)),
            points_cell(node / "pooled"),
            _mean(node),
            words(WAYS[(node / "reversed").value]),
        ]
        for node in entries
    ]
    title = [Head("Measure"), Head("All rows, points", True)]
    title += [Head(f"Mean inside {column}, points", True), Head("Points")]
    caption = f"Gaps by {names.attribute(entries.key)}, over all rows and inside {column}"
    note = "Equalized odds is the larger of the gaps in true and in false finds."
    return Table(
        label,
        caption,
        title,
        rows,
        note,
        True,
        True,
        minimum=560,
        folded=fold(rows, f"{len(rows)} rows"),
    )


def _level(names: Names, node: Node) -> str:
    level = (node / "class").value
    return f"{names.level(names.document['label']['name'], level)}, " if level else ""


def _mean(node: Node) -> Cell:
    out = (node / "within" / "left_out").value or ()
    cell = points_cell(node / "within")
    if node / "within" and (node / "within").number is not None and out:
        levels = both([clean(str(one["level"])) for one in out])
        small = words("", f"without {levels}: one of the two has no rows there")
        return Cell(cell.inner + small.inner, cell.attributes)
    return cell


def _strata(document: Document, entries: Node, column: str, label: str) -> Table:
    """Return a row a stratum (and pair), a column a measure."""
    names, heads = Names(document), rate_heads(document)
    pairs = list(dict.fromkeys(_who(names, node) for node in entries))
    rates = list(dict.fromkeys(str((node / "rate").value) for node in entries))
    strata = list(Node(document) / "within" / "strata")
    # Two groups may stand the other way round in one rate, so each pair has its own row.
    by = {(_who(names, node), str((node / "rate").value)): node for node in entries}
    rows = [
        [
            row_head(clean(str((stratum / "level").value)), who if len(pairs) > 1 else ""),
            *(_inside(by.get((who, rate)), place) for rate in rates),
            number(stratum / "share", share),
        ]
        for place, stratum in enumerate(strata)
        for who in pairs
    ]
    title = [Head(f"{column}"), *(Head(heads[rate], True) for rate in rates), Head("Share", True)]
    caption = f"Gaps by {names.attribute(entries.key)} inside each level of {column}, points"
    note = f"{capital(pairs[0])}. " if len(pairs) == 1 else ""
    note += "95% intervals in brackets, of one level each."
    folded = fold(rows, f"Each level of {column}")
    minimum = 260 + 130 * len(rates)
    return Table(label, caption, title, rows, note, True, True, minimum=minimum, folded=folded)


def _inside(node: Node | None, place: int) -> Cell:
    if node is None:
        return undefined(Node({"reason": "see the other row"}))
    return points_cell(node / "strata" / place)
