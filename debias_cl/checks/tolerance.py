"""Gaps against the tolerances that were asked for: within, outside, or not settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.gaps import undefined_sentence, whom
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, bounds, clean, decimals, points, ratio, say, show
from debias_cl.records import Finding, Outcome

CODE = "tolerance"
OUTCOME: Mapping[str | None, Outcome] = {
    "within": "passed",
    "exceeds": "issue",
    "inconclusive": "note",
    None: "not applicable",
}
SAID: Mapping[str, str] = {
    "within": "all of its interval lies within the tolerance of",
    "exceeds": "all of its interval lies outside the tolerance of",
    "inconclusive": "inconclusive, as its interval holds the tolerance of",
}
ENDINGS: Sequence[tuple[str, Callable[[float], str], str]] = (
    ("_ratio", ratio, ""),
    ("differential_fairness", decimals, ""),
    ("", points, " points"),
)
"""End of a disparity's name -> how it is shown, and its unit."""


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute and tolerance; the limits are the user's own."""
    limits = (document.get("settings") or {}).get("tolerance") or {}
    if not limits:
        none: Outcome = "not applicable"
        said = "No tolerance was given; --tolerance or a policy sets one."
        return [Finding(CODE, SPEC.title, none, said)]
    found = [
        _one(document, attribute, base(name))
        for attribute in document.get("disparities") or {}
        for name in limits
    ]
    return found or [no_attribute(document, CODE, SPEC.title, ", so there are no gaps")]


def base(name: str) -> str:
    """Return a disparity's name without the ending that says over which groups."""
    return name.removesuffix("_min_group").removesuffix("_all")


def form(name: str) -> tuple[Callable[[float], str], str]:
    """Return how a disparity is shown, and its unit."""
    return next((shown, unit) for ending, shown, unit in ENDINGS if name.endswith(ending))


def _one(document: Document, attribute: str, name: str) -> Finding:
    names, of = Names(document), Node(document) / "disparities" / attribute
    gap = of / f"{name}_min_group"
    few = gap.number is None and (of / name).number is not None
    gap = of / name if few or not gap else gap
    reading = (gap / "tolerance" / "reading").value
    outcome: Outcome = "skipped" if not gap else OUTCOME[reading]
    sentence = _sentence(gap, name, reading)
    low = gap / "lowest"
    return Finding(
        code=f"{CODE}:{clean(attribute)}:{name}",
        title=f"Tolerance of {name.replace('_', ' ')}, by {names.attribute(attribute)}",
        # Groups too small to be judged settle nothing that is bad.
        outcome="note" if few and outcome == "issue" else outcome,
        sentence=str(sentence),
        attribute=attribute,
        whom=whom(names, low),
        n=(low / "n").value,
        section=5,
        pointers=sentence.pointers,
    )


def _sentence(gap: Node, name: str, reading: str | None) -> Sentence:
    if not gap:
        return say("This was not measured here; give the columns that it needs.")
    if reading is None:
        return say(undefined_sentence((gap / "reason").value))
    shown, unit = form(name)
    ends = bounds(gap, shown)
    return say(
        show(gap, shown),
        unit,
        *((" (", ends, ")") if ends else ()),
        f": {SAID[reading]} ",
        show(gap / "tolerance" / "limit", shown),
        f"{unit}.",
    )


SPEC = CheckSpec(
    title="Tolerances",
    question="Does each gap lie within the tolerance that was asked for?",
    threshold=0.0,
    unit="",
    run=run,
)
