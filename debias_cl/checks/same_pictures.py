"""Same pictures: does a picture of the test split also stand in training, under any name?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import clean, count, share
from debias_cl.checks.unseen import no_pictures
from debias_cl.records import Finding, Outcome

CODE = "same-pictures"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: an issue where more than `threshold` of the test pictures are copies."""
    dataset = document.get("dataset") or {}
    found, tested = dataset.get("duplicates"), str(dataset.get("test_split") or "test")
    if found is None:
        return [no_pictures(CODE, SPEC.title)]
    noun, between = Names(document).noun, {tuple(one["splits"]): one for one in found["between"]}
    shared = between.get(("train", tested)) or between.get((tested, "train"))
    if shared is None:
        text = f"There is no training split beside {clean(tested)} to compare with."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=12)]
    n, of = int(shared["n"]), int(found["compared"][tested])
    others = _others(between, shared, noun)
    if not n:
        text = f"None of the {count(of)} {noun} in {clean(tested)} equals a training one in every "
        text += f"pixel.{others}"
        return [Finding(CODE, SPEC.title, "note" if others else "passed", text, section=12, n=of)]
    outcome: Outcome = "issue" if n > threshold * of else "note"
    text = (
        f"{count(n)} of {count(of)} {noun} in {clean(tested)} ({share(n / of)}) equal a training "
    )
    text += f"one in every pixel, in {count(shared['pairs'])} pairs{_labels(shared)}: "
    text += f"{_listed(shared, tested)}.{others}"
    pointer = f"/dataset/duplicates/between/{found['between'].index(shared)}/n"
    return [
        Finding(
            CODE,
            SPEC.title,
            outcome,
            text,
            n=n,
            section=12,
            pointers=(pointer,),
            usually_helps="one name for each picture before the data are split",
        )
    ]


def _labels(shared: Mapping[str, Any]) -> str:
    differ = int(shared["labels_differ"])
    return f", {count(differ)} of them with different labels" if differ else ""


def _listed(shared: Mapping[str, Any], tested: str) -> str:
    """Return the first pairs by name."""
    pairs = [
        f"{clean(pair[tested]['id'])} = {clean(pair['train']['id'])}" for pair in shared["listed"]
    ]
    rest = int(shared["pairs"]) - len(pairs)
    return ", ".join(pairs) + (f" and {count(rest)} more" if rest else "")


def _others(between: Mapping[Any, Mapping[str, Any]], shared: Mapping[str, Any], noun: str) -> str:
    """Return what other splits share."""
    told = [
        f"{clean(first)} and {clean(second)} share {count(one['n'])}"
        for (first, second), one in between.items()
        if one is not shared and one["n"]
    ]
    return f" Of the {noun}, {'; '.join(told)}." if told else ""


SPEC = CheckSpec(
    title="No picture in both training and test",
    question="Do pictures of the test split stand in training as well, under whatever name?",
    threshold=0.01,
    unit="fraction",
    run=run,
)
