"""Checkpoints: what people's files look like, and what must never happen while one is read."""

from __future__ import annotations

import argparse
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision import models

from debias_cl.checkpoint import load_encoder
from debias_cl.config import EncoderConfig, to_dict
from debias_cl.encoders import build
from debias_cl.errors import CheckpointError, UsageError

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def plain() -> State:
    torch.manual_seed(3)
    model = models.resnet18(num_classes=7)
    with torch.no_grad():  # batch norm that has seen something
        model.train()(torch.randn(4, 3, 48, 48))
    return dict(model.state_dict())


@pytest.fixture(scope="module")
def expected(plain: State) -> Tensor:
    model = models.resnet18(num_classes=7)
    model.load_state_dict(plain)
    model.fc = nn.Identity()
    with torch.no_grad():
        features: Tensor = model.eval()(pictures())
    return features


def pictures() -> Tensor:
    return torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def features(path: Path, architecture: str = "resnet18") -> Tensor:
    encoder, _ = load_encoder(path, architecture)
    with torch.no_grad():
        found: Tensor = encoder(pictures())
    return found


PREFIXED = ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."]


@pytest.mark.parametrize("prefix", [*PREFIXED, "encoder.module.", "backbone."])
@pytest.mark.parametrize("wrapper", ["", "state_dict", "model"])
def test_prefixes_and_wrappers_come_off_by_themselves(
    tmp_path: Path, plain: State, expected: Tensor, prefix: str, wrapper: str
) -> None:
    state = OrderedDict((prefix + key, value) for key, value in plain.items())
    torch.save({wrapper: state} if wrapper else state, tmp_path / "w.pt")
    encoder, report = load_encoder(tmp_path / "w.pt", "resnet18")
    with torch.no_grad():
        assert torch.equal(encoder(pictures()), expected)
    assert (report.stripped, report.wrapper) == (prefix, wrapper)
    assert report.matched == report.expected == 100
    assert report.missing == report.unexpected == report.reshaped == ()
    assert encoder.classifier is not None and report.classes == 7
    assert torch.equal(encoder.classifier.weight, plain["fc.weight"])
    assert not encoder.training
    assert any(prefix in line for line in report.sentences())


def test_compiled_and_parallel_modules_as_torch_saves_them(
    tmp_path: Path, plain: State, expected: Tensor
) -> None:
    model = models.resnet18(num_classes=7)
    model.load_state_dict(plain)
    torch.save(torch.compile(model).state_dict(), tmp_path / "compiled.pt")
    torch.save(nn.DataParallel(model).state_dict(), tmp_path / "parallel.pt")
    for name in ("compiled", "parallel"):
        assert torch.equal(features(tmp_path / f"{name}.pt"), expected)


@pytest.mark.parametrize("legacy", [False, True])
def test_inert_types_are_read_and_listed(
    tmp_path: Path, plain: State, expected: Tensor, legacy: bool
) -> None:
    held = {
        "opt": argparse.Namespace(lr=0.5, name="x"),
        "model": plain,
        "best": np.float64(0.91),
        "curve": np.arange(3.0),
        "epoch": 3,
        "optimizer": torch.optim.SGD([nn.Parameter(torch.zeros(2))], 0.1).state_dict(),
    }
    path = tmp_path / "w.pth"
    torch.save(held, path, _use_new_zipfile_serialization=not legacy)
    assert torch.equal(features(path), expected)
    _, report = load_encoder(path, "resnet18")
    assert set(report.ignored) == {
        "opt (argparse.Namespace)",
        "best (numpy.float64)",
        "curve (numpy.ndarray)",
        "epoch (int)",
        "optimizer (dict)",
    }
    assert any("opt (argparse.Namespace)" in line for line in report.sentences())


class OwnClass:
    """A user's class, as it stands in many files."""


class Evil:
    """Makes a file as soon as somebody unpickles it."""

    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (self.target,)


