"""The terminal's summary."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from debias_cl.sections.terminal import summary


def shown(document: dict[str, Any]) -> str:
    """The summary as plain text."""
    console = Console(width=160, color_system=None)
    with console.capture() as capture:
        console.print(summary(document))
    return capture.get()


def test_the_first_sentence_the_encoders_and_the_counts(digits_base: dict[str, Any]) -> None:
    lines = shown(digits_base).splitlines()
    assert lines[0].startswith("Yes. It is right for 99 of every 100 digits on their usual colour")
    names = [line.split()[0] for line in lines[3:11:2]]
    assert names == ["ConTeX", "SupCon", "Cross-entropy", "ConTeX"]
    accuracy = digits_base["overall"]["accuracy"]["value"]
    assert f"{accuracy * 100:.1f}%" in lines[3]
    findings = digits_base["findings"]
    issues = sum(finding["outcome"] == "issue" for finding in findings)
    assert f"{len(findings)} findings: {issues} issue" in lines[-1]
    skipped = sum(finding["outcome"] == "skipped" for finding in findings)
    assert f"{skipped} skipped" in lines[-1]


def test_what_is_undefined_is_a_dash(races_base: dict[str, Any]) -> None:
    assert "—" in shown(races_base)


def test_names_are_no_markup(faces_document: dict[str, Any]) -> None:
    faces_document["encoder"]["name"] = "[bold red]ConTeX[/]"
    assert "[bold red]ConTeX[/]" in shown(faces_document)
