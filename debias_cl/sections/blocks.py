"""What the further readings of section 5 share: blocks of tables, heads, cells with reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, capital
from debias_cl.sections.contract import Document
from debias_cl.sections.table import Cell, Table, undefined

LONG = 24
"""Tables of more rows are folded."""


@dataclass(frozen=True)
class Block:
    """One reading.

    Attributes:
        title: heading.
        told: a line under it.
        tables: its numbers.
        lines: what was left out.
    """

    title: str
    told: str
    tables: list[Table]
    lines: list[Sentence]


def rate_heads(document: Document) -> dict[str, str]:
    """Return what the rates are called in heads of columns."""
    names = Names(document)
    if not names.binary:
        return {
            "selection_rate": "Answer given",
            "true_positive_rate": "Level found",
            "false_positive_rate": "Others called so",
            "precision": "True answers",
            "accuracy": "Accuracy",
        }
    yes = names.positive
    return {
        "selection_rate": f"Called {yes}",
        "true_positive_rate": f"{capital(yes)} found",
        "false_positive_rate": f"Others called {yes}",
        "precision": f"“{capital(yes)}” that is true",
        "accuracy": "Accuracy",
    }


def fold(rows: Sequence[object], told: str) -> str:
    """Return the text of the `<details>` around a long table; "" for a short one."""
    return told if len(rows) > LONG else ""


def reasoned(names: Names, node: Node, form: Callable[[Node], Cell]) -> Cell:
    """Return a cell, with the reason in plain words where it has no value."""
    if node.number is None:
        return undefined(Node({"reason": names.reason((node / "reason").value)}))
    return form(node)
