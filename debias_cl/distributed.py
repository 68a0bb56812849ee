"""Several processes: which one this is, and the few things that they do together.

Each process has one run of rows of every batch (`even_share`). DistributedDataParallel gives every
process the MEAN of all gradients, whatever number of rows each had. So that this mean is the
gradient of the whole batch's loss, two kinds of objective are brought together:

* parts of a loss that add up to it: `gathered` lets each process see the rows of all, and
  `added_up` returns the sum of the parts;
* one whole loss, computed by every process alike: `replicated` gives it the rows of all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from debias_cl.config import FitConfig
from debias_cl.errors import UsageError

TIMEOUT = timedelta(minutes=30)
"""A process that waits for another for longer than this fails instead of hanging for ever. The
others wait while the first one decodes pictures, so it is not short."""

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}


@dataclass(frozen=True)
class Ranks:
    """This process among those that train one network together.

    Attributes:
        rank: its number, from 0; process 0 alone writes files and shows progress.
        size: number of processes.
        local_rank: its number on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def command(self, module: str) -> str:
        """Return the command, up to its options, that runs a module in as many processes."""
        if self.size == 1:
            return f"python -m {module}"
        here = os.environ.get("LOCAL_WORLD_SIZE", self.size)
        return f"torchrun --nproc-per-node {here} -m {module} --"  # torchrun would take --run

    def share(self, total: int) -> tuple[int, int]:
        """Return the first and the last row (exclusive) of this process among `total` rows."""
        return even_share(total, self.rank, self.size)

    def device(self, asked: str) -> str:
        """Return the device of this process: on CUDA the one with its number on this machine.

        Raises:
            UsageError: several processes and fewer GPUs, or a device that cannot be shared.
        """
        if self.size == 1:
            return asked
        kind = asked.partition(":")[0]
        if kind not in BACKENDS:
            raise UsageError(f"several processes cannot train on '{asked}'", expected="cpu, cuda")
        if kind == "cpu":
            return kind
        there = torch.cuda.device_count()
        if self.local_rank >= there:
            raise UsageError(
                f"process {self.local_rank + 1} of this machine has no GPU: there are {there}",
                remedy=f"torchrun --nproc-per-node {there}",
            )
        return f"cuda:{self.local_rank}"

    def wrap(self, step: nn.Module, config: FitConfig) -> nn.Module:
        """Return what averages gradients over the processes; the step itself for one process.

        Raises:
            UsageError: batch norm cannot see the whole batch as `config` asks.
        """
        if self.size == 1:
            return step
        if config.sync_batch_norm:
            cuda = all(parameter.is_cuda for parameter in step.parameters())
            if not cuda or config.chunk_size:
                raise UsageError(
                    "batch norm cannot be brought together over the processes",
                    where="fit.sync_batch_norm",
                    expected="CUDA, and no fit.chunk_size",
                )
            step = nn.SyncBatchNorm.convert_sync_batchnorm(step)  # type: ignore[no-untyped-call]
        return DistributedDataParallel(step)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let the first process go before the others, who find what it wrote."""
        if self.size > 1 and not self.first:
            dist.barrier()
        try:
            yield
        finally:
            if self.size > 1 and self.first:
                dist.barrier()

    def collected(self, value: Any) -> list[Any]:
        """Return the values of all processes, in their order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def mean(self, values: Mapping[str, float], weight: float) -> dict[str, float]:
        """Return the weighted mean over the processes of each value."""
        if self.size == 1:
            return dict(values)
        parts = self.collected((weight, dict(values)))
        total = sum(w for w, _ in parts)
        return {name: sum(w * part[name] for w, part in parts) / total for name in values}

    def rows_of_all(self, rows: Tensor, total: int) -> Tensor:
        """Return the `total` rows of all processes, without gradient, from this process's share."""
        return rows if self.size == 1 else _gather(rows, total)

    def take_buffers_of_first(self, module: nn.Module) -> None:
        """Give every process the first one's buffers (batch norm's running statistics)."""
        for buffer in module.buffers() if self.size > 1 else ():
            dist.broadcast(buffer, 0)

    def note(self, module: nn.Module) -> str:
        """Return what the log must say of the processes; "" for one."""
        if self.size == 1:
            return ""
        text = f"{self.size} processes share each batch"
        norms = [m for m in module.modules() if isinstance(m, _BatchNorm)]
        if all(isinstance(m, nn.SyncBatchNorm) for m in norms):
            return text
        return f"{text}; batch norm sees the share of its process, not the batch"


