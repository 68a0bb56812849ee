"""The whole way, on generated pictures: a planted shortcut shows, its absence does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from debias_cl import pipeline
from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.errors import DataError, UsageError
from debias_cl.metrics.schema import validate
from debias_cl.records import Features, Predictions
from debias_cl.runs import Run

SIDE = 28
COLOURS = {"red": (200, 70, 70), "green": (70, 200, 70)}


def draw(shape: str, colour: str, rng: np.random.Generator) -> Image.Image:
    """A faint square or cross on a loud background: the colour is the easier clue."""
    picture = np.empty((SIDE, SIDE, 3))
    picture[:] = COLOURS[colour]
    y, x = rng.integers(6, SIDE - 14, 2)
    if shape == "square":
        picture[y : y + 9, x : x + 9] += 45
    else:
        picture[y + 3 : y + 6, x : x + 9] += 45
        picture[y : y + 9, x + 3 : x + 6] += 45
    picture += rng.normal(0, 12, picture.shape)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def plant(folder: Path, rho: float, seed: int = 0) -> Path:
    """Write a manifest whose training colour agrees with the shape in a share `rho` of rows."""
    rng = np.random.default_rng(seed)
    rows = []
    for split, n, share in (("train", 600, rho), ("validation", 120, 0.5), ("test", 400, 0.5)):
        for i in range(n):
            shape = ("square", "cross")[i % 2]
            usual, other = ("red", "green") if shape == "square" else ("green", "red")
            colour = usual if rng.random() < share else other
            name = f"{split}{i}.png"
            draw(shape, colour, rng).save(folder / name)
            rows.append({"path": name, "shape": shape, "colour": colour, "split": split})
    pd.DataFrame(rows).to_csv(folder / "pictures.csv", index=False)
    return folder / "pictures.csv"


def audit(folder: Path, rho: float, *, objective: str = "cross_entropy") -> dict[str, Any]:
    """Train and evaluate on a planted set; return the metrics document."""
    folder.mkdir(parents=True, exist_ok=True)
    report = pipeline.evaluate(
        pipeline.Request(
            data=DataConfig(
                dataset="manifest",
                manifest=str(plant(folder, rho)),
                attr="shape",
                bias_attr=("colour",),
                data_root=str(folder),
                image_size=SIDE,
            ),
            objective=objective,
            preset="quick",
            overrides=(
                "fit.epochs=6",
                "fit.batch_size=64",
                "optimizer.learning_rate=0.003",
                "views.jitter=[0,0,0,0]",
                "views.grey_p=0",
            ),
            device="cpu",
            out=str(folder / "reports"),
            runs=str(folder / "runs"),
        )
    )
    document: dict[str, Any] = json.loads((report.parent / "metrics.json").read_text())
    document["folder"] = report.parent
    return document


@pytest.fixture(scope="module")
def shortcut(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Trained where the colour gives the shape away in 97 of 100 pictures."""
    return audit(tmp_path_factory.mktemp("shortcut"), 0.97)


