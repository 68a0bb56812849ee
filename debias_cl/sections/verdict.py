"""Section 1, the first screen: who was audited, does it differ, for whom, how sure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import (
    Name,
    Sentence,
    bare_share,
    bounds,
    capital,
    clean,
    count,
    join,
    n_equals,
    points,
    say,
    share,
    show,
    spelled,
)
from debias_cl.records import OUTCOMES
from debias_cl.sections.answers import questions
from debias_cl.sections.classes import class_forest
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.figures import Figure
from debias_cl.sections.gates import gate_block
from debias_cl.sections.glance import SMALL_ROWS, pattern_forest, small_forest
from debias_cl.sections.lead import Lead, lead, lead_sentence
from debias_cl.sections.numbers import html
from debias_cl.sections.reading import (
    Run,
    attributes,
    both,
    by_class_alone,
    chosen,
    drawn,
    first_beside,
    leading,
    runs,
)

NAMED = 3
"""Most other runs named in full."""
COMPARED = 2
"""Most other runs in a tile; the table of encoders has all."""


@dataclass(frozen=True)
class Tile:
    """One of the five headline numbers.

    Attributes:
        title: what it is.
        value: as HTML.
        unit: "points" or "".
        lines: interval, n, the other runs.
    """

    title: str
    value: Markup
    unit: str
    lines: tuple[Markup, ...]


def context(document: Document) -> Mapping[str, Any]:
    """Return what the first screen is told."""
    metric, found = chosen(document), lead(document)
    return {
        "subject": subject(document),
        "question": _question(document, found),
        "lead": html(lead_sentence(document, found, metric)),
        "answers": [
            (question, [html(line) for line in said])
            for question, said in questions(document, found, metric)
        ],
        "skipped": skipped(document),
        "figure": _figure(document, found),
        "key": _key(document, found),
        "tiles": tiles(document, found),
        "counts": counts(document),
        "total": len(document.get("findings") or ()),
        "gates": gate_block(document),
    }


def subject(document: Document) -> Sentence:
    """Return who was audited: model, data, n, beside what, what counts as positive."""
    root, names = Node(document), Names(document)
    encoder = document.get("encoder") or {}
    dataset = document.get("dataset") or {}
    what = clean(str(encoder.get("architecture") or ""))
    judge = clean(str(encoder.get("judge") or ""))
    run = clean(str(encoder.get("run") or ""))
    inside = ", ".join(piece for piece in (what, run) if piece)
    kind = " encoder" if what else ""
    described = f"{kind}{f' ({inside})' if inside else ''}{f' with {_a(judge)}' if judge else ''}"
    title = clean(str(dataset.get("title") or dataset.get("name") or ""))
    split = "" if not what else f"{clean(str(dataset.get('test_split') or 'test'))} "
    place = f" of {title}" if title and title != names.encoder(document) else ""
    first = say("Audited: ", Name(names.encoder(document)), described, ", on ")
    parts = [say(first, show(root / "n", count), f" {split}{names.noun}{place}.")]
    others = [run.name for run in runs(document)[1:]]
    if len(others) > NAMED:
        others = list(dict.fromkeys(run.short for run in runs(document)[1:]))
        others = [f"{count(len(document['beside']))} pairs of encoder and judge ({both(others)})"]
    if others:
        parts.append(say("Beside it: ", both(others), f", same {names.noun}."))
    if names.binary:
        label, level = names.label, clean(str(document["label"]["positive"]))
        source = clean(str(document["label"].get("positive_source") or ""))
        inside = "; ".join(piece for piece in (f"{label} = {level}", source) if piece)
        parts.append(say(f"Counted as positive: {names.positive} ({inside})."))
    return join(parts)


def _by_pattern(document: Document, found: Lead | None) -> bool:
    """Return whether the small figure shows the cells that the overall accuracies stand on."""
    known = [entry["name"] for entry in document.get("attributes") or ()]
    return found is not None and found.conflict and found.attribute == known[0]


def _question(document: Document, found: Lead | None) -> str:
    if by_class_alone(document):
        return "How often is it right, and for which class least?"
    if found is None or not found.conflict:
        return "Does it differ between groups?"
    return "Does it lean on the pattern of its training?"


def _figure(document: Document, found: Lead | None) -> Figure | None:
    if by_class_alone(document):
        return class_forest(document, "1.1", "3a", SMALL_ROWS)
    return pattern_forest(document) if _by_pattern(document, found) else small_forest(document)


def _key(document: Document, found: Lead | None) -> tuple[list[str], str]:
    """Return the runs that the small figure's key names, and what its dotted line is."""
    names = [run.name for run in drawn(document)]
    if _by_pattern(document, found):
        return ([names[0], names[1] if len(names) == 2 else "the others"][: len(names)], "")
    return (names[:2], f"all, {names[0]}" if len(names) > 1 else "all")


def _a(judge: str) -> str:
    if judge.startswith("own ") or judge[:1].isdigit():
        return f"its {judge}" if judge.startswith("own ") else judge
    return f"a {judge}"


