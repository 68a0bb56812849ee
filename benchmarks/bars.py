"""The bars: what each result must show, read off its JSON file; `table.py` makes the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bars_coverage import COVERAGE, Reading, Result

DENSE = "ConTeX, dense formula"


@dataclass(frozen=True)
class Bar:
    """One line of the table.

    Attributes:
        what: what is measured.
        bar: what is asked of it.
        result: name of the file in results/, without ".json".
        read: reads it; None where the figure asked for is not in it.
        command: that measures it.
    """

    what: str
    bar: str
    result: str
    read: Callable[[Result], Reading | None]
    command: str


def at(result: Result, rows: int) -> Result | None:
    """Return what the loss benchmark measured at a number of rows."""
    return next((entry for entry in result["results"] if entry["rows"] == rows), None)


def loss_against_dense(result: Result) -> Reading | None:
    """Time, loss memory and value at 8,192 rows, against two write-ups of the dense formula.

    The bar is against masks as public code takes them; the lean write-up does less than that.
    """
    if (entry := at(result, 8192)) is None:
        return None
    own, masks = entry["measured"]["ConTeX"], entry["against_dense"]["dense_masks"]
    lean = entry["against_dense"]["dense_lean"]
    faster, smaller = masks["times_faster"], masks["times_less_memory"]
    apart = masks["relative_difference"]["value"]
    text = (
        f"{faster:.1f}x faster ({own['median_wall_seconds'] * 1e3:,.0f} ms), {smaller:.0f}x less "
        f"({own['peak_bytes'] / 1e6:,.0f} MB), value equal to {apart:.0e}; the formula without "
        f"needless matrices: {lean['times_faster']:.1f}x, {lean['times_less_memory']:.0f}x"
    )
    return text, faster >= 20 and smaller >= 50 and apart <= 1e-6


def large_loss(rows: int, most: float | None) -> Callable[[Result], Reading | None]:
    """Return the reading of the loss memory at many rows."""

    def read(result: Result) -> Reading | None:
        if (entry := at(result, rows)) is None:
            return None
        own = entry["measured"]["ConTeX"]
        text = f"{own['peak_bytes'] / 1e6:,.0f} MB, {own['median_wall_seconds']:.2f} s"
        return text, None if most is None else own["peak_bytes"] < most

    return read


def small_loss(result: Result) -> Reading | None:
    """Time against the dense formula at 512 rows."""
    if (entry := at(result, 512)) is None:
        return None
    plain = entry["ours_against"][DENSE]["times_faster"]
    compiled = entry["ours_against"][f"{DENSE} compiled"]["times_faster"]
    own = entry["measured"]["ConTeX"]["median_wall_seconds"] * 1e3
    return f"{own:.1f} ms: {plain:.2f}x the speed (compiled: {compiled:.2f}x)", plain >= 1


def augmentation(result: Result) -> Reading:
    """Images a second of the colour policy, the quickest way to run it on two cores."""
    found = result["policies"]["paper"]
    ours = {name: row for name, row in found.items() if name.startswith("debias_cl")}
    best = max(ours, key=lambda name: ours[name]["images_per_second"])
    rate, times = ours[best]["images_per_second"], ours[best]["times_torchvision"]
    kornia = found["kornia, 2 threads"].get("images_per_second")
    beside = "kornia not installed" if kornia is None else f"kornia {kornia:,.0f}"
    way = best.removeprefix("debias_cl, ")
    return f"{rate:,.0f}/s in {way}: {times:.1f}x torchvision; {beside}", rate >= 14_000


def metric_values(result: Result) -> Reading:
    """The count table against MetricFrame."""
    times, apart = result["values_speedup"], result["largest_difference_of_values"]
    text = f"{result['count_table_seconds'] * 1e3:.2f} ms: {times:,.0f}x, equal to {apart:.0e}"
    return text, times >= 1000 and apart < 1e-9


def metric_intervals(result: Result) -> Reading:
    """Everything a report needs against MetricFrame's bootstrap."""
    own, times = result["measure_seconds"], result["measure_speedup_over_1000_replicates"]
    return f"{own:.2f} s: {times:,.0f}x", own < 1 and times >= 1000


def step_share(result: Result) -> Reading:
    """The share of encoder and loss in a step of the default run."""
    ahead = result["results"]["plain, views ahead in a second thread"]
    alone = result["results"]["plain"]
    text = (
        f"{ahead['model_share']:.0%} ({ahead['images_per_second']:,.0f} images/s on two threads, "
        f"one of them making views); {alone['model_share']:.0%} "
        f"({alone['images_per_second']:,.0f} images/s) where there is one thread for both"
    )
    return text, ahead["model_share"] >= 0.85


def extraction(prefix: str) -> Callable[[Result], Reading]:
    """Return the reading of the cases of one encoder."""

    def read(result: Result) -> Reading:
        cases = {name: row for name, row in result["cases"].items() if name.startswith(prefix)}
        shares = {name.removeprefix(prefix): row["share_of_bare"] for name, row in cases.items()}
        text = "; ".join(f"{share:.0%} at {name}" for name, share in shares.items())
        return text, min(shares.values()) >= 0.9

    return read


def startup(result: Result) -> Reading:
    """Import and help."""
    seconds, heavy = result["seconds"], result["heavy_imports_of_debias_cl"]
    package, helped = seconds["import debias_cl"], seconds["python -m debias_cl --help"]
    evaluate = seconds["python -m debias_cl.evaluate --help"]
    with_torch = "with torch" if "torch" in heavy else "without torch"
    text = f"{package:.2f} s {with_torch}; --help {helped:.2f} s, evaluate --help {evaluate:.2f} s"
    return text, package < 0.3 and "torch" not in heavy and max(helped, evaluate) < 1


