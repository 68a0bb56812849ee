"""Majority class: is it more often right than always giving the commonest label?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import bare_share, between, say, share, show
from debias_cl.records import Finding, Outcome

CODE = "majority-class"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: an issue where the whole interval lies at or below that accuracy."""
    names, accuracy = Names(document), Node(document) / "overall" / "accuracy"
    common = majority(document)
    if common is None or accuracy.number is None:
        text = "The label or the predictions are not known, so accuracy has no meaning."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=3)]
    level, part = common
    line, low, high = part + threshold, (accuracy / "low").number, (accuracy / "high").number
    outcome: Outcome = "note"
    if high is not None and high <= line:
        outcome = "issue"
    elif low is not None and low > line:
        outcome = "passed"
    ends = between(accuracy, bare_share)
    sentence = say(
        "Accuracy is ",
        show(accuracy, share),
        *((" (", ends, ")") if ends else ()),
        f"; always answering “{names.level(document['label']['name'], level)}” is right for ",
        f"{share(part)}.",
    )
    return [
        Finding(
            CODE,
            SPEC.title,
            outcome,
            str(sentence),
            whom="all",
            n=(accuracy / "n").value,
            section=3,
            pointers=sentence.pointers,
        )
    ]


def majority(document: Document) -> tuple[str, float] | None:
    """Return the commonest label level and its share of the rows; None where no label is known."""
    cells = list(document.get("cells") or document.get("classes") or ())
    label, counts = document["label"]["name"], dict[str, int]()
    for cell in cells:
        if cell["attribute"] == cells[0]["attribute"]:
            level = cell["group"][label]
            counts[level] = counts.get(level, 0) + int(cell["n"])
    total = sum(counts.values())
    if not total:
        return None
    top = max(counts, key=lambda level: counts[level])
    return top, counts[top] / total


SPEC = CheckSpec(
    title="Accuracy above the majority class",
    question="Is it more often right than always giving the commonest label?",
    threshold=0.0,
    unit="fraction",
    run=run,
)
