"""Demographic parity: the share selected, whatever the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.gaps import GapCheck, judged_gap
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import join, points, say, share, show, size
from debias_cl.checks.truth import truth_of
from debias_cl.records import Finding

CHECK = GapCheck(
    "demographic-parity",
    "demographic_parity_difference",
    lambda names: f"Called {names.positive}" if names.binary else "Each answer given",
)


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding an attribute; at most a note where the truth differs by as much.

    A gap that the truth has as well is not an error by itself: it is an issue only where the
    predictions widen it by the threshold or more.
    """
    return [_tempered(document, finding, threshold) for finding in CHECK.run(document, threshold)]


def _tempered(document: Document, finding: Finding, threshold: float) -> Finding:
    truth = truth_of(document, finding.attribute)
    if finding.outcome != "issue" or truth is None or truth.widening >= threshold:
        return finding
    gap, _ = judged_gap(document, finding.attribute, CHECK.disparity, threshold)
    prevalence = [Node(document) / "groups" / index / "prevalence" for index in truth.groups]
    sentence = join(
        [
            say("Gap of ", show(gap, points), " points."),
            say(
                f"The truth differs as well, by {size(truth.gap)} points (",
                show(prevalence[0], share),
                " and ",
                show(prevalence[1], share),
                "), so this gap alone is not an error.",
            ),
        ]
    )
    return replace(
        finding,
        outcome="note",
        sentence=str(sentence),
        pointers=sentence.pointers,
        usually_helps="",
    )


SPEC = CheckSpec(
    title="Demographic parity",
    question="Are groups selected equally often?",
    threshold=0.10,
    unit="fraction",
    run=run,
)