def saved_by_torch(held: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(held, buffer)
    return buffer.getvalue()


def saved_the_old_way(held: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(held, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


@pytest.mark.parametrize("write", [saved_by_torch, saved_the_old_way, pickle.dumps])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".th"])
def test_a_malicious_pickle_does_not_run(
    tmp_path: Path, plain: State, write: Callable[[Any], bytes], suffix: str
) -> None:
    target = tmp_path / "owned"
    path = tmp_path / f"w{suffix}"
    path.write_bytes(write({"model": plain, "extra": Evil(target)}))
    with pytest.raises(CheckpointError) as caught:
        load_encoder(path, "resnet18")
    assert not target.exists()
    assert caught.value.exit_code == 4
    assert str(path) in str(caught.value) and caught.value.remedy
    # The trap works: reading it the unsafe way does run it.
    if write is pickle.dumps:
        pickle.loads(path.read_bytes())
        assert target.exists()


def test_a_class_of_the_users_own_is_refused_by_name(tmp_path: Path, plain: State) -> None:
    torch.save({"opt": OwnClass(), "model": plain}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="OwnClass") as caught:
        load_encoder(tmp_path / "w.pt", "resnet18")
    assert "state_dict()" in caught.value.remedy


def test_a_whole_model_is_refused_with_the_safe_way(tmp_path: Path) -> None:
    torch.save(models.resnet18(), tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"torchvision\.models\.resnet\.ResNet") as caught:
        load_encoder(tmp_path / "w.pt", "resnet18")
    assert "torch.save(model.state_dict()" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"epoch,loss\n1,2.5\n", "text file"),
        (b"<!DOCTYPE html><html>quota exceeded", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x89HDF\r\n\x1a\n" + bytes(50), "HDF5"),
        (b"\x1f\x8b" + bytes(50), "compressed"),
        (b"\x00\x01\x02" + bytes(50), "no kind that is known"),
    ],
)
def test_what_is_no_weights_is_told_apart(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason):
        load_encoder(path, "resnet18")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".th"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_file_cut_off_is_said(tmp_path: Path, plain: State, suffix: str, share: float) -> None:
    path = tmp_path / f"w{suffix}"
    whole = {
        ".pt": saved_by_torch,
        ".th": saved_the_old_way,
        ".safetensors": safetensors.torch.save,
    }[suffix](plain)
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match="damaged or cut off"):
        load_encoder(path, "resnet18")


def test_archives_that_hold_code_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.pt", "w") as archive:
        for name in ("m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"):
            archive.writestr(name, b"x")
    with zipfile.ZipFile(tmp_path / "e.pt2", "w") as archive:
        archive.writestr("m/models/model.json", b"{}")
    with pytest.raises(CheckpointError, match="TorchScript"):
        load_encoder(tmp_path / "s.pt", "resnet18")
    with pytest.raises(CheckpointError, match=r"torch\.export"):
        load_encoder(tmp_path / "e.pt2", "resnet18")


def test_absent_file_and_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_encoder(tmp_path / "none.pt", "resnet18")
    torch.save({"epoch": 3, "history": [1, 2]}, tmp_path / "empty.pt")
    with pytest.raises(CheckpointError, match=r"epoch \(int\), history \(list\)"):
        load_encoder(tmp_path / "empty.pt", "resnet18")


def test_another_architecture_is_refused(tmp_path: Path, plain: State) -> None:
    torch.save(plain, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"weights of torchvision:resnet50") as caught:
        load_encoder(tmp_path / "w.pt", "resnet50")
    assert "at least 90%" in str(caught.value)
    assert "torchvision:resnet18 (100 of its 100 weights" in caught.value.remedy


def test_a_few_renamed_weights_are_listed_with_the_nearest_name(
    tmp_path: Path, plain: State
) -> None:
    state = {key.replace("layer1.0.bn1", "layer1.0.norm1"): v for key, v in plain.items()}
    torch.save(state, tmp_path / "w.pt")
    _, report = load_encoder(tmp_path / "w.pt", "resnet18")
    assert report.matched == 96
    assert "layer1.0.bn1.weight (nearest in the file: layer1.0.norm1.weight)" in report.missing
    assert "layer1.0.norm1.bias" in report.unexpected


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, plain: State) -> None:
    torch.save({**plain, "bn1.weight": torch.full((64,), torch.nan)}, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match=r"NaN or infinity, first bn1\.weight"):
        load_encoder(tmp_path / "w.pt", "resnet18")


def test_the_stem_is_that_of_the_weights(tmp_path: Path) -> None:
    small = build(EncoderConfig("resnet18"), 32)
    torch.save(small.body.state_dict(), tmp_path / "w.pt")
    encoder, report = load_encoder(tmp_path / "w.pt", "resnet18")
    assert encoder.body.get_submodule("conv1").kernel_size == (3, 3)
    assert "CIFAR stem" in encoder.note and report.matched == report.expected
    with torch.no_grad():
        assert torch.equal(encoder(pictures()), small.eval()(pictures()))


