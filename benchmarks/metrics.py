"""Fairness metrics: fairlearn's MetricFrame against the count table, in one run.

Run `python benchmarks/metrics.py`; it prints JSON and writes benchmarks/results/metrics_cpu.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from fairlearn import metrics as fairness
from sklearn import metrics as sk

from debias_cl.files import write_atomic
from debias_cl.metrics import measure
from debias_cl.metrics.counts import count
from debias_cl.metrics.proportions import share
from debias_cl.metrics.rates import counts_of
from debias_cl.records import Annotations, Column, Predictions

OUT = Path(__file__).parent / "results" / "metrics_cpu.json"
THEIRS: dict[str, Callable[..., Any]] = {
    "accuracy": sk.accuracy_score,
    "selection_rate": fairness.selection_rate,
    "true_positive_rate": fairness.true_positive_rate,
    "false_positive_rate": fairness.false_positive_rate,
    "true_negative_rate": fairness.true_negative_rate,
    "false_negative_rate": fairness.false_negative_rate,
    "precision": sk.precision_score,
    "f1": sk.f1_score,
}


def make(rows: int, groups: int, seed: int = 0) -> Predictions:
    """Return binary predictions whose rates differ a little between groups."""
    rng = np.random.default_rng(seed)
    g, y = rng.integers(0, groups, rows), rng.integers(0, 2, rows)
    p = np.where(rng.random(rows) < 0.8 + 0.01 * g, y, 1 - y)
    names = tuple(str(i) for i in range(groups))
    ids = np.arange(rows).astype(np.str_)
    known = Annotations(ids, Column("y", ("0", "1")), y, (Column("g", names),), {"g": g})
    return Predictions(known, p, ("0", "1"), None, "1", "the level '1'")


def by_count_table(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return (groups,) values of the eight metrics, from the rows on."""
    table = count(predictions, ("g",))
    out = {name: share(*counts_of(table, name, table.positive)) for name in THEIRS}
    return out | {"f1": 2 * out["f1"] / (1 + out["f1"])}


def by_metric_frame(predictions: Predictions, **options: Any) -> Any:
    """Return fairlearn's by_group frame of the same metrics."""
    known = predictions.annotations
    frame = fairness.MetricFrame(
        metrics=THEIRS,
        y_true=known.truth,
        y_pred=predictions.predicted,
        sensitive_features=known.groups["g"],
        **options,
    )
    return frame.by_group


def median_seconds(run: Callable[[], Any], repeats: int) -> float:
    """Return the median wall time of `repeats` runs after one that warms up."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def processor() -> str:
    """Return the processor's name where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def provenance() -> dict[str, Any]:
    """Return what is needed to judge the figures."""
    git = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )  # fmt: skip
    packages = ("numpy", "scipy", "fairlearn", "scikit-learn", "pandas")
    return {
        "command": "python " + " ".join(sys.argv),
        "commit": git.stdout.strip() or None,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": processor(),
        "cpus": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def run(rows: int, groups: int, repeats: int, replicates: int) -> dict[str, Any]:
    """Time both paths on the same rows and check that they agree."""
    predictions = make(rows, groups)
    ours, theirs = by_count_table(predictions), by_metric_frame(predictions)
    apart = max(float(np.abs(ours[name] - theirs[name].to_numpy()).max()) for name in THEIRS)
    values = median_seconds(lambda: by_count_table(predictions), 10 * repeats)
    everything = median_seconds(lambda: measure(predictions), repeats)
    frame = median_seconds(lambda: by_metric_frame(predictions), repeats)
    start = time.perf_counter()
    by_metric_frame(predictions, n_boot=replicates, ci_quantiles=[0.025, 0.975])
    boot = (time.perf_counter() - start) / replicates * 1_000
    return {
        "rows": rows,
        "groups": groups,
        "metrics": len(THEIRS),
        "repeats": repeats,
        "largest_difference_of_values": apart,
        "count_table_seconds": values,
        "metric_frame_seconds": frame,
        "values_speedup": frame / values,
        "measure_seconds": everything,
        "measure_does": "every value, interval, null band and p-value, 10,000 permutations",
        "metric_frame_1000_replicates_seconds": boot,
        "metric_frame_replicates_run": replicates,
        "measure_speedup_over_1000_replicates": boot / everything,
    }


def main() -> None:
    """Run, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--replicates", type=int, default=5, help="of MetricFrame's bootstrap")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    figures = run(options.rows, options.groups, options.repeats, options.replicates)
    text = json.dumps({**figures, "provenance": provenance()}, indent=1) + "\n"
    print(text, end="")
    write_atomic(options.out, text)


if __name__ == "__main__":
    main()
