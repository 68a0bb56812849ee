"""Small groups: which groups are too small to be judged?"""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import count, spelled
from debias_cl.records import Finding

CODE = "small-groups"
LISTED = 6


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding over all groups; at most a note, as small is not wrong."""
    names = Names(document)
    groups = document.get("groups") or ()
    if not groups:
        return [no_attribute(document, CODE, SPEC.title, ", so there are no groups", 3)]
    rate = "true_positive_rate" if names.binary else "accuracy"
    rate = rate if names.known else "selection_rate"
    what = (
        names.examples(document["label"]["positive"])
        if names.binary and names.known
        else names.noun
    )
    sizes = [(int(entry[rate]["n"] or 0), place) for place, entry in enumerate(groups)]
    small = [(n, place) for n, place in sizes if n < threshold]
    limit = count(threshold)
    if not small:
        text = f"Every group has at least {limit} {what}."
        return [Finding(CODE, SPEC.title, "passed", text, section=3, n=min(sizes)[0])]
    listed = [f"{names.group(groups[place]['group'])} ({count(n)})" for n, place in small[:LISTED]]
    rest = f" and {len(small) - LISTED} more" if len(small) > LISTED else ""
    have = "group has" if len(small) == 1 else "groups have"
    text = (
        f"{spelled(len(small)).capitalize()} {have} fewer than {limit} {what}: {'; '.join(listed)}"
        f"{rest}. They are shown, and left out of “groups of {limit} or more”."
    )
    return [
        Finding(
            CODE,
            SPEC.title,
            "note",
            text,
            whom="; ".join(names.group(groups[place]["group"]) for _, place in small[:2]),
            n=sum(n for n, _ in small),
            section=3,
            pointers=tuple(f"/groups/{place}/{rate}/n" for _, place in small[:LISTED]),
        )
    ]


SPEC = CheckSpec(
    title="Small groups",
    question="Are there groups too small to be judged?",
    threshold=30,
    unit="rows",
    run=run,
)
