"""What a check file gives: a `SPEC` that reads one metrics document and returns findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from debias_cl.records import Finding

Document = Mapping[str, Any]
"""The content of metrics.json (schema debias_cl.metrics/1)."""


@dataclass(frozen=True)
class CheckSpec:
    """The registry entry of a check (file `debias_cl/checks/<name>.py`).

    Attributes:
        title: the check in a few words.
        question: what it asks, one sentence.
        threshold: default; a gap of so many as a fraction, a count, ... ; the user can set it.
        unit: of the threshold ("fraction", "rows", "").
        run: document and threshold -> one finding for each thing looked at; never an empty list.
    """

    title: str
    question: str
    threshold: float
    unit: str
    run: Callable[[Document, float], Sequence[Finding]]
