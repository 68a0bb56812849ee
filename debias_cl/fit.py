"""The one training loop: it knows an encoder, an objective and batches, and nothing of either.

Everything random in an epoch follows from (seed, epoch) and the random state in `last.pt`, so a
run that was stopped between epochs goes on bit for bit as if it had not been.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, Protocol

import safetensors.torch
import torch
from torch import Tensor, nn

from debias_cl.config import TrainConfig, to_dict
from debias_cl.distributed import ALONE, Ranks
from debias_cl.encoders import Encoder
from debias_cl.errors import CheckpointError, UsageError
from debias_cl.files import replacing, write_atomic
from debias_cl.losses.contract import Targets, TrainingObjective
from debias_cl.optim import build_optimizer, learning_rate
from debias_cl.progress import Progress
from debias_cl.randomness import random_state, set_random_state
from debias_cl.runs import Run
from debias_cl.step import TrainStep

FORMAT = "debias_cl.encoder/1"
"""`format` in the metadata (JSON under `debias_cl`) of `encoder.safetensors`."""

CHECK_EVERY = {"cpu": 1}
CHECK_EVERY_ELSEWHERE = 50
"""Steps between looks at the loss: a look at an accelerator's loss stops its queue."""

Monitor = Callable[[nn.Module], Mapping[str, float | None]]


class BatchSource(Protocol):
    """What the loop asks of batches (`data.batches.Batches`)."""

    def __len__(self) -> int:
        """Steps of an epoch."""

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        """Views (B, V, 3, H, W) and targets, decided by the epoch's number alone."""


def fit(
    encoder: Encoder,
    objective: TrainingObjective,
    batches: BatchSource,
    config: TrainConfig,
    run: Run,
    monitor: Monitor | None = None,
    device: str | torch.device = "cpu",
    ranks: Ranks = ALONE,
) -> None:
    """Train until `config.fit.epochs` are done, or go on where the run stopped.

    Leaves the trained weights in `encoder` and `objective`, `last.pt` and a log line after each
    epoch, and at the end `encoder.safetensors`, `objective.safetensors` and the mark in
    `config.json`.

    Args:
        encoder: trained in place.
        objective: heads and loss, trained in place.
        batches: of the training split; this process's share of each batch.
        config: `optimizer`, `fit`, `seed` are read.
        run: the folder.
        monitor: called with the encoder every `fit.monitor_every` epochs, in every process; the
            first one's result is logged.
        device: "cpu", "cuda", "mps".
        ranks: the processes that train together; the first alone writes and shows progress.

    Raises:
        UsageError: the loss is not finite; what was saved before stays as it is. Or the processes
            do not see the same run folder.
        CheckpointError: `last.pt` cannot be read.
        KeyboardInterrupt: with a message that says how to go on.
    """
    if run.finished:
        load_finished(run, encoder, objective)
        for part in (encoder, objective):
            part.to(device)
        return
    loop = _Loop(encoder, objective, batches, config, run, torch.device(device), ranks)
    done = loop.resume()
    title = f"{config.objective.name} on {config.data.dataset}"
    shown = Progress(title, config.fit.epochs, len(batches), done) if ranks.first else None
    try:
        with shown or nullcontext():
            for epoch in range(done, config.fit.epochs):
                entry = loop.epoch(epoch, shown.step if shown else None)
                entry |= loop.monitored(monitor, epoch)
                loop.save(epoch + 1, entry)
                if shown:
                    shown.epoch(entry)
    except KeyboardInterrupt as stop:
        folder = shlex.quote(str(run.folder))
        message = f"Go on with: {ranks.command('debias_cl.train')} --run {folder}"
        raise KeyboardInterrupt(message) from stop
    loop.finish()


def load_finished(
    run: Run, encoder: Encoder | None = None, objective: TrainingObjective | None = None
) -> None:
    """Load a finished run's weights into its encoder and its objective (the parts that are given).

    Raises:
        CheckpointError: a file is missing, damaged, or of other shapes.
    """
    parts = ((run.weights, encoder and encoder.body), (run.heads, objective))
    for path, module in parts:
        if module is None:
            continue
        try:
            module.load_state_dict(safetensors.torch.load_file(path))
        except (OSError, RuntimeError, safetensors.SafetensorError) as error:
            raise CheckpointError(
                f"the weights of this run cannot be loaded: {error}",
                where=str(path),
                remedy="train again, or take another run",
            ) from error


