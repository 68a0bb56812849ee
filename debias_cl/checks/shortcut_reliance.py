"""Shortcut reliance: does the prediction change when only the attribute in the picture does?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import bare_share, between, clean, count, say, share, show
from debias_cl.checks.unseen import no_features
from debias_cl.records import Finding, Outcome

CODE = "shortcut-reliance"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: an issue where the mean share of changed predictions is clearly above."""
    of = Node(document) / "representation"
    if not of:
        return [no_features(document, CODE, SPEC.title)]
    of = of / "shortcut"
    if not of:
        text = "No attribute can be changed in these pictures themselves."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=7)]
    names, moved, attribute = Names(document), of / "moved", str((of / "attribute").value)
    n, low, high = (of / "n").number or 0, (moved / "low").number, (moved / "high").number
    outcome: Outcome = "note"
    if (moved.number or 0.0) >= threshold and (low is None or low > 0):
        outcome = "issue"
    elif (moved.number or 0.0) < threshold and (high is None or high < threshold):
        outcome = "passed"
    ends = between(moved, bare_share)
    sentence = say(
        f"{count(n)} {names.noun} were painted in every {clean(attribute)}, nothing else changed. ",
        show(moved, share),
        *((" (", ends, ")") if ends else ()),
        " of the new predictions differ from that of the picture as it was; ",
        show(of / "changed", share),
        f" of the {names.noun} change in at least one.",
    )
    follows = of / "follows"
    if follows.number is not None:
        more = say(" Where the new one usually goes with another label, ", show(follows, share))
        sentence = say(sentence, more, " get that label.")
    return [
        Finding(
            CODE,
            f"{SPEC.title}: {clean(attribute)}",
            outcome,
            str(sentence),
            attribute=attribute,
            whom="all",
            n=int(n),
            section=7,
            pointers=sentence.pointers,
            usually_helps="views that change it in training" if outcome == "issue" else "",
        )
    ]


SPEC = CheckSpec(
    title="Prediction follows the attribute in the picture",
    question="Does the prediction change when only the attribute in the picture does?",
    threshold=0.10,
    unit="fraction",
    run=run,
)
