"""Several processes train what one process would: losses, weights, features, resuming, stopping.

Run as a script, this file is one of the processes: `test_distributed.py FOLDER`, with torchrun's
environment. The encoders here have no batch norm, because its statistics are those of a process's
share of the batch: with it, several processes are not one process on the whole batch.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

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
from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.data.views import Views
from debias_cl.distributed import ALONE, Ranks, even_share, launched, processes
from debias_cl.encoders import Encoder
from debias_cl.errors import UsageError
from debias_cl.features import KnnMonitor, extract
from debias_cl.fit import fit
from debias_cl.losses import OBJECTIVES, SupConLoss
from debias_cl.losses.contract import Contrastive, ObjectiveContext, Targets, TrainingObjective
from debias_cl.records import Annotations, Column
from debias_cl.runs import Run

PICTURES, BATCH, EPOCHS = 67, 15, 4
"""Batches of 15, 15, 15, 15 and 7 (20 steps): no batch is divisible by 2, and the last not by 3."""

CONFIG = TrainConfig(
    data=DataConfig(image_size=6),
    objective=ObjectiveConfig(projection=(8, 4)),
    optimizer=OptimizerConfig(name="sgd", learning_rate=0.05, schedule="constant"),
    fit=FitConfig(epochs=EPOCHS, batch_size=BATCH, drop_last=False),
)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (PICTURES, 6, 6, 3), dtype=np.uint8)
LABEL, BIAS = RNG.integers(0, 3, PICTURES), RNG.integers(0, 2, PICTURES)
VIEWS = Views(ViewsConfig(crop_scale=(0.5, 1.0), noise=0.1), (0.5,) * 3, (0.25,) * 3)


class Weighted(TrainingObjective):
    """Not a sum over rows, with a memory: groups weigh more the worse they were so far."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.classifier = nn.Linear(5, 3)
        self.register_buffer("weight", torch.full((2,), 0.5))

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        assert targets.bias is not None and targets.share is None
        logits = self.classifier(features.mean(1))
        loss = nn.functional.cross_entropy(logits, targets.label, reduction="none")
        loss = loss * (1 + torch.cos(targets.index.to(loss.dtype)))
        group = torch.stack([loss[targets.bias == g].mean() for g in (0, 1)])
        self.weight = (self.weight * (0.5 * group.detach()).exp()).to(loss.dtype)
        self.weight = self.weight / self.weight.sum()
        return (self.weight * group).sum() + features.var(0).mean()

    def diagnostics(self) -> dict[str, float]:
        return {"weight_of_group_0": float(self.weight[0])}


