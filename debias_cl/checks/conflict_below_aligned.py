"""Conflicting against aligned: does accuracy fall where the training pattern breaks?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.outcomes import Judged, judge
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, between, clean, points, say, share, show
from debias_cl.records import Finding, Outcome

CODE = "conflict-below-aligned"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute."""
    attributes = document.get("attributes") or ()
    if not attributes:
        return [no_attribute(document, CODE, SPEC.title, ", so no pattern can be broken", 4)]
    return [_one(document, entry, threshold) for entry in attributes]


def _one(document: Document, entry: Document, threshold: float) -> Finding:
    names, attribute = Names(document), entry["name"]
    of = Node(document) / "attributes_overall" / attribute
    gap = of / "aligned_minus_conflict"
    outcome: Outcome = "not applicable"
    sentence = say("No training pattern links this attribute to the label, so nothing conflicts.")
    if entry.get("alignment") and gap:
        judged = judge(gap, threshold)
        outcome, sentence = judged.outcome, _sentence(of, gap, judged, threshold)
    return Finding(
        code=f"{CODE}:{clean(attribute)}",
        title=f"{SPEC.title}, by {names.attribute(attribute)}",
        outcome=outcome,
        sentence=str(sentence),
        attribute=attribute,
        whom="conflicting cells" if gap.number is not None else "",
        n=(of / "conflict_accuracy" / "n").value if gap.number is not None else None,
        section=4,
        pointers=sentence.pointers,
        usually_helps="more, or reweighted, conflicting examples" if outcome == "issue" else "",
    )


def _sentence(of: Node, gap: Node, judged: Judged, threshold: float) -> Sentence:
    if gap.number is None:
        return say(f"Not defined: {clean(str((gap / 'reason').value or 'a side has no rows'))}.")
    ends = between(gap, points)
    return say(
        "Accuracy is ",
        show(of / "aligned_accuracy", share),
        " on aligned and ",
        show(of / "conflict_accuracy", share),
        " on conflicting cells: a gap of ",
        show(gap, points),
        " points",
        *((" (", ends, ")") if ends else ()),
        f"; {AFTER[judged.why]}",
        f" of {points(threshold)}.",
    )


AFTER = {
    "wide": "at or above the threshold",
    "clear": "beyond chance, below the threshold",
    "unsure": "above the threshold, and the interval reaches 0; the threshold is one",
    "few": "the interval reaches past the threshold",
    "seen": "the whole interval lies below the threshold",
}

SPEC = CheckSpec(
    title="Conflicting below aligned",
    question="Does accuracy fall on examples that break the training pattern?",
    threshold=0.10,
    unit="fraction",
    run=run,
)
