"""Label noise: are there rows whose neighbours all say another label?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import clean, count, share
from debias_cl.checks.unseen import no_features
from debias_cl.records import Finding

CODE = "label-noise"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: a note where rows are suspected, by every encoder that was looked at."""
    found = [part for part in _parts(document) if part]
    if not found:
        return [no_features(document, CODE, SPEC.title)]
    names, first = Names(document), found[0]
    common = {part: _common(found, part) for part in ("train", "test")}
    rows = sum(int(first[part]["of"]) for part in common)
    n = sum(len(ids) for ids in common.values())
    if not n or n <= threshold * rows:
        text = f"No {names.noun} stand among neighbours that agree on another label"
        text = text if not n else f"{count(n)} of {count(rows)} {names.noun} do"
        return [Finding(CODE, SPEC.title, "passed", f"{text}.", section=7, n=rows)]
    text = " ".join(_sentence(names, first[part], part, ids) for part, ids in common.items() if ids)
    who = "every encoder here" if len(found) > 1 else "this encoder"
    text += f" So it is for {who}. Either the label is wrong, or the features are."
    explained = sum(int(first[part]["explained"]) for part in common)
    if explained:
        text += f" {count(explained)} more carry what usually goes with the neighbours' label."
    return [Finding(CODE, SPEC.title, "note", text, section=7, n=n, usually_helps=HELPS)]


HELPS = "to look at these by eye; a wrong label in the test split counts as an error of the model"


def _parts(document: Document) -> list[Mapping[str, Any]]:
    runs = [document, *(document.get("beside") or ())]
    return [(run.get("representation") or {}).get("suspects") or {} for run in runs]


def _common(found: Sequence[Mapping[str, Any]], part: str) -> list[str]:
    """Return the rows that every encoder suspects, in the order of the first."""
    others = [set(one[part]["ids"]) for one in found[1:]]
    return [name for name in found[0][part]["ids"] if all(name in ids for ids in others)]


def _sentence(names: Names, part: Mapping[str, Any], split: str, ids: Sequence[str]) -> str:
    """Return how many rows of a split are suspected, and the first of them."""
    told = {one["id"]: one for one in part["listed"]}
    shown = [_told(name, told.get(name)) for name in ids[:LISTED]]
    rest = f" and {count(len(ids) - LISTED)} more" if len(ids) > LISTED else ""
    where = {"train": "training", "test": "tested"}[split]
    of = f"{count(len(ids))} of {count(part['of'])} {where} {names.noun}"
    start = (
        f"{of} ({share(len(ids) / part['of'])}) lie among neighbours that agree on another label"
    )
    return f"{start}: {', '.join(shown)}{rest}."


def _told(name: str, one: Mapping[str, Any] | None) -> str:
    if one is None:
        return clean(name)
    return f"{clean(name)} ({clean(one['label'])}, neighbours {clean(one['neighbours'])})"


LISTED = 20

SPEC = CheckSpec(
    title="Labels that their neighbours contradict",
    question="Are there rows whose neighbours nearly all have another label?",
    threshold=0.0,
    unit="fraction",
    run=run,
)
