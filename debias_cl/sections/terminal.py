"""The terminal's summary: the first sentence, a row an encoder, the five counts."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import DASH, bare_share, between, n_equals, share, show
from debias_cl.sections.contract import Document
from debias_cl.sections.gates import gates_line
from debias_cl.sections.lead import lead, lead_sentence
from debias_cl.sections.reading import Run, by_class_alone, chosen, min_group, runs
from debias_cl.sections.verdict import counts

BY_CLASS = (("accuracy", "accuracy"), ("balanced_accuracy", "mean over classes"))
WITHOUT_TRUTH = (
    ("selection_rate", "called {positive}"),
    ("missing_prediction_rate", "no prediction"),
)
SHOWN = (
    ("accuracy", "accuracy"),
    ("aligned_accuracy", "aligned"),
    ("conflict_accuracy", "conflicting"),
)


def summary(document: Document) -> RenderableType:
    """Return what the command prints: plain words, numbers with intervals, counts.

    Args:
        document: content of metrics.json, complete.
    """
    sentence = lead_sentence(document, lead(document), chosen(document))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("encoder", overflow="fold")
    names = Names(document)
    shown = BY_CLASS if by_class_alone(document) else SHOWN if names.known else WITHOUT_TRUTH
    for _, title in shown:
        title = title.format(positive=names.positive)
        table.add_column(title, justify="right", no_wrap=True)
    word = "worst class" if by_class_alone(document) else "worst cell"
    if names.known:
        table.add_column(word, overflow="fold")
    for run in runs(document):
        values = [_value(run.node / "overall" / name) for name, _ in shown]
        worst = [_worst(document, run)] if names.known else []
        table.add_row(_lines(run.short, run.judge), *values, *worst)
    head = Text(str(sentence), style="bold")
    parts = [head, Text(), table, *_footnote(document), Text(), _counts(document)]
    if gates := gates_line(document):
        parts.append(Text(gates, style="bold"))
    return Group(*parts)


def _value(node: Node) -> Text:
    if node.number is None:
        return Text(DASH)
    interval = between(node, bare_share)
    value = str(show(node, share).text)  # type: ignore[union-attr]
    return _lines(value, f"({interval})" if interval else "")


def _worst(document: Document, run: Run) -> Text:
    """Return the lowest cell of enough rows, else the lowest of all, marked."""
    judged = run.node / "overall" / _worst_name(document)
    worst = judged if judged.number is not None else judged / "unfiltered"
    cell, n = (worst / "cell").value, (worst / "n").number
    if worst.number is None or not cell:
        return Text(DASH)
    few = "" if worst is judged else "*"
    rows = "" if n is None else f"  {n_equals(n)}{few}"
    return _lines(f"{share(worst.number)}{rows}", Names(document).cell(cell))


def _worst_name(document: Document) -> str:
    return "worst_class_accuracy" if by_class_alone(document) else "worst_group_accuracy"


def _lines(first: str, second: str) -> Text:
    return Text(first).append(f"\n{second}" if second else "", style="dim")


def _footnote(document: Document) -> list[RenderableType]:
    name = _worst_name(document)
    judged = [run.node / "overall" / name for run in runs(document)]
    few = any(node.number is None and (node / "unfiltered").number is not None for node in judged)
    least = min_group(document)
    return [Text(f"* fewer than {least:.0f} rows: shown, not judged", style="dim")] if few else []


def _counts(document: Document) -> Text:
    plural = {"issue": "issues", "note": "notes"}
    words = [f"{n} {plural.get(o, o) if n != 1 else o}" for o, n in counts(document)]
    return Text(f"{len(document.get('findings') or ())} findings: {', '.join(words)}")
