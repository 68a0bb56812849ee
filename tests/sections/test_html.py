"""The whole report: every number traced, hostile names harmless, equal bytes, small enough."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from debias_cl.checks import text
from debias_cl.checks.pointer import resolve
from debias_cl.checks.run import run_checks
from debias_cl.sections import SECTIONS
from debias_cl.sections.html import HERE, environment, render
from debias_cl.sections.tokens import style

Document = dict[str, Any]
EXAMPLES = ("faces_base", "digits_base", "races_base", "inside_base")
VOID = {"meta", "link", "path", "circle", "rect", "use", "br", "img", "input"}
FORMS = (
    text.share,
    text.bare_share,
    text.points,
    text.size,
    text.ratio,
    text.p_value,
    text.p_equals,
    text.count,
    text.n_equals,
    text.of_hundred,
    text.decimals,
    text.score,
    lambda value: f"{value:g}",
    lambda value: f"{value:.2g}",
)
NUMBER = re.compile(r"[<>]?\u2212?\d[\d,]*(?:\.\d+)?")


class Page(HTMLParser):
    """Elements with their attributes, own text, and the text of what is inside."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[dict[str, Any]] = []
        self.elements: list[dict[str, Any]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        parent = self.open[-1] if self.open else None
        made = {"tag": tag, "attrs": dict(attrs), "own": "", "inner": [], "parent": parent}
        self.elements.append(made)
        if parent:
            parent["inner"].append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open and self.open[-1]["tag"] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.open[-1]["own"] += data

    def having(self, name: str) -> Iterator[dict[str, Any]]:
        return (element for element in self.elements if name in element["attrs"])


def is_shown(shown: str, value: float) -> bool:
    """Whether a text is one of the forms of a number."""
    return shown in {form(value) for form in FORMS}


@pytest.fixture(scope="session", params=EXAMPLES)
def example(request: pytest.FixtureRequest, rendered: Callable[[str], str]) -> tuple[Document, str]:
    """A document and its page."""
    return request.getfixturevalue(request.param), rendered(request.param)


def test_every_number_leads_to_the_document_and_shows_its_value(
    example: tuple[Document, str],
) -> None:
    document, page = example
    marked = list(Page(page).having("data-p"))
    assert len(marked) > 150
    for element in marked:
        found = resolve(document, element["attrs"]["data-p"])
        value = found["value"] if isinstance(found, dict) else found
        given = element["attrs"].get("value", element["attrs"].get("data-v"))
        assert float(given) == pytest.approx(value, rel=1e-8)
        assert is_shown(element["own"].strip(), value), (element["own"], value)
        for inner in element["inner"]:
            if inner["attrs"].get("class") == "ci":
                check_interval(inner["own"], found)


def check_interval(shown: str, found: Document) -> None:
    """The ends shown beside a value are those of the same value object."""
    known = [found.get(key) for key in ("low", "high", "at_least", "at_most")]
    ends = [end for end in known if end is not None]
    for number in NUMBER.findall(shown):
        assert any(is_shown(number, end) for end in ends), (shown, ends)


def test_cells_without_a_value_say_why(example: tuple[Document, str]) -> None:
    for element in Page(example[1]).having("data-v"):
        if element["attrs"]["data-v"] == "" and element["own"].strip() == text.DASH:
            assert element["inner"] and element["inner"][0]["own"]


def test_the_page_is_well_formed_and_needs_nothing_else(example: tuple[Document, str]) -> None:
    page = example[1]
    parsed = Page(page)
    assert not parsed.open
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", page)
    ids = Counter(element["attrs"]["id"] for element in parsed.having("id"))
    assert all(times == 1 for times in ids.values()), [i for i, n in ids.items() if n > 1]
    for element in parsed.having("href"):
        target = element["attrs"]["href"]
        assert target == "data:," or target.removeprefix("#") in ids
    for element in parsed.having("aria-labelledby"):
        assert set(element["attrs"]["aria-labelledby"].split()) <= set(ids)


def test_headings_come_from_the_registry_in_order(example: tuple[Document, str]) -> None:
    numbers = sorted(spec.number for _, spec in SECTIONS)
    found = [int(n) for n in re.findall(r'<section id="s(\d+)"', example[1])]
    assert found == numbers
    assert [int(n) for n in re.findall(r'<a href="#s(\d+)"><b>', example[1])] == numbers


def test_tables_have_captions_and_scopes(example: tuple[Document, str]) -> None:
    for element in Page(example[1]).elements:
        if element["tag"] == "table":
            assert element["inner"][0]["tag"] == "caption"
        if element["tag"] == "th":
            assert element["attrs"]["scope"] in ("row", "col")


def test_every_figure_has_a_text_alternative_and_its_data(
    example: tuple[Document, str],
) -> None:
    parsed = Page(example[1])
    tables = {e["attrs"].get("id") for e in parsed.elements if e["tag"] == "table"}
    figures = [element for element in parsed.elements if element["tag"] == "figure"]
    assert figures
    for figure in figures:
        drawing = next(inner for inner in figure["inner"] if inner["tag"] == "svg")
        assert drawing["attrs"]["role"] == "img"
        link = next(inner for inner in figure["inner"] if inner["tag"] == "p")["inner"][0]
        assert link["attrs"]["href"].removeprefix("#") in tables


def test_drawings_hold_no_colour_and_are_small(example: tuple[Document, str]) -> None:
    for drawing in re.findall(r"<svg.*?</svg>", example[1], re.DOTALL):
        assert not re.search(r"#[0-9a-fA-F]{3,8}[\"';]|rgb\(", drawing.replace('href="#', ""))
        most = 20_000 if "Scatter plots" in drawing else 10_000
        assert len(drawing.encode()) < most


def test_equal_documents_give_equal_bytes(
    races_document: Document, rendered: Callable[[str], str]
) -> None:
    copied = json.loads(json.dumps(races_document))
    assert rendered("races_base") == render(copied)


def test_budgets(rendered: Callable[[str], str]) -> None:
    sheet = (HERE / "style.css").read_text(encoding="utf-8") + style()
    assert len(sheet.encode()) < 16_000
    assert len((HERE / "script.js").read_bytes()) < 3_000
    assert len(rendered("faces_base").encode()) < 250_000
    assert len(rendered("digits_base").encode()) < 300_000


HOSTILE = "<script>alert('x')</script> $\\frac{1}{2}$ \u202eevil\u2066 {{ 7*7 }} & " + "long " * 40


def rename(node: Any, old: str, new: str) -> Any:
    """Replace a name everywhere, keys as well."""
    if isinstance(node, dict):
        return {k.replace(old, new): rename(v, old, new) for k, v in node.items()}
    if isinstance(node, list):
        return [rename(entry, old, new) for entry in node]
    return node.replace(old, new) if isinstance(node, str) else node


@pytest.mark.parametrize("old", ["Male", "women", "ConTeX"])
def test_hostile_names_are_words_and_nothing_else(faces_document: Document, old: str) -> None:
    document = rename(faces_document, old, f"{old}{HOSTILE}")
    document["findings"] = [finding.to_dict() for finding in run_checks(document)]
    page = render(document)
    assert page.count("<script>") == 1
    assert "49" not in re.findall(r"\{\{.*?\}\}", page)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page)
    parsed = Page(page)
    assert not parsed.open
    for element in parsed.having("data-p"):
        resolve(document, element["attrs"]["data-p"])