def drawing(result: Result) -> Reading:
    """The first drawing in a fresh process."""
    first, figures = result["first_drawing_seconds"], result["figures"]
    groups = max(result["groups_by_attribute"].values())
    again = result["again_seconds"]
    text = f"{first:.2f} s ({again:.2f} s once warm), {groups} groups, {figures} figures"
    return text, first < 3 and groups >= 16 and figures >= 40


def quickstart(result: Result) -> Reading:
    """The default command."""
    training, runs = result["stages"]["start and training"], len(result["runs"])
    text = f"{result['seconds']:.0f} s, {training:.0f} s of it until {runs} runs are trained"
    return text, result["seconds"] <= 240 and runs == 3


def probe(result: Result) -> Reading:
    """The solver by chunks against scikit-learn."""
    own, theirs = result["by chunks"], result["scikit-learn"]
    apart = result["largest_difference_of_probabilities"]
    text = (
        f"{own['seconds']:.1f} s, {own['peak_bytes'] / 1e6:,.0f} MB; scikit-learn "
        f"{theirs['seconds']:.1f} s, {theirs['peak_bytes'] / 1e6:,.0f} MB; equal to {apart:.0e}"
    )
    return text, apart <= 1e-5 and own["peak_bytes"] < theirs["peak_bytes"]


def large_audit(result: Result) -> Reading:
    """The audit of many rows against DuckDB's bare queries."""
    own, bare, peak = result["audit"], result["bare"], result["peak_bytes"]
    text = (
        f"{result['ratio']:.2f}x ({own['seconds']:.1f} s, {bare['seconds']:.1f} s; processor time "
        f"{result['cpu_ratio']:.2f}x), {peak / 1e6:,.0f} MB, {result['rows']:,} rows"
    )
    return text, result["ratio"] <= 2 and peak < 500e6 and result["rows"] >= 100_000_000


LOSS = "python benchmarks/loss.py"
BARS = (
    Bar(
        "ConTeX forward + backward, 8,192 rows, d = 128, float32, CPU, against the dense formula",
        ">= 20x faster, >= 50x less loss memory, value equal to 1e-6",
        "loss_cpu",
        loss_against_dense,
        LOSS,
    ),
    Bar(
        "the same, 32,768 rows",
        "loss memory < 300 MB",
        "loss_cpu",
        large_loss(32_768, 300e6),
        LOSS,
    ),
    Bar("the same, 65,536 rows", "none", "loss_cpu", large_loss(65_536, None), LOSS),
    Bar(
        "the same, 512 rows",
        "not slower than the dense formula",
        "loss_cpu",
        small_loss,
        LOSS,
    ),
    Bar(
        "the same on a GPU, 65,536 rows",
        "loss memory < 1 GB",
        "loss_cuda",
        large_loss(65_536, 1e9),
        f"{LOSS} --device cuda",
    ),
    Bar(
        "two views of 32 px pictures, 2 cores",
        ">= 14,000 images/s",
        "augmentation_cpu",
        augmentation,
        "python benchmarks/augmentation.py",
    ),
    Bar(
        "eight metrics of 200,000 rows in 8 groups, against fairlearn's MetricFrame",
        ">= 1,000x, equal values",
        "metrics_cpu",
        metric_values,
        "python benchmarks/metrics.py",
    ),
    Bar(
        "all intervals, null bands and p-values of the same rows, against 1,000 replicates",
        "< 1 s, >= 1,000x",
        "metrics_cpu",
        metric_intervals,
        "python benchmarks/metrics.py",
    ),
    Bar(
        "`audit` of 100 million rows (Parquet, 16 groups, scores), from start to report, against "
        "DuckDB's bare count and score histogram",
        "<= 2x, < 500 MB resident",
        "audit_100m_cpu",
        large_audit,
        "python benchmarks/audit_100m.py",
    ),
    Bar(
        "a training step of the default run: share of encoder and loss",
        ">= 85 %",
        "step_cpu",
        step_share,
        "python benchmarks/step.py",
    ),
    Bar(
        "feature extraction, ResNet-18, against the bare encoder",
        ">= 90 %",
        "extraction_cpu",
        extraction("ResNet-18, "),
        "python benchmarks/extraction.py",
    ),
    Bar(
        "the same, slim (43,776 parameters)",
        ">= 90 %",
        "extraction_cpu",
        extraction("slim, "),
        "python benchmarks/extraction.py",
    ),
    Bar(
        "`import debias_cl`, and help",
        "< 0.3 s without torch; < 1 s",
        "startup_cpu",
        startup,
        "python benchmarks/startup.py",
    ),
    Bar(
        "the report after the metrics, in a fresh process",
        "< 3 s for 16 groups, 40 figures",
        "report_drawing_cpu",
        drawing,
        "python benchmarks/report_drawing.py",
    ),
    Bar(
        "`python -m debias_cl.evaluate` in an empty folder, 2 cores",
        "<= 240 s",
        "quickstart_cpu",
        quickstart,
        "python benchmarks/quickstart.py",
    ),
    Bar(
        "logistic probe on 200,000 x 512 features",
        "scikit-learn's probabilities to 1e-5, less memory",
        "probe_cpu",
        probe,
        "python benchmarks/probe.py",
    ),
    *(
        Bar(what, bar, "coverage_cpu", read, "python benchmarks/coverage.py")
        for what, bar, read in COVERAGE
    ),
)
