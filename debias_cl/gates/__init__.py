"""Gates: whether an audit passes. They read the finished document only, and fail closed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from debias_cl.gates import conditions
from debias_cl.gates.baseline import Baseline, judge_baseline
from debias_cl.gates.conditions import Condition
from debias_cl.gates.policy import Policy, judge_required, read_policy
from debias_cl.gates.result import Document, Gate
from debias_cl.metrics.schema import read_document
from debias_cl.sections.gates import gate_title

__all__ = ["NO_RULES", "Gate", "Rules", "exit_code", "judge", "lines", "rules"]


@dataclass(frozen=True)
class Rules:
    """What an audit must hold to pass.

    Attributes:
        conditions: of `--fail-on`; those of the policy follow.
        policy: of `--policy`.
        baseline: an earlier audit; None without.
    """

    conditions: tuple[Condition, ...] = ()
    policy: Policy = field(default_factory=Policy)
    baseline: Baseline | None = None


NO_RULES = Rules()


def rules(fail_on: Sequence[str] = (), policy: str | Path = "", baseline: str | Path = "") -> Rules:
    """Read what an audit must hold, before anything is measured.

    Args:
        fail_on: conditions, each one or several with commas (`conditions.FORM`).
        policy: a TOML file; "" is none.
        baseline: metrics.json of an earlier audit, or its folder; "" is none.

    Raises:
        UsageError: a condition or policy that cannot be read.
        DataError: the baseline is no metrics document.
    """
    return Rules(
        tuple(one for text in fail_on for one in conditions.read(text, "--fail-on")),
        read_policy(policy),
        Baseline(Path(baseline).name, read_document(Path(baseline))) if baseline else None,
    )


def judge(document: Document, asked: Rules) -> list[Gate]:
    """Judge the audited predictions; models beside them are not judged.

    Args:
        document: the metrics document, with its findings.
        asked: the rules.

    Returns:
        A gate for each rule and attribute that it speaks of: conditions, required groups, baseline.
    """
    policy, found = asked.policy, list[Gate]()
    for condition in (*asked.conditions, *policy.conditions):
        found += conditions.judge(document, condition, excused=policy.excused)
    found += judge_required(document, policy)
    if asked.baseline is not None:
        found += judge_baseline(document, asked.baseline)
    return found


def exit_code(document: Document) -> int:
    """Return 1 where a gate of the document does not pass, else 0."""
    return int(any(not gate["passes"] for gate in document.get("gates") or ()))


def lines(document: Document) -> list[str]:
    """Return one line for each gate that does not pass."""
    gates: Sequence[Mapping[str, Any]] = document.get("gates") or ()
    return [_line(gate) for gate in gates if not gate["passes"]]


def _line(gate: Mapping[str, Any]) -> str:
    tail = ". What cannot be judged does not pass" if gate["outcome"] == "undefined" else ""
    said = f"gate {gate['outcome']}: {gate_title(gate)}: {gate['reason']}"
    return f"{said}{tail} ({gate['source']})"
