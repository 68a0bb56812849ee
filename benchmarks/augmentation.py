"""Images a second of the augmentation, beside torchvision's on PIL pictures and kornia's.

    python benchmarks/augmentation.py [--rounds 5]

An image is one source picture that gives two views. Every contestant runs in a process of its own,
one after another, round after round, so that a busy machine slows all of them alike; two CPU cores
are used where the name says "2". The result holds medians over the rounds, the ratio to torchvision
within the same round, images per second of CPU time, the peak memory of the process tree and the
load of the machine: where it is above the contestant's own 1 or 2, others were running and only
the ratios say something.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import load, medians, origin, parser, peak_of_process, save
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from debias_cl.config import ViewsConfig
from debias_cl.data.views import Views

BATCH = 256
SECONDS = 2.0
"""Measured time of a contestant in a round, after a warm-up of a quarter of it."""

POLICIES: dict[str, tuple[int, ViewsConfig]] = {
    "paper": (
        32,
        ViewsConfig(
            crop_scale=(0.2, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), jitter_p=0.8, grey_p=0.2
        ),
    ),
    "digits": (
        28,
        ViewsConfig(rotation=20, crop_scale=(0.4, 1.0), noise=0.1, permute_channels=True),
    ),
}


def pictures(size: int) -> np.ndarray:
    """Sources for all contestants: speed does not depend on what they show."""
    return np.random.default_rng(0).integers(0, 256, (2048, size, size, 3), dtype=np.uint8)


def torchvision_chain(config: ViewsConfig, size: int) -> v2.Compose:
    """The policy with torchvision's transforms on a PIL picture."""
    steps: list[nn.Module] = []
    if config.rotation:
        steps.append(v2.RandomRotation(config.rotation, v2.InterpolationMode.BILINEAR))
    steps.append(v2.RandomResizedCrop(size, config.crop_scale, config.crop_ratio))
    if config.flip:
        steps.append(v2.RandomHorizontalFlip(config.flip))
    if any(config.jitter):
        steps.append(v2.RandomApply([v2.ColorJitter(*config.jitter)], config.jitter_p))
    if config.grey_p:
        steps.append(v2.RandomGrayscale(config.grey_p))
    steps += [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True)]
    if config.permute_channels:
        steps.append(v2.RandomChannelPermutation())
    if config.noise:
        steps.append(v2.GaussianNoise(0.0, config.noise))
    return v2.Compose([*steps, v2.Normalize([0.5] * 3, [0.5] * 3)])


class PilPairs(Dataset[tuple[Tensor, Tensor]]):
    """Two views of each PIL picture, over and over, as training scripts write it."""

    def __init__(self, config: ViewsConfig, size: int) -> None:
        to_pil = v2.ToPILImage()
        self.pictures = [to_pil(picture) for picture in pictures(size)]
        self.chain = torchvision_chain(config, size)

    def __len__(self) -> int:
        return 10**7

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture = self.pictures[index % len(self.pictures)]
        return self.chain(picture), self.chain(picture)


class OurBatches(Dataset[Tensor]):
    """A batch of views each, for workers that have one thread."""

    def __init__(self, config: ViewsConfig, size: int) -> None:
        self.views = Views(config, [0.5] * 3, [0.5] * 3)
        self.pictures = torch.from_numpy(pictures(size))
        self.generator = torch.Generator()

    def __len__(self) -> int:
        return 10**5

    def __getitem__(self, index: int) -> Tensor:
        start = index * BATCH % len(self.pictures)
        images = self.pictures[start : start + BATCH]
        return self.views(images, self.generator.manual_seed(index))


def torchvision_pil(config: ViewsConfig, size: int) -> Iterator[Any]:
    """torchvision on PIL pictures, two workers."""
    torch.set_num_threads(1)
    return iter(DataLoader(PilPairs(config, size), BATCH, num_workers=2))


def ours_two_workers(config: ViewsConfig, size: int) -> Iterator[Any]:
    """Ours in two workers of one thread, delivered as torchvision's are."""
    torch.set_num_threads(1)
    return iter(DataLoader(OurBatches(config, size), None, num_workers=2))


def ours_one_thread(config: ViewsConfig, size: int) -> Iterator[Any]:
    """Ours in the training process, one thread: half of the cores the others have."""
    torch.set_num_threads(1)
    batches = OurBatches(config, size)
    return (batches[i] for i in range(len(batches)))


def ours_two_threads(config: ViewsConfig, size: int) -> Iterator[Any]:
    """Ours in the training process, two threads."""
    torch.set_num_threads(2)
    batches = OurBatches(config, size)
    return (batches[i] for i in range(len(batches)))


