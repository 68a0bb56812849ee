"""Section 2: a row a check, worst first, linked to its evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from debias_cl.checks.text import capital, clean
from debias_cl.records import OUTCOMES
from debias_cl.sections import SECTIONS
from debias_cl.sections.contract import Document, SectionSpec

FOLD = 40
"""Above so many findings, passed and not applicable ones are folded; the counts stay."""


def context(document: Document) -> Mapping[str, Any] | str:
    """Return the findings, in two parts where there are many."""
    found = sorted(document.get("findings") or (), key=lambda f: OUTCOMES.index(f["outcome"]))
    if not found:
        return "No check was run."
    there = {spec.number for _, spec in SECTIONS}
    rows = [_row(entry, there) for entry in found]
    folded = [row for row in rows if row["outcome"] in ("not applicable", "passed")]
    if len(rows) <= FOLD:
        folded = []
    return {"rows": [row for row in rows if row not in folded], "folded": folded}


def _row(entry: Mapping[str, Any], there: set[int]) -> dict[str, Any]:
    return {
        **{key: clean(str(entry[key])) for key in ("code", "title", "outcome", "whom")},
        "sentence": capital(clean(str(entry["sentence"]))),
        "helps": clean(str(entry.get("usually_helps") or "")),
        "n": entry.get("n"),
        "section": entry["section"] if entry["section"] in there else None,
    }


SPEC = SectionSpec(number=2, title="Findings", template="findings.html.j2", context=context)
