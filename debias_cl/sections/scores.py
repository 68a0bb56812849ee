"""Section 6: how scores order and how far they can be taken at their word, group by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import (
    Sentence,
    capital,
    count,
    decimals,
    n_equals,
    p_value,
    points,
    say,
    score,
    show,
)
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.curves import (
    calibration_figure,
    calibration_table,
    roc_figure,
    roc_table,
)
from debias_cl.sections.figures import Figure
from debias_cl.sections.reading import attributes, drawn, groups, leading, min_group, same
from debias_cl.sections.table import (
    Cell,
    Head,
    Table,
    count_cell,
    letter,
    number,
    points_cell,
    row_head,
    undefined,
    words,
)

MOST_DRAWN = 4
"""Attributes with figures; the tables have all."""
GAPS = {
    "auc_difference": ("AUC", "order of scores"),
    "area_between_roc_curves": ("Area between ROC curves", "two groups furthest apart"),
    "mean_score_difference": ("Mean score", "whatever the truth"),
    "ece_difference": ("Calibration error (ECE)", "plug-in"),
}


def context(document: Document) -> Mapping[str, Any] | str:
    """Return tables and curves, or the sentence that says why there are none."""
    if not document.get("scores"):
        return "There are no scores: only which level was predicted is known."
    names = Names(document)
    single = [entry["name"] for entry in attributes(document, together=False)]
    joint = [entry["name"] for entry in attributes(document, together=True)]
    tables = [_table(document, single, "6a", "Scores by one attribute", everyone=True)]
    if joint:
        folded = _table(document, joint, "6b", "Scores by several together")
        tables.append(folded)
    if document["disparities"]:
        tables.append(_gaps(document, [*single, *joint], f"6{letter(len(tables))}"))
    shown = single[:MOST_DRAWN] if names.known else []
    listed, figures = _curves(document, shown, len(tables))
    return {
        "lede": list(_lede(document, names)),
        "definitions": DEFINITIONS if names.known else DEFINITIONS[-1:],
        "tables": tables,
        "data": listed,
        "figures": figures,
    }


DEFINITIONS = [
    (
        "AUC:",
        "how often a row of the level scores above another one; ties count half, 0.5 is luck.",
    ),
    ("Brier score:", "mean squared distance of score and truth; 0 is the least."),
    (
        "Log loss:",
        "mean of minus the logarithm of the share given to what happened; 0 is the least.",
    ),
    (
        "Calibration error (ECE):",
        "mean distance of score and share in bins of equal mass. It is above 0 by chance alone: "
        "“chance” is what scores that say what happens reach in 95 of 100 tries.",
    ),
    ("Debiased:", "the root mean square of the same distances, freed of what chance adds."),
    ("On average:", "mean score minus share, in points; above 0 scores are too high."),
    ("Mean score:", "whatever the truth."),
]


def _lede(document: Document, names: Names) -> Sequence[Sentence | str]:
    scores = Node(document) / "scores"
    told: list[Sentence | str] = [
        say(
            f"Scores are of {names.positive}; they run from ",
            show(scores / "lowest", score),
            " to ",
            show(scores / "highest", score),
            ".",
        )
    ]
    if document["scores"].get("note"):
        told.append("That level is taken against all other levels.")
    if not document["scores"]["probabilities"]:
        told.append("They leave 0 to 1, so they are no probabilities and have an AUC alone.")
    if document["scores"]["n_missing_score"]:
        missing = show(scores / "n_missing_score", count)
        told.append(say(missing, f" {names.noun} have no score and are left out."))
    return told


def _columns(names: Names) -> list[tuple[tuple[str, ...], str, Any, Any]]:
    """Return steps to a number, its head, its form, and that of its interval's ends."""
    mean = (("mean_score",), "Mean score", score, score)
    if not names.known:
        return [mean]
    return [
        (("auc",), "AUC", score, score),
        (("brier",), "Brier score", score, score),
        (("log_loss",), "Log loss", decimals, decimals),
        (("ece",), "Calibration error (ECE)", score, None),
        (("ece", "null95"), "ECE, chance", score, None),
        (("rms_calibration_error",), "Debiased", score, score),
        (("calibration_in_the_large",), "On average, points", points, points),
        mean,
    ]


