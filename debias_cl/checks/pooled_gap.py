"""The pooled gap against the gaps inside strata: does it point the other way (Simpson)?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, between, clean, join, points, say, show
from debias_cl.records import Finding, Outcome

CODE = "pooled-gap"
Kind = Literal["reversed", "unlike", "hidden", "absent", "same", "none", "undefined"]
OUTCOMES: dict[Kind, Outcome] = {
    "reversed": "issue",
    "unlike": "note",
    "hidden": "note",
    "absent": "note",
    "same": "passed",
    "none": "passed",
    "undefined": "not applicable",
}
"""Worst first. reversed: both beyond chance, and the other way. unlike: the other way, and not
both beyond chance. hidden: only inside strata beyond chance. absent: only pooled beyond chance."""


@dataclass(frozen=True)
class Contrast:
    """One contrast of an attribute, with what the pooled gap is to it."""

    node: Node
    kind: Kind

    @property
    def size(self) -> float:
        """How much the two differ."""
        pooled, within = (self.node / "pooled").number, (self.node / "within").number
        return 0.0 if pooled is None or within is None else abs(pooled - within)


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding an attribute: its measure in which the pooled gap misleads most."""
    within = Node(document) / "within"
    if not within:
        none: Outcome = "not applicable"
        said = "No column of strata was given; --within names one."
        return [Finding(CODE, SPEC.title, none, said)]
    found = [_one(document, node, threshold) for node in within / "attributes"]
    alone: Outcome = "not applicable"
    said = "No other attribute was given, so nothing is compared inside the strata."
    return found or [Finding(CODE, SPEC.title, alone, said)]


def kind_of(node: Node, threshold: float) -> Kind:
    """Return what the pooled gap is to the mean of the gaps inside strata.

    Args:
        node: a contrast of the document.
        threshold: a gap of less counts as none, whatever its interval.
    """
    pooled, within = node / "pooled", node / "within"
    if pooled.number is None or within.number is None:
        return "undefined"
    sure, inside = _clear(pooled, threshold), _clear(within, threshold)
    if pooled.number * within.number < 0 and (sure or inside):
        return "reversed" if sure and inside else "unlike"
    if sure and inside:
        return "same"
    return "absent" if sure else "hidden" if inside else "none"


def _clear(value: Node, threshold: float) -> bool:
    """Return whether a signed gap is large enough and its interval leaves 0 out."""
    low, high = (value / "low").number, (value / "high").number
    if low is None or high is None or abs(value.number or 0.0) < threshold:
        return False
    return low > 0 or high < 0


def _one(document: Document, entries: Node, threshold: float) -> Finding:
    names, attribute = Names(document), entries.key
    found = [Contrast(node, kind_of(node, threshold)) for node in entries]
    title = f"{SPEC.title}, by {names.attribute(attribute)}"
    code = f"{CODE}:{clean(attribute)}"
    if not found:
        said = "Not defined: no gap of this attribute is."
        return Finding(code, title, "not applicable", said, attribute=attribute)
    order = list(OUTCOMES)
    worst = min(found, key=lambda one: (order.index(one.kind), -one.size))
    sentence = _sentence(document, names, worst)
    group = (worst.node / "group").value
    return Finding(
        code=code,
        title=title,
        outcome=OUTCOMES[worst.kind],
        sentence=str(sentence),
        attribute=attribute,
        whom=names.group(group),
        n=(worst.node / "within" / "n").value,
        section=5,
        pointers=sentence.pointers,
    )


def rate_words(rate: str, names: Names, level: object) -> str:
    """Return what a rate is called in a sentence about one label level."""
    label = names.document["label"]["name"]
    wanted = names.positive if names.binary else names.level(label, str(level))
    return {
        "selection_rate": f"share called {wanted}",
        "true_positive_rate": f"share found of {wanted}",
        "false_positive_rate": f"share of others called {wanted}",
        "accuracy": "accuracy",
    }[rate]


def _sentence(document: Document, names: Names, worst: Contrast) -> Sentence:
    node, column = worst.node, clean(str(document["within"]["column"]))
    if worst.kind == "undefined":
        reason = (node / "within" / "reason").value or (node / "pooled" / "reason").value
        return say(f"Not defined: {clean(str(reason))}.")
    against = (node / "against").value
    other = "the rest" if against == "rest" else names.group(against)
    rate = rate_words(str((node / "rate").value), names, (node / "class").value)
    who = names.group((node / "group").value)
    first = say(
        f"{rate[:1].upper()}{rate[1:]}, {who} minus {other}: ",
        *_gap(node / "pooled"),
        " points over all rows, and on average ",
        *_gap(node / "within"),
        f" points inside the levels of {column}.",
    )
    return join([first, say(AFTER[worst.kind])])


def _gap(value: Node) -> list[Sentence]:
    ends = between(value, points)
    return [say(show(value, points)), *([say(" (", ends, ")")] if ends else [])]


AFTER: dict[Kind, str] = {
    "reversed": "The two point opposite ways, both beyond chance.",
    "unlike": "The two point opposite ways; not both are beyond chance.",
    "hidden": "Only the gap inside the strata is beyond chance.",
    "absent": "Inside the strata chance alone can give it.",
    "same": "Both point the same way.",
    "none": "Chance alone can give both.",
}

SPEC = CheckSpec(
    title="Pooled gap against strata",
    question="Does the gap over all rows point the same way as the gaps inside the strata?",
    threshold=0.0,
    unit="fraction",
    run=run,
)
