"""From results to rows: mean and spread over seeds, paired differences to a baseline. No torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from debias_cl.suites.results import Result

MEASURES = (
    "accuracy",
    "unbiased_accuracy",
    "aligned_accuracy",
    "conflict_accuracy",
    "worst_group_accuracy",
)
OWN = "own classifier"


@dataclass(frozen=True, order=True)
class Setting:
    """What results must share to be compared: only the method (and the seed) differs.

    Attributes:
        dataset, attr, bias_attr, protocol, rho: the data; rho -1 where there is none.
        preset, epochs: the training.
        views: named policy.
        selection: "last" or "best on validation".
    """

    dataset: str
    attr: str
    bias_attr: tuple[str, ...]
    protocol: str
    rho: float
    preset: str
    epochs: int
    views: str
    selection: str

    @staticmethod
    def of(result: Result) -> Setting:
        """Return the setting of a result."""
        return Setting(
            result.dataset,
            result.attr,
            result.bias_attr,
            result.protocol,
            -1.0 if result.rho is None else result.rho,
            result.preset,
            int(result.config["fit"]["epochs"]),
            result.views,
            result.selection,
        )

    @property
    def title(self) -> str:
        """The setting in words."""
        rho = "" if self.rho < 0 else f", rho {self.rho:g}"
        views = "" if self.views == "preset" else f", views {self.views}"
        return f"{self.dataset}{rho}, {self.preset} ({self.epochs} epochs){views}"


@dataclass(frozen=True)
class Spread:
    """A number over seeds: fractions.

    Attributes:
        mean: None where no seed has a value.
        sd: with n - 1; None for fewer than two seeds.
        n: seeds with a value.
    """

    mean: float | None
    sd: float | None
    n: int


@dataclass(frozen=True)
class Paired:
    """A difference between two methods under the same seeds.

    Attributes:
        difference: mean of the differences by seed; None where there is no pair.
        low, high: ends of the 95 % t interval; None for fewer than two pairs.
        p: two-sided p-value of the paired t test; None likewise.
        n: pairs.
        reason: why something is None; "" where nothing is.
    """

    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """A method under a judge in a setting.

    Attributes:
        setting, method, judge: what it is.
        seeds: of the results that are done.
        failed: seeds whose cell failed.
        spread: measure -> over seeds, test split.
        against: measure -> difference to the baseline; empty for the baseline itself.
        seconds: median wall seconds of a run (training, monitoring, judging).
    """

    setting: Setting
    method: str
    judge: str
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    spread: Mapping[str, Spread]
    against: Mapping[str, Paired]
    seconds: float | None


def settings_of(results: Iterable[Result]) -> list[Setting]:
    """Return the settings, sorted."""
    return sorted({Setting.of(result) for result in results})


def rows_of(
    results: Sequence[Result], setting: Setting, baseline: str, judge: str, measure: str
) -> list[Row]:
    """Return the rows of one setting: by the suite's judge, best first, then the other judges.

    Args:
        results: of any settings; failed ones are counted.
        setting: which to take.
        baseline: method that the others are compared with; without results, nothing is compared.
        judge: judge whose rows come first.
        measure: orders the rows.
    """
    here = [result for result in results if Setting.of(result) == setting]
    methods = list(dict.fromkeys(result.method for result in here))
    judges = dict.fromkeys([judge, OWN, *(j for r in here for j in r.values)])
    rows = [
        _row(here, setting, method, by, baseline, judge)
        for by in judges
        for method in methods
        if by == judge or any(by in r.values for r in here if r.method == method)
    ]
    place = {by: turn for turn, by in enumerate(judges)}
    return sorted(rows, key=lambda row: (place[row.judge], -_or_low(row.spread[measure].mean)))


def _row(
    here: Sequence[Result], setting: Setting, method: str, by: str, baseline: str, judge: str
) -> Row:
    mine = [result for result in here if result.method == method]
    done = [result for result in mine if result.status == "done"]
    reference = judge if by == OWN else by
    is_reference = method == baseline and by == reference
    return Row(
        setting,
        method,
        by,
        tuple(sorted(result.seed for result in done)),
        tuple(sorted(result.seed for result in mine if result.status == "failed")),
        {name: spread(by_seed(done, method, by, name).values()) for name in MEASURES},
        {}
        if is_reference
        else {
            name: paired(by_seed(done, method, by, name), by_seed(here, baseline, reference, name))
            for name in MEASURES
        },
        statistics.median(sum(r.seconds.values()) for r in done) if done else None,
    )


def by_seed(
    results: Iterable[Result], method: str, judge: str, measure: str, split: str = "test"
) -> dict[int, float]:
    """Return seed -> value of one method where there is one."""
    found = {}
    for result in results:
        if result.method == method and result.status == "done":
            value = result.value(judge, measure, split)
            if value is not None:
                found[result.seed] = value
    return found


def spread(values: Iterable[float]) -> Spread:
    """Return mean, standard deviation (n - 1) and n."""
    known = list(values)
    if not known:
        return Spread(None, None, 0)
    sd = statistics.stdev(known) if len(known) > 1 else None
    return Spread(statistics.fmean(known), sd, len(known))


def paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> Paired:
    """Return the mean difference over the seeds that both have, with a 95 % t interval.

    Args:
        values, baseline: seed -> value.
    """
    shared = sorted(values.keys() & baseline.keys())
    differences = np.array([values[seed] - baseline[seed] for seed in shared])
    if not len(shared):
        return Paired(None, None, None, None, 0, "no seed that both have")
    mean = float(differences.mean())
    if len(shared) < 2:
        return Paired(mean, None, None, None, 1, "one seed: no interval")
    error = float(differences.std(ddof=1)) / math.sqrt(len(shared))
    if error == 0:
        return Paired(mean, mean, mean, None, len(shared), "all differences are equal: no p-value")
    half = float(stats.t.ppf(0.975, len(shared) - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, len(shared) - 1))
    return Paired(mean, mean - half, mean + half, p, len(shared))


def holm(p: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values in the given order (Holm 1979, step-down)."""
    order = np.argsort(p, kind="stable")
    adjusted, highest = np.empty(len(p)), 0.0
    for turn, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - turn) * p[place]))
        adjusted[place] = highest
    return [float(value) for value in adjusted]


def verdict(found: Paired) -> str:
    """Say in two or three words what a difference to the baseline shows."""
    if found.low is None or found.high is None:
        return "not known"
    if found.low > 0:
        return "better"
    return "worse" if found.high < 0 else "no difference shown"


def _or_low(value: float | None) -> float:
    return -1.0 if value is None else value
