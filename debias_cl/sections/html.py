"""The whole report: one HTML file that needs nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from debias_cl.checks.text import clean, n_equals
from debias_cl.sections import SECTIONS
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.mistakes import PICTURES
from debias_cl.sections.numbers import html
from debias_cl.sections.tokens import style
from debias_cl.sections.verdict import subject, title

HERE = Path(__file__).parent
BIG = 1_000_000
"""Bytes above which sections are laid out only when they come near the screen."""


@dataclass(frozen=True)
class Shown:
    """A section as the page shows it."""

    number: int
    title: str
    body: Markup
    issues: int


def render(document: Document, pictures: Mapping[str, str] = {}) -> str:
    """Return the report as self-contained HTML.

    Equal documents give equal bytes; nothing in the file makes a request.

    Args:
        document: content of metrics.json, complete.
        pictures: picture -> `data:` address of those that section 9 names.
    """
    document = {**document, PICTURES: pictures}
    specs = sorted((spec for _, spec in SECTIONS), key=lambda spec: spec.number)
    shown = [_section(spec, document) for spec in specs]
    return page("Bias report", title(document), subject(document), shown)


def page(kind: str, name: str, about: object, shown: Sequence[Shown]) -> str:
    """Return a self-contained page of sections.

    Args:
        kind: what it is ("Bias report").
        name: what it is about, for the head.
        about: a sentence under the head.
        shown: the sections.
    """
    big = sum(len(section.body) for section in shown) > BIG
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            kind=kind,
            title=name,
            subject=about,
            sections=shown,
            style=Markup(f"{style()}\n{_read('style.css')}"),
            script=Markup(_read("script.js")),
            big=big,
        )
    )


def _section(spec: SectionSpec, document: Document) -> Shown:
    told = spec.context(document)
    if isinstance(told, str):
        body = Markup('<p class="lede">{}</p>').format(clean(told))
    else:
        body = Markup(fill(spec.template, told))
    found = [f for f in document.get("findings") or () if f["section"] == spec.number]
    issues = sum(finding["outcome"] == "issue" for finding in found)
    return Shown(spec.number, spec.title, body, issues)


def fill(template: str, told: Mapping[str, Any]) -> str:
    """Return one section's template with what it is told as `c`."""
    return environment().get_template(template).render(c=told)


@cache
def environment() -> Environment:
    """Return the templates' environment: escaping on, nothing undefined, no hidden characters."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_safe,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["say"] = html
    made.filters["n_equals"] = n_equals
    return made


def _safe(value: Any) -> Any:
    """Strip control and direction characters from what is not HTML already."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _read(name: str) -> str:
    """Return a style sheet or script without comments and indentation."""
    text = (HERE / name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())
