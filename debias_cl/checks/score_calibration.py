"""Score calibration by group: do scores say on average what happens, in every group?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, between, clean, points, say, show, size
from debias_cl.records import Finding, Outcome

CODE = "score-calibration"
NUMBER = "calibration_in_the_large"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute: mean score minus the share of positive labels."""
    reason = _not_applicable(document)
    if reason:
        return [Finding(CODE, SPEC.title, "not applicable", reason, section=6)]
    names = [entry["name"] for entry in document.get("attributes") or ()]
    if not names:
        so = ", so scores are not compared by group"
        return [no_attribute(document, CODE, SPEC.title, so, section=6)]
    return [_one(document, name, threshold) for name in names]


def _not_applicable(document: Document) -> str:
    scores = document.get("scores")
    if not scores:
        return "There are no scores."
    if document["label"]["name"] is None:
        return "Not applicable: no labels given."
    return "" if scores["probabilities"] else "Scores outside 0 to 1 are no probabilities."


def _one(document: Document, attribute: str, threshold: float) -> Finding:
    names = Names(document)
    least = int((document.get("settings") or {}).get("min_group") or 30)
    found = [
        group / NUMBER
        for group in Node(document) / "groups"
        if (group / "attribute").value == attribute and _n(group / NUMBER) >= least
    ]
    known = [value for value in found if (value / "low").number is not None]
    title = f"{SPEC.title}, by {names.attribute(attribute)}"
    code = f"{CODE}:{clean(attribute)}"
    if not known:
        text = f"No group has the {least} {names.noun} that an interval needs."
        return Finding(code, title, "note", text, attribute=attribute, section=6)
    worst = max(known, key=lambda value: (surely(value), abs(value.number or 0.0)))
    outcome, sentence = _judged(document, names, known, worst, threshold)
    return Finding(
        code=code,
        title=title,
        outcome=outcome,
        sentence=str(sentence),
        attribute=attribute,
        whom=_whom(document, names, worst),
        n=int(_n(worst)),
        section=6,
        pointers=sentence.pointers,
        usually_helps=HELPS if outcome == "issue" else "",
    )


HELPS = "recalibration on held-out rows of each group, where the law allows it"


def _judged(
    document: Document, names: Names, known: Sequence[Node], worst: Node, threshold: float
) -> tuple[Outcome, Sentence]:
    """Return the outcome and the sentence for the group that is surely furthest off."""
    limit = points(threshold)
    told = _off(document, names, worst)
    if surely(worst) > threshold:
        return "issue", say(told, f"; surely more than the threshold of {limit}.")
    if surely(worst) > 0:
        return "note", say(told, f"; not surely more than the threshold of {limit}.")
    wide = max(known, key=lambda value: most(value))
    if most(wide) <= threshold:
        return "passed", say(f"No group is off by more than {limit} points: ", told, ".")
    seen = f"; with these numbers up to {points(most(wide))} points could easily have been missed."
    return "note", say("No group is surely off", seen)


def _off(document: Document, names: Names, value: Node) -> Sentence:
    """Return "scores are 7.1 points too high on average (5.2 to 9.0), men"."""
    high = (value.number or 0.0) > 0
    ends = between(value, points)
    tail = say(" (", ends, ")") if ends else say("")
    whom = _whom(document, names, value)
    way = "too high" if high else "too low"
    return say(f"{whom}: scores are ", show(value, size), f" points {way} on average", tail)


def _whom(document: Document, names: Names, value: Node) -> str:
    place = int(value.pointer.split("/")[2])
    return names.group(document["groups"][place]["group"])


def _n(value: Node) -> float:
    return (value / "n").number or 0


def surely(value: Node) -> float:
    """Return how far the interval stays from 0; 0 where it holds 0."""
    low, high = (value / "low").number, (value / "high").number
    if low is None or high is None:
        return 0.0
    return max(low, -high, 0.0)


def most(value: Node) -> float:
    """Return how far from 0 the interval reaches."""
    ends = [(value / end).number for end in ("low", "high")]
    return max(abs(end) for end in ends if end is not None)


SPEC = CheckSpec(
    title="Score calibration",
    question="Do scores say on average what happens, in every group?",
    threshold=0.05,
    unit="fraction",
    run=run,
)
