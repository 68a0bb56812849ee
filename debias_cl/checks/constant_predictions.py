"""Constant predictions: does it give one answer whatever it sees?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import clean, count, share
from debias_cl.records import Finding

CODE = "constant-predictions"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: an issue where one answer has at least `threshold` of all rows."""
    names, given = Names(document), answers(document)
    total = sum(given.values())
    if not total:
        text = "No prediction was given for any row with a known label and attribute."
        return [Finding(CODE, SPEC.title, "skipped", text, section=4)]
    top = max(given, key=lambda level: given[level])
    part, answer = given[top] / total, names.level(document["label"]["name"], top)
    if part >= threshold:
        which = "every one" if part == 1 else share(part)
        text = f"It answers “{answer}” for {which} of {count(total)} {names.noun}."
        return [Finding(CODE, SPEC.title, "issue", text, whom="all", n=total, section=4)]
    never = [level for level, n in given.items() if n == 0]
    if never:
        levels = ", ".join(names.level(document["label"]["name"], level) for level in never[:6])
        text = f"It never answers: {clean(levels)}."
        return [Finding(CODE, SPEC.title, "note", text, whom="all", n=total, section=4)]
    text = f"Every answer occurs; the commonest, “{answer}”, is given for {share(part)}."
    return [Finding(CODE, SPEC.title, "passed", text, whom="all", n=total, section=4)]


def answers(document: Document) -> Mapping[str, int]:
    """Return how often each answer is given, summed over the cells of the first attribute.

    Without an attribute: over the classes; without labels: over all rows.
    """
    if not Names(document).known:
        return _selected(document)
    cells = list(document.get("cells") or document.get("classes") or ())
    given: dict[str, int] = dict.fromkeys(document["label"]["levels"], 0)
    for cell in cells:
        if cell["attribute"] == cells[0]["attribute"]:
            for level, n in cell["predicted"].items():
                given[level] = given.get(level, 0) + int(n)
    return given


def _selected(document: Document) -> dict[str, int]:
    """Return how often each answer is given, from the shares selected overall."""
    levels, whole = document["label"]["levels"], document["overall"]
    positive = document["label"]["positive"]
    if len(levels) > 2:
        rates = {level: whole["per_class"][level]["selection_rate"] for level in levels}
        return {
            level: round((one["value"] or 0.0) * (one["n"] or 0)) for level, one in rates.items()
        }
    one = whole["selection_rate"]
    n = int(one["n"] or 0)
    chosen = round((one["value"] or 0.0) * n)
    return {level: chosen if level == positive else n - chosen for level in levels}


SPEC = CheckSpec(
    title="Constant predictions",
    question="Does it give one answer whatever it sees?",
    threshold=0.995,
    unit="fraction",
    run=run,
)
