"""`python -m debias_cl.benchmark`: a suite of methods x data sets x seeds, and its leaderboard."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from debias_cl.cli import Options, listed, run_command


@dataclass(frozen=True)
class BenchmarkOptions(Options):
    """Run a suite (methods x data sets x seeds) and write its leaderboard.

    Finished cells are kept: the same command goes on where it stopped. A cell that fails is
    recorded and tried again by the next call; the others go on.
    """

    suite: str = field(default="quick", kw_only=True)
    """quick, distortion, standard, evidence, or the path of a TOML file of your own; all with
    --draw."""
    methods: str = field(default="", kw_only=True)
    """Objectives or method names of the suite, with commas. Default: the suite's."""
    datasets: str = field(default="", kw_only=True)
    """Data sets of the suite, with commas. Default: all."""
    parts: str = field(default="", kw_only=True)
    """Parts of the suite, with commas. Default: all."""
    seeds: str = field(default="", kw_only=True)
    """Seeds, as 0-4 or 0,2. Default: the suite's."""
    rho: str = field(default="", kw_only=True)
    """Shares of aligned training pictures, with commas. Default: the suite's."""
    baseline: str = field(default="", kw_only=True)
    """Methods that the others are compared with, with commas. Default: the suite's."""
    shard: str = field(default="", kw_only=True)
    """k/K: only this share of the grid; K machines or jobs take one each."""
    hours: float | None = field(default=None, kw_only=True)
    """Begin no cell that would probably end later than this."""
    jobs: int = field(default=0, kw_only=True)
    """Cells at once. Default: one a core on a CPU, one a GPU elsewhere."""
    dry_run: bool = field(default=False, kw_only=True)
    """Print the cells and the time that they will take by measured rates, and run nothing."""
    draw: bool = field(default=False, kw_only=True)
    """Only draw the leaderboard again from the results that are there."""
    data_root: str = field(default="datasets", kw_only=True)
    """Folder that holds the data sets."""
    device: str = field(default="auto", kw_only=True)
    """auto, cpu, cuda or mps."""
    runs: str = field(default="runs", kw_only=True)
    """Folder of the run folders."""
    results: str = field(default="reports/results", kw_only=True)
    """Folder of the results, one JSON a cell; those of several machines can be put together."""
    out: str = field(default="reports", kw_only=True)
    """Folder in which the leaderboard's own folder is made."""


def benchmark(options: BenchmarkOptions) -> int:
    """Run the suite, or list what would be run."""
    from debias_cl.suites import command

    return command.benchmark(options)


def numbers(text: str) -> tuple[int, ...]:
    """Read "0-4" or "0,2,5-6".

    >>> numbers("0-2,7")
    (0, 1, 2, 7)
    """
    from debias_cl.errors import UsageError

    found: list[int] = []
    for part in listed(text):
        first, _, last = part.partition("-")
        if not (first.isdigit() and (last or first).isdigit()):
            raise UsageError(f"--seeds {text} cannot be read", expected="0-4, or 0,2")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(BenchmarkOptions, benchmark, "python -m debias_cl.benchmark", argv)


if __name__ == "__main__":
    sys.exit(main())
