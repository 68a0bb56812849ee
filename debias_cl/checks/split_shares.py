"""Split shares: do training and test hold the same mix of labels and groups?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from debias_cl.checks.contract import CheckSpec, Document
from debias_cl.checks.names import Names
from debias_cl.checks.text import points, say, share
from debias_cl.records import Finding

CODE = "split-shares"


def run(document: Document, threshold: float) -> Sequence[Finding]:
    """Return one finding: the cell whose share differs most between training and test.

    A difference is a note and not an issue: a biased training set beside a balanced test set is
    often the point of the protocol.
    """
    dataset = document.get("dataset") or {}
    splits, tested = dataset.get("splits") or {}, dataset.get("test_split") or "test"
    if not {"train", tested} <= set(splits):
        text = "The training rows are not given, so the mix cannot be compared."
        return [Finding(CODE, SPEC.title, "skipped", text, section=12)]
    found = list(_differences(splits["train"], splits[tested]))
    if not found:
        text = "The splits do not name their cells."
        return [Finding(CODE, SPEC.title, "not applicable", text, section=12)]
    size, before, after, cell = max(found, key=lambda row: row[0])
    names = Names(document)
    start = f"Largest change of a share: {names.cell(cell)} are {share(before)} of training and "
    change = say(start, f"{share(after)} of {tested}, {points(size)} points; ")
    if size > threshold:
        sentence = say(change, f"the threshold is {points(threshold)}.")
        return [Finding(CODE, SPEC.title, "note", str(sentence), whom=names.cell(cell), section=12)]
    sentence = say(change, f"below the threshold of {points(threshold)}.")
    return [Finding(CODE, SPEC.title, "passed", str(sentence), whom="all", section=12)]


def _differences(
    train: Mapping[str, Any], test: Mapping[str, Any]
) -> Iterator[tuple[float, float, float, Mapping[str, str]]]:
    """Yield (difference, share in training, share in test, cell) for each cell of both."""
    cells = {_key(cell): int(cell["n"]) for cell in test.get("cells") or ()}
    for cell in train.get("cells") or ():
        if _key(cell) in cells and train["n"] and test["n"]:
            before, after = cell["n"] / train["n"], cells[_key(cell)] / test["n"]
            yield abs(before - after), before, after, cell["group"]


def _key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return (cell["attribute"], *sorted(cell["group"].items()))


SPEC = CheckSpec(
    title="Same mix in training and test",
    question="Do training and test hold the same shares of labels and groups?",
    threshold=0.02,
    unit="fraction",
    run=run,
)