def test_hostile_texts_of_the_pipeline_are_escaped(faces_document: Document) -> None:
    faces_document["dataset"]["notes"] = [HOSTILE]
    faces_document["dataset"]["exclusions"]["listed"][0] |= {"item": HOSTILE, "reason": HOSTILE}
    faces_document["provenance"] |= {"command": HOSTILE, "versions": {HOSTILE: HOSTILE}}
    faces_document["encoder"]["views"] = {"touches_bias": HOSTILE}
    faces_document["findings"][0] |= {"sentence": HOSTILE, "whom": HOSTILE, "title": HOSTILE}
    page = render(faces_document)
    assert page.count("<script>") == 1
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", page)


def test_forbidden_words_are_never_said(example: tuple[Document, str]) -> None:
    shown = re.sub(r"<(script|style).*?</\1>", "", example[1], flags=re.DOTALL)
    shown = re.sub(r"<[^>]+>", " ", shown)
    said = re.findall(r"\b(fair|significant|proves|bias-free|safe|good)\b", shown, re.IGNORECASE)
    assert not said


def test_many_findings_fold_and_keep_their_counts(faces_document: Document) -> None:
    faces_document["findings"] = faces_document["findings"] * 2
    page = render(faces_document)
    assert "findings that passed or do not apply" in page
    assert f"{len(faces_document['findings'])} findings:" in page


def test_a_bare_audit_of_predictions_is_rendered(races_document: Document) -> None:
    for key in ("encoder", "training", "beside", "provenance", "settings", "verdict", "findings"):
        races_document.pop(key, None)
    page = render(races_document)
    assert "No check was run." in page
    assert "its training cannot be shown" in page


def test_a_section_without_content_says_so(faces_document: Document) -> None:
    for key in ("groups", "cells", "classes", "attributes"):
        faces_document[key] = []
    for key in ("disparities", "attributes_overall"):
        faces_document[key] = {}
    page = render(faces_document)
    assert "so there are no groups to compare" in page
    assert "No groups could be compared" in page


def test_a_large_report_is_laid_out_piece_by_piece(
    races_document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 'class="big"' not in render(races_document)
    monkeypatch.setattr("debias_cl.sections.html.BIG", 1000)
    assert '<main id="main" class="big">' in render(races_document)


@pytest.mark.slow
def test_forty_attributes_stay_under_three_megabytes(faces_document: Document) -> None:
    whole = {"attributes": [], "groups": [], "cells": []}
    grown: Document = {**faces_document, **whole, "attributes_overall": {}, "disparities": {}}
    for place in range(40):
        name = f"Attribute {place}"
        for key in whole:
            one = [e for e in faces_document[key] if "Male" in (e.get("attribute"), e.get("name"))]
            grown[key] = grown[key] + rename(one, "Male", name)
        for key in ("attributes_overall", "disparities"):
            grown[key][name] = rename(faces_document[key]["Male"], "Male", name)
    grown["findings"] = [finding.to_dict() for finding in run_checks(grown)]
    assert len(render(grown).encode()) < 3_000_000


def test_nothing_undefined_passes_the_templates() -> None:
    assert environment().undefined.__name__ == "StrictUndefined"
    assert environment().autoescape is True
