"""`evaluate --checkpoint` as a user runs it: own predictions lead, refusals are exit code 4."""

from __future__ import annotations

import argparse
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision import models

from debias_cl.data.cifar10 import CLASSES
from debias_cl.evaluate import main
from debias_cl.metrics.schema import validate
from debias_cl.networks import CifarResNet

PRESENT = (0, 3, 8)


class Bright(CifarResNet):
    """Tells three of the ten classes by the brightness of the picture, by its own head."""

    def __init__(self) -> None:
        super().__init__(20)
        self.linear = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(super().forward(images))
        return logits


def shade(y: int) -> int:
    return 40 + 85 * PRESENT.index(y)


def picture(y: int, rng: np.random.Generator) -> bytes:
    values = rng.normal(shade(y), 8, (32, 32, 3)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CIFAR-10 with three of its classes."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "cifar10").mkdir()
    rng = np.random.default_rng(0)
    for split, repeats in (("train", 14), ("test", 12)):
        rows = list(PRESENT) * repeats
        table = pa.table({"image": [picture(y, rng) for y in rows], "label": rows})
        pq.write_table(table, folder / "cifar10" / f"{split}.parquet")
    return folder


@pytest.fixture(scope="module")
def state(root: Path) -> dict[str, Tensor]:
    """A random network with a head that is fitted to the mean features of flat pictures."""
    torch.manual_seed(0)
    network = Bright().eval()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    flat = torch.stack([torch.full((3, 32, 32), shade(y) / 255) for y in PRESENT])
    with torch.no_grad():
        rows = CifarResNet.forward(network, (flat - mean[:, None, None]) / std[:, None, None])
        network.linear.weight.zero_()
        network.linear.bias.fill_(-1e4)
        for y, row in zip(PRESENT, rows, strict=True):  # the nearest mean, as a linear layer
            network.linear.weight[y], network.linear.bias[y] = row, -row.square().sum() / 2
    return dict(network.state_dict())


@pytest.fixture
def run(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, str]]]:
    """Run the command on a file and return its exit code and what it said."""

    def command(path: Path | str, *options: str) -> tuple[int, str]:
        where = ["--data-root", str(root), "--out", str(tmp_path / "reports"), "--device", "cpu"]
        where += ["--permutations", "200"]
        code = main(["--dataset", "cifar10", "--checkpoint", str(path), *where, *options])
        said = capsys.readouterr()
        return code, said.out + said.err

    yield command