class Rare(Contrastive):
    """One view and labels so rare that some anchors lack positives: another share on each rank."""

    def __init__(self) -> None:
        torch.manual_seed(8)
        super().__init__(ObjectiveContext(CONFIG.objective, 5, 3), SupConLoss())

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        return super().forward(features[:, :1], replace(targets, label=targets.index // 4))


def from_registry(name: str) -> Callable[[], TrainingObjective]:
    def make() -> TrainingObjective:
        torch.manual_seed(8)
        return OBJECTIVES.get(name).build(ObjectiveContext(CONFIG.objective, 5, 3))

    return make


@dataclass(frozen=True)
class Case:
    """What is trained in several processes and in one."""

    make: Callable[[], TrainingObjective]
    dtype: torch.dtype = torch.float64
    chunk: int = 0

    @property
    def config(self) -> TrainConfig:
        return replace(CONFIG, fit=replace(CONFIG.fit, chunk_size=self.chunk))


CASES = {
    **{
        name: Case(from_registry(name))
        for name in ("contex", "contex_clamped", "supcon", "supcon_in", "simclr", "cross_entropy")
    },
    "weighted": Case(Weighted),
    "rare": Case(Rare),
    "contex float32": Case(from_registry("contex"), torch.float32),
    "cross_entropy float32": Case(from_registry("cross_entropy"), torch.float32),
    "contex in chunks": Case(from_registry("contex"), chunk=3),
}


class Source:
    """Batches in the encoder's type; may stop as Ctrl-C does, or count what was given."""

    def __init__(self, dtype: torch.dtype, ranks: Ranks, stop: int = -1) -> None:
        self.inner = Batches(
            IMAGES, LABEL, BIAS, VIEWS, BATCH,
            drop_last=False, rank=ranks.rank, world_size=ranks.size,
        )  # fmt: skip
        self.dtype, self.stop, self.note = dtype, stop, self.inner.note

    def __len__(self) -> int:
        return len(self.inner)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        for i, (views, targets) in enumerate(self.inner.epoch(epoch)):
            if epoch == self.stop and i == 2:
                raise KeyboardInterrupt
            yield views.to(self.dtype), targets


def encoder(dropout: float = 0.0, norm: bool = False) -> Encoder:
    torch.manual_seed(7)
    normed = nn.BatchNorm2d(5) if norm else nn.Identity()
    layers = (nn.Conv2d(3, 5, 3), normed, nn.Tanh(), nn.Dropout(dropout))
    return Encoder(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), 5, "tiny", "fc")


def trained(
    folder: Path,
    case: Case,
    ranks: Ranks,
    stop: int = -1,
    dropout: float = 0.0,
    norm: bool = False,
) -> None:
    net, head = encoder(dropout, norm).to(case.dtype), case.make().to(case.dtype)
    with ranks.in_turn():
        run = Run.create_or_open(folder, case.config)
    fit(net, head, Source(case.dtype, ranks, stop), case.config, run, ranks=ranks)
    state = (*net.state_dict().values(), *head.state_dict().values())
    ours = [float(value.double().sum()) for value in state]
    assert all(theirs == ours for theirs in ranks.collected(ours)), "the processes drifted apart"


def dataset() -> Dataset:
    def split(name: str, n: int) -> LabelledImages:
        ids = np.array([f"{name}{i}" for i in range(n)])
        known = Annotations(ids, Column("y", ("0", "1", "2")), LABEL[:n].astype(np.int64), (), {})
        return LabelledImages(IMAGES[:n], known)

    splits = {"train": split("a", PICTURES), "validation": split("b", 20), "test": split("c", 1)}
    return Dataset("toy", "", splits, (0.5,) * 3, (0.25,) * 3)


def one_of_several(folder: Path) -> None:
    """What each process does."""
    with processes("cpu") as ranks:
        for name, case in CASES.items():
            trained(folder / name, case, ranks)
        plain = CASES["contex float32"]
        trained(folder / "norm", plain, ranks, norm=True)
        trained(folder / "whole", plain, ranks, dropout=0.2)
        for stopped, case, rate in (("part", plain, 0.2), ("fewer", CASES["contex"], 0.0)):
            try:
                trained(folder / stopped, case, ranks, stop=2, dropout=rate)
            except KeyboardInterrupt as stop:
                (folder / f"{stopped}-says-{ranks.rank}").write_text(str(stop))
        trained(folder / "part", plain, ranks, dropout=0.2)
        found = extract(encoder(), dataset(), VIEWS, batch_size=8, ranks=ranks)
        seen = KnnMonitor(dataset(), VIEWS, ranks=ranks)(encoder())
        np.save(folder / f"features-{ranks.rank}.npy", found.values)
        (folder / f"monitor-{ranks.rank}").write_text(repr(seen))


def start(size: int, *command: str) -> list[subprocess.Popen[str]]:
    """Start processes as torchrun does, without torchrun's own start-up time."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "WORLD_SIZE": str(size)}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_WORLD_SIZE": str(size)}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(size)
    ]


def finished(started: list[subprocess.Popen[str]], seconds: float = 120) -> list[str]:
    """What the processes said; they are stopped where they do not end."""
    try:
        return [process.communicate(timeout=seconds)[0] for process in started]
    finally:
        for process in started:
            process.kill()


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def several(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what that many processes did."""
    folder = tmp_path_factory.mktemp(f"processes{request.param}")
    started = start(request.param, "-W", "error", str(Path(__file__)), str(folder))
    said = finished(started)
    assert [process.returncode for process in started] == [0] * request.param, said
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what one process does."""
    folder = tmp_path_factory.mktemp("alone")
    for name, case in CASES.items():
        trained(folder / name, case, ALONE)
    return folder


def weights(run: Run) -> dict[str, Tensor]:
    stored = (safetensors.torch.load_file(path) for path in (run.weights, run.heads))
    return {f"{i} {key}": value for i, part in enumerate(stored) for key, value in part.items()}


def largest_difference(a: Run, b: Run) -> float:
    ours, theirs = weights(a), weights(b)
    assert ours.keys() == theirs.keys()
    return max(float((ours[key] - theirs[key]).abs().max()) for key in ours)


@pytest.mark.parametrize("name", CASES)
def test_losses_and_weights_are_those_of_one_process(name: str, several: Path, alone: Path) -> None:
    ours, theirs = Run.open(several / name), Run.open(alone / name)
    bar = 1e-10 if CASES[name].dtype == torch.float64 else 1e-5
    for a, b in zip(ours.entries(), theirs.entries(), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=bar, abs=bar)
    assert len(ours.entries()) == EPOCHS
    assert largest_difference(ours, theirs) < bar
    head = CASES[name].make().to(CASES[name].dtype)
    before = {**encoder().to(CASES[name].dtype).body.state_dict(), **head.state_dict()}
    moved = [float((weights(theirs)[k] - before[k[2:]]).abs().max()) for k in weights(theirs)]
    assert max(moved) > 1e-2  # the comparison is of networks that have learnt


def test_the_log_is_of_the_whole_batch(several: Path, alone: Path) -> None:
    for name in CASES:
        for a, b in zip(
            Run.open(several / name).entries(), Run.open(alone / name).entries(), strict=True
        ):
            timed = {"wall_seconds", "images_per_second", "note"}
            assert a.keys() | {"note"} == b.keys() | {"note"}
            assert a["images_per_second"] * a["wall_seconds"] == pytest.approx(PICTURES)
            for key in a.keys() - timed:
                assert a[key] == pytest.approx(b[key], rel=1e-5), (name, key)
    assert 0 < Run.open(several / "rare").entries()[0]["anchors_without_positives"] < 1
    size = len(list(several.glob("monitor-*")))
    note = Run.open(several / "contex").entries()[0]["note"]
    assert note == f"{size} processes share each batch"


def test_batch_norm_has_one_state_and_the_log_names_it(several: Path) -> None:
    # `trained` has compared the running statistics of the processes.
    note = Run.open(several / "norm").entries()[0]["note"]
    assert note.endswith("batch norm sees the share of its process, not the batch")


def test_a_stopped_run_goes_on_bit_for_bit_with_each_processes_dropout(several: Path) -> None:
    whole, part = Run.open(several / "whole"), Run.open(several / "part")
    assert largest_difference(whole, part) == 0
    assert [e["loss"] for e in whole.entries()] == [e["loss"] for e in part.entries()]
    assert len(torch.load(whole.last, weights_only=True)["random"]) == len(
        list(several.glob("part-says-*"))
    )


def test_the_message_of_a_stop_names_the_command(several: Path) -> None:
    said = [path.read_text() for path in sorted(several.glob("part-says-*"))]
    command = f"torchrun --nproc-per-node {len(said)} -m debias_cl.train -- --run "
    assert said == [f"Go on with: {command}{several / 'part'}"] * len(said)


def test_another_number_of_processes_may_go_on(several: Path, alone: Path) -> None:
    run = Run.open(several / "fewer")
    if not run.finished:
        assert len(run.entries()) == 2
        trained(run.folder, CASES["contex"], ALONE)
    assert largest_difference(run, Run.open(alone / "contex")) < 1e-10


def test_features_are_shared_and_the_monitor_answers_once(several: Path) -> None:
    expected = extract(encoder(), dataset(), VIEWS, batch_size=8).values
    size = len(list(several.glob("features-*.npy")))
    for rank in range(size):
        assert np.allclose(np.load(several / f"features-{rank}.npy"), expected, atol=1e-6, rtol=0)
    said = [(several / f"monitor-{rank}").read_text() for rank in range(size)]
    assert said == [repr(KnnMonitor(dataset(), VIEWS)(encoder()))] + ["{}"] * (size - 1)


def test_shares_are_even_and_cover_every_row() -> None:
    for total in (1, 2, 7, 15, 64):
        for size in (1, 2, 3, 5):
            ends = [even_share(total, rank, size) for rank in range(size)]
            assert [row for a, b in ends for row in range(a, b)] == list(range(total))
            sizes = [b - a for a, b in ends]
            assert max(sizes) - min(sizes) <= 1


def test_without_torchrun_it_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "WORLD_SIZE", "RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert launched() == ALONE
    with processes("cpu") as ranks:
        assert ranks == ALONE
    assert not torch.distributed.is_initialized()
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "3")
    assert launched() == Ranks(3, 4, 3) and not launched().first


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(UsageError, match="a batch of 2 pictures cannot be shared by 3 processes"):
        Batches(IMAGES, LABEL, BIAS, VIEWS, 2, world_size=3)
    with pytest.raises(UsageError, match="several processes cannot train on 'mps'"):
        Ranks(0, 2).device("mps")
    lacking = Ranks(99, 100, 99)
    with pytest.raises(UsageError, match=r"process 100 of this machine has no GPU"):
        lacking.device("cuda")
    assert lacking.device("cpu") == "cpu" and ALONE.device("cuda:1") == "cuda:1"
    with pytest.raises(UsageError, match=r"fit\.sync_batch_norm"):
        Ranks(0, 2).wrap(encoder(), FitConfig(sync_batch_norm=True))
    net = encoder()
    assert ALONE.wrap(net, FitConfig(sync_batch_norm=True)) is net


def test_the_log_says_what_batch_norm_sees() -> None:
    text = "2 processes share each batch; batch norm sees the share of its process, not the batch"
    assert Ranks(0, 2).note(nn.Sequential(nn.BatchNorm1d(3))) == text
    assert Ranks(0, 2).note(nn.Sequential(nn.SyncBatchNorm(3))) == "2 processes share each batch"
    assert ALONE.note(nn.Sequential(nn.BatchNorm1d(3))) == ""


def command(folder: Path, epochs: int) -> list[str]:
    options = ("--device", "cpu", "--preset", "quick", "--run", str(folder), "--set")
    settings = (f"fit.epochs={epochs}", "data.train_limit=600", "fit.batch_size=64")
    return [
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "debias_cl.train", "--", *options, *settings),
    ]


@pytest.mark.slow
def test_torchrun_trains_stops_at_ctrl_c_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shown = subprocess.Popen(
        [sys.executable, *command(folder, 200)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (folder / "last.pt").exists():
        assert shown.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(shown.pid, signal.SIGINT)  # what a terminal does at Ctrl-C
    said = finished([shown], seconds=60)[0]
    assert "Go on with: torchrun --nproc-per-node 2 -m debias_cl.train --" in said
    run = Run.open(folder)
    done = len(run.entries())
    assert 0 < done < 200 and not run.finished
    assert torch.load(run.last, weights_only=True)["epoch"] == done
    shorter = tmp_path / "short"
    for _ in range(2):  # the second time there is nothing left to do
        process = subprocess.run(
            [sys.executable, *command(shorter, 2)], capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stderr
        assert process.stdout.count("finished: ") == 1
    entries = Run.open(shorter).entries()
    assert [e["epoch"] for e in entries] == [1, 2] and "knn_conflict_accuracy" in entries[0]


@pytest.mark.slow
def test_a_process_that_dies_does_not_leave_the_others_waiting(tmp_path: Path) -> None:
    options = ("--device", "cpu", "--preset", "quick", "--run", str(tmp_path / "run"))
    settings = ("--set", "fit.epochs=500", "data.train_limit=600")
    started = start(2, "-m", "debias_cl.train", *options, *settings)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "last.pt").exists():
        assert started[0].poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    started[1].kill()
    finished(started, seconds=60)
    assert started[0].returncode not in (0, None)


if __name__ == "__main__":
    one_of_several(Path(sys.argv[1]))


@pytest.mark.slow
def test_evaluate_by_two_processes_gives_the_numbers_of_one(tmp_path: Path) -> None:
    options = ["--set", "fit.epochs=1", "--beside", "none", "--device", "cpu"]
    trained = ["debias_cl.train", *options[:2], "--device", "cpu", "--run", str(tmp_path / "run")]
    finished(start(1, "-m", *trained))
    judged = ["debias_cl.evaluate", *options, "--run", str(tmp_path / "run"), "--out"]
    one = start(1, "-m", *judged, str(tmp_path / "one"))
    finished(one)
    two = start(2, "-m", *judged, str(tmp_path / "two"))
    said = finished(two)
    assert sum("report: " in text for text in said) == 1
    overall = [
        json.loads((tmp_path / name / "run" / "metrics.json").read_text())["overall"]
        for name in ("one", "two")
    ]
    assert overall[0] == overall[1]
