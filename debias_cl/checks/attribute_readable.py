"""Attribute readable: can the attribute be read from the features, within one label?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, bare_share, between, clean, join, say, share, show
from debias_cl.checks.unseen import no_features
from debias_cl.records import Finding, Outcome

CODE = "attribute-readable"
PROBES = {"linear": "a linear probe", "knn": "the nearest neighbours"}


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding for each attribute; at most a note, as readable is not yet used."""
    leakage = document.get("leakage") or {}
    if leakage:
        return [_one(document, name, threshold) for name in leakage]
    if not document.get("attributes"):
        return [no_attribute(document, CODE, SPEC.title, ", so none can be read", 7)]
    return [no_features(document, CODE, SPEC.title)]


def _one(document: Document, attribute: str, threshold: float) -> Finding:
    of, names = Node(document) / "leakage" / attribute, Names(document)
    values = {probe: of / f"{probe}_balanced_accuracy_within_label" for probe in PROBES}
    best = max(values, key=lambda probe: values[probe].number or 0.0)
    value, guess = values[best], (of / "majority_within_label").number
    outcome: Outcome = "not applicable"
    sentence = say(f"Not defined: {clean(str((value / 'reason').value))}.")
    if value.number is not None and guess is not None:
        outcome = _outcome(value, guess, threshold)
        sentence = _sentence(of, value, names, (attribute, best), outcome)
    return Finding(
        code=f"{CODE}:{clean(attribute)}",
        title=f"{SPEC.title}: {names.attribute(attribute)}",
        outcome=outcome,
        sentence=str(sentence),
        attribute=attribute,
        whom="all",
        n=(value / "n").value,
        section=7,
        pointers=sentence.pointers,
    )


def _outcome(value: Node, guess: float, threshold: float) -> Outcome:
    """Return passed only where the whole interval lies near guessing."""
    high = (value / "high").number
    return "passed" if high is not None and high < guess + threshold else "note"


def _sentence(
    of: Node, value: Node, names: Names, who: tuple[str, str], outcome: Outcome
) -> Sentence:
    attribute, probe = names.attribute(who[0]), PROBES[who[1]]
    ends = between(value, bare_share)
    found = say(
        f"Within {names.one_label}, {probe} reads {attribute} right for ",
        show(value, share),
        *((" (", ends, ")") if ends else ()),
        " of each level; guessing is right for ",
        show(of / "majority_within_label", share),
        ", and with levels shuffled ",
        show(of / f"{who[1]}_shuffled_within_label", share),
        ".",
    )
    low, guess = (value / "low").number, (of / "majority_within_label").number or 0.0
    after = "That it can be read does not say that predictions use it."
    if outcome == "passed":
        after = "That is close to guessing."
    elif low is not None and low <= guess:
        after = "Too few rows to tell it from guessing."
    return join([found, say(after)])


SPEC = CheckSpec(
    title="Attribute readable from the features",
    question="Can the attribute be read from the features of one label?",
    threshold=0.10,
    unit="fraction",
    run=run,
)
