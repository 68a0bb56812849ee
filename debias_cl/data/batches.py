"""Batches of augmented views: an epoch depends on (seed, epoch) alone.

So a run resumed at an epoch goes on bit for bit as if it had never stopped, and several processes
that share a batch see together what one process would see.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from debias_cl.data.sampling import Sampling, Shuffled
from debias_cl.data.views import Views
from debias_cl.distributed import even_share
from debias_cl.errors import DataError, UsageError
from debias_cl.losses.contract import Targets, seeded
from debias_cl.records import Codes

RESIDENT_SHARE = 0.5
"""Largest share of the device's free memory that the pictures may take to be kept there."""

_AHEAD = 2
"""Batches that are read, or made, ahead of the one in use."""

T = TypeVar("T")
Images = npt.NDArray[np.uint8]


class Batches:
    """The training split, epoch by epoch.

    Args:
        images: (n, H, W, 3) uint8; a memory map where they are many.
        label: (n,) codes of the label.
        bias: (n,) codes of the first bias attribute; None where there is none.
        views: the augmentation.
        batch_size: pictures of a batch, over all processes together.
        seed: of the order and of the augmentation.
        device: where the views are made.
        drop_last: leave out a last batch that is not full, unless it is the only one. Another part
            of the pictures is left out in each epoch.
        rank, world_size: which even share of each batch this process gets, as one run of rows.
        resident: keep the pictures on the device as uint8; None decides by `RESIDENT_SHARE`. Where
            they are not kept, a thread reads ahead into pinned memory.
        sampling: which pictures an epoch shows, and in which order; None shows each once.
        ahead: make the next batches in a thread of its own while this one is in use; the batches
            are the same. For a CPU with a core to spare.

    Attributes:
        note: what the log must say of the settings and of the sampling; "" where nothing.
        resident: whether the pictures are kept on the device.

    Raises:
        UsageError: the batch size is below 1, or below the number of processes.
        DataError: the pictures are none, or not of that shape, or the codes of another number.
    """

    def __init__(
        self,
        images: Images,
        label: Codes,
        bias: Codes | None,
        views: Views,
        batch_size: int,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        drop_last: bool = True,
        rank: int = 0,
        world_size: int = 1,
        resident: bool | None = None,
        sampling: Sampling | None = None,
        ahead: bool = False,
    ) -> None:
        if batch_size < 1:
            raise UsageError(f"the batch size is {batch_size}", expected="at least 1")
        _check(images, label, bias)
        if min(batch_size, len(images)) < world_size:
            raise UsageError(
                f"a batch of {min(batch_size, len(images))} pictures cannot be shared by "
                f"{world_size} processes",
                expected="at least one picture for each",
            )
        self.views, self.seed, self.device = views, seed, torch.device(device)
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self._label = torch.tensor(label, dtype=torch.int64)
        self._bias = None if bias is None else torch.tensor(bias, dtype=torch.int64)
        self.ahead = ahead
        self.sampling = sampling or Shuffled(len(images))
        self._sizes, note = _sizes(len(images), batch_size, drop_last, world_size)
        self.note = "; ".join(text for text in (note, self.sampling.note) if text)
        self.resident = fits(images, self.device) if resident is None else resident
        self._images = images
        self._kept = _as_tensor(images).to(self.device) if self.resident else None

    def __len__(self) -> int:
        """Batches of an epoch."""
        return len(self._sizes)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        """Give the batches of one epoch.

        Args:
            epoch: number of the epoch; with the seed it decides everything random.

        Returns:
            pairs of views (B, V, 3, h, w) float32 and what is known of the B pictures, both on the
            device; B is this process's share of the batch.
        """
        made = self._made(epoch)
        return _ahead(partial(next, made) for _ in self._sizes) if self.ahead else made

    def _made(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        order = self.sampling.order(seeded(_mix(self.seed, epoch, 0)))
        generator = torch.Generator(self.device).manual_seed(_mix(self.seed, epoch, 1))
        starts = np.cumsum([0, *self._sizes])
        shares = [even_share(size, self.rank, self.world_size) for size in self._sizes]
        indices = [
            order[start + first : start + last]
            for start, (first, last) in zip(starts, shares, strict=False)
        ]
        for index, pictures, (first, _), size in zip(
            indices, self._read(indices), shares, self._sizes, strict=True
        ):
            share = (first, size)
            yield self.views(pictures, generator, share), self._targets(index, share)

    def _targets(self, index: Tensor, share: tuple[int, int]) -> Targets:
        return Targets(
            label=self._label[index].to(self.device),
            bias=None if self._bias is None else self._bias[index].to(self.device),
            index=index.to(self.device),
            share=share if self.world_size > 1 else None,
        )

    def _read(self, indices: Sequence[Tensor]) -> Iterator[Tensor]:
        """Give the pictures of each batch, on the device."""
        kept = self._kept
        if kept is not None:
            return (kept.index_select(0, index.to(self.device)) for index in indices)
        reads = (partial(_rows, self._images, index.numpy()) for index in indices)
        return _fetched(reads, self.device)


def plain_batches(
    images: Images, views: Views, batch_size: int, device: str | torch.device = "cpu"
) -> Iterator[Tensor]:
    """Give all pictures in order, normalised but not augmented.

    Args:
        images: (n, H, W, 3) uint8; a memory map where they are many.
        views: whose statistics and size are used.
        batch_size: pictures of a batch; the last may have fewer.
        device: where they go.

    Returns:
        (B, 3, h, w) float32 tensors on the device, n pictures in all.
    """
    where, starts = torch.device(device), range(0, len(images), batch_size)
    if where.type == "cpu" and not isinstance(images, np.memmap):  # there already: nothing to read
        for start in starts:
            yield views.plain(_as_tensor(images[start : start + batch_size]))
        return
    reads = (partial(np.array, images[start : start + batch_size]) for start in starts)
    for pictures in _fetched(reads, where):
        yield views.plain(pictures)


def fits(images: Images, device: torch.device) -> bool:
    """Say whether the pictures may be kept on the device.

    An array in memory always may on a CPU: it is there already. Otherwise they must take at most
    `RESIDENT_SHARE` of the free memory; where that cannot be known they are not kept.
    """
    if device.type == "cuda":
        return images.nbytes <= RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]
    if not isinstance(images, np.memmap):
        return True
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return False
    return images.nbytes <= RESIDENT_SHARE * free


