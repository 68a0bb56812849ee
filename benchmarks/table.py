"""The table of benchmarks/README.md and the figures of the loss, made from the committed results.

    python benchmarks/table.py [--check]

With --check nothing is written: the exit code says whether the README holds this very table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bars import BARS, Bar

from debias_cl.files import replacing, write_atomic

HERE = Path(__file__).resolve().parent
README, FIGURES = HERE / "README.md", HERE / "figures"
BEGIN, END = "<!-- table: made by table.py -->", "<!-- end of table -->"
HEAD = "| what | bar | measured | met | load | command |\n|---|---|---|---|---|---|"
MET = {True: "yes", False: "**no**", None: "-"}
LEAST_ROWS = 512
"""Below, what the losses take is lost among the allocator's own steps."""
LINES = {
    "ConTeX": ("#0072b2", "o", "-"),
    "ConTeX, dense masks": ("#b5452c", "D", "-"),
    "ConTeX, dense formula": ("#d55e00", "s", "-"),
    "SupCon, pytorch-metric-learning": ("#8a6d00", "^", "--"),
    "NT-Xent, lightly": ("#7a3f73", "v", "--"),
}
"""Contestant -> colour, marker and line of the figures."""


def results() -> dict[str, dict[str, Any]]:
    """Return name -> result of every JSON file."""
    paths = sorted((HERE / "results").glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def line(bar: Bar, found: Mapping[str, Any]) -> str:
    """Return one line of the table."""
    result = found.get(bar.result)
    reading = None if result is None else bar.read(result)
    if result is None or reading is None:
        cells = (bar.what, bar.bar, "not measured", "-", "-", f"`{bar.command}`")
    else:
        busy = f"{result['provenance']['load_average']:.1f}"
        cells = (bar.what, bar.bar, reading[0], MET[reading[1]], busy, f"`{bar.command}`")
    return f"| {' | '.join(cells)} |"


def table(found: Mapping[str, Any]) -> str:
    """Return the whole table with its markers and where the figures come from."""
    made = {
        (one["provenance"]["device"], str(one["provenance"]["cores"]), one["created"][:10])
        for one in found.values()
    }
    devices = "; ".join(f"{name}, {cores} cores, {day}" for name, cores, day in sorted(made))
    lines = "\n".join(line(bar, found) for bar in BARS)
    return f"{BEGIN}\n\nMeasured on: {devices}.\n\n{HEAD}\n{lines}\n\n{END}"


def with_table(text: str, made: str) -> str:
    """Return a text with what stands between the markers replaced."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{README} lacks the lines {BEGIN} and {END}")
    return f"{before}{made}{after}"


def figure(result: Mapping[str, Any], field: str, unit: float, title: str, path: Path) -> None:
    """Draw one field of the loss benchmark over the number of rows, both axes logarithmic."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": path.stem, "svg.fonttype": "none"}):
        drawing = Figure(figsize=(6.4, 4), layout="constrained")
        FigureCanvasSVG(drawing)
        axes = drawing.add_subplot()
        for name, (colour, marker, style) in LINES.items():
            points = [
                (entry["rows"], entry["measured"][name][field] / unit)
                for entry in result["results"]
                if entry["measured"].get(name, {}).get(field)
            ]
            if points:
                xs, ys = zip(*points, strict=True)
                axes.plot(xs, ys, style, color=colour, marker=marker, markersize=5, label=name)
        guides(axes, result, field, unit)
        sizes = [entry["rows"] for entry in result["results"]]
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{rows:,}" for rows in sizes])
        axes.set_xlabel("rows N of the batch (two views an image, d = 128, float32)")
        axes.set_title(title, loc="left", fontsize=11)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, fontsize=9)
        with replacing(path) as temporary:
            drawing.savefig(temporary, metadata={"Date": None, "Creator": None})


def guides(axes: Any, result: Mapping[str, Any], field: str, unit: float) -> None:
    """Draw N d and N^2 d through our largest batch, to compare slopes with."""
    largest = result["results"][-1]
    rows, value = largest["rows"], largest["measured"]["ConTeX"][field] / unit
    first = result["results"][0]["rows"]
    for power, words in ((1, "slope of N d"), (2, "slope of N² d")):
        start = value * (first / rows) ** power
        axes.plot([first, rows], [start, value], ":", color="#777777", linewidth=1)
        middle = (first * rows) ** 0.5
        place = (middle, value * (middle / rows) ** power)
        below = {"xytext": (4, -9), "textcoords": "offset points", "fontsize": 8}
        axes.annotate(words, place, color="#555555", **below)


def main() -> int:
    """Write, or check, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    options = parser.parse_args()
    found, text = results(), README.read_text(encoding="utf-8")
    made = with_table(text, table(found))
    if options.check:
        return int(made != text)
    write_atomic(README, made)
    if "loss_cpu" in found:
        large = [one for one in found["loss_cpu"]["results"] if one["rows"] >= LEAST_ROWS]
        loss = {**found["loss_cpu"], "results": large}
        memory = "Loss memory above its inputs, MB (forward + backward, CPU)"
        figure(loss, "peak_bytes", 1e6, memory, FIGURES / "loss_memory.svg")
        time = "Time of the loss, ms (forward + backward, 2 CPU threads)"
        figure(loss, "median_wall_seconds", 1e-3, time, FIGURES / "loss_time.svg")
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
