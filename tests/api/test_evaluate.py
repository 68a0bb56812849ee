"""`debias_cl.evaluate`: networks in memory, checkpoints, runs; data sets in memory or by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import debias_cl
from debias_cl import Settings
from debias_cl.config import DataConfig
from debias_cl.data.contract import Dataset
from debias_cl.errors import CheckpointError, UsageError
from debias_cl.metrics.schema import read_document, validate
from debias_cl.records import Predictions
from debias_cl.waists import load_features

QUICK: dict[str, Any] = {"settings": Settings(permutations=20), "representation": False}


class Means(nn.Module):
    """The mean of each channel, and of the halves of the red one: five features."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.drop = nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        red = images[:, 0]
        halves = torch.stack([red[:, :, :8].mean((1, 2)), red[:, :, 8:].mean((1, 2))], dim=1)
        return self.scale * self.drop(torch.cat([images.mean((2, 3)), halves], dim=1))


class Bright(nn.Module):
    """Two logits from the mean of green: bright or not."""

    def forward(self, images: Tensor) -> Tensor:
        score = images[:, 1].mean((1, 2))
        return torch.stack([-score, score], dim=1)


def test_a_network_in_memory_is_judged_by_a_probe(
    small: Callable[[], Dataset], tmp_path: Path
) -> None:
    network = Means().train()
    found = debias_cl.evaluate(network, small(), out=tmp_path, **QUICK)
    assert found.metrics["encoder"]["name"] == "Means"
    assert found.metrics["encoder"]["judge"] == "linear probe"
    assert found.metrics["dataset"]["title"] == "pictures in memory"
    assert found.metrics["overall"]["accuracy"]["value"] > 0.95
    validate(found.metrics)
    assert network.training and network.drop.training
    (folder,) = tmp_path.iterdir()
    assert read_document(folder) == found.metrics
    features = load_features(folder / "features.safetensors").part("test")
    images = torch.tensor(small().split("test").images).permute(0, 3, 1, 2) / 255
    wanted = network.eval()((images - 0.4) / 0.2).detach()
    np.testing.assert_allclose(features.values, wanted.numpy(), atol=1e-5)
    assert len(Predictions.load(folder / "predictions.parquet")) == 160


def test_logits_are_judged_as_they_are(small: Callable[[], Dataset]) -> None:
    data = small()
    found = debias_cl.evaluate(Bright(), data, mean=(0.5,) * 3, std=(1.0,) * 3, **QUICK)
    assert found.metrics["encoder"]["judge"] == "own classifier"
    green = data.split("test").images[..., 1].mean((1, 2)) / 255 - 0.5
    right = (green > 0) == (data.split("test").annotations.truth == 1)
    assert found.metrics["overall"]["accuracy"]["value"] == pytest.approx(right.mean())
    other = debias_cl.evaluate(
        Bright(), data, mean=(0.5,) * 3, std=(1.0,) * 3, classes=("yes", "no"), **QUICK
    )
    assert other.metrics["overall"]["accuracy"]["value"] == pytest.approx(1 - right.mean())
    features = debias_cl.evaluate(Bright(), data, outputs="features", **QUICK)
    assert features.metrics["encoder"]["judge"] == "linear probe"


def test_nothing_is_kept_or_said_unless_asked(
    small: Callable[[], Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"fail_on": ["accuracy<0.5", "accuracy>0.9"], "positive": "no"}
    found = debias_cl.evaluate(Means(), small(), **asked, **QUICK)
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr().out == ""
    assert [gate.passes for gate in found.gates()] == [True, False]
    assert found.metrics["label"]["positive"] == "no"


def test_a_checkpoint_sees_a_data_set_in_memory_in_its_size(
    small: Callable[[], Dataset], tmp_path: Path
) -> None:
    from debias_cl.config import EncoderConfig
    from debias_cl.encoders import build

    torch.manual_seed(0)
    encoder = build(EncoderConfig("slim"), 16)
    torch.save(encoder.body.state_dict(), tmp_path / "slim.pt")
    found = debias_cl.evaluate(tmp_path / "slim.pt", small(), arch="slim", **QUICK)
    assert found.metrics["encoder"]["source"] == "checkpoint"
    assert found.metrics["encoder"]["checkpoint"]["image_size"] == 16
    same = debias_cl.evaluate(
        encoder, small(), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), **QUICK
    )
    ours, theirs = (one.metrics["overall"]["accuracy"]["value"] for one in (same, found))
    assert ours == theirs


def test_a_data_set_may_be_a_name_or_a_configuration() -> None:
    found = debias_cl.evaluate(Means(), "biased_mnist_mini", bias_attr=["colour"], **QUICK)
    assert found.metrics["dataset"]["name"] == "biased_mnist_mini"
    assert [one["name"] for one in found.metrics["attributes"]] == ["colour"]
    again = debias_cl.evaluate(Means(), DataConfig(dataset="biased_mnist_mini"), **QUICK)
    assert again.metrics["overall"] == found.metrics["overall"]


def test_errors_say_what_to_do(small: Callable[[], Dataset], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="settled by the data set"):
        debias_cl.evaluate(Means(), small(), attr="place", **QUICK)
    with pytest.raises(CheckpointError, match="cannot be run"):
        debias_cl.evaluate(nn.Linear(7, 2), small(), **QUICK)
    with pytest.raises(CheckpointError):
        debias_cl.evaluate(tmp_path / "none.pt", small(), arch="slim", **QUICK)
    with pytest.raises(UsageError, match="did you mean"):
        debias_cl.evaluate(Means(), "celebra", **QUICK)
