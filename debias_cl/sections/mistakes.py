"""Section 9: the most confident mistakes in the worst cells, and their training neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import count, decimals, say, share, show
from debias_cl.sections.contract import Document, SectionSpec

PICTURES = "pictures"
"""Where `render` puts the pictures into what the sections are told; never in metrics.json."""


def context(document: Document) -> Mapping[str, Any] | str:
    """Return the cells with their mistakes, or why nothing is shown."""
    if "mistakes" not in document:
        return "No pictures: either a table was audited, or they were left out on request."
    cells = [_cell(document, cell) for cell in Node(document) / "mistakes" / "cells"]
    if not cells:
        return "No mistake was made, so none is shown."
    return {"cells": cells, "confidence": document["mistakes"]["confidence"]}


def _cell(document: Document, cell: Node) -> dict[str, Any]:
    names = Names(document)
    wrong, n = show(cell / "wrong", count), show(cell / "n", count)
    return {
        "title": names.cell((cell / "group").value),
        "says": say(wrong, " of ", n, " are wrong; the most confident ones:"),
        "mistakes": [_mistake(document, one) for one in cell / "shown"],
    }


def _mistake(document: Document, one: Node) -> dict[str, Any]:
    label, names = document["label"]["name"], Names(document)
    answer = names.bare(label, str((one / "predicted").value))
    return {
        "picture": _picture(document, one),
        "id": str((one / "id").value),
        "says": say("called ", answer, " (", show(one / "confidence", share), ")"),
        "neighbours": [_neighbour(document, near) for near in one / "neighbours"],
    }


def _neighbour(document: Document, near: Node) -> dict[str, Any]:
    names, level = Names(document), (near / "label").value
    groups = dict((near / "group").value)
    if level is not None:
        groups = {document["label"]["name"]: level, **groups}
    words = names.cell(groups) if groups else "label missing"
    return {
        "picture": _picture(document, near),
        "id": str((near / "id").value),
        "says": say(words, ", cosine ", show(near / "cosine", decimals)),
    }


def _picture(document: Document, node: Node) -> str:
    """Return the picture's address; "" where the pictures are not at hand."""
    found: str = (document.get(PICTURES) or {}).get((node / "picture").value, "")
    return found


SPEC = SectionSpec(number=9, title="Examples", template="mistakes.html.j2", context=context)