def test_of_several_networks_the_rule_chooses_and_a_name_takes_another(
    tmp_path: Path, plain: State, expected: Tensor
) -> None:
    student = {key: value * 2 for key, value in plain.items()}
    torch.save({"student": student, "teacher": plain}, tmp_path / "dino.pt")
    _, report = load_encoder(tmp_path / "dino.pt", "resnet18")
    assert (report.wrapper, report.others) == ("teacher", ("student",))
    assert torch.equal(features(tmp_path / "dino.pt"), expected)
    encoder, report = load_encoder(tmp_path / "dino.pt", "resnet18", network="student")
    assert report.wrapper == "student"
    assert torch.equal(encoder.body.state_dict()["conv1.weight"], student["conv1.weight"])
    with pytest.raises(UsageError, match="did you mean 'student'"):
        load_encoder(tmp_path / "dino.pt", "resnet18", network="studnet")
    both = {f"module.encoder_k.{k}": v for k, v in student.items()}
    both |= {f"module.encoder_q.{k}": v for k, v in plain.items()} | {
        "module.queue": plain["fc.bias"]
    }
    torch.save({"state_dict": both}, tmp_path / "moco.pt")
    _, report = load_encoder(tmp_path / "moco.pt", "resnet18")
    assert report.stripped == "module.encoder_q."
    assert "module.queue" in report.unexpected
    assert torch.equal(features(tmp_path / "moco.pt"), expected)


def test_half_precision_and_timm(tmp_path: Path) -> None:
    import timm

    model = timm.create_model("resnet18", num_classes=5).eval()
    half = {key: value.half() for key, value in model.state_dict().items()}
    safetensors.torch.save_file(half, tmp_path / "w.safetensors")
    encoder, report = load_encoder(tmp_path / "w.safetensors", "timm:resnet18")
    assert report.classes == 5
    with torch.no_grad():
        wanted = model.forward_head(model.forward_features(pictures()), pre_logits=True)
        assert torch.allclose(encoder(pictures()), wanted, atol=0.05)
    assert encoder(pictures()).dtype == torch.float32


def test_the_report_is_json_able(tmp_path: Path, plain: State) -> None:
    import json

    torch.save(plain, tmp_path / "w.pt")
    _, report = load_encoder(tmp_path / "w.pt", "resnet18")
    facts = json.loads(json.dumps(to_dict(report)))
    assert facts["classes"] == 7 and len(facts["sha256"]) == 64


def test_our_own_runs_name_their_architecture(tmp_path: Path) -> None:
    from debias_cl.config import DataConfig, FitConfig, TrainConfig, ViewsConfig
    from debias_cl.data.batches import Batches
    from debias_cl.data.views import Views
    from debias_cl.fit import fit
    from debias_cl.losses.contract import TrainingObjective
    from debias_cl.runs import Run

    class Mean(TrainingObjective):
        def forward(self, features: Tensor, targets: Any) -> Tensor:
            return features.square().mean()

    config = TrainConfig(data=DataConfig(image_size=28), fit=FitConfig(epochs=1, batch_size=8))
    views = Views(ViewsConfig(), (0.5,) * 3, (0.5,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (16, 28, 28, 3), dtype=np.uint8)
    label = np.zeros(16, np.int64)
    trained = build(EncoderConfig("slim"), 28)
    run = Run.create_or_open(tmp_path, config)
    fit(trained, Mean(), Batches(images, label, None, views, 8), config, run)
    for path in (run.folder, run.weights):
        encoder, report = load_encoder(path)
        assert report.architecture == "slim" and report.matched == report.expected
        assert report.metadata["config"]["objective"]["name"] == "contex"
        with torch.no_grad():
            assert torch.equal(encoder(pictures()), trained.eval()(pictures()))


@pytest.mark.data
def test_real_cifar_weights(shared_data: Path) -> None:
    import pandas as pd
    from PIL import Image

    path = next((shared_data / "checkpoints").glob("resnet20-*.th"))
    encoder, report = load_encoder(path, "cifar_resnet20")
    assert report.matched == report.expected and report.stripped == "module."
    assert report.ignored == ("best_prec1 (float)",)
    assert encoder.classifier is not None and report.classes == 10
    table = pd.read_parquet(shared_data / "cifar10" / "test.parquet").head(500)
    images = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in table["image"]])
    mean, sd = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    rows = torch.tensor((images / 255 - mean) / sd, dtype=torch.float32).permute(0, 3, 1, 2)
    with torch.no_grad():
        guess = encoder.classifier(encoder(rows)).argmax(1).numpy()
    assert (guess == table["label"].to_numpy()).mean() > 0.89  # 91.7 % on all 10,000
