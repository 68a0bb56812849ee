"""Missing predictions: are some groups left without an answer more often?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.gaps import GapCheck
from debias_cl.checks.names import Names
from debias_cl.checks.text import count
from debias_cl.records import Finding

CHECK = GapCheck(
    "missing-predictions",
    "missing_prediction_difference",
    lambda names: "Missing predictions",
    lambda names: "finding out why these rows have no prediction",
)


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding that all rows have a prediction, else one for each attribute."""
    missing, noun = int(document.get("n_missing_prediction") or 0), Names(document).noun
    if not missing:
        text = f"Every one of {count(document['n'])} {noun} has a prediction."
        pointers = ("/n",)
        return [
            Finding(
                CHECK.code,
                SPEC.title,
                "passed",
                text,
                whom="all",
                n=document["n"],
                section=3,
                pointers=pointers,
            )
        ]
    start = f"{count(missing)} {noun} have no prediction; they stand in no rate."
    return [
        replace(
            finding,
            outcome="note" if finding.outcome == "passed" else finding.outcome,
            sentence=f"{start} {finding.sentence}",
            section=5,
            pointers=("/n_missing_prediction", *finding.pointers),
        )
        for finding in CHECK.run(document, threshold)
    ]


SPEC = CheckSpec(
    title="Missing predictions",
    question="Are some groups left without an answer more often?",
    threshold=0.05,
    unit="fraction",
    run=run,
)
