"""What a section file gives: a `SPEC` with a number, a title, and what its template is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class SectionSpec:
    """The registry entry of a report section (file `debias_cl/sections/<name>.py`).

    Attributes:
        number: place in the report, 1 to 12 (`report.md`).
        title: heading.
        template: file under `sections/templates/`.
        context: document -> what the template is told, or a sentence that says why the section is
            empty (the heading stays, with that one line).
    """

    number: int
    title: str
    template: str
    context: Callable[[Document], Mapping[str, Any] | str]
