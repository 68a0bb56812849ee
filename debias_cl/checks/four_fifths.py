"""Four-fifths: is the group selected least selected at least 80 % as often as the most?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.gaps import whom
from debias_cl.checks.names import Names
from debias_cl.checks.outcomes import least
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, bounds, clean, ratio, say, show
from debias_cl.checks.truth import truth_of
from debias_cl.records import Finding, Outcome

CODE = "four-fifths"
WIDENING = 0.10
"""The predictions must widen the truth's own gap by so much before the ratio alone is an issue."""


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute."""
    if not document.get("disparities"):
        return [no_attribute(document, CODE, SPEC.title, ", so no groups can be compared")]
    return [_one(document, name, threshold) for name in document["disparities"]]


def _one(document: Document, attribute: str, threshold: float) -> Finding:
    names = Names(document)
    of = Node(document) / "disparities" / attribute
    found = of / "demographic_parity_ratio_min_group"
    if found.number is None:
        found = of / "demographic_parity_ratio"
    outcome, sentence = _judge(document, names, attribute, found, threshold)
    return Finding(
        code=f"{CODE}:{clean(attribute)}",
        title=f"{SPEC.title}, by {names.attribute(attribute)}",
        outcome=outcome,
        sentence=str(sentence),
        attribute=attribute,
        whom=whom(names, found / "lowest"),
        n=(found / "lowest" / "n").value,
        pointers=sentence.pointers,
    )


def _judge(
    document: Document, names: Names, attribute: str, found: Node, threshold: float
) -> tuple[Outcome, Sentence]:
    if not names.binary:
        return "not applicable", say("More than two answers: no single one is the favourable one.")
    if found.number is None:
        reason = clean(str((found / "reason").value or "no group is selected"))
        return "not applicable", say(f"Not defined: {reason}.")
    ends = bounds(found, ratio)
    size = say("Ratio ", show(found, ratio), *((" (", ends, ")") if ends else ()))
    line = ratio(threshold)
    if found.number >= threshold:
        if (least(found) or 0.0) >= threshold:
            return "passed", say(size, f"; the whole interval lies above {line}.")
        return "note", say(size, f"; above {line}, but the interval reaches below it.")
    most = (found / "at_most").number
    most = (found / "high").number if most is None else most
    if most is None or most >= threshold:
        return "note", say(size, f"; below {line}, but the interval reaches above it.")
    truth = truth_of(document, attribute)
    if truth is not None and truth.gap > 0 and truth.widening < WIDENING:
        return "note", say(size, f", below {line}. The truth differs as well, so this is no error.")
    return "issue", say(size, f"; all of the interval lies below {line}.")


SPEC = CheckSpec(
    title="Four-fifths reading",
    question="Is the group selected least selected at least four fifths as often as the most?",
    threshold=0.80,
    unit="ratio",
    run=run,
)
