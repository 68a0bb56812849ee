"""An audit in a notebook: verdict, headline numbers and group table, as one small piece of HTML."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from debias_cl.checks.text import clean
from debias_cl.sections.contract import Document
from debias_cl.sections.gates import gates_line
from debias_cl.sections.groups import context as groups
from debias_cl.sections.html import fill
from debias_cl.sections.lead import lead, lead_sentence
from debias_cl.sections.numbers import html
from debias_cl.sections.reading import chosen
from debias_cl.sections.verdict import counts, subject, tiles

ROWS = 30
"""Most rows of the group table; the report has all."""


def fragment(document: Document) -> str:
    """Return a piece of HTML that needs nothing else: no script, no request, no page style.

    Args:
        document: content of metrics.json, complete.
    """
    found = lead(document)
    table = groups(document)
    tables = [] if isinstance(table, str) else table["tables"][:1]
    return fill(
        "notebook.html.j2",
        {
            "subject": html(subject(document)),
            "lead": html(lead_sentence(document, found, chosen(document))),
            "tiles": tiles(document, found),
            "counts": [(outcome, n) for outcome, n in counts(document) if n],
            "gates": clean(gates_line(document)),
            "tables": tables,
            "most": ROWS,
            "style": Markup((Path(__file__).parent / "notebook.css").read_text(encoding="utf-8")),
        },
    )