def _table(
    document: Document,
    asked: Sequence[str],
    label: str,
    caption: str,
    everyone: bool = False,
) -> Table:
    names, columns = Names(document), _columns(Names(document))
    others = [run for run in drawn(document)[1:] if (run.node / "scores").value]
    lead = columns[0][0][0]
    heads = [
        Head("Group"),
        Head(columns[0][1], True),
        *(Head(f"{run.brief}: {columns[0][1]}", True) for run in others),
        *(Head(title, True) for _, title, _, _ in columns[1:]),
        Head("All " + names.noun, True),
    ]
    found = [group for name in asked for group in groups(document, name, lead)]
    rows = [
        [
            row_head(names.group((group / "group").value)),
            *_row(names, group, columns, [same(run, "groups", group) for run in others]),
            count_cell(group / "n"),
        ]
        for group in found
    ]
    if everyone:
        whole = Node(document) / "overall"
        beside = [run.node / "overall" for run in others]
        everything = _row(names, whole, columns, beside)
        rows.append([row_head("All rows"), *everything, count_cell(Node(document) / "n")])
    note = f"By attribute, lowest {columns[0][1]} first; 95% intervals in brackets "
    note += f"({_method(document)})."
    minimum = 320 + 96 * (len(heads) - 2)
    folded = "" if everyone else caption
    return Table(label, caption, heads, rows, note, True, True, folded=folded, minimum=minimum)


def _row(names: Names, of: Node, columns: Sequence[Any], beside: Sequence[Node]) -> Sequence[Cell]:
    cells = [_cell(names, of, *columns[0])]
    cells += [_cell(names, other, *columns[0]) for other in beside]
    return [*cells, *(_cell(names, of, *column) for column in columns[1:])]


def _cell(names: Names, of: Node, steps: tuple[str, ...], _: str, form: Any, ends: Any) -> Cell:
    found = of
    for step in steps:
        found = found / step
    if found.number is not None:
        return number(found, form, ends)
    reason = (of / steps[0] / "reason").value or "none computed"
    return undefined(Node({"reason": names.reason(reason)}))


def _method(document: Document) -> str:
    methods = [(Node(document) / "overall" / name / "method").value for name in ("auc", "brier")]
    known = [str(method) for method in methods if method]
    return "; ".join(known) if known else "t interval of the mean"


def _gaps(document: Document, asked: Sequence[str], label: str) -> Table:
    names = Names(document)
    heads = [
        Head("Gap"),
        Head("Size, points", True),
        Head("Chance, points", True),
        Head("p, adjusted", True),
        Head("Lowest"),
        Head("Highest"),
    ]
    measures = {key: told for key, told in GAPS.items() if names.known or key == MEAN}
    rows = [
        _gap_row(document, names, attribute, key, told)
        for attribute in asked
        for key, told in measures.items()
    ]
    least = min_group(document)
    note = f"Groups with at least {least} rows (AUC and curves: of each label). An area between "
    note += "curves and a plug-in error are above 0 by chance alone, so they have no interval."
    return Table(label, "Gaps in scores", heads, rows, note, True, True, False, minimum=760)


MEAN = "mean_score_difference"


def _gap_row(
    document: Document, names: Names, attribute: str, key: str, told: tuple[str, str]
) -> list[Cell]:
    gap = leading(Node(document) / "disparities" / attribute, key)
    none = undefined(Node({"reason": "none computed"}))
    chance, p = gap / "null95", gap / "p_adjusted"
    return [
        row_head(told[0], f"by {names.attribute(attribute)}; {told[1]}"),
        points_cell(gap),
        none if chance.number is None else number(chance, points),
        none if p.number is None else number(p, p_value),
        _end(names, gap / "lowest"),
        _end(names, gap / "highest"),
    ]


def _end(names: Names, end: Node) -> Cell:
    if not end:
        return words("—", "no group")
    told = say(show(end / "value", score), ", ", show(end / "n", n_equals))
    return words(capital(names.group((end / "group").value)), told)


def _curves(
    document: Document, asked: Sequence[str], tables: int
) -> tuple[list[Table], list[Figure]]:
    """Return the curves of every attribute, and the tables of their numbers."""
    listed: list[Table] = []
    figures: list[Figure] = []
    pairs = ((roc_table, roc_figure), (calibration_table, calibration_figure))
    for attribute in asked:
        for make_table, make_figure in pairs:
            table = make_table(document, attribute, f"6{letter(tables + len(listed))}")
            figure = make_figure(document, attribute, len(figures) + 1, table)
            if figure is not None:
                listed.append(table)
                figures.append(figure)
    return listed, figures


SPEC = SectionSpec(number=6, title="Scores", template="scores.html.j2", context=context)
