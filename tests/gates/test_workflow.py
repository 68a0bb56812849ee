"""The GitHub Actions example: its very commands, on its own tables and on tables made worse."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from debias_cl.audit import main

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def steps() -> list[dict[str, Any]]:
    found = yaml.safe_load((EXAMPLES / "github_actions.yml").read_text(encoding="utf-8"))
    (job,) = found["jobs"].values()
    return list(job["steps"])


def commands() -> list[str]:
    """The commands of the audit steps."""
    return [step["run"] for step in steps() if "debias_cl.audit" in step.get("run", "")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder as the job sees it, with `python` being this one."""
    shutil.copytree(EXAMPLES / "gate", tmp_path / "examples" / "gate")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the service does: bash that stops at the first error."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    return subprocess.run(
        ["bash", "-e", "-c", f"{command} --permutations 200"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_workflow_audits_twice_and_keeps_the_reports() -> None:
    released, candidate = commands()
    assert "--policy" in released and "--baseline reports/released" in candidate
    assert all('--summary "$GITHUB_STEP_SUMMARY"' in command for command in (released, candidate))
    assert steps()[-1]["if"] == "always()" and steps()[-1]["with"]["path"] == "reports"


def test_the_released_model_passes_and_the_candidate_stops_the_job(checkout: Path) -> None:
    released, candidate = (run(checkout, command) for command in commands())
    assert (released.returncode, released.stderr) == (0, "")
    assert candidate.returncode == 1
    told = candidate.stderr.splitlines()
    assert all(line.startswith("gate failed: ") for line in told)
    assert any("low(equal_opportunity_difference)>0.05" in line for line in told)
    assert any("gender=female:true_positive_rate<0.7" in line for line in told)
    assert any("no worse than before" in line for line in told)
    page = (checkout / "summary.md").read_text(encoding="utf-8")
    assert page.count("## Bias audit") == 2 and page.count("### Gates") == 2
    assert (checkout / "reports" / "candidate" / "report.html").exists()


def without_women_that_qualify(rows: list[str]) -> list[str]:
    return [row for row in rows if not (",yes," in row and row.endswith(",female"))]


def with_few_women(rows: list[str]) -> list[str]:
    women = [row for row in rows if row.endswith(",female")]
    return [row for row in rows if row not in women[80:]]


def mostly_wrong(rows: list[str]) -> list[str]:
    wrong = {"yes,yes": "yes,no", "no,no": "no,yes"}
    changed = rows[::3]
    for before, after in wrong.items():
        changed = [row.replace(f",{before},", f",{after},") for row in changed]
    return [*changed, *rows[1::3], *rows[2::3]]


def here(folder: Path, command: str, patch: pytest.MonkeyPatch) -> int:
    """Run a step in this process, which is quicker."""
    patch.chdir(folder)
    patch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    python, dash, module, *arguments = shlex.split(os.path.expandvars(command))
    assert (python, dash, module) == ("python", "-m", "debias_cl.audit")
    return main([*arguments, "--permutations", "200"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_women_that_qualify, "gate undefined: low(equal_opportunity_difference)>0.05"),
        (with_few_women, "gender=female has 100 rows or more: it has 80 rows"),
        (lambda rows: [row for row in rows if ",male" in row], "no row is of this group"),
        (mostly_wrong, "gate failed: accuracy<0.8"),
    ],
)
def test_each_rule_of_the_policy_stops_the_job(
    checkout: Path,
    change: Callable[[list[str]], list[str]],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = checkout / "examples" / "gate" / "released.csv"
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *change(rows)]) + "\n", encoding="utf-8")
    assert here(checkout, commands()[0], monkeypatch) == 1
    assert words in capsys.readouterr().err


def test_a_candidate_like_the_released_model_passes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkout / "examples" / "gate"
    shutil.copy(folder / "released.csv", folder / "candidate.csv")
    for command in commands():
        assert here(checkout, command, monkeypatch) == 0
