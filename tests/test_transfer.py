"""An encoder trained on one data set, judged on another by its own file of weights."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from debias_cl import pipeline
from debias_cl.config import DataConfig
from debias_cl.data.contract import IMAGENET_MEAN
from debias_cl.errors import UsageError
from debias_cl.evaluate import main as evaluate
from debias_cl.metrics.schema import validate
from debias_cl.runs import Run
from debias_cl.sources import from_checkpoint
from debias_cl.train import main as train


def write(root: Path, name: str, labels: list[int], seed: int) -> None:
    """A small CIFAR whose classes differ in brightness, so that anything learns them."""
    rng = np.random.default_rng(seed)
    (root / name).mkdir(parents=True)
    for split, repeats in (("train", 20), ("test", 15)):
        rows = labels * repeats
        blobs = []
        for y in rows:
            level = 40 + 170 * labels.index(y) // len(labels)
            picture = rng.normal(level, 8, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            blobs.append(buffer.getvalue())
        pq.write_table(pa.table({"image": blobs, "label": rows}), root / name / f"{split}.parquet")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sets, and a run on the first; both `--set` options count."""
    root = tmp_path_factory.mktemp("transfer")
    write(root, "cifar10", [0, 3, 8], 0)
    write(root, "cifar100", [1, 50, 99], 1)
    options = ["--dataset", "cifar10", "--data-root", str(root), "--preset", "quick"]
    repeated = ["--set", "fit.epochs=2", "fit.batch_size=18", "--set", "views.grey_p=0.5"]
    where = ["--run", str(root / "runs" / "small"), "--device", "cpu"]
    assert train([*options, *repeated, *where]) == 0
    return root


def test_every_set_option_counts_and_knn_accuracy_is_logged(work: Path) -> None:
    run = Run.open(work / "runs" / "small")
    assert (run.config.fit.epochs, run.config.fit.batch_size) == (2, 18)
    assert run.config.views.grey_p == 0.5
    for entry in run.entries():
        assert 0 <= entry["knn_accuracy"] <= 1
        assert "knn_conflict_accuracy" not in entry


@pytest.mark.parametrize("probe", ["sgd", "knn", "logistic"])
def test_a_runs_weights_are_judged_on_another_set_without_arch(work: Path, probe: str) -> None:
    weights = work / "runs" / "small" / "encoder.safetensors"
    options = ["--checkpoint", str(weights), "--dataset", "cifar100", "--data-root", str(work)]
    out = work / f"reports-{probe}"
    assert evaluate([*options, "--probe", probe, "--device", "cpu", "--out", str(out)]) == 0
    document = json.loads((out / "small-cifar100" / "metrics.json").read_text())
    validate(document)
    assert document["encoder"]["name"] == "ConTeX, trained on cifar10"
    assert document["encoder"]["objective"] == "contex"
    assert document["encoder"]["architecture"] == "slim"
    assert document["encoder"]["checkpoint"]["image_size"] == 32
    assert document["dataset"]["name"] == "cifar100"
    assert document["dataset"]["has_attributes"] is False
    seen = {next(iter(c["group"].values())): c for c in document["classes"] if c["n"]}
    assert set(seen) == {"aquarium_fish", "mouse", "worm"}
    assert document["overall"]["accuracy"]["value"] > 0.5
    assert "right" in (out / "small-cifar100" / "report.html").read_text()


def test_the_file_carries_the_statistics_that_the_encoder_wants(work: Path) -> None:
    source = from_checkpoint(work / "runs" / "small" / "encoder.safetensors", "", 0, "cpu")
    assert source.image_size == 32
    assert source.views.mean.flatten().tolist() == pytest.approx([0.4914, 0.4822, 0.4465])
    assert source.views.mean.flatten().tolist() != pytest.approx(IMAGENET_MEAN)
    folder = from_checkpoint(work / "runs" / "small", "", 0, "cpu")
    assert (folder.name, source.name) == ("small", "small")


def test_a_run_with_another_data_set_says_how_to(work: Path) -> None:
    data = DataConfig(dataset="cifar100", data_root=str(work))
    request = pipeline.Request(data=data, run=str(work / "runs" / "small"), device="cpu")
    with pytest.raises(UsageError, match="was trained on cifar10, not on cifar100") as caught:
        pipeline.evaluate(request)
    assert "encoder.safetensors --dataset cifar100" in str(caught.value)
