"""The first command of a new user: `python -m debias_cl.evaluate` in an empty folder.

    python benchmarks/quickstart.py

It trains the default runs, evaluates them and writes the report. Stage times come from the moments
at which the files of the stages appear. Threads are left to the package, as a user leaves them.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness import middle, origin, parser, run_python, save

STAGES = {
    "start and training": "runs/*/encoder.safetensors",
    "features and probes": "reports/*/predictions*.parquet",
    "metrics": "reports/*/metrics.json",
    "report": "reports/*/report.html",
}
"""Stage -> the files whose last one ends it."""


def last(folder: Path, pattern: str) -> float:
    """Return when the newest of some files was written."""
    return max(path.stat().st_mtime for path in folder.glob(pattern))


def once() -> dict[str, Any]:
    """Run the command in a fresh folder and return the seconds of its stages."""
    with tempfile.TemporaryDirectory() as name:
        folder, start = Path(name), time.time()
        run_python(("-m", "debias_cl.evaluate"), cwd=folder)
        ended = time.time()
        moments = [start, *(last(folder, pattern) for pattern in STAGES.values())]
        runs = sorted(path.parent.name for path in folder.glob("runs/*/config.json"))
        logs = [path.read_text(encoding="utf-8") for path in folder.glob("runs/*/log.jsonl")]
    spans = [later - earlier for earlier, later in pairwise(moments)]
    entries = [[json.loads(line) for line in log.splitlines()] for log in logs]
    return {
        "seconds": ended - start,
        "stages": {**dict(zip(STAGES, spans, strict=True)), "end": ended - moments[-1]},
        "runs": runs,
        "epochs": max(row["epoch"] for rows in entries for row in rows),
    }


def combined(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians over the rounds."""
    return {
        "rounds": len(rounds),
        "seconds": middle(one["seconds"] for one in rounds),
        "slowest_seconds": middle([max(one["seconds"] for one in rounds)]),
        "stages": {
            name: middle(one["stages"][name] for one in rounds) for name in rounds[0]["stages"]
        },
        "runs": rounds[0]["runs"],
        "epochs": rounds[0]["epochs"],
    }


def main() -> None:
    """Run it as often as asked."""
    options: argparse.Namespace = parser(__doc__, repeats=3).parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)
    started = origin()
    rounds = [once() for _ in range(options.repeats)]
    save(
        "the default command in a fresh folder: three runs trained, evaluated, one report",
        combined(rounds),
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
