"""The small figure beside the verdict: groups lowest first, or conflicting against aligned."""

from __future__ import annotations

from dataclasses import replace

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import count
from debias_cl.sections.contract import Document
from debias_cl.sections.figures import Figure
from debias_cl.sections.forest import ForestRow, forest
from debias_cl.sections.groups import DESCRIPTION, forest_row, mark
from debias_cl.sections.reading import attributes, chosen, drawn, groups, low_first, min_group

SMALL_ROWS = 8
"""Most rows of the forest plot beside the verdict."""
SMALL_RUNS = 7
"""Most encoders in it."""


def small_forest(document: Document) -> Figure | None:
    """Return the forest plot beside the verdict: groups of enough rows, lowest first."""
    metric, compared, words = chosen(document), drawn(document)[:2], Names(document)
    least = min_group(document)
    found = [
        group
        for entry in attributes(document, together=False)
        for group in groups(document, entry["name"], metric.rate)
        if ((group / metric.rate / "n").number or 0) >= least
    ]
    found.sort(key=lambda group: low_first((group / metric.rate).number))
    if not found:
        return None
    rows = [
        replace(forest_row(document, words, metric, metric.rate, compared, group), bold=not place)
        for place, group in enumerate(found[:SMALL_ROWS])
    ]
    overall = (Node(document) / "overall" / metric.rate).number
    svg, scale = forest(rows, overall, "f11", f"Forest plot: {metric.short}", DESCRIPTION)
    start = f"; axis from {scale.low * 100:.0f}%" if scale.low > 0 else ""
    told = f"Share, with 95% intervals; n is {metric.rows}{start}."
    positive = words.examples(str(document["label"]["positive"]))
    titles = {"true_positive_rate": f"Of {positive}, how many are found"}
    title = titles.get(metric.rate, f"{metric.short} by group")
    return Figure("f11", "1.1", title, told, svg, "3a")


def pattern_forest(document: Document) -> Figure:
    """Return conflicting and aligned accuracy of every run: the audited one against the others."""
    rows: list[ForestRow] = []
    for name, word in (("conflict_accuracy", "Conflicting"), ("aligned_accuracy", "Aligned")):
        rows.append(ForestRow(word))
        for place, run in enumerate(drawn(document)[:SMALL_RUNS]):
            value = run.node / "overall" / name
            n = "" if (value / "n").number is None else count((value / "n").number or 0)
            series = ("ref",) if place else ("run",)
            row = ForestRow(run.brief, n, (mark(value),), not place, series=series)
            rows.append(row)
    noun = Names(document).noun
    told = f"Share right, with 95% intervals; n is {noun}"
    description = "Rows are encoders, conflicting first, then aligned. Data: table 4a."
    svg, scale = forest(rows, None, "f11", "Forest plot: conflicting and aligned", description)
    start = f"; axis from {scale.low * 100:.0f}%." if scale.low > 0 else "."
    title = f"Accuracy on conflicting and aligned {noun}"
    return Figure("f11", "1.1", title, f"{told}{start}", svg, "4a")
