"""The job summary: verdict, gates and disparities as Markdown, for the page of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import DASH, bounds, clean, count, p_value
from debias_cl.files import write_atomic
from debias_cl.gates.result import Document, figure
from debias_cl.sections.gates import gate_title
from debias_cl.sections.lead import lead, lead_sentence
from debias_cl.sections.reading import chosen
from debias_cl.sections.verdict import counts

SHOWN: Mapping[str, str] = {
    "demographic_parity_difference": "Demographic parity",
    "equalized_odds_difference": "Equalized odds",
    "equal_opportunity_difference": "Equal opportunity",
    "predictive_parity_difference": "Predictive parity",
    "accuracy_difference": "Accuracy",
    "auc_difference": "AUC",
    "missing_prediction_difference": "Missing predictions",
}
"""Gaps of the table, over groups of enough rows."""
SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$&])")
MARKS: Mapping[str, str] = {"passed": "passes", "failed": "**fails**", "undefined": "**undefined**"}


def escaped(text: object) -> str:
    """Return text from data as Markdown that shows it and does nothing else.

    >>> escaped("<b>a|b</b>\\n# c")
    '\\\\<b\\\\>a\\\\|b\\\\</b\\\\> \\\\# c'
    """
    return SPECIAL.sub(r"\\\1", " ".join(clean(str(text)).split()))


def job_summary(document: Document) -> str:
    """Return verdict, gates and disparities as Markdown.

    Args:
        document: content of metrics.json, complete.
    """
    sentence = lead_sentence(document, lead(document), chosen(document))
    found = ", ".join(f"{n} {outcome}" for outcome, n in counts(document))
    title = escaped(Names(document).encoder(document))
    data = document.get("dataset") or {}
    on = escaped(data.get("title") or data.get("name") or "")
    parts = [
        f"## Bias audit: {title}",
        f"**{escaped(sentence)}**",
        f"{on}, n = {count(document['n'])}. Findings: {found}.",
        *_gates(document),
        *_disparities(document),
    ]
    return "\n\n".join(parts) + "\n"


def append_summary(document: Document, path: Path) -> None:
    """Add the summary at the end of a file, as CI services expect; what stands there stays."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    gap = "" if not before or before.endswith("\n\n") else "\n"
    write_atomic(path, before + gap + job_summary(document))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _gates(document: Document) -> list[str]:
    gates = document.get("gates") or ()
    if not gates:
        return []
    passed = sum(gate["passes"] for gate in gates)
    shown = sorted(gates, key=lambda gate: (gate["passes"], gate["outcome"] == "passed"))
    rows = [
        (
            escaped(gate_title(gate)),
            MARKS[gate["outcome"]]
            + (" (allowed)" * (gate["outcome"] != "passed" and gate["passes"])),
            escaped(gate["reason"]),
        )
        for gate in shown
    ]
    return [
        f"### Gates: {passed} of {len(gates)} pass",
        _table(("gate", "outcome", "found"), rows),
    ]


def _disparities(document: Document) -> list[str]:
    """Return the table of gaps; fractions, as in metrics.json."""
    rows = []
    for attribute, gaps in (document.get("disparities") or {}).items():
        for name, title in SHOWN.items():
            node = Node(gaps) / f"{name}_min_group"
            if node:
                rows.append((escaped(attribute), title, *_gap(document, node)))
    if not rows:
        return []
    heads = ("attribute", "gap", "value", "95 %", "lowest", "highest", "p adjusted")
    return ["### Gaps between groups of enough rows (fractions)", _table(heads, rows)]


def _gap(document: Document, node: Node) -> tuple[str, ...]:
    if node.number is None:
        return (f"{DASH} {escaped((node / 'reason').value)}", "", "", "", "")
    p, ends = (node / "p_adjusted").number, bounds(node, figure)
    groups = [(node / end / "group").value for end in ("lowest", "highest")]
    names = [escaped(Names(document).group(group)) if group else "" for group in groups]
    return (figure(node.number), str(ends or ""), *names, "" if p is None else escaped(p_value(p)))
