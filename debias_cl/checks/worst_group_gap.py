"""The worst cell against the whole: does one group fare far worse than the average says?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.gaps import undefined_sentence
from debias_cl.checks.names import Names
from debias_cl.checks.outcomes import Judged, judge
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, bare_share, between, clean, points, say, share, show
from debias_cl.records import Finding

CODE = "worst-group-gap"
CLASS_TITLE = "Worst class below the whole"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute whose cells can be judged.

    Without an attribute: one on the classes, at most a note, for some classes are harder than
    others and a class is no group of people.
    """
    root = Node(document)
    attributes = [node.key for node in root / "attributes_overall"]
    if not attributes:
        worst = root / "overall" / "worst_class_accuracy"
        if not document.get("classes"):
            return [no_attribute(document, CODE, SPEC.title, ", so there are no cells", 4)]
        found = _finding(document, worst, threshold, CODE, CLASS_TITLE, 3)
        known = found.outcome != "issue"
        return [found if known else replace(found, outcome="note", usually_helps="")]
    return [_one(document, name, threshold) for name in attributes]


def _one(document: Document, attribute: str, threshold: float) -> Finding:
    worst = Node(document) / "attributes_overall" / attribute / "worst_group_accuracy"
    title = f"{SPEC.title}, by {Names(document).attribute(attribute)}"
    found = _finding(document, worst, threshold, f"{CODE}:{clean(attribute)}", title, 4)
    return replace(found, attribute=attribute)


def _finding(
    document: Document, worst: Node, threshold: float, code: str, title: str, section: int
) -> Finding:
    names, accuracy = Names(document), Node(document) / "overall" / "accuracy"
    judged = judge(_gap(accuracy, worst), threshold)
    cell = (worst / "cell").value
    sentence = _sentence(names, worst, accuracy, judged, threshold)
    return Finding(
        code=code,
        title=title,
        outcome=judged.outcome,
        sentence=str(sentence),
        whom=names.cell(cell) if cell else "",
        n=(worst / "n").value,
        section=section,
        pointers=sentence.pointers,
        usually_helps="a group-balanced probe, or retraining the last layer on balanced data"
        if judged.outcome == "issue"
        else "",
    )


def _gap(accuracy: Node, worst: Node) -> Node:
    """Return overall minus worst as a value object; the overall value counts as known.

    The overall interval is narrow beside that of the worst cell, which decides.
    """
    if accuracy.number is None or worst.number is None:
        return Node({"value": None, "reason": (worst / "reason").value})
    top, low, high = accuracy.number, (worst / "low").number, (worst / "high").number
    return Node(
        {
            "value": top - worst.number,
            "low": None if high is None else top - high,
            "high": None if low is None else top - low,
        }
    )


def _sentence(
    names: Names, worst: Node, accuracy: Node, judged: Judged, threshold: float
) -> Sentence:
    if worst.number is None or accuracy.number is None:
        return say(undefined_sentence((worst / "reason").value or "no cell has enough rows"))
    ends = between(worst, bare_share)
    gap = accuracy.number - worst.number
    return say(
        show(worst, share),
        *((" (", ends, ")") if ends else ()),
        f" of {names.cell((worst / 'cell').value)} are classified right, ",
        f"{points(gap)} points less than of all {names.noun} (",
        show(accuracy, share),
        f"). {AFTER[judged.outcome]} {points(threshold)} points.",
    )


AFTER = {
    "issue": "The threshold is",
    "note": "The interval does not settle it against the threshold of",
    "passed": "The whole interval lies below the threshold of",
}

SPEC = CheckSpec(
    title="Worst cell below the whole",
    question="Is the accuracy of the worst cell far below that of all rows?",
    threshold=0.10,
    unit="fraction",
    run=run,
)
