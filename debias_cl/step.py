"""One training step's forward pass: the encoder (whole, or in chunks) and the objective."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from debias_cl.config import FitConfig
from debias_cl.distributed import added_up, gathered, replicated
from debias_cl.errors import UsageError
from debias_cl.losses.classes import wide
from debias_cl.losses.contract import Targets, TrainingObjective


class TrainStep(nn.Module):
    """Views in, loss out: what is trained, and what several processes would wrap.

    With `chunk_size` the features of the whole batch are made without a graph, the objective gives
    their gradient, and each chunk's graph is made again in the backward pass: the loss and gradient
    of the whole batch with the memory of a chunk.

    Source: gradient caching, Gao et al. 2021, arXiv 2101.06983. Batch norm sees the chunk.
    """

    def __init__(self, encoder: nn.Module, objective: TrainingObjective, config: FitConfig) -> None:
        super().__init__()
        self.encoder, self.objective, self.config = encoder, objective, config
        # torch.compile gives a second module with the same weights; a list hides it from ours.
        self._forward = [torch.compile(encoder) if config.compile else encoder]

    def forward(self, views: Tensor, targets: Targets) -> Tensor:
        """Return the scalar loss of (B, V, 3, H, W) views."""
        count, each = views.shape[:2]
        rows = views.flatten(0, 1)
        if self.config.channels_last:
            rows = rows.contiguous(memory_format=torch.channels_last)
        with torch.autocast(rows.device.type, torch.bfloat16, enabled=self.config.amp):
            features = wide(self._features(rows, self.config.chunk_size * each))
        if self.objective.needs_views:
            targets = replace(targets, views=views)
        return self._loss(features.reshape(count, each, -1), targets)

    def _loss(self, features: Tensor, targets: Targets) -> Tensor:
        """The whole batch's loss, also where this process has a share of the batch."""
        if targets.views is not None and targets.share is not None:
            raise UsageError(
                "this objective has a second network, which several processes cannot share",
                remedy="train it in one process",
            )
        if targets.share is None:
            loss: Tensor = self.objective(features, targets)
        elif self.objective.shares:
            loss = added_up(self.objective(features, targets))
        else:
            loss = self.objective(replicated(features, targets.share[1]), _of_all(targets))
        return loss

    def _features(self, rows: Tensor, chunk: int) -> Tensor:
        forward = self._forward[0]
        if not 0 < chunk < len(rows):
            whole: Tensor = forward(rows)
            return whole
        return torch.cat(
            [
                checkpoint(forward, part, use_reentrant=False, context_fn=self._contexts)
                for part in torch.split(rows, chunk)
            ]
        )

    @property
    def note(self) -> str:
        """What the log must say of the chunks; "" where nothing."""
        chunk = self.config.chunk_size
        if not chunk or not any(isinstance(m, _BatchNorm) for m in self.modules()):
            return ""
        return f"batch norm sees chunks of {chunk} images, not the batch"

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _running_statistics_kept(self.encoder)


def _of_all(targets: Targets) -> Targets:
    """The targets of all processes, from this one's share."""
    assert targets.share is not None
    known = [t for t in (targets.label, targets.index, targets.bias) if t is not None]
    label, index, *bias = gathered(torch.stack(known, dim=1), targets.share[1]).unbind(1)
    return Targets(label, bias[0] if bias else None, index)


@contextmanager
def _running_statistics_kept(module: nn.Module) -> Iterator[None]:
    """Let batch norm compute as in training, but not count the same rows a second time."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
    before = [(m.momentum, m.num_batches_tracked) for m in norms]
    for m in norms:
        m.momentum = 0.0
        m.num_batches_tracked = None if m.num_batches_tracked is None else m.num_batches_tracked + 0
    try:
        yield
    finally:
        for m, (momentum, tracked) in zip(norms, before, strict=True):
            m.momentum, m.num_batches_tracked = momentum, tracked
