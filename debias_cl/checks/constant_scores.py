"""Constant scores: do the scores tell rows apart at all?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, count, say, score, share, show
from debias_cl.records import Finding

CODE = "constant-scores"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: an issue where one score has at least `threshold` of all rows."""
    scores, names = Node(document) / "scores", Names(document)
    if not scores:
        text = "There are no scores."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=6)]
    n, part = (scores / "n").number or 0, scores / "commonest_share"
    if not n or part.number is None:
        text = "No score was given for any row that can be judged."
        return [Finding(CODE, SPEC.title, "skipped", text, section=6)]
    if part.number >= threshold:
        same = (scores / "distinct").number == 1
        told = say(f"All {names.noun} have the score ", show(scores / "lowest", score))
        most = say("One score has ", show(part, share), f" of {names.noun}")
        end = "; it cannot order them, and no threshold parts them."
        return [_finding("issue", say(told if same else most, end), n)]
    alone = _groups_of_one_score(document, names)
    if alone:
        text = f"Every score is the same for {'; '.join(alone[:3])}."
        return [_finding("note", say(text), n)]
    told = say(show(scores / "distinct", count), " different scores; the commonest has ")
    return [_finding("passed", say(told, show(part, share), f" of {names.noun}."), n)]


def _finding(outcome: str, sentence: Sentence, n: float) -> Finding:
    return Finding(
        CODE,
        SPEC.title,
        outcome,  # type: ignore[arg-type]
        str(sentence),
        whom="all",
        n=int(n),
        section=6,
        pointers=sentence.pointers,
    )


def _groups_of_one_score(document: Document, names: Names) -> list[str]:
    """Return the groups of more than one row whose calibration has one bin of one score."""
    found = []
    for curve in document["scores"]["calibration"]:
        bins = curve["bins"]
        one = len(bins) == 1 and bins[0]["low"] == bins[0]["high"]
        if curve["attribute"] and one and bins[0]["n"] > 1:
            found.append(names.group(curve["group"]))
    return found


SPEC = CheckSpec(
    title="Constant scores",
    question="Do the scores tell rows apart at all?",
    threshold=0.995,
    unit="fraction",
    run=run,
)