def document(tmp_path: Path) -> dict[str, Any]:
    (path,) = (tmp_path / "reports").glob("*/metrics.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def saved(held: Any, path: Path) -> Path:
    torch.save(held, path)
    return path


Command = Callable[..., tuple[int, str]]


def test_own_predictions_lead_and_the_probe_stands_beside(
    state: dict[str, Tensor], tmp_path: Path, run: Command
) -> None:
    held = {"opt": argparse.Namespace(lr=0.5), "model": state, "best": np.float64(0.91), "epoch": 3}
    code, said = run(saved(held, tmp_path / "net.pt"))
    assert code == 0, said
    assert "not read: opt (argparse.Namespace), best (numpy.float64), epoch (int)" in said
    assert "pictures of 32 px (the CIFAR ResNet's own)" in said
    found = document(tmp_path)
    validate(found)
    encoder = found["encoder"]
    assert encoder["judge"] == "own classifier" and encoder["architecture"] == "cifar_resnet20"
    assert [one["encoder"]["judge"] for one in found["beside"]] == ["linear probe"]
    assert encoder["own_classifier"]["used"] and encoder["own_classifier"]["width"] == 10
    assert encoder["own_classifier"]["classes"] == list(CLASSES)
    assert found["overall"]["accuracy"]["value"] > 0.9
    checkpoint = encoder["checkpoint"]
    assert checkpoint["guessed"] and checkpoint["ignored"][0] == "opt (argparse.Namespace)"
    assert checkpoint["input"]["image_size"] == 32
    assert {c["n"] for c in found["classes"]} == {0, 12}
    folder = next((tmp_path / "reports").iterdir())
    names = {path.name for path in folder.glob("predictions*")}
    assert names == {"predictions.parquet", "predictions-linear_probe.parquet"}
    page = (folder / "report.html").read_text()
    assert "order of the label&#39;s levels" in page and "argparse.Namespace" in page


def test_flags_change_pictures_classes_and_network(
    state: dict[str, Tensor], tmp_path: Path, run: Command
) -> None:
    held = {"student": {**state, "linear.bias": torch.zeros(10)}, "teacher": state}
    path = saved(held, tmp_path / "net.pt")
    names = (*CLASSES[1:], CLASSES[0])
    code, said = run(
        path, "--network", "student", "--mean", ".5,.5,.5", "--std", ".2,.2,.2",
        "--classes", ",".join(names),
    )  # fmt: skip
    assert code == 0, said
    encoder = document(tmp_path)["encoder"]
    assert encoder["checkpoint"]["wrapper"] == "student"
    assert encoder["checkpoint"]["others"] == ["teacher"]
    assert encoder["checkpoint"]["input"]["mean"] == [0.5, 0.5, 0.5]
    assert encoder["own_classifier"]["classes"] == list(names)


def test_a_classifier_needs_no_training_pictures(
    root: Path, state: dict[str, Tensor], tmp_path: Path, run: Command
) -> None:
    (tmp_path / "cifar10").mkdir()
    for split in ("train", "test"):
        table = pq.read_table(root / "cifar10" / f"{split}.parquet")
        one = table.filter(pa.compute.equal(table["label"], 3)) if split == "train" else table
        pq.write_table(one, tmp_path / "cifar10" / f"{split}.parquet")
    code, said = run(saved(state, tmp_path / "net.pt"), "--data-root", str(tmp_path))
    assert code == 0, said
    found = document(tmp_path)
    assert found["encoder"]["judge"] == "own classifier" and found["beside"] == []


def test_a_head_of_other_width_is_noted_and_only_the_probe_judges(
    state: dict[str, Tensor], tmp_path: Path, run: Command
) -> None:
    other = {**state, "linear.weight": torch.zeros(7, 64), "linear.bias": torch.zeros(7)}
    code, said = run(saved(other, tmp_path / "net.pt"))
    assert code == 0, said
    found = document(tmp_path)
    assert found["encoder"]["judge"] == "linear probe" and found["beside"] == []
    told = found["encoder"]["own_classifier"]
    assert not told["used"] and told["said"].startswith("its classifier has 7 outputs")
    code, said = run(tmp_path / "net.pt", "--classes", "a,b")
    assert code == 2 and "--classes names 2 classes" in said


class Evil:
    """Makes a folder as soon as somebody unpickles it."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (self.target,)


class OwnSettings:
    """A configuration class of the user's own."""


def test_refusals_are_exit_code_4_and_nothing_has_run(
    state: dict[str, Tensor], tmp_path: Path, run: Command
) -> None:
    target = tmp_path / "owned"
    evil = saved({"model": state, "extra": Evil(target)}, tmp_path / "evil.pt")
    code, said = run(evil)
    assert code == 4 and "could run any code" in said and not target.exists()
    torch.load(evil, weights_only=False)  # the trap works
    assert target.exists()
    own = saved({"model": state, "opt": OwnSettings()}, tmp_path / "own.pt")
    code, said = run(own)
    assert code == 4 and "OwnSettings" in said and "torch.save(model.state_dict()" in said
    whole = saved(state, tmp_path / "cut.pt")
    whole.write_bytes(whole.read_bytes()[:20_000])
    code, said = run(whole)
    assert code == 4 and "damaged or cut off" in said
    (tmp_path / "text.pt").write_text("epoch,loss\n1,2.5\n")
    code, said = run(tmp_path / "text.pt")
    assert code == 4 and "text file" in said
    wrong = saved(models.resnet18().state_dict(), tmp_path / "resnet18.pt")
    code, said = run(wrong, "--arch", "resnet50")
    assert code == 4
    assert "the nearest known architecture is torchvision:resnet18 (100 of its 100" in said
    deeper = saved(models.resnet34().state_dict(), tmp_path / "resnet34.pt")
    code, said = run(deeper, "--arch", "resnet18")
    assert code == 4 and "further layers inside, such as layer1.2.conv1.weight" in said
    assert "the nearest known architecture is torchvision:resnet34" in said
    unknown = {"a.weight": torch.zeros(3, 3), "b.weight": torch.zeros(4, 4)}
    code, said = run(saved(unknown, tmp_path / "unknown.pt"))
    assert code == 4 and "no architecture that is known here: none is like it" in said
    assert "Traceback" not in said and not (tmp_path / "reports").exists()


class Brightness(nn.Module):
    """Logits of the nearest brightness, and of no known architecture."""

    def __init__(self) -> None:
        super().__init__()
        self.top = nn.Linear(1, 10)
        nn.init.zeros_(self.top.weight)
        nn.init.constant_(self.top.bias, -100.0)
        with torch.no_grad():
            for y in PRESENT:
                light = (shade(y) / 255 - 0.449) / 0.226
                self.top.weight[y], self.top.bias[y] = light, -light * light / 2

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.top(images.mean(dim=(1, 2, 3))[:, None])
        return logits


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_graph_is_judged_by_its_own_logits(tmp_path: Path, run: Command) -> None:
    path, example = tmp_path / "net.onnx", torch.zeros(16, 3, 32, 32)
    torch.onnx.export(Brightness(), (example,), str(path), dynamo=False)
    code, said = run(path)
    assert code == 0, said
    found = document(tmp_path)
    assert found["encoder"]["judge"] == "own classifier"
    assert found["encoder"]["architecture"] == "ONNX program"
    assert found["encoder"]["checkpoint"]["input"]["image_size"] == 32
    assert found["overall"]["accuracy"]["value"] > 0.9


@pytest.mark.data
def test_the_real_classifier_by_its_own_head(
    shared_data: Path, tmp_path: Path, run: Command
) -> None:
    """The whole command on 1,000 real test pictures; 91.3 % of all 5,000 there."""
    (tmp_path / "cifar10").mkdir()
    for split, step in (("train", 50), ("test", 5)):
        table = pq.read_table(shared_data / "cifar10" / f"{split}.parquet")
        table = table.take(list(range(0, len(table), step)))
        pq.write_table(table, tmp_path / "cifar10" / f"{split}.parquet")
    path = next((shared_data / "checkpoints").glob("resnet20-*.th"))
    code, said = run(path, "--data-root", str(tmp_path))
    assert code == 0, said
    found = document(tmp_path)
    assert found["encoder"]["judge"] == "own classifier"
    assert found["overall"]["accuracy"]["value"] > 0.9
    assert found["encoder"]["checkpoint"]["stripped"] == "module."
    assert {one["n"] for one in found["classes"]} != {0} and len(found["classes"]) == 10


@pytest.mark.data
@pytest.mark.slow
def test_the_real_classifier_on_all_its_pictures(
    shared_data: Path, tmp_path: Path, run: Command
) -> None:
    path = next((shared_data / "checkpoints").glob("resnet20-*.th"))
    code, said = run(path, "--data-root", str(shared_data))
    assert code == 0, said
    assert document(tmp_path)["overall"]["accuracy"]["value"] > 0.91
