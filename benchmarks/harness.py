"""What the benchmarks share: options, medians, memory, fresh processes, the result with its origin.

Every script writes `results/NAME_DEVICE.json`; `table.py` reads them all.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from debias_cl.files import write_atomic
from debias_cl.runs import now, provenance

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def parser(doc: str | None, *, repeats: int = 5, threads: int = 0) -> argparse.ArgumentParser:
    """Return the options that every script has; its help is the docstring's first line.

    Args:
        doc: the script's docstring.
        repeats: default of --repeats: at least 5 for figures to keep; 0 leaves the option out.
        threads: default of --threads; 0 leaves the option out.
    """
    made = argparse.ArgumentParser(description=(doc or "").split("\n", 1)[0])
    if repeats:
        made.add_argument("--repeats", type=int, default=repeats, help="the median is kept")
    if threads:
        made.add_argument("--threads", type=int, default=threads)
    made.add_argument("--out", type=Path, default=None, help="default: results/NAME_DEVICE.json")
    return made


def middle(values: Iterable[float]) -> float:
    """Return the median, to four significant digits."""
    return float(f"{statistics.median(values):.4g}")


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of every field over the rows."""
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def seconds(work: Callable[[], Any]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def repeated(work: Callable[[], Any], repeats: int) -> list[float]:
    """Return the wall times of `repeats` calls after one that warms up."""
    work()
    return [seconds(work) for _ in range(repeats)]


def run_python(
    arguments: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] = {}
) -> str:
    """Run this Python with arguments in a fresh process and return what it printed."""
    paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr or done.stdout}")
    return done.stdout


def resident(field: str) -> int:
    """Return a memory field of this process, in bytes (`VmRSS` now, `VmHWM` at most; Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def peak_above(work: Callable[[], Any]) -> int | None:
    """Return how far resident memory rose during a call; None where the system cannot tell."""
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return None
    clear.write_text("5", encoding="utf-8")  # the peak starts again at what is resident now
    before = resident("VmRSS")
    work()
    return resident("VmHWM") - before


def peak_of_process() -> int:
    """Return the most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def origin(device: str = "cpu", packages: Sequence[str] = ()) -> dict[str, Any]:
    """Return what is needed to judge figures: command, versions, commit, device, load.

    Args:
        device: as `debias_cl.runs.provenance` takes it.
        packages: distributions whose version is told as well; "not installed" where they are not.
    """
    facts = provenance(device)
    for name in packages:
        try:
            facts["versions"][name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            facts["versions"][name] = "not installed"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {**facts, "cores": cores, "load_average": load()}


def load() -> float:
    """Return how many processes wanted to run in the last minute, on average."""
    return round(os.getloadavg()[0], 2)


def save(
    what: str,
    figures: Mapping[str, Any],
    *,
    started: Mapping[str, Any],
    out: Path | None,
    device: str = "cpu",
    show: bool = True,
) -> None:
    """Print one JSON document and write it, atomically.

    Args:
        what: what was measured, in one line.
        figures: the results.
        started: `origin()` taken before measuring, so that the load is that of other processes.
        out: file; None is `results/SCRIPT_DEVICE.json`.
        device: of the measurement.
        show: whether it is printed.
    """
    name = f"{Path(sys.argv[0]).stem}_{device.split(':')[0]}.json"
    text = json.dumps(
        {"what": what, "created": now(), "provenance": dict(started), **figures}, indent=1
    )
    if show:
        print(text)
    write_atomic(out or RESULTS / name, text + "\n")
