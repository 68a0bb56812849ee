"""What the first screen and the terminal say of the gates; nothing where none were asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from debias_cl.checks.pointer import Node
from debias_cl.checks.text import DASH, Number, capital, clean, count, decimals, say
from debias_cl.sections.contract import Document
from debias_cl.sections.numbers import html

MARKS = {"passed": "passed", "failed": "issue", "undefined": "skipped"}
"""Outcome of a gate -> the badge whose mark it shares."""


@dataclass(frozen=True)
class GateRow:
    """One gate as the report shows it.

    Attributes:
        mark: badge whose shape and colour it has.
        outcome: word beside the mark.
        text: the rule as written, and what it was judged on.
        found: the number found, as HTML.
        reason: what was found, in words.
        source: who asked for it.
    """

    mark: str
    outcome: str
    text: str
    found: Markup
    reason: str
    source: str


@dataclass(frozen=True)
class GateBlock:
    """The gates under the verdict: a headline, those that do not pass, and the rest, folded."""

    headline: str
    stopped: Sequence[GateRow]
    passed: Sequence[GateRow]


def gate_block(document: Document) -> GateBlock | None:
    """Return the block under the verdict; None where no gate was asked for."""
    gates: Sequence[Mapping[str, Any]] = document.get("gates") or ()
    if not gates:
        return None
    nodes = [Node(document) / "gates" / place for place in range(len(gates))]
    stopped = [_row(node) for node in nodes if not node.value["passes"]]
    passed = [_row(node) for node in nodes if node.value["passes"]]
    return GateBlock(gates_line(document), stopped, passed)


def gates_line(document: Document) -> str:
    """Return "Gates: 2 of 3 pass, 1 fails"; "" where there are none."""
    gates: Sequence[Mapping[str, Any]] = document.get("gates") or ()
    if not gates:
        return ""
    passing = sum(bool(gate["passes"]) for gate in gates)
    stopped = [gate["outcome"] for gate in gates if not gate["passes"]]
    failed, void = stopped.count("failed"), stopped.count("undefined")
    said = [f"{passing} of {len(gates)} pass{'es' if passing == 1 else ''}"]
    said += [f"{failed} fail{'s' if failed == 1 else ''}"] if failed else []
    said += [f"{void} cannot be judged, which does not pass"] if void else []
    return f"Gates: {', '.join(said)}"


def gate_title(gate: Mapping[str, Any]) -> str:
    """Return a gate's rule, and what it was judged on where the rule does not say it."""
    told = ":" in gate["text"] or "=" in gate["of"]
    return clean(str(gate["text"] if told or not gate["of"] else f"{gate['text']}, {gate['of']}"))


def _row(node: Node) -> GateRow:
    gate = node.value
    allowed = gate["outcome"] == "undefined" and gate["passes"]
    return GateRow(
        mark="not applicable" if allowed else MARKS[gate["outcome"]],
        outcome="Undefined, allowed" if allowed else gate["outcome"].capitalize(),
        text=gate_title(gate),
        found=_found(node / "found"),
        reason=capital(clean(gate["reason"])),
        source=clean(gate["source"]),
    )


def _found(node: Node) -> Markup:
    if node.number is None:
        return Markup(DASH)
    whole = isinstance(node.value, int)
    shown = count(node.number) if whole else decimals(node.number)
    return html(say(Number(shown, node.number, node.pointer)))
