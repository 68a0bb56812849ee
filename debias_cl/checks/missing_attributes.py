"""Missing attributes: for how many rows is the group not known?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import capital, clean, count, share
from debias_cl.records import MISSING, Finding, Outcome

CODE = "missing-attributes"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each single attribute; above `threshold` of the rows an issue."""
    single = [entry for entry in document.get("attributes") or () if not entry.get("of")]
    if not single:
        return [no_attribute(document, CODE, SPEC.title, section=3)]
    return [_one(document, clean(entry["name"]), entry["name"], threshold) for entry in single]


def _one(document: Document, shown: str, attribute: str, threshold: float) -> Finding:
    names = Names(document)
    lost = [
        (place, group)
        for place, group in enumerate(document.get("groups") or ())
        if group["attribute"] == attribute and group["group"].get(attribute) == MISSING
    ]
    title, code = f"{SPEC.title}, {shown}", f"{CODE}:{shown}"
    if not lost or not lost[0][1]["n"]:
        text = f"{capital(shown)} is known for all {names.noun}."
        return Finding(code, title, "passed", text, attribute, section=3)
    place, group = lost[0]
    outcome: Outcome = "issue" if group["share"] > threshold else "note"
    text = (
        f"{capital(shown)} is missing for {count(group['n'])} {names.noun} "
        f"({share(group['share'])}). "
        f"They form the level {MISSING}."
    )
    pointers = (f"/groups/{place}/n", f"/groups/{place}/share")
    return Finding(code, title, outcome, text, attribute, MISSING, group["n"], 3, pointers)


SPEC = CheckSpec(
    title="Missing attributes",
    question="For how many rows is the group not known?",
    threshold=0.10,
    unit="fraction",
    run=run,
)
