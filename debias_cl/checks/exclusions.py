"""Exclusions: which examples were left out, and why?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import clean, count, share
from debias_cl.records import Finding, Outcome

CODE = "exclusions"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: how many examples were left out; above `threshold` an issue."""
    dataset, noun = document.get("dataset") or {}, Names(document).noun
    left_out = dataset.get("exclusions")
    if left_out is None:
        text = "Only predictions were given; what was left out before is not known."
        return [Finding(CODE, SPEC.title, "skipped", text, section=12)]
    n = int(left_out["count"])
    if not n:
        return [Finding(CODE, SPEC.title, "passed", f"No {noun} were left out.", section=12, n=0)]
    kept = sum(int(part["n"]) for part in (dataset.get("splits") or {}).values())
    part = n / (n + kept) if kept else 1.0
    outcome: Outcome = "issue" if part > threshold else "note"
    reasons = Counter(clean(str(row["reason"])) for row in left_out.get("listed") or ())
    why = "; ".join(f"{reason} ({count(times)})" for reason, times in reasons.most_common(3))
    text = f"{count(n)} of {count(n + kept)} {noun} were left out ({share(part)})"
    text = f"{text}: {why}." if why else f"{text}."
    pointers = ("/dataset/exclusions/count",)
    return [Finding(CODE, SPEC.title, outcome, text, n=n, section=12, pointers=pointers)]


SPEC = CheckSpec(
    title="Exclusions",
    question="Which examples were left out, and why?",
    threshold=0.05,
    unit="fraction",
    run=run,
)
