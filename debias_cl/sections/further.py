"""Further readings of the gaps, where they were asked for: a block each at the end of section 5."""

from __future__ import annotations

from debias_cl.sections.against import against
from debias_cl.sections.blocks import Block
from debias_cl.sections.contract import Document
from debias_cl.sections.population import reweighted
from debias_cl.sections.strata import within


def blocks(document: Document, place: int) -> list[Block]:
    """Return the readings that the document has.

    Args:
        document: content of metrics.json.
        place: number of tables of the section before these.
    """
    found: list[Block] = []
    for make in (against, within, reweighted):
        block = make(document, place + sum(len(one.tables) for one in found))
        found += [block] if block else []
    return found
