"""The commands as a user meets them: listing, help, exit codes, one message an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from debias_cl.__main__ import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m ...` as a user does."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )


def test_without_a_command_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evalute"]) == 2
    assert "did you mean 'evaluate'?" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str) -> None:
    done = run("debias_cl", command, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage:" in done.stdout
    assert f"debias_cl.{command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--dataset", "celebra"], 2, "did you mean 'celeba'?"),
        (["--preset", "quik"], 2, "did you mean 'quick'?"),
        (["--objective", "contexx"], 2, "did you mean 'contex'?"),
        (["--set", "fit.epoch=3"], 2, "did you mean 'epochs'?"),
        (["--set", "fit.epochs=many"], 2, "cannot be read"),
        (["--set", "fit.epochs"], 2, "path=value"),
        (["--dataset", "celeba", "--data-root", "nowhere"], 3, "list_attr_celeba.txt"),
        (["--dataset", "utkface", "--data-root", "nowhere"], 3, "UTKFace"),
        (["--dataset", "biased_mnist", "--data-root", "nowhere"], 3, "train-images"),
        (["--dataset", "manifest", "--manifest", "none.csv", "--attr", "y"], 3, "none.csv"),
        (["--checkpoint", "none.pt", "--arch", "resnet18"], 4, "none.pt"),
        (["--run", "runs/none"], 2, "runs/none"),
        (["--device", "tpu"], 2, "tpu"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(
    arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    done = run("debias_cl.evaluate", *arguments, cwd=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run("debias_cl.evaluate", "--dataset", "celebra", "--debug", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_a_report_is_drawn_only_from_a_metrics_document(tmp_path: Path) -> None:
    missing = run("debias_cl.report", "nowhere", cwd=tmp_path)
    assert missing.returncode == 3
    (tmp_path / "metrics.json").write_text('{"schema": "other"}')
    wrong = run("debias_cl.report", ".", cwd=tmp_path)
    assert wrong.returncode == 3
    assert "debias_cl.metrics/1" in wrong.stderr
