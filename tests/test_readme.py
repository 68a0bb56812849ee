"""The README's two commands are what CI and a stranger run; its claims about files hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from debias_cl.data import DATASETS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["start", "tests"])
def test_each_command_is_one_line_behind_its_mark(name: str) -> None:
    block = re.search(rf"<!-- command: {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert len(block.group(1).strip().splitlines()) == 1


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "<!-- command: tests -->" in script


def test_every_option_named_in_the_readme_exists() -> None:
    sources = "\n".join(
        (ROOT / "debias_cl" / f"{name}.py").read_text(encoding="utf-8")
        for name in ("cli", "train", "evaluate", "audit", "report", "benchmark")
    )
    for option in set(re.findall(r"(?<=[\s`(])--([a-z][a-z-]+)", README)) - {
        "help",
        "nproc-per-node",
    }:
        name = option.removeprefix("no-").replace("-", "_")
        assert re.search(rf"^    {name}:", sources, re.MULTILINE), option


def test_every_data_set_named_in_the_readme_exists_and_has_a_card() -> None:
    for name in set(re.findall(r"--dataset (\w+)", README)):
        assert name in DATASETS.names()
    cards = "\n".join(
        p.read_text(encoding="utf-8") for p in (ROOT / "datasets").glob("*/README.md")
    )
    assert [name for name in DATASETS.names() if name not in cards] == []
