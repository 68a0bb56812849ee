"""Same persons: does a person of the test split also stand in training?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import clean, count, share
from debias_cl.checks.unseen import no_pictures
from debias_cl.records import Finding, Outcome

CODE = "same-persons"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: an issue where more than `threshold` of the rows are of such a person."""
    dataset = document.get("dataset") or {}
    if dataset.get("duplicates") is None:
        return [no_pictures(CODE, SPEC.title)]
    found, tested = dataset.get("persons"), str(dataset.get("test_split") or "test")
    noun = Names(document).noun
    if found is None:
        text = f"The data do not say who is on which of the {noun}."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=12)]
    places = {frozenset(one["splits"]): one for one in found["between"]}
    shared = places.get(frozenset({"train", tested}))
    if shared is None:
        text = f"Persons are not known both in training and in {clean(tested)}."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=12)]
    n, of = int(shared["n"]), int(dataset["splits"][tested]["n"])
    people = int(found["persons"][tested])
    if not n:
        text = f"None of the {count(people)} persons in {clean(tested)} stands in training."
        return [Finding(CODE, SPEC.title, "passed", text, section=12, n=people)]
    outcome: Outcome = "issue" if n > threshold * of else "note"
    text = (
        f"{count(shared['persons'])} of {count(people)} persons in {clean(tested)} also stand in "
    )
    text += f"training, with {count(n)} of {count(of)} {noun} ({share(n / of)}): "
    text += ", ".join(f"{clean(p[tested])} and {clean(p['train'])}" for p in shared["listed"]) + "."
    helps = "a split by person"
    return [Finding(CODE, SPEC.title, outcome, text, n=n, section=12, usually_helps=helps)]


SPEC = CheckSpec(
    title="No person in both training and test",
    question="Do persons of the test split stand in training as well?",
    threshold=0.01,
    unit="fraction",
    run=run,
)
