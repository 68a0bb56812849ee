"""The logistic probe on many features: rows in chunks from the disk, or scikit-learn in memory.

    python benchmarks/probe.py [--rows 200000] [--width 512] [--classes 10]

Both minimise the same objective to the same tolerance. Each runs in a process of its own that maps
the features from a file; peaks are resident memory above what the imports took, without the file's
own pages, which the system may drop.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from harness import medians, middle, origin, parser, resident, run_python, save

from debias_cl import logistic
from debias_cl.probe import MOST_ITERATIONS, TOLERANCE

CHUNK = 20_000
LARGE = (1_281_167, 2048)
"""Rows and width of ImageNet's training set under a ResNet-50."""


def write(folder: Path, rows: int, width: int, classes: int) -> None:
    """Write features whose labels follow them, and the labels."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(width, classes)) * 2 / width**0.5
    shape = (rows, width)
    values = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.float32, shape)
    truth = np.empty(rows, np.int64)
    for start in range(0, rows, CHUNK):
        part = rng.normal(size=(min(CHUNK, rows - start), width))
        truth[start : start + len(part)] = (
            part @ table + rng.gumbel(size=(len(part), classes))
        ).argmax(1)
        values[start : start + len(part)] = 3 * part + 1
    values.flush()
    np.save(folder / "truth.npy", truth)


@contextmanager
def watched() -> Iterator[dict[str, int]]:
    """Sample this process's own memory (`RssAnon`) until the block ends."""
    start = resident("RssAnon")
    peak, done = {"peak_bytes": 0}, threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak["peak_bytes"] = max(peak["peak_bytes"], resident("RssAnon") - start)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def chunked(values: Any, truth: Any) -> tuple[Any, int]:
    """Fit by chunks; probabilities of the first rows and the iterations."""
    model = logistic.fit(
        values, truth, np.ones(len(truth)), tolerance=TOLERANCE, most_iterations=MOST_ITERATIONS
    )
    return model.probabilities(values[:1000]), model.iterations


def in_memory(values: Any, truth: Any) -> tuple[Any, int]:
    """Fit by scikit-learn on the standardised float64 copy."""
    from sklearn.linear_model import LogisticRegression

    rows = values.astype(np.float64)
    mean, sd = rows.mean(axis=0), rows.std(axis=0)
    rows -= mean
    rows /= sd
    model = LogisticRegression(C=1.0, max_iter=MOST_ITERATIONS, tol=TOLERANCE).fit(rows, truth)
    return model.predict_proba(rows[:1000]), int(model.n_iter_[0])


FITS = {"by chunks": chunked, "scikit-learn": in_memory}


def alone(folder: Path, name: str) -> dict[str, float]:
    """Measure one fit in this process; the probabilities are left beside the features."""
    fit = FITS[name]
    values = np.load(folder / "rows.npy", mmap_mode="r")
    truth = np.load(folder / "truth.npy")
    fit(np.array(values[:500]), truth[:500])  # imports and first use
    with watched() as peak:
        start, busy = time.perf_counter(), time.process_time()
        found, iterations = fit(values, truth)
        seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    np.save(folder / f"{name}.npy", found)
    return {"seconds": seconds, "cpu_seconds": cpu, "iterations": iterations, **peak}


def contest(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run both in turn, each in a process of its own."""
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in FITS}
    threads = {"OMP_NUM_THREADS": str(options.threads)}
    for _ in range(options.repeats):
        for name, rows in seen.items():
            command = (__file__, "--only", name, "--folder", str(folder))
            rows.append(json.loads(run_python(command, environment=threads)))
    apart = np.abs(np.load(folder / "by chunks.npy") - np.load(folder / "scikit-learn.npy"))
    found = {
        name: {key: middle([value]) for key, value in medians(rows).items()}
        for name, rows in seen.items()
    }
    return {**found, "largest_difference_of_probabilities": float(apart.max())}


def extrapolated(found: dict[str, Any], options: argparse.Namespace) -> str:
    """Say what a fit of ImageNet's size would take by the same cost a number and iteration."""
    own = found["by chunks"]
    numbers, passes = LARGE[0] * LARGE[1], own["iterations"] + 3
    seconds = own["seconds"] / (options.rows * options.width) * numbers
    gigabytes = numbers * 4 / 1e9
    return (
        f"Not measured: {LARGE[0]:,} x {LARGE[1]:,} has {numbers / 1e9:.1f} billion numbers. "
        "With as many classes and iterations, and the same cost a number, it takes about "
        f"{seconds:.0f} s here and the same memory a worker. Each of about {passes:.0f} passes "
        f"reads the file of {gigabytes:.0f} GB: from a disk of 1 GB/s that alone is "
        f"{gigabytes * passes:.0f} s. A "
        f"standardised float64 copy would take {2 * gigabytes:.0f} GB."
    )


def main() -> None:
    """Write the features, run the contest."""
    made = parser(__doc__, threads=2)
    made.add_argument("--rows", type=int, default=200_000)
    made.add_argument("--width", type=int, default=512)
    made.add_argument("--classes", type=int, default=10)
    made.add_argument("--only", choices=list(FITS), help="one fit, in this process")
    made.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.only:
        print(json.dumps(alone(options.folder, options.only)))
        return
    started = origin()
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), options.rows, options.width, options.classes)
        found = contest(Path(name), options)
    save(
        "logistic regression to the same optimum, features mapped from a file",
        {
            "rows": options.rows,
            "width": options.width,
            "classes": options.classes,
            "threads": options.threads,
            "repeats": options.repeats,
            "feature_bytes": options.rows * options.width * 4,
            **found,
            "extrapolation": extrapolated(found, options),
        },
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