@pytest.fixture(scope="module")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Trained where the colour says nothing."""
    return audit(tmp_path_factory.mktemp("balanced"), 0.5)


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    """Check code, without its attribute -> outcome."""
    return {one["code"].partition(":")[0]: one["outcome"] for one in document["findings"]}


def test_a_planted_shortcut_shows(shortcut: dict[str, Any]) -> None:
    overall = shortcut["overall"]
    assert overall["aligned_accuracy"]["value"] - overall["conflict_accuracy"]["value"] > 0.3
    assert overall["aligned_minus_conflict"]["low"] > 0.2
    found = outcomes(shortcut)
    assert found["conflict-below-aligned"] == "issue"
    assert found["equalized-odds"] == "issue"
    assert "Yes" in (shortcut["folder"] / "report.html").read_text()


def test_without_a_shortcut_nothing_is_claimed(balanced: dict[str, Any]) -> None:
    gap = balanced["overall"]["aligned_minus_conflict"]
    assert gap["low"] < 0.05
    assert abs(gap["value"]) < 0.1
    assert "issue" not in outcomes(balanced).values()


def test_every_stage_left_its_file(shortcut: dict[str, Any]) -> None:
    folder = shortcut["folder"]
    features = Features.load(folder / "features.safetensors")
    predictions = Predictions.load(folder / "predictions.parquet")
    assert features.values.shape == (1120, 128)
    assert len(predictions) == 400
    run = Run.open(Path(shortcut["encoder"]["run"]))
    assert run.finished
    assert [entry["epoch"] for entry in run.entries()] == [1, 2, 3, 4, 5, 6]
    for name in ("metrics.json", "groups.csv", "report.html"):
        assert (folder / name).stat().st_size > 0


def test_the_headline_is_recomputed_from_the_predictions(shortcut: dict[str, Any]) -> None:
    table = pd.read_parquet(shortcut["folder"] / "predictions.parquet")
    right = table["shape"] == table["prediction"]
    usual = table["shape"].map({"square": "red", "cross": "green"}) == table["colour"]
    cells = right.groupby([table["shape"], table["colour"]]).mean()
    assert shortcut["overall"]["accuracy"]["value"] == pytest.approx(right.mean(), abs=1e-12)
    by_cell = right[usual].groupby(table["shape"][usual]).mean().mean()
    assert shortcut["overall"]["aligned_accuracy"]["value"] == pytest.approx(by_cell, abs=1e-12)
    worst = shortcut["overall"]["worst_group_accuracy"]["value"]
    assert worst == pytest.approx(cells.min(), abs=1e-12)


def test_the_document_fits_its_schema(shortcut: dict[str, Any], balanced: dict[str, Any]) -> None:
    for document in (shortcut, balanced):
        validate({key: value for key, value in document.items() if key != "folder"})
    with pytest.raises(jsonschema.ValidationError):
        validate({"schema": "debias_cl.metrics/1"})


def test_evaluating_again_trains_nothing(
    shortcut: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run.open(Path(shortcut["encoder"]["run"]))
    before = run.weights.stat().st_mtime_ns
    report = pipeline.evaluate(
        pipeline.Request(
            data=run.config.data,
            run=str(run.folder),
            device="cpu",
            out=str(shortcut["folder"].parent / "again"),
            representation=False,
        )
    )
    again = json.loads((report.parent / "metrics.json").read_text())
    assert run.weights.stat().st_mtime_ns == before
    assert again["overall"] == shortcut["overall"]
    assert again["disparities"] == shortcut["disparities"]
    assert again["representation"] is None and again["leakage"] == {}


def test_the_features_are_looked_at(shortcut: dict[str, Any], balanced: dict[str, Any]) -> None:
    for document in (shortcut, balanced):
        leakage = document["leakage"]["colour"]
        # The background is loud: both see it. Only one relies on it.
        assert leakage["linear_balanced_accuracy_within_label"]["value"] > 0.95
        assert leakage["linear_shuffled_within_label"]["value"] == pytest.approx(0.5, abs=0.15)
    near = shortcut["representation"]["neighbours"]["attributes"]["colour"]
    assert near["conflicting"]["attribute"]["value"] > near["conflicting"]["label"]["value"]
    assert outcomes(shortcut)["attribute-readable"] == "note"
    assert outcomes(shortcut)["same-pictures"] == "passed"
    assert shortcut["dataset"]["duplicates"]["compared"]["test"] == 400


def test_missing_data_leaves_no_run_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        pipeline.evaluate(
            pipeline.Request(
                data=DataConfig(dataset="celeba", data_root=str(tmp_path / "none")),
                out=str(tmp_path / "reports"),
                runs=str(tmp_path / "runs"),
            )
        )
    assert caught.value.exit_code == 3
    assert "list_attr_celeba.txt" in str(caught.value)
    assert DATASETS.get("celeba").obtain.split()[0] in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_beside_runs_must_share_the_rows(
    shortcut: dict[str, Any], balanced: dict[str, Any]
) -> None:
    run = Run.open(Path(shortcut["encoder"]["run"]))
    with pytest.raises(UsageError, match="other data"):
        pipeline.evaluate(
            pipeline.Request(
                data=run.config.data,
                run=str(run.folder),
                beside=(balanced["encoder"]["run"],),
                out=str(shortcut["folder"].parent / "again"),
            )
        )


def test_a_run_answers_other_questions_about_its_own_data_only(shortcut: dict[str, Any]) -> None:
    run = Run.open(Path(shortcut["encoder"]["run"]))
    turned = pipeline.Request(
        data=DataConfig(
            dataset="manifest",
            attr="colour",
            bias_attr=("shape",),
            data_root=run.config.data.data_root,
        ),
        run=str(run.folder),
        device="cpu",
        out=str(shortcut["folder"].parent / "turned"),
    )
    report = pipeline.evaluate(turned)
    document = json.loads((report.parent / "metrics.json").read_text())
    assert document["label"]["name"] == "colour"
    judges = [one["encoder"]["judge"] for one in (document, *document["beside"])]
    assert judges == ["linear probe", "balanced linear probe"]  # its classifier was for the shape
    assert report.parent.name == f"{run.folder.name}-colour-shape"
    with pytest.raises(UsageError, match="trained on manifest, not on utkface"):
        pipeline.evaluate(pipeline.Request(data=DataConfig(dataset="utkface"), run=str(run.folder)))
