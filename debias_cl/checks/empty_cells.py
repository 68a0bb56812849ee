"""Empty cells: which label and group never occur together?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import clean, spelled
from debias_cl.records import Finding

CODE = "empty-cells"
LISTED = 6


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding over all cells; more than `threshold` empty ones give a note."""
    names, cells = Names(document), document.get("cells") or ()
    if not cells and document.get("classes"):
        return [no_attribute(document, CODE, SPEC.title, ", so there are no cells", 4)]
    if not names.known:
        text = "Not applicable: no labels given, so there are no cells."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=4)]
    if not cells:
        text = "No attribute or no label was given, so there are no cells."
        return [Finding(CODE, SPEC.title, "skipped", text, section=4)]
    empty = [place for place, cell in enumerate(cells) if cell["n"] == 0]
    if len(empty) <= threshold:
        text = f"Each of the {len(cells)} cells of label and attribute has {names.noun}."
        return [Finding(CODE, SPEC.title, "passed", text, section=4)]
    listed = "; ".join(names.cell(cells[place]["group"]) for place in empty[:LISTED])
    rest = f" and {len(empty) - LISTED} more" if len(empty) > LISTED else ""
    are = "cell has" if len(empty) == 1 else "cells have"
    text = (
        f"{spelled(len(empty)).capitalize()} {are} no {names.noun}: {clean(listed)}{rest}. "
        "Their rates are not known and stand in no average."
    )
    return [Finding(CODE, SPEC.title, "note", text, n=0, section=4)]


SPEC = CheckSpec(
    title="Empty cells",
    question="Does every label level occur in every group?",
    threshold=0,
    unit="cells",
    run=run,
)
