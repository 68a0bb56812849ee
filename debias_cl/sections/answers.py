"""The questions of the first screen and their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, capital, say, spelled
from debias_cl.sections import words
from debias_cl.sections.contract import Document
from debias_cl.sections.lead import Lead
from debias_cl.sections.reading import (
    Chosen,
    cells,
    drawn,
    find,
    first_beside,
    groups,
    leading,
    min_group,
    threshold,
)

Answers = list[tuple[str, list[Sentence]]]
COMPARED = 3
UNKNOWN = 2
DIFFERS = 0.05
"""Gap of the truth from which the first screen speaks of it."""


def questions(document: Document, found: Lead | None, metric: Chosen) -> Answers:
    """Return questions and answers in the order of the first screen; none without an answer."""
    if found is None:
        return [("What is unknown?", unknown(document, metric, None))]
    compared = drawn(document)[1:]
    name = f"Beside {compared[0].name}?" if len(compared) == 1 else "Beside the others?"
    asked = [
        ("By how much?", by_how_much(document, found)),
        ("For whom worst?", for_whom(document, found)),
        (name, next_to(document, found)),
        ("How sure?", how_sure(document)),
        ("What is unknown?", unknown(document, metric, found)),
    ]
    return [(question, said) for question, said in asked if said]


def by_how_much(document: Document, found: Lead) -> list[Sentence]:
    """Return the size of the gap, and that the truth differs as well where it does."""
    differs = [] if found.conflict else truth(document, found.attribute)
    return [words.extent(found.gap), *differs]


def truth(document: Document, attribute: str) -> list[Sentence]:
    """Return rule 11 where the finding of demographic parity was tempered by it."""
    root = Node(document)
    widening = root / "verdict" / attribute / "truth_widening"
    gap = leading(root / "disparities" / attribute, "demographic_parity_difference")
    truth_gap = (root / "verdict" / attribute / "truth_gap").number
    if widening.number is None or truth_gap is None or truth_gap < DIFFERS:
        return []
    if widening.number >= threshold(document, "demographic_parity"):
        return []
    low = find(document, "groups", attribute, (gap / "lowest" / "group").value)
    high = find(document, "groups", attribute, (gap / "highest" / "group").value)
    return [words.truth_differs(Names(document), low, high, widening)] if low and high else []


def for_whom(document: Document, found: Lead) -> list[Sentence]:
    """Return who fares worst, and what the overall accuracy hides."""
    names, root = Names(document), Node(document)
    worst = root / "attributes_overall" / found.attribute / "worst_group_accuracy"
    said: list[Sentence] = []
    if (found.gap / "rate").value == "true_positive_rate" and names.binary:
        said = _missed(document, names, found)
    else:
        if worst.number is not None:
            said = [words.worst_right(names, worst, len(cells(document, found.attribute)))]
        lowest = worst / "unfiltered"
        if lowest.number is not None and (lowest / "cell").value != (worst / "cell").value:
            said.append(words.lowest_of_all(names, lowest))
    errors = root / "verdict" / found.attribute / "shortcut_errors"
    if errors.number is not None:
        said.append(words.shortcut(names, found.attribute, errors))
    return said + _small(document, names, found)


def _missed(document: Document, names: Names, found: Lead) -> list[Sentence]:
    label = document["label"]
    other = next((level for level in label["levels"] if level != label["positive"]), "")
    group = (found.gap / "lowest" / "group").value or {}
    levels = {label["name"]: label["positive"], **group}
    cell = find(document, "cells", found.attribute, levels)
    if not cell:
        return []
    accuracy = Node(document) / "overall" / "accuracy"
    return [words.worst_missed(names, cell, cell / "predicted" / other, accuracy)]


def _small(document: Document, names: Names, found: Lead) -> list[Sentence]:
    """Return rule 7 where a small group lies lower than the lowest that is judged."""
    if found.conflict:
        return []
    plain = Node(document) / "disparities" / found.attribute / found.measure / "lowest"
    judged = found.gap / "lowest"
    if not plain or not judged or (plain / "group").value == (judged / "group").value:
        return []
    low, high = (plain / "value").number, (judged / "value").number
    if low is None or high is None or low >= high:
        return []
    group = find(document, "groups", found.attribute, (judged / "group").value)
    rate = group / str((found.gap / "rate").value or "accuracy")
    return [words.small_worst(names, plain, judged, rate, min_group(document))]


def next_to(document: Document, found: Lead) -> list[Sentence]:
    """Return rule 8 for each other run."""
    names, said = Names(document), []
    audited, *others = drawn(document)
    paired_name, where = "accuracy", f"all {names.noun}"
    entry = next(e for e in document["attributes"] if e["name"] == found.attribute)
    first = next(iter(document["attributes"]))["name"]
    if entry.get("alignment") and found.attribute == first:
        paired_name, where = "conflict_accuracy", f"conflicting {names.noun}"
    told = COMPARED if len(others) <= COMPARED else COMPARED - 1
    for run in first_beside(document, told):
        of = run.node / "disparities" / found.attribute
        gap = leading(of, found.measure)
        if found.conflict:
            gap = run.node / "attributes_overall" / found.attribute / found.measure
        if gap.number is not None:
            paired = run.node / "paired" / paired_name
            if len(others) > 1:
                line = words.beside_several(audited.short, run.name, gap, paired, where)
            else:
                line = words.beside(audited.short, run.name, names.noun, gap, paired, where)
            said.append(line)
    left = len(others) - told
    if said and left > 0:
        said.append(say(f"{capital(spelled(left))} more stand in table 4a."))
    return said


def how_sure(document: Document) -> list[Sentence]:
    """Return rule 9."""
    noun, spread = Names(document).noun, Node(document) / "verdict" / "seeds"
    if spread.number is not None:
        return [words.seeds(spread)]
    encoder: Mapping[str, Any] = document.get("encoder") or {}
    known = encoder.get("architecture") or encoder.get("run")
    make: Callable[[str], Sentence] = words.one_seed if known else words.given_predictions
    return [make(noun)]


def unknown(document: Document, metric: Chosen, found: Lead | None) -> list[Sentence]:
    """Return which groups are too small, and of which nothing can be said."""
    names, least, said = Names(document), min_group(document), list[Sentence]()
    small = 0
    for entry in document.get("attributes") or ():
        for group in groups(document, entry["name"], metric.rate):
            value = group / metric.rate
            n = int((value / "n").number or 0)
            small += 0 < n < least
            if value.number is None and len(said) < UNKNOWN:
                reason = names.reason((value / "reason").value or f"no {metric.rows}")
                said.append(words.undefined(names, group, reason))
    if small:
        have = "group has" if small == 1 else "groups have"
        have = f"{spelled(small).capitalize()} {have}"
        said.insert(0, say(f"{have} fewer than {least} {metric.rows}; too few to judge."))
    if found is not None and not said:
        said.append(say(f"Other attributes. Each group here has {least} {metric.rows} or more."))
    if found is None and not said:
        if (document.get("dataset") or {}).get("has_attributes") is False:
            return [say("Whether it treats groups alike: this data set names none.")]
        said.append(say("No attribute was given, so nothing is known of any group."))
    return said
