"""No worse than an earlier audit, beyond the noise of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from debias_cl.checks.pointer import Node
from debias_cl.gates.names import MIN_GROUP
from debias_cl.gates.result import Document, Gate, figure, judged, undefined

GAPS: Mapping[str, bool] = {
    "demographic_parity_difference": True,
    "demographic_parity_ratio": False,
    "equalized_odds_difference": True,
    "equalized_odds_ratio": False,
    "equal_opportunity_difference": True,
    "predictive_parity_difference": True,
    "accuracy_difference": True,
    "auc_difference": True,
    "mean_pair_equalized_odds": True,
    "bias_amplification": True,
    "missing_prediction_difference": True,
}
"""Disparities that are compared, over groups of enough rows: whether more is worse."""
OVERALL: Mapping[str, bool] = {
    "accuracy": False,
    "balanced_accuracy": False,
    "unbiased_accuracy": False,
    "conflict_accuracy": False,
    "worst_group_accuracy": False,
    "auc": False,
    "missing_prediction_rate": True,
}
"""Values of all rows that are compared: whether more is worse."""


@dataclass(frozen=True)
class Baseline:
    """An earlier audit.

    Attributes:
        source: its file, for messages.
        document: content of its metrics.json.
    """

    source: str
    document: Document


def judge_baseline(document: Document, baseline: Baseline) -> list[Gate]:
    """Return a gate for each number that either audit has.

    A number is worse only where the intervals do not overlap; a number that only one of them has
    cannot be judged.
    """
    if other := _other_question(document, baseline.document):
        text = "the baseline asks the same"
        return [undefined(text, "", baseline.source, other)]
    new, old = Node(document), Node(baseline.document)
    gates = [
        _compare(new / "overall" / name, old / "overall" / name, name, "", more, baseline.source)
        for name, more in OVERALL.items()
    ]
    for attribute in _single(baseline.document) | _single(document):
        mine, theirs = (node / "disparities" / attribute for node in (new, old))
        gates += [
            _compare(
                mine / f"{name}{MIN_GROUP}",
                theirs / f"{name}{MIN_GROUP}",
                name,
                attribute,
                more,
                baseline.source,
            )
            for name, more in GAPS.items()
        ]
    return [gate for gate in gates if gate is not None]


def _other_question(document: Document, earlier: Document) -> str:
    """Return why two audits cannot be compared; "" where they ask the same."""
    for key, word in (("name", "label"), ("positive", "favourable level")):
        now, then = document["label"][key], earlier["label"][key]
        if now != then:
            return f"its {word} is {then}, here it is {now}"
    return ""


def _single(document: Document) -> dict[str, None]:
    entries = document.get("attributes") or ()
    return {str(entry["name"]): None for entry in entries if not entry.get("of")}


def _compare(
    new: Node, old: Node, name: str, attribute: str, more_is_worse: bool, source: str
) -> Gate | None:
    """Return the gate of one number; None where neither audit has it."""
    text = f"{name} no worse than before"
    about = (text, attribute, source)
    if new.number is None and old.number is None:
        if not new and not old:
            return None
        reason = "undefined in both audits: nothing to compare"
        return undefined(*about, reason, passes=True, pointer=new.pointer)
    if new.number is None or old.number is None:
        lacks, node = ("this audit", new) if new.number is None else ("the baseline", old)
        why = (node / "reason").value or "not measured"
        reason = f"{name} has no value in {lacks}: {why}"
        return undefined(*about, reason, pointer=new.pointer)
    found, limit, noise = _nearest(new, old, more_is_worse)
    fails = found > limit if more_is_worse else found < limit
    reason = f"{figure(new.number)} here, {figure(old.number)} before; {noise}"
    return judged(*about, fails=fails, found=found, limit=limit, reason=reason, pointer=new.pointer)


def _nearest(new: Node, old: Node, more_is_worse: bool) -> tuple[float, float, str]:
    """Return the end of the new and of the old interval that face each other, and their words."""
    sides = (("low", "at_least"), ("high", "at_most"))
    mine, theirs = sides if more_is_worse else sides[::-1]
    found, limit = _end(new, mine), _end(old, theirs)
    words = ("at least", "at most") if more_is_worse else ("at most", "at least")
    if found is None or limit is None:
        value, before = float(new.number or 0.0), float(old.number or 0.0)
        return value, before, "without an interval, so the values are compared"
    said = f"{words[0]} {figure(found)} here, {words[1]} {figure(limit)} before"
    return found, limit, said


def _end(node: Node, names: tuple[str, str]) -> float | None:
    closed = (node / names[0]).number
    return (node / names[1]).number if closed is None else closed
