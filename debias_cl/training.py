"""Training runs: one in this process, or several side by side, each by its own command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from debias_cl.config import TrainConfig
from debias_cl.data.batches import Batches
from debias_cl.data.contract import Dataset
from debias_cl.data.load import load_dataset
from debias_cl.data.sampling import make_sampling
from debias_cl.data.views import Views
from debias_cl.distributed import ALONE, Ranks, processes
from debias_cl.encoders import Encoder, build
from debias_cl.errors import DataError, DebiasError, UsageError, last_error
from debias_cl.features import KnnMonitor
from debias_cl.fit import fit
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.contract import ObjectiveContext, TrainingObjective
from debias_cl.runs import Run

POLL_SECONDS = 0.5
SMALL = 1_000_000
"""Parameters below which an encoder is small: `slim` has 43,776, ResNet-18 11 million."""
PATIENCE_SECONDS = 2.0
"""How long a Ctrl-C that reached all processes is given before it is passed on."""


def pick_device(asked: str) -> str:
    """Return "cpu", "cuda" or "mps"; "auto" takes the first accelerator there is.

    Raises:
        UsageError: an unknown device, or one that this machine does not have.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if asked == "auto":
        return next(name for name, present in there.items() if present)
    kind = asked.partition(":")[0]
    if not there.get(kind, False):
        known = ", ".join(name for name, present in there.items() if present)
        raise UsageError(f"there is no device '{asked}' here", expected=f"auto, {known}")
    return asked


def go_on(folder: Path, *, device: str = "auto") -> Run:
    """Go on with the run in a folder, by its own configuration."""
    run = Run.open(folder)
    return train_run(with_device(run, pick_device(device)), folder)


def make_objective(config: TrainConfig, dataset: Dataset, feature_dim: int) -> TrainingObjective:
    """Build the objective of a run with what it may know of the training split."""
    train = dataset.split("train").annotations
    bias = train.attributes[0] if train.attributes else None
    counts = None if bias is None else torch.from_numpy(train.cell_counts(bias.name))
    return OBJECTIVES.get(config.objective.name).make(
        ObjectiveContext(
            config=config.objective,
            feature_dim=feature_dim,
            classes=len(dataset.label.levels),
            bias_levels=0 if bias is None else len(bias.levels),
            cell_counts=counts,
            examples=len(train.ids),
            make_encoder=partial(build, config.encoder, config.data.image_size),
        )
    )


def make_networks(config: TrainConfig, dataset: Dataset) -> tuple[Encoder, TrainingObjective]:
    """Build encoder and objective with the run's seed: the same weights on every machine."""
    torch.manual_seed(config.seed)
    encoder = build(config.encoder, config.data.image_size)
    return encoder, make_objective(config, dataset, encoder.feature_dim)


def train_run(config: TrainConfig, folder: Path, dataset: Dataset | None = None) -> Run:
    """Train one run, or go on with it; a finished one is returned as it is.

    Started by torchrun, all its processes train this run together.

    Args:
        config: the whole resolved configuration.
        folder: the run folder, made where it is not there.
        dataset: already loaded; None loads it.
    """
    with processes(config.device) as ranks:
        return _train_together(config, folder, dataset, ranks)


def _train_together(
    config: TrainConfig, folder: Path, dataset: Dataset | None, ranks: Ranks
) -> Run:
    with ranks.in_turn():
        # An unknown objective, sampling or data set must not leave an empty run folder.
        OBJECTIVES.get(config.objective.name)
        dataset = dataset or load_dataset(config.data)
        train = dataset.split("train")
        sampling = make_sampling(config.fit.sampling, train.annotations)
        run = Run.create_or_open(folder, config)
    if run.finished:
        return run
    device = ranks.device(config.device)
    encoder, objective = make_networks(config, dataset)
    views = Views(config.views, dataset.mean, dataset.std)
    bias = train.annotations.attributes[0].name if train.annotations.attributes else None
    assert train.annotations.truth is not None
    ahead = can_make_ahead(encoder, device)
    batches = Batches(
        train.images,
        train.annotations.truth,
        None if bias is None else train.annotations.groups[bias],
        views,
        batch_size=config.fit.batch_size,
        seed=config.seed,
        device=device,
        drop_last=config.fit.drop_last,
        rank=ranks.rank,
        world_size=ranks.size,
        sampling=sampling,
        ahead=ahead,
    )
    monitor = KnnMonitor(dataset, views, device, ranks=ranks) if config.fit.monitor_every else None
    with threads(1 if ahead else torch.get_num_threads()):
        fit(encoder, objective, batches, config, run, monitor, device, ranks=ranks)
    return run


