"""Numbers that only sentences use: kept in the document, so that each can be traced."""

from __future__ import annotations

from typing import Any

from debias_cl.checks.contract import Document
from debias_cl.checks.truth import truth_of


def verdict_numbers(document: Document) -> dict[str, Any]:
    """Return the content of `verdict`: attribute -> value objects.

    `truth_gap` and `truth_widening` (how much of a selection gap the truth has as well), and for
    more than two label levels `shortcut_errors` (of the wrong answers on conflicting rows, the
    share that names the level which the attribute went with in training).
    """
    found: dict[str, Any] = {}
    for entry in document.get("attributes") or ():
        name, numbers = entry["name"], dict[str, Any]()
        truth = truth_of(document, name)
        if truth is not None:
            numbers["truth_gap"] = _value(truth.gap)
            numbers["truth_widening"] = _value(truth.widening)
        shortcut = _shortcut_errors(document, entry)
        if shortcut is not None:
            numbers["shortcut_errors"] = shortcut
        found[name] = numbers
    return found


def _shortcut_errors(document: Document, entry: Document) -> dict[str, Any] | None:
    pairs = (entry.get("alignment") or {}).get("pairs") or ()
    usual = {a: y for y, a in pairs}
    if len(document["label"]["levels"]) <= 2 or len(usual) != len(list(pairs)):
        return None
    wrong = shortcut = 0
    label, name = document["label"]["name"], entry["name"]
    for cell in document.get("cells") or ():
        if cell["attribute"] != name or cell["aligned"] is not False:
            continue
        truth = cell["group"][label]
        wrong += sum(int(n) for level, n in cell["predicted"].items() if level != truth)
        shortcut += int(cell["predicted"].get(usual.get(cell["group"][name], ""), 0))
    return _value(shortcut / wrong, wrong) if wrong else None


def _value(value: float, n: int | None = None) -> dict[str, Any]:
    return {"value": value, "low": None, "high": None, "n": n, "reason": None, "method": None}
