"""The training loop: resuming bit for bit, chunks equal to the whole batch, honest failures."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from debias_cl.config import (
    DataConfig,
    FitConfig,
    ObjectiveConfig,
    OptimizerConfig,
    TrainConfig,
    ViewsConfig,
)
from debias_cl.data.batches import Batches
from debias_cl.data.views import Views
from debias_cl.distributed import Ranks
from debias_cl.encoders import Encoder
from debias_cl.errors import CheckpointError, UsageError
from debias_cl.fit import fit, load_finished
from debias_cl.losses.contract import Contrastive, ObjectiveContext, Targets, TrainingObjective
from debias_cl.optim import OPTIMIZERS, build_optimizer, learning_rate
from debias_cl.progress import Progress
from debias_cl.runs import Run
from debias_cl.step import TrainStep

CONFIG = TrainConfig(
    data=DataConfig(image_size=8),
    objective=ObjectiveConfig(projection=(8, 4)),
    fit=FitConfig(epochs=3, batch_size=16),
)


def encoder(norm: bool = True) -> Encoder:
    torch.manual_seed(7)
    layers: list[nn.Module] = [nn.Conv2d(3, 6, 3, padding=1)]
    layers += [nn.BatchNorm2d(6)] if norm else []
    layers += [nn.ReLU(), nn.Dropout(0.1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Encoder(nn.Sequential(*layers), 6, "tiny", "fc")


class AllPairs(nn.Module):
    """A contrastive loss small enough to read: every row against every other, by label."""

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        rows = nn.functional.normalize(z.flatten(0, 1), dim=1)
        logits = rows @ rows.T / 0.5
        logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool), -1e9)
        y = label.repeat_interleave(z.shape[1])
        same = (y[:, None] == y) & ~torch.eye(len(rows), dtype=torch.bool)
        return -(logits.log_softmax(1) * same).sum() / same.sum()


def objective() -> TrainingObjective:
    torch.manual_seed(8)
    return Contrastive(ObjectiveContext(CONFIG.objective, 6, 3), AllPairs())


def batches(config: TrainConfig = CONFIG) -> Batches:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (70, 8, 8, 3), dtype=np.uint8)
    views = Views(ViewsConfig(crop_scale=(0.5, 1.0), noise=0.1), (0.5,) * 3, (0.5,) * 3)
    label = rng.integers(0, 3, 70)
    return Batches(images, label, None, views, config.fit.batch_size, seed=config.seed)


def trained(folder: Path, config: TrainConfig = CONFIG, **more: Any) -> tuple[Encoder, Run]:
    run, net = Run.create_or_open(folder, config), encoder()
    fit(net, objective(), more.pop("source", batches(config)), config, run, **more)
    return net, run


class StopsIn:
    """Batches that raise Ctrl-C in one epoch, after one step."""

    def __init__(self, epoch: int) -> None:
        self.inner, self.stop = batches(), epoch
        self.views = self.inner.views

    def __len__(self) -> int:
        return len(self.inner)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        for i, batch in enumerate(self.inner.epoch(epoch)):
            if epoch == self.stop and i == 1:
                raise KeyboardInterrupt
            yield batch


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path, name: Any) -> None:
    rate = 0.05 if name == "sgd" else 0.01
    config = replace(CONFIG, optimizer=OptimizerConfig(name=name, learning_rate=rate))
    whole, whole_run = trained(tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt) as stop:
        trained(tmp_path / "part s", config, source=StopsIn(1))
    assert str(stop.value) == f"Go on with: python -m debias_cl.train --run '{tmp_path}/part s'"
    part = Run.open(tmp_path / "part s")
    assert [e["epoch"] for e in part.entries()] == [1] and not part.finished
    torch.rand(5)  # whatever else used the random state in between
    resumed, _ = trained(tmp_path / "part s", config)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    assert whole_run.weights.read_bytes() == part.weights.read_bytes()
    assert whole_run.heads.read_bytes() == part.heads.read_bytes()
    assert [e["loss"] for e in whole_run.entries()] == [e["loss"] for e in part.entries()]
    assert [e["epoch"] for e in part.entries()] == [1, 2, 3] and part.finished


def test_a_kill_between_log_and_checkpoint_repeats_the_epoch_once(tmp_path: Path) -> None:
    _, run = trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "part", source=StopsIn(2))
    part = Run.open(tmp_path / "part")
    part.log({"epoch": 3, "loss": 99.0})
    trained(tmp_path / "part")
    assert [e["loss"] for e in part.entries()] == [e["loss"] for e in run.entries()]


def test_the_files_of_a_finished_run(tmp_path: Path) -> None:
    net, run = trained(tmp_path)
    entry = run.entries()[-1]
    assert {"epoch", "loss", "learning_rate", "images_per_second", "wall_seconds"} <= set(entry)
    stored = safetensors.torch.load_file(run.weights)
    assert set(stored) == set(net.body.state_dict())
    with safetensors.safe_open(run.weights, "pt") as handle:
        about = json.loads(handle.metadata()["debias_cl"])
    assert about["architecture"] == "tiny" and about["format"] == "debias_cl.encoder/1"
    assert about["config"]["objective"]["name"] == "contex"
    assert run.meta["finished"]["epochs"] == 3
    other, head = encoder(), objective()
    load_finished(run, other, head)
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in other.state_dict().items())
    assert {p.name for p in tmp_path.iterdir()} == {
        "config.json", "log.jsonl", "last.pt", "encoder.safetensors", "objective.safetensors",
    }  # fmt: skip


def test_a_finished_run_is_loaded_and_not_trained_again(tmp_path: Path) -> None:
    net, run = trained(tmp_path)
    run.last.unlink()
    again, _ = trained(tmp_path, source=StopsIn(0))
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in again.state_dict().items())
    run.weights.write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"encoder\.safetensors"):
        trained(tmp_path)


def test_a_kill_after_the_last_epoch_still_finishes(tmp_path: Path) -> None:
    _, run = trained(tmp_path)
    weights = run.weights.read_bytes()
    run.weights.unlink()
    assert not run.finished
    trained(tmp_path, source=StopsIn(0))
    assert run.finished and run.weights.read_bytes() == weights
    assert [e["epoch"] for e in run.entries()] == [1, 2, 3]


def test_damage_to_what_resumes_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, source=StopsIn(1))
    (tmp_path / "last.pt").write_bytes((tmp_path / "last.pt").read_bytes()[:500])
    with pytest.raises(CheckpointError, match="delete this file to begin the run again"):
        trained(tmp_path)


@pytest.mark.parametrize("chunk", [1, 3, 5, 15])
def test_chunks_equal_the_whole_batch(chunk: int) -> None:
    net, head = encoder(norm=False).double().eval(), objective().double()
    views = torch.randn(16, 2, 3, 8, 8, dtype=torch.float64)
    targets = Targets(torch.arange(16) % 3, None, torch.arange(16))
    found = []
    for size in (0, chunk):
        step = TrainStep(net, head, FitConfig(chunk_size=size))
        loss = step(views, targets)
        found.append((loss, *torch.autograd.grad(loss, list(step.parameters()))))
    for whole, chunked in zip(*found, strict=True):
        assert torch.allclose(whole, chunked, rtol=0, atol=1e-10)
    # The trap: averaging the losses of two halves is another loss.
    step = TrainStep(net, head, FitConfig())
    halves = [
        step(views[rows], Targets(targets.label[rows], None, targets.index[rows]))
        for rows in (slice(0, 8), slice(8, 16))
    ]
    assert abs(float((halves[0] + halves[1]).detach() / 2 - found[0][0].detach())) > 1e-2


def test_chunks_with_dropout_and_batch_norm() -> None:
    """The backward pass sees the forward's dropout, and batch norm counts each row once."""
    net, head = encoder(), objective()
    net.train()
    norm = net.body.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    views = torch.randn(8, 2, 3, 8, 8)
    targets = Targets(torch.arange(8) % 3, None, torch.arange(8))
    step = TrainStep(net, head, FitConfig(chunk_size=4))
    torch.manual_seed(0)
    loss = step(views, targets)
    mean, count = norm.running_mean, norm.num_batches_tracked
    assert mean is not None and count is not None
    mean = mean.clone()
    grads = torch.autograd.grad(loss, list(step.parameters()))
    assert torch.equal(norm.running_mean, mean)  # type: ignore[arg-type]
    assert int(count) == 2 and norm.momentum == 0.1
    # Second path: the same chunks with their graphs kept.
    torch.manual_seed(0)
    features = torch.cat([net(part) for part in views.flatten(0, 1).split(8)])
    plain = head(features.reshape(8, 2, -1), targets)
    assert torch.equal(plain, loss)
    for a, b in zip(torch.autograd.grad(plain, list(step.parameters())), grads, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_chunked_training_says_what_batch_norm_saw(tmp_path: Path) -> None:
    config = replace(CONFIG, fit=replace(CONFIG.fit, chunk_size=4))
    _, run = trained(tmp_path, config)
    assert run.entries()[0]["note"] == "batch norm sees chunks of 4 images, not the batch"
    assert "note" not in run.entries()[1]


def test_a_loss_that_is_not_finite_stops_and_saves_nothing_wrong(tmp_path: Path) -> None:
    class Breaks(AllPairs):
        calls = 0

        def forward(self, z: Tensor, label: Tensor) -> Tensor:
            Breaks.calls += 1
            return super().forward(z, label) * (math.nan if Breaks.calls == 6 else 1.0)

    run = Run.create_or_open(tmp_path, CONFIG)
    head = Contrastive(ObjectiveContext(CONFIG.objective, 6, 3), Breaks())
    with pytest.raises(UsageError, match=r"loss is nan at epoch 2, step 2") as caught:
        fit(encoder(), head, batches(), CONFIG, run)
    assert "epoch 1 is saved" in str(caught.value)
    assert [e["epoch"] for e in run.entries()] == [1] and not run.finished
    assert torch.load(run.last, weights_only=True)["epoch"] == 1


def test_settings_change_how_but_not_what(tmp_path: Path) -> None:
    nets = []
    for name, formatted in (("plain", False), ("last", True)):
        config = replace(CONFIG, fit=replace(CONFIG.fit, channels_last=formatted))
        net = encoder()
        net.body.get_submodule("3").p = 0.0  # dropout draws in the order of memory
        fit(net, objective(), batches(), config, Run.create_or_open(tmp_path / name, config))
        nets.append(net.state_dict())
    for key, value in nets[0].items():
        assert torch.allclose(value, nets[1][key], atol=1e-3), key
    half = replace(CONFIG, fit=replace(CONFIG.fit, amp=True))
    _, run = trained(tmp_path / "half", half)
    assert all(math.isfinite(e["loss"]) for e in run.entries())
    assert abs(run.entries()[0]["loss"] - Run.open(tmp_path / "plain").entries()[0]["loss"]) < 0.05


def test_monitor_is_asked_in_its_turn_and_logged(tmp_path: Path) -> None:
    config = replace(CONFIG, fit=replace(CONFIG.fit, epochs=5, monitor_every=2))
    seen = []

    def monitor(net: nn.Module) -> dict[str, float | None]:
        seen.append(net)
        return {"knn_aligned_accuracy": 0.5, "knn_conflict_accuracy": None}

    net, run = trained(tmp_path, config, monitor=monitor)
    assert [e["epoch"] for e in run.entries() if "knn_aligned_accuracy" in e] == [2, 4, 5]
    assert run.entries()[1]["knn_conflict_accuracy"] is None
    assert seen == [net] * 3


def test_a_process_that_does_not_write_writes_nothing(tmp_path: Path) -> None:
    run = Run.create_or_open(tmp_path, CONFIG)
    fit(encoder(), objective(), batches(), CONFIG, run, ranks=Ranks(rank=1))
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_schedules_by_hand() -> None:
    step = OptimizerConfig(learning_rate=1.0, schedule="step")
    rates = [learning_rate(step, epoch, 20) for epoch in range(20)]
    assert rates == pytest.approx([1.0] * 6 + [0.1] * 7 + [0.01] * 7)  # falls at 6 and 13
    assert learning_rate(OptimizerConfig(learning_rate=2.0, schedule="constant"), 9, 10) == 2.0
    cosine = OptimizerConfig(learning_rate=0.5, schedule="cosine", warmup_epochs=10)
    assert learning_rate(cosine, 0, 100) == 0.01
    assert learning_rate(cosine, 100, 100) == pytest.approx(0.0005)
    assert learning_rate(cosine, 55, 100) == pytest.approx(
        0.0005 + 0.4995 * (1 + math.cos(math.pi * 0.55)) / 2
    )
    top = 0.0005 + 0.4995 * (1 + math.cos(math.pi * 0.1)) / 2  # SupContrast's warmup_to
    assert learning_rate(cosine, 5, 100) == pytest.approx(0.01 + (top - 0.01) / 2)


def test_optimisers_equal_plain_torch() -> None:
    torch.manual_seed(0)
    start = torch.randn(5)
    for name, kind in (("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)):
        config = OptimizerConfig(name=name, learning_rate=0.1, weight_decay=0.01)  # type: ignore[arg-type]
        ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
        more: dict[str, Any] = {"momentum": 0.9} if name == "sgd" else {}
        a = build_optimizer([ours], config, torch.device("cpu"))
        b = kind([theirs], lr=0.1, weight_decay=0.01, **more)
        for _ in range(5):
            ours.grad, theirs.grad = ours.detach() ** 3, theirs.detach() ** 3
            a.step()
            b.step()
        assert torch.allclose(ours, theirs, atol=1e-6)
    assert set(OPTIMIZERS) == {"adam", "adamw", "sgd"}


def test_without_a_terminal_a_long_run_prints_few_lines() -> None:
    stream = io.StringIO()
    with Progress("supcon on celeba", 100, 5, stream=stream) as shown:
        for epoch in range(1, 101):
            shown.step()
            shown.epoch({"epoch": epoch, "loss": 1.5, "images_per_second": 1234.5})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1] == "supcon on celeba: epoch 100/100  loss 1.5000  1,234 images/s"


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with Progress("supcon", 2, 3, stream=stream) as shown:
        shown.step()
        shown.epoch(
            {"epoch": 1, "loss": 1.5, "images_per_second": 9.0, "knn_conflict_accuracy": 0.25}
        )
    assert "kNN conflict 0.250" in stream.getvalue()