class _Loop:
    """One run's moving parts."""

    def __init__(
        self,
        encoder: Encoder,
        objective: TrainingObjective,
        batches: BatchSource,
        config: TrainConfig,
        run: Run,
        device: torch.device,
        ranks: Ranks,
    ) -> None:
        encoder.to(device)
        objective.to(device)
        if config.fit.channels_last:
            encoder.to(memory_format=torch.channels_last)
        self.encoder, self.objective, self.batches = encoder, objective, batches
        self.config, self.run, self.device, self.ranks = config, run, device, ranks
        torch.manual_seed(config.seed + ranks.rank)  # dropout and the like, whatever came before
        self.step = TrainStep(encoder, objective, config.fit)
        self.wrapped = ranks.wrap(self.step, config.fit)
        self.optimizer = build_optimizer(self.step.parameters(), config.optimizer, device)
        self.seconds = 0.0

    def epoch(self, epoch: int, count: Callable[[], None] | None) -> dict[str, Any]:
        """Train one epoch and return its log entry."""
        start = time.perf_counter()
        self.wrapped.train()
        losses: list[Tensor] = []
        images, own, rate = 0, 0, 0.0
        look = CHECK_EVERY.get(self.device.type, CHECK_EVERY_ELSEWHERE)
        for i, (views, targets) in enumerate(self.batches.epoch(epoch)):
            rate = self._set_rate(epoch + i / len(self.batches))
            self.objective.set_progress((epoch + i / len(self.batches)) / self.config.fit.epochs)
            losses.append(self._update(views, targets))
            images += targets.share[1] if targets.share else len(views)
            own += len(views)
            if (i + 1) % look == 0:
                self._check(losses[-look:], epoch, i + 1)
            if count:
                count()
        self._check(losses, epoch, len(losses))
        self.ranks.take_buffers_of_first(self.step)
        seconds = time.perf_counter() - start
        return {
            "epoch": epoch + 1,
            "loss": float(torch.stack(losses).double().mean()),
            "learning_rate": rate,
            "images_per_second": images / seconds,
            "wall_seconds": seconds,
            **self.ranks.mean(self.objective.diagnostics(), own),
            **self._remarks(epoch),
        }

    def monitored(self, monitor: Monitor | None, epoch: int) -> dict[str, Any]:
        """Return what the monitor says of the encoder as it stands, where it is its turn."""
        every, last = self.config.fit.monitor_every, epoch + 1 == self.config.fit.epochs
        if monitor is None or every == 0 or ((epoch + 1) % every and not last):
            return {}
        start = time.perf_counter()
        found = dict(monitor(self.encoder))
        return {**found, "monitor_seconds": time.perf_counter() - start}

    def resume(self) -> int:
        """Load `last.pt` where there is one; return the number of epochs that are done."""
        self.objective.begin(self.encoder)
        done = self._load() if self.run.last.exists() else 0
        found = self.ranks.collected(done)
        if found != [done] * len(found):
            raise UsageError(
                f"the processes find {found} epochs done",
                where=str(self.run.folder),
                expected="one run folder, on a file system that all machines share",
            )
        if self.ranks.first:
            self.run.rewind(done)
        return done

    def _load(self) -> int:
        path = self.run.last
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.encoder.load_state_dict(state["encoder"])
            self.objective.load_state_dict(state["objective"])
            self.optimizer.load_state_dict(state["optimizer"])
            of_each = state["random"]
            own = self.ranks.rank if len(of_each) == self.ranks.size else 0
            set_random_state(of_each[own])
        except Exception as error:  # torch raises half a dozen types for a damaged file
            raise CheckpointError(
                f"what resumes this run cannot be read: {error}",
                where=str(path),
                remedy="delete this file to begin the run again",
            ) from error
        self.seconds = float(state["seconds"])
        return int(state["epoch"])

    def save(self, done: int, entry: Mapping[str, Any]) -> None:
        """Log an epoch, then write what resumes after it: a kill in between repeats the epoch."""
        self.seconds += entry["wall_seconds"] + entry.get("monitor_seconds", 0.0)
        random = self.ranks.collected(random_state())
        if not self.ranks.first:
            return
        self.run.log(entry)
        state = {
            "epoch": done,
            "seconds": self.seconds,
            "encoder": self.encoder.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": random,
        }
        with replacing(self.run.last) as temporary:
            torch.save(state, temporary)

    def finish(self) -> None:
        """Write the finished weights, then the mark."""
        if not self.ranks.first:
            return
        about = {
            "format": FORMAT,
            "architecture": self.encoder.architecture,
            "feature_dim": self.encoder.feature_dim,
            "image_size": self.config.data.image_size,
            **_statistics(self.batches),
            "config": to_dict(self.config),
        }
        write_atomic(self.run.heads, _packed(self.objective, {"format": "debias_cl.objective/1"}))
        write_atomic(self.run.weights, _packed(self.encoder.body, about))
        self.run.finish({"epochs": self.config.fit.epochs, "wall_seconds": self.seconds})

    def _update(self, views: Tensor, targets: Targets) -> Tensor:
        loss: Tensor = self.wrapped(views, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.objective.after_step(self.encoder)
        return loss.detach()

    def _set_rate(self, epoch: float) -> float:
        rate = learning_rate(self.config.optimizer, epoch, self.config.fit.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _check(self, losses: list[Tensor], epoch: int, steps: int) -> None:
        """Stop at a loss that is not finite; `losses` are those of the last of `steps` steps."""
        fine = torch.isfinite(torch.stack(losses)).tolist()
        if all(fine):
            return
        step = steps - len(fine) + fine.index(False) + 1
        kept = f"epoch {epoch} is saved" if epoch else "nothing was saved yet"
        raise UsageError(
            f"the loss is {float(losses[fine.index(False)])} at epoch {epoch + 1}, step {step}",
            where=f"{self.run.folder} ({kept})",
            expected="a finite loss",
            remedy="a new run with a lower rate (--set optimizer.learning_rate=...), warm-up "
            "epochs, or without fit.amp",
        )

    def _remarks(self, epoch: int) -> dict[str, str]:
        """What the first epoch's log line says once."""
        ours = (self.step.note, self.ranks.note(self.step))
        notes = (self.encoder.note, getattr(self.batches, "note", ""), *ours)
        text = "; ".join(note for note in notes if note)
        return {"note": text} if text and epoch == 0 else {}


def _statistics(batches: BatchSource) -> dict[str, list[float]]:
    """The channel statistics that the encoder was trained with: it wants them ever after."""
    views = getattr(batches, "views", None)
    if views is None:
        return {}
    return {
        name: [round(value, 6) for value in getattr(views, name).flatten().tolist()]
        for name in ("mean", "std")
    }


def _packed(module: nn.Module, about: Mapping[str, Any]) -> bytes:
    """A module's weights; one metadata key alone, because several would stand in any order."""
    tensors = {
        name: value.detach().cpu().contiguous().clone()
        for name, value in module.state_dict().items()
    }
    return safetensors.torch.save(tensors, {"debias_cl": json.dumps(about)})
