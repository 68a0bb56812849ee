"""Fairness metrics: fairlearn's MetricFrame against the count table, in one run.

python benchmarks/metrics.py [--rows 200000] [--groups 8]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from fairlearn import metrics as fairness
from harness import middle, origin, parser, peak_of_process, repeated, save, seconds
from sklearn import metrics as sk

from debias_cl.metrics import measure
from debias_cl.metrics.counts import count
from debias_cl.metrics.proportions import share
from debias_cl.metrics.rates import counts_of
from debias_cl.records import Annotations, Column, Predictions

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


def run(rows: int, groups: int, repeats: int, replicates: int) -> dict[str, Any]:
    """Time both paths on the same rows and check that they agree."""
    predictions = make(rows, groups)
    ours, theirs = by_count_table(predictions), by_metric_frame(predictions)
    apart = max(float(np.abs(ours[name] - theirs[name].to_numpy()).max()) for name in THEIRS)
    values = middle(repeated(lambda: by_count_table(predictions), 10 * repeats))
    everything = middle(repeated(lambda: measure(predictions), repeats))
    frame = middle(repeated(lambda: by_metric_frame(predictions), repeats))
    wanted = {"n_boot": replicates, "ci_quantiles": [0.025, 0.975]}
    boot = seconds(lambda: by_metric_frame(predictions, **wanted)) / replicates * 1_000
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
    made = parser(__doc__)
    made.add_argument("--rows", type=int, default=200_000)
    made.add_argument("--groups", type=int, default=8)
    made.add_argument("--replicates", type=int, default=5, help="of MetricFrame's bootstrap")
    options = made.parse_args()
    started = origin(packages=("fairlearn", "pandas"))
    figures = run(options.rows, options.groups, options.repeats, options.replicates)
    save(
        "fairness metrics of binary predictions, from the rows on",
        {**figures, "peak_bytes": peak_of_process()},
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
