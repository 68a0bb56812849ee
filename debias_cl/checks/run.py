"""Runs every check over a metrics document."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from debias_cl.checks import CHECKS
from debias_cl.checks.verdict import verdict_numbers
from debias_cl.errors import UsageError, did_you_mean
from debias_cl.records import OUTCOMES, Finding


def run_checks(
    document: MutableMapping[str, Any], thresholds: Mapping[str, float] | None = None
) -> list[Finding]:
    """Return the findings of all checks, worst outcome first, then by section and code.

    Two things are written into the document: the thresholds used (`settings.thresholds`) and the
    numbers that only sentences use (`verdict`).

    Args:
        document: content of metrics.json, complete but for its findings.
        thresholds: check name -> threshold, in the unit of its SPEC; the default elsewhere.

    Raises:
        UsageError: a threshold for a check that does not exist.
    """
    given = dict(thresholds or {})
    unknown = [name for name in given if name not in CHECKS.names()]
    if unknown:
        raise UsageError(
            f"there is no check '{unknown[0]}' to set a threshold for",
            remedy=did_you_mean(unknown[0], CHECKS.names()),
        )
    settings = dict(document.get("settings") or {})
    defaults = {name: spec.threshold for name, spec in CHECKS}
    if settings.get("min_group") is not None:
        defaults["small_groups"] = float(settings["min_group"])
    used = {**defaults, **given}
    document["settings"] = {**settings, "thresholds": used}
    document["verdict"] = {**(document.get("verdict") or {}), **verdict_numbers(document)}
    found = [finding for name, spec in CHECKS for finding in spec.run(document, used[name])]
    return sorted(found, key=_order)


def _order(finding: Finding) -> tuple[int, int, str]:
    return (OUTCOMES.index(finding.outcome), finding.section, finding.code)
