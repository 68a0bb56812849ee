"""Run folders: what is written, what is refused, and which run is the newest finished one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from debias_cl.config import DataConfig, FitConfig, ObjectiveConfig, TrainConfig
from debias_cl.errors import DataError, UsageError
from debias_cl.runs import Run, newest_finished, provenance

CONFIG = TrainConfig(data=DataConfig(attr="digit", bias_attr=("colour",), protocol="rebias"))


def finished(folder: Path, config: TrainConfig) -> Run:
    run = Run.create_or_open(folder, config)
    run.weights.write_bytes(b"weights")
    run.finish({"epochs": config.fit.epochs})
    return run


def test_the_configuration_goes_through_the_folder_unchanged(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path / "runs" / "a", CONFIG)
    assert Run.open(run.folder).config == CONFIG
    meta = json.loads((run.folder / "config.json").read_text())
    assert meta["schema"] == "debias_cl.run/1"
    assert meta["config"]["seed"] == 0
    assert {"command", "versions", "commit", "device", "platform"} <= set(meta["provenance"])


def test_the_same_run_opens_again_also_elsewhere(tmp_path: Path) -> None:
    Run.create_or_open(tmp_path, CONFIG)
    elsewhere = replace(CONFIG, device="cuda", data=replace(CONFIG.data, data_root="/mnt"))
    assert Run.create_or_open(tmp_path, elsewhere).config == elsewhere


def test_another_configuration_is_refused_and_the_fields_are_named(tmp_path: Path) -> None:
    Run.create_or_open(tmp_path, CONFIG)
    other = replace(CONFIG, seed=3, fit=FitConfig(epochs=31))
    with pytest.raises(UsageError) as caught:
        Run.create_or_open(tmp_path, other)
    assert "fit.epochs is 30, not 31" in str(caught.value)
    assert "seed is 0, not 3" in str(caught.value)
    assert "batch_size" not in str(caught.value)
    assert Run.open(tmp_path).config == CONFIG


def test_folders_without_a_readable_run_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text('{"config": {"colour": 1}}')
    with pytest.raises(DataError, match="colour"):
        Run.open(tmp_path)


def test_log_survives_a_crash_and_no_epoch_appears_twice(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path, CONFIG)
    for epoch in (1, 2, 3):
        run.log({"epoch": epoch, "loss": 1.0 / epoch, "odd": float("nan")})
    with (tmp_path / "log.jsonl").open("a") as handle:
        handle.write('{"epoch": 4, "lo')
    assert [entry["epoch"] for entry in run.entries()] == [1, 2, 3]
    assert run.entries()[0]["odd"] is None
    run.rewind(2)
    run.log({"epoch": 3, "loss": 0.25})
    assert [(e["epoch"], e["loss"]) for e in run.entries()] == [(1, 1.0), (2, 0.5), (3, 0.25)]


def test_finished_needs_both_the_weights_and_the_mark(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path, CONFIG)
    assert not run.finished
    run.weights.write_bytes(b"weights")
    assert not run.finished
    run.finish({"epochs": 30})
    assert run.finished and Run.open(tmp_path).finished
    run.weights.unlink()
    assert not run.finished


def test_newest_finished_takes_only_what_fits(tmp_path: Path) -> None:
    data = CONFIG.data
    assert newest_finished(tmp_path / "none", data) is None
    finished(tmp_path / "first", CONFIG)
    second = finished(tmp_path / "second", replace(CONFIG, seed=1))
    finished(tmp_path / "other", replace(CONFIG, data=replace(data, attr="Smiling")))
    finished(tmp_path / "loss", replace(CONFIG, objective=ObjectiveConfig(name="supcon")))
    finished(tmp_path / "rho", replace(CONFIG, data=replace(data, rho=0.99)))
    Run.create_or_open(tmp_path / "unfinished", replace(CONFIG, seed=2))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.json").write_text("{")

    assert newest_finished(tmp_path, replace(data, rho=0.5), "contex") is None
    found = newest_finished(tmp_path, replace(data, rho=0.99), "contex")
    assert found is not None and found.folder.name == "rho"
    found = newest_finished(tmp_path, data, "supcon")
    assert found is not None and found.folder.name == "loss"
    (tmp_path / "rho" / "config.json").unlink()
    found = newest_finished(tmp_path, data, "contex")
    assert found is not None and found.folder == second.folder


def test_provenance_is_json_and_names_the_versions() -> None:
    facts = json.loads(json.dumps(provenance("cpu")))
    assert facts["versions"]["python"].startswith("3.")
    assert facts["device"].startswith("cpu: ")
    assert facts["commit"] is None or len(facts["commit"].removesuffix("-dirty")) == 40


def test_runs_need_no_torch() -> None:
    code = (
        "import sys, debias_cl.runs as r; r.provenance('cuda'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
