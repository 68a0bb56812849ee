"""Time and memory of the contrastive losses, forward and backward, beside other implementations.

    python benchmarks/loss.py [--rows 64 512 8192 65536] [--threads 2] [--device cpu]

Times: all contestants in one process, one after another, round after round, so that a busy machine
slows all of them alike; the median of the rounds after one for warming up. Memory: a process for
each, the peak of its resident memory (or of the device's allocator) above what it was with the
inputs made and the code warm. ConTeX with N x N matrices is written in dense.py, twice: with the
masks of the field's public code (`dense_masks`), and as short as possible (`dense_lean`).
pytorch-metric-learning and lightly are measured where they are installed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dense
import torch
from dense import BASE, TEMPERATURE
from harness import load, middle, origin, parser, peak_above, run_python, save
from torch import Tensor

from debias_cl.losses import ConTeXLoss, NTXentLoss, SupConLoss

DIM, CLASSES = 128, 10

ROWS = [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

SECONDS, MOST_ROUNDS = 3.0, 50
"""Small batches are measured for at least this long, or that many rounds."""

Loss = Callable[[Tensor, Tensor], Tensor]
"""Called with features (n, 2, d) and labels (n,)."""


def compiled_dense_contex() -> Loss:
    """The dense formula through torch.compile."""
    compiled: Loss = torch.compile(dense.lean)
    return compiled


def metric_learning_supcon() -> Loss:
    """SupCon of pytorch-metric-learning on (N, d) embeddings."""
    loss = importlib.import_module("pytorch_metric_learning.losses").SupConLoss(TEMPERATURE)
    return lambda x, y: loss(x.flatten(0, 1), y.repeat_interleave(x.shape[1]))


def lightly_ntxent() -> Loss:
    """NT-Xent of lightly on the two views."""
    loss = importlib.import_module("lightly.loss").NTXentLoss(TEMPERATURE)
    return lambda x, _: loss(x[:, 0], x[:, 1])


@dataclass(frozen=True)
class Contestant:
    """A way to compute a loss.

    Attributes:
        build: makes it.
        largest: number of rows up to which it is measured; 0 is no limit.
        package: module that must be installed; "" where none.
    """

    build: Callable[[], Loss]
    largest: int = 0
    package: str = ""


CONTESTANTS = {
    "ConTeX": Contestant(lambda: ConTeXLoss(TEMPERATURE, BASE)),
    "ConTeX, dense formula": Contestant(lambda: dense.lean, largest=8192),
    "ConTeX, dense masks": Contestant(lambda: dense.masks, largest=8192),
    "ConTeX, dense formula compiled": Contestant(compiled_dense_contex, largest=2048),
    "ConTeX, clamped": Contestant(lambda: ConTeXLoss(TEMPERATURE, BASE, clamp=True), 32_768),
    "SupCon": Contestant(lambda: SupConLoss(TEMPERATURE, TEMPERATURE), 32_768),
    "SupCon, pytorch-metric-learning": Contestant(
        metric_learning_supcon, 8192, "pytorch_metric_learning"
    ),
    "NT-Xent": Contestant(lambda: NTXentLoss(TEMPERATURE), 32_768),
    "NT-Xent, lightly": Contestant(lightly_ntxent, 8192, "lightly"),
}

RIVALS = {
    "ConTeX, dense formula": "ConTeX",
    "ConTeX, dense masks": "ConTeX",
    "ConTeX, dense formula compiled": "ConTeX",
    "SupCon, pytorch-metric-learning": "SupCon",
    "NT-Xent, lightly": "NT-Xent",
}
"""Contestant -> ours, which computes the same loss."""

DENSE = {"dense_masks": "ConTeX, dense masks", "dense_lean": "ConTeX, dense formula"}
"""Key of the results -> the contestant that computes ConTeX with N x N matrices."""


def inputs(rows: int, device: str) -> tuple[Tensor, Tensor]:
    """Random features (rows / 2, 2, d) float32 and labels of ten classes."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows // 2, 2, DIM, generator=generator)
    labels = torch.randint(0, CLASSES, (rows // 2,), generator=generator)
    return x.to(device).requires_grad_(), labels.to(device)


def once(loss: Loss, x: Tensor, labels: Tensor) -> tuple[float, float]:
    """Run forward and backward; the seconds that passed, and the CPU seconds of all threads."""
    x.grad = None
    _wait(x)
    start, busy = time.perf_counter(), time.process_time()
    torch.autograd.backward(loss(x, labels))
    _wait(x)
    return time.perf_counter() - start, time.process_time() - busy


def _wait(x: Tensor) -> None:
    if x.is_cuda:
        torch.cuda.synchronize()


def taking_part(rows: int) -> list[str]:
    """Names of the contestants that are installed and measured at this size."""
    return [
        name
        for name, who in CONTESTANTS.items()
        if (not who.largest or rows <= who.largest)
        and (not who.package or importlib.util.find_spec(who.package))
    ]


Rounds = list[tuple[float, float]]
"""(wall seconds, CPU seconds) of each round."""


def times(rows: int, rounds: int, device: str) -> dict[str, Rounds]:
    """Seconds of each contestant in each round, the warm-up left out."""
    x, labels = inputs(rows, device)
    losses = {name: CONTESTANTS[name].build() for name in taking_part(rows)}
    measured: dict[str, Rounds] = {name: [] for name in losses}
    for loss in losses.values():
        once(loss, x, labels)
    start, done = time.perf_counter(), 0
    while done < rounds or (time.perf_counter() - start < SECONDS and done < MOST_ROUNDS):
        for name, loss in losses.items():
            measured[name].append(once(loss, x, labels))
        done += 1
    return measured


def peak(name: str, rows: int, device: str) -> int | None:
    """Peak bytes of one run above the inputs; to be called in a process of its own."""
    loss = CONTESTANTS[name].build()
    x, labels = inputs(rows, device)
    once(loss, *inputs(256, device))
    if device != "cpu":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        once(loss, x, labels)
        return torch.cuda.max_memory_allocated() - before
    return peak_above(lambda: once(loss, x, labels))


def peak_of(name: str, rows: int, options: argparse.Namespace) -> int | None:
    """Peak bytes of a contestant, from a fresh process; None where the system cannot tell."""
    if options.device == "cpu" and not Path("/proc/self/clear_refs").exists():
        return None
    command = ["-W", "ignore", __file__, "--peak", name, "--rows", str(rows)]
    command += ["--threads", str(options.threads), "--device", options.device]
    return int(run_python(command).splitlines()[-1])


def differences(rival: Loss, rows: int, device: str) -> dict[str, float]:
    """Relative distance of ConTeX's value and gradient from a dense one's."""
    results = []
    for loss in (ConTeXLoss(TEMPERATURE, BASE), rival):
        x, labels = inputs(rows, device)
        value = loss(x, labels)
        torch.autograd.backward(value)
        assert x.grad is not None
        results.append((value.detach(), x.grad))
    (value, gradient), (expected, slope) = results
    return {
        "value": float((value - expected).abs() / expected.abs()),
        "gradient": float((gradient - slope).norm() / slope.norm()),
    }


def compared(seconds: dict[str, Rounds], peaks: dict[str, int | None]) -> dict[str, Any]:
    """How many times faster (in the same round) and smaller ours is than each rival."""
    ratios: dict[str, Any] = {}
    for rival, own in RIVALS.items():
        if rival not in seconds:
            continue
        rounds = list(zip(seconds[rival], seconds[own], strict=True))
        theirs, ours = peaks[rival], peaks[own]
        ratios[rival] = {
            "times_faster": middle(a[0] / b[0] for a, b in rounds),
            "times_less_cpu_time": middle(a[1] / b[1] for a, b in rounds),
            "times_less_memory": middle([theirs / ours]) if theirs and ours else None,
        }
    return ratios


def measure(rows: int, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about one number of rows."""
    seconds = times(rows, options.rounds, options.device)
    peaks = {name: peak_of(name, rows, options) for name in seconds}
    measured = {
        name: {
            "median_wall_seconds": middle(wall for wall, _ in rounds),
            "least_wall_seconds": min(wall for wall, _ in rounds),
            "median_cpu_seconds": middle(cpu for _, cpu in rounds),
            "rounds": len(rounds),
            "peak_bytes": peaks[name],
        }
        for name, rounds in seconds.items()
    }
    entry: dict[str, Any] = {"rows": rows, "load_average": load(), "measured": measured}
    entry["ours_against"] = compared(seconds, peaks)
    entry["against_dense"] = {
        key: entry["ours_against"][name]
        | {"relative_difference": differences(CONTESTANTS[name].build(), rows, options.device)}
        for key, name in DENSE.items()
        if name in seconds
    }
    if "dense_lean" in entry["against_dense"]:
        lean = entry["against_dense"]["dense_lean"]
        entry["relative_difference_from_dense"] = lean["relative_difference"]
    return entry


def show(entry: dict[str, Any]) -> None:
    """Print one number of rows as a small table."""
    print(f"\nN = {entry['rows']}", flush=True)
    for name, values in entry["measured"].items():
        space = values["peak_bytes"]
        megabytes = "?" if space is None else f"{space / 1e6:,.1f}"
        wall, cpu = values["median_wall_seconds"] * 1e3, values["median_cpu_seconds"] * 1e3
        print(f"  {name:34} {wall:10,.2f} ms, CPU {cpu:10,.2f} ms {megabytes:>10} MB")
    apart = {DENSE[key]: ratio for key, ratio in entry["against_dense"].items()}
    for rival, ratio in entry["ours_against"].items():
        print(f"  ours against {rival}: {apart.get(rival, ratio)}")


def arguments() -> argparse.Namespace:
    made = parser(__doc__, repeats=0, threads=2)
    made.add_argument("--rows", type=int, nargs="+", default=ROWS)
    made.add_argument("--rounds", type=int, default=5, help="at least 5 for figures to keep")
    made.add_argument("--device", default="cpu")
    made.add_argument("--peak", default="", help=argparse.SUPPRESS)
    return made.parse_args()


def main() -> None:
    """Measure, print, and write the JSON file."""
    options = arguments()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    if options.peak:
        print(peak(options.peak, options.rows[0], options.device))
        return
    started = origin(options.device, ("pytorch-metric-learning", "lightly"))
    print(f"{options.threads} threads, d = {DIM}, float32, {options.device}")
    entries = []
    for rows in options.rows:
        entries.append(measure(rows, options))
        show(entries[-1])
        keep(entries, options, started)  # after each size: a run that is cut short loses nothing


def keep(
    entries: list[dict[str, Any]], options: argparse.Namespace, started: dict[str, Any]
) -> None:
    """Write what has been measured so far."""
    save(
        "forward + backward of contrastive losses",
        {
            "settings": {"dim": DIM, "classes": CLASSES, "views": 2, "dtype": "float32"},
            "temperature": TEMPERATURE,
            "threads": options.threads,
            "results": entries,
        },
        started=started,
        out=options.out,
        device=options.device,
        show=len(entries) == len(options.rows),
    )


if __name__ == "__main__":
    main()