def can_make_ahead(encoder: Encoder, device: str | torch.device) -> bool:
    """Say whether a thread of its own makes the views, and one thread the rest of the step.

    It does for a small encoder on several cores: threads that share its short layers wait for each
    other at the end of each.
    """
    size = sum(parameter.numel() for parameter in encoder.parameters())
    spare = torch.get_num_threads() > 1
    return torch.device(device).type == "cpu" and spare and size < SMALL


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch use so many threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Child:
    run: Run
    process: subprocess.Popen[str]
    said: IO[str]
    bar: TaskID | None = None


def train_all(
    configs: Sequence[TrainConfig], folders: Sequence[Path], ranks: Ranks = ALONE
) -> list[Run]:
    """Train several runs and return them in order; finished ones are taken as they are.

    On the CPU small networks do not fill the cores, so the runs go side by side, each in its own
    process with an equal share of the threads; on an accelerator, or by several processes together,
    one after the other.

    Raises:
        DebiasError: a run failed; its message and log are named. The finished ones are kept.
    """
    pairs = list(zip(configs, folders, strict=True))
    with ranks.in_turn():
        runs = [Run.create_or_open(folder, config) for config, folder in pairs]
    waiting = [run for run in runs if not run.finished]
    if ranks.size == 1 and len(waiting) > 1 and all(run.config.device == "cpu" for run in waiting):
        _train_side_by_side(waiting)
    else:
        for run in waiting:
            train_run(run.config, run.folder)
    return runs


def _train_side_by_side(runs: Sequence[Run]) -> None:
    threads = max(1, (os.cpu_count() or 1) // len(runs))
    children = [_start(run, threads) for run in runs]
    try:
        with _bars() as bars:
            for child in children:
                title = OBJECTIVES.get(child.run.config.objective.name).title
                child.bar = bars.add_task(title, total=child.run.config.fit.epochs, rate="")
            while any(child.process.poll() is None for child in children):
                _show(bars, children)
                time.sleep(POLL_SECONDS)
            _show(bars, children)
    except KeyboardInterrupt:
        _stop(children)
        names = ", ".join(str(child.run.folder) for child in children)
        raise KeyboardInterrupt(
            f"The runs {names} can go on: give the same command again."
        ) from None
    finally:
        for child in children:
            child.said.close()
    for child in children:
        if child.process.returncode:
            _fail(child)


def _start(run: Run, threads: int) -> _Child:
    said = (run.folder / "train.out").open("w+", encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "debias_cl.train", "--run", str(run.folder), "--device", "cpu"],
        stdout=said,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
    )
    return _Child(run, process, said)


def _stop(children: Sequence[_Child]) -> None:
    """Wait until every child has kept what it can; a signal to this process alone is passed on."""
    for child in children:
        try:
            child.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.send_signal(signal.SIGINT)
    for child in children:
        child.process.wait()


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        TextColumn("epoch {task.completed:.0f} of {task.total:.0f}"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _show(bars: Progress, children: Sequence[_Child]) -> None:
    for child in children:
        entries = child.run.entries()
        assert child.bar is not None
        rate = f"{entries[-1]['images_per_second']:,.0f} images/s" if entries else ""
        bars.update(child.bar, completed=len(entries), rate=rate)


def _fail(child: _Child) -> None:
    text = (child.run.folder / "train.out").read_text(encoding="utf-8")
    kind = DataError if child.process.returncode == DataError.exit_code else DebiasError
    raise kind(
        f"training {child.run.folder.name} failed: {last_error(text)}",
        where=str(child.run.folder / "train.out"),
        remedy="mend the cause and give the same command again: finished epochs are kept",
    )


def with_device(run: Run, device: str) -> TrainConfig:
    """Return a run's configuration on the device of this machine."""
    return replace(run.config, device=device)
