"""Runs the cells of a suite: several at once, each in its own process, failures recorded.

A cell whose result is there is done. Nothing is coordinated between machines: each takes its share
of the grid, and a result is one file.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from debias_cl.errors import DataError, last_error
from debias_cl.suites.cell import described, write_task
from debias_cl.suites.grid import Cell
from debias_cl.suites.results import Result

POLL_SECONDS = 0.5

Say = Callable[[str], None]


@dataclass
class Rates:
    """Seconds a cell takes, as measured on finished ones.

    The most similar finished cells count: same preset, data set and method, else the same preset
    and data set; None where there are none.
    """

    seen: list[tuple[str, str, str, float]] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Take note of a result."""
        if result.status == "done":
            seconds = sum(result.seconds.values())
            self.seen.append((result.dataset, result.preset, result.method, seconds))

    def seconds(self, cell: Cell) -> float | None:
        """Return the median seconds of the most similar cells."""
        data, preset = cell.config.data.dataset, cell.config.preset
        near = [row for row in self.seen if row[:2] == (data, preset)]
        same = [row for row in near if row[2] == cell.method]
        return statistics.median(row[3] for row in same or near) if near else None


@dataclass
class Plan:
    """What is to be run and where it goes.

    Attributes:
        cells: in order.
        runs: folder of the run folders.
        results: folder of the results; a suite's are in a folder of its name.
        jobs: cells at once.
        device: "cpu", "cuda", "mps"; several GPUs are taken in turn.
        hours: no cell is begun that would probably end later than this; None is no limit.
    """

    cells: Sequence[Cell]
    runs: Path
    results: Path
    jobs: int
    device: str
    hours: float | None = None
    rates: Rates = field(default_factory=Rates)

    def result_of(self, cell: Cell) -> Path:
        """Return where the result of a cell stands."""
        return self.results / cell.suite / f"{cell.name}.json"

    def waiting(self) -> list[Cell]:
        """Return the cells that are not done; measured rates are taken from those that are."""
        left, self.rates = [], Rates()
        for cell in self.cells:
            path = self.result_of(cell)
            result = Result.load(path) if path.exists() else None
            if result is None or result.status == "failed":
                left.append(cell)
            else:
                self.rates.add(result)
        return left

    def expected_seconds(self, cells: Sequence[Cell]) -> float | None:
        """Return how long the cells will take, `jobs` at once; None where no rate is known."""
        each = [self.rates.seconds(cell) for cell in cells]
        known = [seconds for seconds in each if seconds is not None]
        if len(known) < len(each):
            return None
        return sum(known) / max(1, self.jobs)


@dataclass
class _Child:
    cell: Cell
    process: subprocess.Popen[bytes]
    log: Path
    place: int
    started: float


def default_jobs(device: str) -> int:
    """Return how many cells at once: a thread each on a CPU; one a GPU elsewhere."""
    if device == "cpu":
        return max(1, os.cpu_count() or 1)
    return max(1, torch.cuda.device_count()) if device.startswith("cuda") else 1


def run(plan: Plan, say: Say) -> list[Result]:
    """Run what is not done yet and return the results of this call, failed ones among them.

    Raises:
        KeyboardInterrupt: after the running cells were stopped; the same command goes on.
    """
    waiting, began, found = plan.waiting(), time.monotonic(), list[Result]()
    children: list[_Child] = []
    total = len(waiting)
    try:
        while waiting or children:
            for child in [child for child in children if child.process.poll() is not None]:
                children.remove(child)
                found.append(_ended(child, plan))
                say(_line(found[-1], len(found), total, plan, waiting, len(children)))
            while waiting and len(children) < plan.jobs:
                if not _fits(waiting[0], plan, began):
                    say(f"{len(waiting)} cells are left for another time (--hours {plan.hours:g})")
                    waiting, total = [], total - len(waiting)
                    break
                children.append(_start(waiting.pop(0), plan, _free(children, plan.jobs)))
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        for child in children:
            child.process.send_signal(signal.SIGINT)
        for child in children:
            child.process.wait()
        raise KeyboardInterrupt(
            "Finished cells and finished epochs are kept: give the same command again."
        ) from None
    return found


def _fits(cell: Cell, plan: Plan, began: float) -> bool:
    if plan.hours is None:
        return True
    spent = time.monotonic() - began
    return spent + (plan.rates.seconds(cell) or 0.0) <= plan.hours * 3600


def _free(children: Sequence[_Child], jobs: int) -> int:
    taken = {child.place for child in children}
    return next(place for place in range(jobs) if place not in taken)


def _start(cell: Cell, plan: Plan, place: int) -> _Child:
    folder = plan.runs / cell.name
    task, log = folder.with_name(f"{cell.name}.task.json"), folder.with_name(f"{cell.name}.out")
    write_task(cell, plan.runs, plan.result_of(cell), task)
    threads = max(1, (os.cpu_count() or 1) // plan.jobs)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if plan.device.startswith("cuda") and torch.cuda.device_count() > 1:
        environment["CUDA_VISIBLE_DEVICES"] = _visible(place)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "debias_cl.suites.cell", str(task)],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    return _Child(cell, process, log, place, time.monotonic())


def _visible(place: int) -> str:
    listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    devices = listed.split(",") if listed else [str(i) for i in range(torch.cuda.device_count())]
    return devices[place % len(devices)]


def _ended(child: _Child, plan: Plan) -> Result:
    """Return the result of a cell that has ended; a failure is recorded as its result."""
    path = plan.result_of(child.cell)
    try:
        result = Result.load(path) if child.process.returncode == 0 else None
    except DataError:
        result = None
    if result is None:
        why = last_error(child.log.read_text(encoding="utf-8", errors="replace"))
        result = described(child.cell, why or f"exit code {child.process.returncode}")
        result.save(path)
    else:
        plan.rates.add(result)
        for name in (".task.json", ".out"):
            (plan.runs / f"{child.cell.name}{name}").unlink(missing_ok=True)
    return result


def _line(
    result: Result, done: int, total: int, plan: Plan, waiting: Sequence[Cell], running: int
) -> str:
    what = f"[{done}/{total}] {result.method}, {result.dataset}, views {result.views}"
    what += f"{'' if result.rho is None else f', rho {result.rho:g}'}, seed {result.seed}"
    if result.status == "failed":
        return f"{what}: FAILED: {result.error.splitlines()[-1] if result.error else ''}"
    values = " ".join(_shown(result))
    left = plan.expected_seconds(waiting)
    rest = "" if not waiting or left is None else f"; about {duration(left)} left"
    return f"{what}: {values} ({duration(sum(result.seconds.values()))}){rest}"


def _shown(result: Result) -> Iterator[str]:
    names = {"accuracy": "accuracy", "conflict_accuracy": "conflicting"}
    judge = "own classifier" if "own classifier" in result.values else "linear probe"
    for name, word in names.items():
        value = result.value(judge, name, "validation")
        if value is not None:
            yield f"{word} {value:.1%} (validation, {judge})"


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    >>> duration(42), duration(150), duration(7320)
    ('42 s', '2 min 30 s', '2 h 2 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