ALONE = Ranks()
"""One process."""


def even_share(total: int, rank: int, size: int) -> tuple[int, int]:
    """Return the first and the last row (exclusive) of a process: sizes differ by at most 1."""
    return total * rank // size, total * (rank + 1) // size


def launched() -> Ranks:
    """Return what torchrun's environment says of this process, without starting anything."""
    env = os.environ
    if not {"MASTER_ADDR", "RANK", "WORLD_SIZE"} <= env.keys() or int(env["WORLD_SIZE"]) == 1:
        return ALONE
    rank = int(env["RANK"])
    return Ranks(rank, int(env["WORLD_SIZE"]), int(env.get("LOCAL_RANK", rank)))


@contextmanager
def processes(device: str) -> Iterator[Ranks]:
    """Join the processes that torchrun started: gloo on the CPU, NCCL on CUDA.

    Without torchrun this is one process and nothing is set up. A group that is there already is
    taken, and left.

    Args:
        device: "cpu", "cuda", "mps", as `Ranks.device` takes it.

    Raises:
        UsageError: as `Ranks.device`.
    """
    if dist.is_available() and dist.is_initialized():
        local = int(os.environ.get("LOCAL_RANK", dist.get_rank()))
        yield Ranks(dist.get_rank(), dist.get_world_size(), local)
        return
    ranks = launched()
    if ranks.size == 1:
        yield ranks
        return
    own = torch.device(ranks.device(device))
    if own.type == "cuda":
        torch.cuda.set_device(own)
    dist.init_process_group(
        BACKENDS[own.type], timeout=TIMEOUT, device_id=own if own.type == "cuda" else None
    )
    # After an error the group is not torn down: that could wait for a process which has gone.
    # This process ends, its connections close, and the others fail instead of waiting.
    yield ranks
    dist.barrier()
    dist.destroy_process_group()


def gathered(rows: Tensor, total: int) -> Tensor:
    """Return the rows of all processes, for a loss of which each process computes a part.

    Args:
        rows: (b, ...) this process's share of the `total` rows.
        total: rows of all processes.

    Returns:
        (total, ...); its gradient is added up over the processes.
    """
    found: Tensor = _Gathered.apply(rows, total, True)
    return found


def replicated(rows: Tensor, total: int) -> Tensor:
    """Return the rows of all processes, for a loss that every process computes as a whole.

    Args and result as in `gathered`, but for the gradient: each process takes that of its own
    rows, times the number of processes, because DistributedDataParallel averages.
    """
    found: Tensor = _Gathered.apply(rows, total, False)
    return found


def added_up(part: Tensor) -> Tensor:
    """Return the sum over the processes of a scalar.

    Its gradient is that of this process's part, times the number of processes, because
    DistributedDataParallel averages.
    """
    found: Tensor = _AddedUp.apply(part)
    return found


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, total: int, parts: bool) -> Tensor:
        ctx.total, ctx.parts = total, parts
        return _gather(rows, total)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        rank, size = dist.get_rank(), dist.get_world_size()
        own = slice(*even_share(ctx.total, rank, size))
        if not ctx.parts:
            return grad[own] * size, None, None
        everyone = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(everyone)
        return everyone[own], None, None


class _AddedUp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        total = part.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * dist.get_world_size()


def _gather(rows: Tensor, total: int) -> Tensor:
    """Gather shares that differ by at most one row: padded to one size, then cut."""
    size = dist.get_world_size()
    most = -(-total // size)
    padded = rows.new_zeros((most, *rows.shape[1:]))
    padded[: len(rows)] = rows
    found = [torch.empty_like(padded) for _ in range(size)]
    dist.all_gather(found, padded)
    ends = [even_share(total, rank, size) for rank in range(size)]
    return torch.cat(
        [part[: last - first] for part, (first, last) in zip(found, ends, strict=True)]
    )
