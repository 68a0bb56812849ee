"""What `benchmark` does: cells of a suite, run or listed, then the leaderboard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from debias_cl.cli import listed
from debias_cl.errors import UsageError, did_you_mean
from debias_cl.suites.grid import Choice, Suite, cells_of, named, read_suite, share, suites
from debias_cl.suites.leaderboard import write_leaderboard
from debias_cl.suites.results import load_all
from debias_cl.suites.schedule import Plan, default_jobs, duration, run
from debias_cl.training import pick_device

if TYPE_CHECKING:
    from debias_cl.benchmark import BenchmarkOptions

console = Console()
ALL = "all"


def benchmark(options: BenchmarkOptions) -> int:
    """Run a suite as asked for and return the exit code: 1 where a cell failed."""
    if options.suite == ALL:
        return _draw_all(options)
    suite = read_suite(options.suite).comparing(_baselines(options))
    if options.draw:
        draw(suite, Path(options.results), Path(options.out))
        return 0
    plan = plan_of(options, suite)
    if options.dry_run:
        _list(plan)
        return 0
    found = run(plan, _say)
    draw(suite, Path(options.results), Path(options.out))
    failed = [result for result in found if result.status == "failed"]
    return 1 if failed else 0


def _draw_all(options: BenchmarkOptions) -> int:
    """Draw the leaderboards of all suites of the package that have results."""
    if not options.draw:
        raise UsageError(f"--suite {ALL} only draws", remedy="give --draw with it, or one suite")
    for name in suites():
        draw(read_suite(name), Path(options.results), Path(options.out))
    return 0


def draw(suite: Suite, results: Path, out: Path) -> None:
    """Draw the leaderboard of all results of a suite, those of earlier calls and machines too."""
    found = load_all(results / suite.name)
    if found:
        _say(f"leaderboard: {write_leaderboard(found, suite, out / suite.name)}")


def plan_of(options: BenchmarkOptions, suite: Suite) -> Plan:
    """Return what is to be run.

    Raises:
        UsageError, DataError: an unknown suite, method, data set, share.
    """
    from debias_cl.benchmark import numbers

    device = pick_device(options.device)
    choice = Choice(
        named(options.methods, suite.methods()),
        listed(options.datasets),
        listed(options.parts),
        numbers(options.seeds),
        _shares(options.rho),
    )
    cells = cells_of(suite, choice, data_root=options.data_root, device=device)
    return Plan(
        share(cells, options.shard),
        Path(options.runs),
        Path(options.results),
        options.jobs or default_jobs(device),
        device,
        options.hours,
    )


def _baselines(options: BenchmarkOptions) -> tuple[str, ...]:
    """Return the baselines that were asked for: methods that the suite or the results have."""
    if not options.baseline:
        return ()
    suite = read_suite(options.suite)
    known = suite.methods() | set(named(options.methods, suite.methods()))
    known |= {result.method for result in load_all(Path(options.results) / suite.name)}
    asked = named(options.baseline, known)
    for name in asked:
        if name not in known:
            raise UsageError(
                f"--baseline: the suite has no method '{name}'",
                remedy=did_you_mean(name, sorted(known)),
            )
    return asked


def _shares(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in listed(text))
    except ValueError as error:
        raise UsageError(
            f"--rho {text} cannot be read", expected="numbers, as 0.99,0.999"
        ) from error


def _list(plan: Plan) -> None:
    waiting = plan.waiting()
    for cell in plan.cells:
        seconds = plan.rates.seconds(cell)
        state = "done" if cell not in waiting else "no rate measured yet"
        if cell in waiting and seconds is not None:
            state = f"about {duration(seconds)}"
        data = cell.config.data
        rho = "" if data.rho is None else f", rho {data.rho:g}"
        _say(
            f"{cell.part}  {cell.method}, {data.dataset}{rho}, views {cell.views}, "
            f"seed {cell.config.seed}: {state}"
        )
    total = plan.expected_seconds(waiting)
    time = "an unknown time (no rate measured yet)" if total is None else f"about {duration(total)}"
    _say(f"{len(waiting)} of {len(plan.cells)} cells to run, {plan.jobs} at once: {time}")


def _say(text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False, markup=False)
