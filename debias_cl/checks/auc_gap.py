"""AUC gap: do scores order the rows of every group alike?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.gaps import GapCheck
from debias_cl.records import Finding

CHECK = GapCheck(
    code="auc-gap",
    disparity="auc_difference",
    title=lambda names: "Order of scores (AUC)",
    helps=lambda names: "more and cleaner training examples of the group with the lowest AUC",
    section=6,
)


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute; one that says so where there are no scores."""
    if document.get("scores"):
        return CHECK.run(document, threshold)
    return [Finding(CHECK.code, SPEC.title, "not applicable", "There are no scores.", section=6)]


SPEC = CheckSpec(
    title="Order of scores (AUC)",
    question="Do scores order the rows of every group alike?",
    threshold=0.05,
    unit="fraction",
    run=run,
)
