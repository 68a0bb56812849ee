"""Where people meet the gates: report, terminal, job summary, the command's exit code."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from debias_cl.audit import main
from debias_cl.checks.pointer import resolve
from debias_cl.gates import rules
from debias_cl.gates.markdown import append_summary, escaped, job_summary
from debias_cl.metrics.schema import read_document, validate
from debias_cl.sections.html import render
from debias_cl.sections.terminal import summary

Document = dict[str, Any]
Make = Callable[..., Document]
ROWS = {
    ("a", 1, 1): 90, ("a", 1, 0): 10, ("a", 0, 1): 20, ("a", 0, 0): 80,
    ("<b>|x", 1, 1): 60, ("<b>|x", 1, 0): 40, ("<b>|x", 0, 1): 20, ("<b>|x", 0, 0): 80,
}  # fmt: skip


@pytest.fixture(scope="module")
def judged(document: Make) -> Document:
    """One gate of each outcome."""
    asked = ["equal_opportunity_difference>0.1", "accuracy<0.5", "auc<0.5"]
    return document(ROWS, rules(asked))


def text_of(found: Document) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(summary(found))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_the_report_shows_every_gate_with_its_number(judged: Document) -> None:
    page = render(judged)
    assert "Gates: 1 of 3 passes, 1 fails, 1 cannot be judged, which does not pass" in page
    assert page.index('id="gates"') < page.index('id="s2"')
    marked = re.findall(r'<data value="([^"]+)" data-p="(/gates/\d/found)">([^<]+)</data>', page)
    assert [pointer for _, pointer, _ in marked] == ["/gates/0/found", "/gates/1/found"]
    for value, pointer, shown in marked:
        assert float(value) == pytest.approx(resolve(judged, pointer), rel=1e-8)
        assert shown == f"{resolve(judged, pointer):.3f}"
    assert "owest for g = &lt;b&gt;|x" in page and "<b>|x" not in page


def test_without_gates_nothing_is_said(document: Make) -> None:
    found = document(ROWS)
    assert found["gates"] == []
    assert 'id="gates"' not in render(found)
    assert "Gates" not in text_of(found) and "Gates" not in job_summary(found)


def test_an_old_document_without_the_key_still_renders(judged: Document) -> None:
    old = {key: value for key, value in judged.items() if key != "gates"}
    assert 'id="gates"' not in render(old)


def test_the_terminal_counts_the_gates(judged: Document) -> None:
    assert "Gates: 1 of 3 passes, 1 fails" in text_of(judged)


def test_the_job_summary_has_verdict_gates_and_gaps(judged: Document) -> None:
    text = job_summary(judged)
    assert text.startswith("## Bias audit: table\n\n**")
    assert "### Gates: 1 of 3 pass" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    gates = [row for row in rows if "**" in row or "passes" in row]
    assert len(gates) == 3 and "passes" in gates[-1]
    gap = judged["disparities"]["g"]["equal_opportunity_difference_min_group"]
    (line,) = [row for row in rows if "| Equal opportunity |" in row]
    assert f"| {gap['value']:.3f} | {gap['low']:.3f} to {gap['high']:.3f} |" in line
    assert r"\<b\>\|x" in text and "<b>" not in text
    plain = re.compile(r"(?<!\\)\|")
    widths = {len(plain.findall(row)) for row in rows if "Equal" in row or "attribute" in row}
    assert widths == {8}


def test_a_summary_is_added_at_the_end(judged: Document, tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("# Before\n", encoding="utf-8")
    append_summary(judged, path)
    append_summary(judged, path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Before\n\n## Bias audit") and text.count("## Bias audit") == 2


@pytest.mark.parametrize("text", ["a\nb", "x | y", "<script>", "`code`", "![i](u)", "a\u202eb"])
def test_names_do_nothing_in_markdown(text: str) -> None:
    safe = escaped(text)
    assert "\n" not in safe and "\u202e" not in safe
    assert not re.search(r"(?<!\\)[<>|`\[\]]", safe)


def write_rows(path: Path, rows: dict[tuple[str, int, int], int]) -> None:
    lines = [f"{g},{y},{p}" for (g, y, p), n in rows.items() for _ in range(n)]
    path.write_text("\n".join(["g,y,p", *lines]) + "\n", encoding="utf-8")


def audit(folder: Path, *more: str) -> int:
    arguments = ["--predictions", str(folder / "rows.csv"), "--label", "y", "--prediction", "p"]
    arguments += ["--bias-attr", "g", "--permutations", "100", "--out", str(folder / "reports")]
    return main([*arguments, *more])


def test_the_command_leaves_with_1_exactly_when_a_gate_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.csv", ROWS)
    assert audit(tmp_path, "--fail-on", "equal_opportunity_difference>0.5") == 0
    assert capsys.readouterr().err == ""
    stop = ["--fail-on", "equal_opportunity_difference>0.2", "accuracy<0.1", "--fail-on", "auc<1"]
    assert audit(tmp_path, *stop, "--summary", str(tmp_path / "s.md")) == 1
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == ["gate failed", "gate undefined"]
    assert (tmp_path / "s.md").read_text(encoding="utf-8").count("## Bias audit") == 1
    written = read_document(next((tmp_path / "reports").glob("*/metrics.json")))
    validate(written)
    assert [gate["outcome"] for gate in written["gates"]] == ["failed", "passed", "undefined"]


def test_a_condition_that_cannot_be_read_is_wrong_usage_and_nothing_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(tmp_path / "rows.csv", ROWS)
    assert audit(tmp_path, "--fail-on", "acuracy<1") == 2
    assert "did you mean 'accuracy'?" in capsys.readouterr().err
    assert not (tmp_path / "reports").exists()


def test_a_report_may_be_its_own_baseline(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", ROWS)
    assert audit(tmp_path, "--name", "first") == 0
    assert audit(tmp_path, "--baseline", str(tmp_path / "reports" / "first")) == 0