def tiles(document: Document, found: Lead | None) -> list[Tile]:
    """Return the five headline numbers; those that are undefined say why."""
    names = Names(document)
    compared = [drawn(document)[0], *first_beside(document, COMPARED)]
    attribute = found.attribute if found else ""
    of = "attributes_overall"
    worst = Node(document) / "overall" / "worst_group_accuracy"
    cell = (worst / "cell").value
    if by_class_alone(document):
        return _class_tiles(compared, names)
    if not names.known:
        return _tiles_without_truth(compared, names, attribute)
    made = [
        _tile(compared, "Accuracy", ("overall", "accuracy")),
        _tile(compared, "Mean over the cells", ("overall", "unbiased_accuracy")),
        _tile(
            compared,
            f"Worst cell: {names.cell(cell)}" if cell else "Worst cell",
            ("overall", "worst_group_accuracy"),
        ),
    ]
    metric = chosen(document)
    if any(entry.get("alignment") for entry in document.get("attributes") or ()):
        paths = ("overall", "aligned_minus_conflict")
        made.append(_tile(compared, "Aligned minus conflicting", paths, gap=True))
    if attribute:
        title = f"{GAP_TITLES[metric.disparity]}, {names.attribute(attribute)}"
        made.append(_tile(compared, title, ("disparities", attribute, metric.disparity), gap=True))
    if len(made) < 5 and attribute:
        title = f"Accuracy gap, {names.attribute(attribute)}"
        if names.binary:
            made.append(_tile(compared, title, ("disparities", attribute, ACCURACY), gap=True))
    if len(made) < 5 and (Node(document) / of):
        made.append(_tile(compared, "F1" if names.binary else "Macro F1", ("overall", "f1")))
    return made[:5]


def _tiles_without_truth(compared: list[Run], names: Names, attribute: str) -> list[Tile]:
    """Return the headline numbers where no labels were given."""
    made = [_tile(compared, f"Called {names.positive}", ("overall", "selection_rate"))]
    if attribute:
        parity = "demographic_parity_difference"
        title = f"{GAP_TITLES[parity]}, {names.attribute(attribute)}"
        made.append(_tile(compared, title, ("disparities", attribute, parity), gap=True))
    made.append(_tile(compared, "Without a prediction", ("overall", "missing_prediction_rate")))
    return made


def _class_tiles(compared: list[Run], names: Names) -> list[Tile]:
    """Return the headline numbers where classes stand in for groups."""
    cell = (compared[0].node / "overall" / "worst_class_accuracy" / "cell").value
    worst = f"Worst class: {names.cell(cell)}" if cell else "Worst class"
    return [
        _tile(compared, "Accuracy", ("overall", "accuracy")),
        _tile(compared, "Mean over the classes", ("overall", "balanced_accuracy")),
        _tile(compared, worst, ("overall", "worst_class_accuracy")),
        _tile(compared, "F1" if names.binary else "Macro F1", ("overall", "f1")),
    ]


ACCURACY = "accuracy_difference"
GAP_TITLES = {
    "equal_opportunity_difference": "Gap in share found",
    ACCURACY: "Accuracy gap",
    "demographic_parity_difference": "Gap in share selected",
}


def _tile(compared: list[Run], title: str, path: tuple[str, ...], *, gap: bool = False) -> Tile:
    node = _at(compared[0].node, path)
    form, ends = (points, points) if gap else (share, bare_share)
    lines: list[Markup] = []
    if node.number is None:
        lines.append(html(clean(str((node / "reason").value or "not measured"))))
    interval = bounds(node, ends) if node.number is not None else None
    if interval is not None:
        lines.append(html(say("(", interval, ")")))
    rows = node / "n"
    small = (node / "lowest" / "n") if node / "lowest" else rows
    if small.number is not None:
        word = "lowest group, " if node / "lowest" else ""
        lines.append(html(say(word, show(small, n_equals))))
    for run in compared[1:]:
        other = _at(run.node, path)
        if other.number is not None:
            lines.append(html(say(f"{run.brief} ", show(other, form)), first=False))
    return Tile(title, html(say(show(node, form))), "points" if gap else "", tuple(lines))


def _at(node: Node, path: tuple[str, ...]) -> Node:
    if path[0] == "disparities":
        return leading(node / path[0] / path[1], path[2])
    for step in path:
        node = node / step
    return node


def counts(document: Document) -> list[tuple[str, int]]:
    """Return how many findings have each of the five outcomes."""
    found = Counter(entry["outcome"] for entry in document.get("findings") or ())
    return [(outcome, found[outcome]) for outcome in OUTCOMES]


def skipped(document: Document) -> str:
    """Return "One check was skipped."; "" where none was."""
    n = dict(counts(document))["skipped"]
    if not n:
        return ""
    return f"{spelled(n).capitalize()} check{' was' if n == 1 else 's were'} skipped."


def title(document: Document) -> str:
    """Return the title of the report: the label and whose groups are compared."""
    names = Names(document)
    across = [names.attribute(entry["name"]) for entry in attributes(document, together=False)]
    if not across:
        return capital(names.label)
    shown = both(across) if len(across) < 5 else f"{len(across)} attributes"
    return f"{capital(names.label)}, compared across {shown}"


SPEC = SectionSpec(number=1, title="Verdict", template="verdict.html.j2", context=context)