def _check(images: Images, label: Codes, bias: Codes | None) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise DataError(
            f"the pictures have shape {images.shape} and type {images.dtype}",
            expected="(n, height, width, 3), uint8",
        )
    if len(images) == 0:
        raise DataError("there is no picture to train on", expected="at least one")
    for name, codes in (("label", label), ("bias attribute", bias)):
        if codes is not None and len(codes) != len(images):
            raise DataError(
                f"there are {len(images)} pictures and {len(codes)} codes of the {name}",
                expected="one code a picture",
            )


def _sizes(n: int, batch_size: int, drop_last: bool, world_size: int) -> tuple[list[int], str]:
    """Sizes of the batches of an epoch, and a note where they are not what was asked for."""
    if batch_size > n:
        note = f"the batch size {batch_size} is larger than the {n} pictures: one batch of all"
        return [n], note
    rest = n % batch_size
    sizes = [batch_size] * (n // batch_size)
    if not rest or drop_last:
        return sizes, ""
    if rest < world_size:
        note = f"the last {rest} pictures of each epoch are left out: {world_size} processes"
        return sizes, note
    return [*sizes, rest], ""


def _mix(seed: int, epoch: int, stream: int) -> int:
    """One seed of the three numbers; neighbouring numbers give unrelated seeds."""
    words = np.random.SeedSequence([seed, epoch, stream]).generate_state(2)
    return int(words[0]) << 31 | int(words[1]) >> 1


def _as_tensor(images: Images) -> Tensor:
    """The pictures as a tensor; copied where torch could not promise to leave them alone."""
    plain = images.flags.writeable and not isinstance(images, np.memmap)
    return torch.from_numpy(images if plain else np.array(images))


def _rows(images: Images, index: npt.NDArray[np.int64]) -> Images:
    """Rows of a memory map; read in the order of the file, which disks prefer."""
    order = np.argsort(index)
    rows = np.empty((len(index), *images.shape[1:]), np.uint8)
    rows[order] = images[index[order]]
    return rows


def _fetched(reads: Iterable[Callable[[], Images]], device: torch.device) -> Iterator[Tensor]:
    """Bring what is read to the device; reading runs ahead, into pinned memory where that helps."""

    def pinned(read: Callable[[], Images]) -> Tensor:
        pictures = torch.from_numpy(read())
        return pictures.pin_memory() if device.type == "cuda" else pictures

    for pictures in _ahead(partial(pinned, read) for read in reads):
        yield pictures.to(device, non_blocking=True)


def _ahead(jobs: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Run the jobs in order in a thread, some ahead of the consumer."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(max_workers=1) as thread:
        for job in jobs:
            waiting.append(thread.submit(job))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
