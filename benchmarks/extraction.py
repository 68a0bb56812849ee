"""Feature extraction beside the bare encoder: how much of its throughput is left.

    python benchmarks/extraction.py [--threads 2] [--device cpu]

Bare is the encoder's forward pass alone, in inference mode, on float batches that are ready on the
device. Extraction starts from uint8 pictures in memory and ends with features in memory, as
`evaluate` does it. Both run in turn in one process; the share is taken within a round.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from harness import medians, middle, origin, parser, save, seconds

from debias_cl.config import EncoderConfig, ViewsConfig
from debias_cl.data.views import Views
from debias_cl.encoders import Encoder, build
from debias_cl.features import BATCH, BATCH_ELSEWHERE, features_of


@dataclass(frozen=True)
class Case:
    """An encoder at a size, and how many pictures a round has."""

    architecture: str
    size: int
    pictures: int


CASES = {
    "slim, 28 px": Case("slim", 28, 8192),
    "slim, 64 px": Case("slim", 64, 4096),
    "ResNet-18, 32 px": Case("torchvision:resnet18", 32, 256),
    "ResNet-18, 64 px": Case("torchvision:resnet18", 64, 128),
}
SECONDS = 3.0
"""A case is measured for at least this long."""


def prepared(case: Case, device: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Return the bare forward pass and the extraction of one case."""
    torch.manual_seed(0)
    encoder: Encoder = build(EncoderConfig(case.architecture), case.size).eval().to(device)
    shape = (case.pictures, case.size, case.size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    views = Views(ViewsConfig(), [0.5] * 3, [0.5] * 3)
    size = BATCH.get(torch.device(device).type, BATCH_ELSEWHERE)
    parts = [images[start : start + size] for start in range(0, len(images), size)]
    ready = [views.plain(torch.from_numpy(part).to(device)) for part in parts]

    def bare() -> None:
        with torch.inference_mode():
            for batch in ready:
                encoder(batch)
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return bare, lambda: features_of(encoder, images, views, device)


def measure(case: Case, options: argparse.Namespace) -> dict[str, float]:
    """Run both in turn and return medians."""
    bare, extract = prepared(case, options.device)
    bare(), extract()
    rows: list[dict[str, float]] = []
    start = time.perf_counter()
    while len(rows) < options.repeats or time.perf_counter() < start + SECONDS:
        first, second = seconds(bare), seconds(extract)
        rows.append(
            {
                "bare_images_per_second": case.pictures / first,
                "extraction_images_per_second": case.pictures / second,
                "share_of_bare": first / second,
            }
        )
    return {**{key: middle([value]) for key, value in medians(rows).items()}, "rounds": len(rows)}


def main() -> None:
    """Measure every case."""
    made = parser(__doc__, repeats=5, threads=2)
    made.add_argument("--device", default="cpu")
    options = made.parse_args()
    torch.set_num_threads(options.threads)
    started = origin(options.device)
    cases = {name: measure(case, options) for name, case in CASES.items()}
    save(
        "feature extraction against the bare encoder, images a second",
        {"threads": options.threads, "cases": cases},
        started=started,
        out=options.out,
        device=options.device,
    )


if __name__ == "__main__":
    main()
