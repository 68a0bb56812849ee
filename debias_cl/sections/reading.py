"""How the sections read the document: runs, groups in order, the chosen metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from debias_cl.checks import CHECKS
from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, clean
from debias_cl.sections.contract import Document


@dataclass(frozen=True)
class Run:
    """The audited encoder, or one beside it.

    Attributes:
        node: where its measured part begins ("" or "/beside/0").
        name: for people; with its judge where the name alone would not tell it apart.
        short: name without the judge.
        brief: name for lines of a few words ("ConTeX (balanced)").
        judge: what turned features into predictions.
    """

    node: Node
    name: str
    short: str
    brief: str
    judge: str


def runs(document: Document) -> list[Run]:
    """Return the audited run, then those beside it."""
    root, names = Node(document), Names(document)
    nodes = [root, *(root / "beside")]
    plain = [names.encoder(node.value) for node in nodes]
    judges = [clean(str((node / "encoder" / "judge").value or "")) for node in nodes]
    found = []
    for place, node in enumerate(nodes):
        unusual = judges[place] != judges[0]
        twice = plain.count(plain[place]) > 1
        told = judges[place] and (twice or (place and unusual))
        name = f"{plain[place]}, {judges[place]}" if told else plain[place]
        brief = f"{plain[place]} ({judges[place].split()[0]})" if told else plain[place]
        found.append(Run(node, name, plain[place], brief, judges[place]))
    return found


def drawn(document: Document) -> list[Run]:
    """Return the runs that figures and sentences compare; controls stand in table 4a alone."""
    return [run for run in runs(document) if not (run.node / "encoder" / "control").value]


def first_beside(document: Document, most: int) -> list[Run]:
    """Return the runs to speak of first: those with the audited run's judge, in their order."""
    audited, *others = drawn(document)
    return sorted(others, key=lambda run: run.judge != audited.judge)[:most]


@dataclass(frozen=True)
class Chosen:
    """The metric that the groups are compared by.

    Attributes:
        rate: its name in `groups`.
        disparity: its gap in `disparities`.
        head: column head ("Blond found (TPR)").
        short: for figure captions ("Blond found (TPR)", "Accuracy").
        rows: what its n counts ("blond images").
    """

    rate: str
    disparity: str
    head: str
    short: str
    rows: str


def chosen(document: Document) -> Chosen:
    """Return the true positive rate for a binary label, accuracy for more levels.

    Without a label only what is selected can be compared.
    """
    names = Names(document)
    if not names.known:
        called = f"Called {names.positive}"
        parity = "demographic_parity_difference"
        return Chosen("selection_rate", parity, called, called, names.noun)
    if not names.binary:
        return Chosen("accuracy", "accuracy_difference", "Accuracy", "Accuracy", names.noun)
    found = f"{capital(names.positive)} found (TPR)"
    rows = names.examples(str(document["label"]["positive"]))
    return Chosen("true_positive_rate", "equal_opportunity_difference", found, found, rows)


def attributes(document: Document, *, together: bool) -> list[Mapping[str, Any]]:
    """Return single attributes, or intersections, in the document's order."""
    return [
        entry for entry in document.get("attributes") or () if bool(entry.get("of")) == together
    ]


def groups(document: Document, attribute: str, rate: str) -> list[Node]:
    """Return the groups of one attribute: lowest first, undefined last."""
    found = [node for node in Node(document) / "groups" if (node / "attribute").value == attribute]
    return sorted(found, key=lambda node: low_first((node / rate).number))


def cells(document: Document, attribute: str) -> list[Node]:
    """Return the cells of one attribute: lowest accuracy first, empty ones last."""
    found = [node for node in Node(document) / "cells" if (node / "attribute").value == attribute]
    return sorted(found, key=lambda node: low_first((node / "accuracy").number))


def same(run: Run, part: str, node: Node) -> Node:
    """Return a run's own entry for a group or cell of the audited run.

    Args:
        run: any run.
        part: "groups", "cells" or "classes".
        node: the audited run's entry.
    """
    here = run.node / part
    index = int(node.key) if node.key.isdigit() else -1
    straight = here / index
    if straight and _is(straight, node):
        return straight
    return next((entry for entry in here if _is(entry, node)), Node(None, ""))


def find(document: Document, part: str, attribute: str, group: object) -> Node:
    """Return the audited run's group or cell with these levels; an empty node without."""
    for node in Node(document) / part:
        if (node / "attribute").value == attribute and (node / "group").value == group:
            return node
    return Node(None, "")


def by_class_alone(document: Document) -> bool:
    """Return whether no attribute is known, so that classes stand in for groups."""
    return not document.get("attributes") and bool(document.get("classes"))


def threshold(document: Document, check: str) -> float:
    """Return the threshold that was used for a check."""
    used = ((document.get("settings") or {}).get("thresholds") or {}).get(check)
    return CHECKS.get(check).threshold if used is None else float(used)


def min_group(document: Document) -> int:
    """Return the rows that a denominator needs to be judged."""
    return int((document.get("settings") or {}).get("min_group") or 30)


def leading(of: Node, disparity: str) -> Node:
    """Return the gap over groups of enough rows; over all groups where that is undefined."""
    found = of / f"{disparity}_min_group"
    return found if found.number is not None else of / disparity


def both(levels: Sequence[str]) -> str:
    """Return "a, b and c"."""
    if len(levels) < 2:
        return "".join(levels)
    return f"{', '.join(levels[:-1])} and {levels[-1]}"


def _is(entry: Node, node: Node) -> bool:
    return bool(
        (entry / "attribute").value == (node / "attribute").value
        and (entry / "group").value == (node / "group").value
    )


def low_first(value: float | None) -> tuple[bool, float]:
    """Return a sort key: lowest first, undefined last."""
    return (value is None, value or 0.0)
