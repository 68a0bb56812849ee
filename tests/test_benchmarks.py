"""The benchmarks' table is that of the committed results, and every script says what it does."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = (
    "audit_100m",
    "augmentation",
    "coverage",
    "extraction",
    "loss",
    "metrics",
    "probe",
    "quickstart",
    "report_drawing",
    "startup",
    "step",
    "table",
)
HELP = """
import contextlib, io, runpy, sys
sys.path.insert(0, sys.argv[1])
folder, names = sys.argv[1], sys.argv[2:]
for name in names:
    sys.argv = [f"{folder}/{name}.py", "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            assert end.code == 0, (name, end.code)
    assert "usage:" in said.getvalue(), name
    print(name)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=FOLDER.parent,
        timeout=120,
    )


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the bars, imported as the script does."""
    monkeypatch.syspath_prepend(str(FOLDER))
    sys.modules.pop("bars", None)
    import bars as module  # type: ignore[import-not-found]

    yield module
    sys.modules.pop("bars", None)


def test_no_script_is_forgotten() -> None:
    shared = {"harness", "bars", "bars_coverage", "coverage_designs", "dense"}
    assert {path.stem for path in FOLDER.glob("*.py")} == {*SCRIPTS, *shared}


def test_every_script_answers_help() -> None:
    done = run("-W", "ignore", "-c", HELP, str(FOLDER), *SCRIPTS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(SCRIPTS)


def test_the_readme_holds_the_table_of_the_results() -> None:
    done = run("benchmarks/table.py", "--check")
    assert done.returncode == 0, done.stderr or "run `python benchmarks/table.py` and commit"


def test_results_tell_their_origin() -> None:
    for path in FOLDER.glob("results/*.json"):
        facts = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        missing = {"command", "versions", "commit", "device", "cores", "load_average"} - set(facts)
        assert not missing, path.name


def test_a_missed_bar_says_so(bars: Any) -> None:
    masks = {
        "times_faster": 20.0,
        "times_less_memory": 50.0,
        "relative_difference": {"value": 1e-7},
    }
    met: dict[str, Any] = {
        "rows": 8192,
        "measured": {"ConTeX": {"median_wall_seconds": 0.3, "peak_bytes": 51e6}},
        "against_dense": {"dense_masks": masks, "dense_lean": masks},
    }
    text, verdict = bars.loss_against_dense({"results": [met]})
    assert verdict is True
    assert text.startswith("20.0x faster (300 ms), 50x less (51 MB), value equal to 1e-07")
    for name, value in (("times_faster", 19.9), ("times_less_memory", 49.9)):
        missed = copy.deepcopy(met)
        missed["against_dense"]["dense_masks"][name] = value
        assert bars.loss_against_dense({"results": [missed]})[1] is False
    assert bars.loss_against_dense({"results": []}) is None
    assert bars.large_loss(8192, 51e6)({"results": [met]})[1] is False