def kornia_batch(config: ViewsConfig, size: int) -> Iterator[Any]:
    """kornia on the batch, parameters for each sample, two threads."""
    import kornia.augmentation as K

    torch.set_num_threads(2)
    steps: list[nn.Module] = []
    if config.rotation:
        steps.append(K.RandomRotation(config.rotation, p=1.0))
    steps.append(K.RandomResizedCrop((size, size), config.crop_scale, config.crop_ratio))
    if config.flip:
        steps.append(K.RandomHorizontalFlip(p=config.flip))
    if any(config.jitter):
        steps.append(K.ColorJitter(*config.jitter, p=config.jitter_p))
    if config.grey_p:
        steps.append(K.RandomGrayscale(p=config.grey_p))
    if config.permute_channels:
        steps.append(K.RandomChannelShuffle(p=1.0))
    if config.noise:
        steps.append(K.RandomGaussianNoise(0.0, config.noise, p=1.0))
    steps.append(K.Normalize([0.5] * 3, [0.5] * 3))
    chain = nn.Sequential(*steps)
    images = torch.from_numpy(pictures(size))

    def batches() -> Iterator[Tensor]:
        for i in range(10**5):
            start = i * BATCH % len(images)
            part = images[start : start + BATCH].permute(0, 3, 1, 2).float().div_(255)
            yield chain(part.repeat_interleave(2, dim=0))

    return batches()


CONTESTANTS: dict[str, Callable[[ViewsConfig, int], Iterator[Any]]] = {
    "torchvision PIL, 2 workers": torchvision_pil,
    "kornia, 2 threads": kornia_batch,
    "debias_cl, 1 thread": ours_one_thread,
    "debias_cl, 2 threads": ours_two_threads,
    "debias_cl, 2 workers": ours_two_workers,
}
BASELINE = "torchvision PIL, 2 workers"


def cpu_seconds() -> float:
    """CPU time of this process and of its living and ended children."""
    tick, total = os.sysconf("SC_CLK_TCK"), time.process_time()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        if int(fields[1]) == os.getpid():
            total += (int(fields[11]) + int(fields[12])) / tick
    return total


def peak_bytes() -> int:
    """Peak resident memory of this process and of its living children, added up."""
    total = peak_of_process()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue
        if int(fields["PPid"]) == os.getpid() and "VmHWM" in fields:
            total += int(fields["VmHWM"].split()[0]) * 1024
    return total


def measure(name: str, policy: str) -> dict[str, float]:
    """Run one contestant in this process."""
    size, config = POLICIES[policy]
    batches = CONTESTANTS[name](config, size)
    start = time.perf_counter()
    while time.perf_counter() < start + SECONDS / 4:
        next(batches)
    images, cpu, start = 0, cpu_seconds(), time.perf_counter()
    while (seconds := time.perf_counter() - start) < SECONDS or images < 4 * BATCH:
        next(batches)
        images += BATCH
    cpu = cpu_seconds() - cpu
    return {
        "images_per_second": images / seconds,
        "images_per_cpu_second": images / cpu,
        "peak_bytes": peak_bytes(),
        "load": load(),
    }


def contest(policy: str, rounds: int) -> dict[str, Any]:
    """All contestants, round after round, each in a process of its own."""
    names = [n for n in CONTESTANTS if "kornia" not in n or importlib.util.find_spec("kornia")]
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    environment.pop("OMP_NUM_THREADS", None)
    for _ in range(rounds):
        for name in names:
            command = [sys.executable, __file__, "--only", name, "--policy", policy]
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=True
            )
            seen[name].append(json.loads(done.stdout))
    base = [row["images_per_second"] for row in seen[BASELINE]]
    result = {}
    for name, rows in seen.items():
        ratios = [row["images_per_second"] / b for row, b in zip(rows, base, strict=True)]
        every = [round(row["images_per_second"]) for row in rows]
        result[name] = {
            **medians(rows),
            "times_torchvision": statistics.median(ratios),
            "rounds": every,
        }
    if "kornia, 2 threads" not in names:
        result["kornia, 2 threads"] = {"skipped": "kornia is not installed"}
    return result


def main() -> None:
    """Run the contest of every policy, print the JSON and write it where asked."""
    made = parser(__doc__, repeats=0)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--only", choices=list(CONTESTANTS), help="one contestant, in this process")
    made.add_argument("--policy", choices=list(POLICIES), default="paper")
    options = made.parse_args()
    if options.only:
        print(json.dumps(measure(options.only, options.policy)))
        return
    started = origin(packages=("kornia",))
    results = {policy: contest(policy, options.rounds) for policy in POLICIES}
    save(
        "images/s; an image is a source picture that gives two views",
        {"batch": BATCH, "rounds": options.rounds, "policies": results},
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
