"""From results to rows: mean and spread over seeds, paired differences to a baseline. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from debias_cl.suites.judges import OWN
from debias_cl.suites.paired import Paired, Spread, adjust, paired, spread
from debias_cl.suites.question import MEASURES, Question
from debias_cl.suites.results import Result


@dataclass(frozen=True, order=True)
class Setting:
    """What results must share to be compared: only the method (and the seed) differs.

    Attributes:
        part: of the suite; parts ask questions of their own, so their seeds are never mixed.
        dataset, attr, bias_attr, protocol, rho: the data; rho -1 where there is none.
        preset, epochs: the training.
        views: named policy.
        selection: "last" or "best on validation".
    """

    part: str
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
            result.part,
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

    def columns(self) -> list[str]:
        """Return the fields as texts, in order; "" for a data set without rho."""
        rho = "" if self.rho < 0 else f"{self.rho:g}"
        data = [self.dataset, self.attr, " ".join(self.bias_attr), self.protocol, rho]
        return [self.part, *data, self.preset, str(self.epochs), self.views, self.selection]

    @property
    def title(self) -> str:
        """The setting in words."""
        rho = "" if self.rho < 0 else f", rho {self.rho:g}"
        views = "" if self.views == "preset" else f", views {self.views}"
        return f"Part {self.part}: {self.dataset}{rho}, {self.preset} ({self.epochs} epochs){views}"


@dataclass(frozen=True)
class Row:
    """A method under a judge in a setting.

    Attributes:
        setting, method, judge: what it is.
        seeds: of the results that are done.
        failed: seeds whose cell failed.
        spread: measure -> over seeds, on the split that the question names.
        against: baseline -> measure -> difference to it; nothing under its own name for a baseline.
        seconds: median wall seconds of a run (training, monitoring, judging).
    """

    setting: Setting
    method: str
    judge: str
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    spread: Mapping[str, Spread]
    against: Mapping[str, Mapping[str, Paired]]
    seconds: float | None


def settings_of(results: Iterable[Result]) -> list[Setting]:
    """Return the settings, sorted."""
    return sorted({Setting.of(result) for result in results})


def rows_of(results: Sequence[Result], setting: Setting, question: Question) -> list[Row]:
    """Return the rows of one setting: by the question's judge, best first, then the other judges.

    Args:
        results: of any settings; failed ones are counted.
        setting: which to take.
        question: whom the rows are compared with, by which number, on which split.
    """
    here = [result for result in results if Setting.of(result) == setting]
    methods = list(dict.fromkeys(result.method for result in here))
    judges = dict.fromkeys([question.judge, OWN, *(j for r in here for j in r.values)])
    rows = [
        _row(here, setting, method, by, question)
        for by in judges
        for method in methods
        if by == question.judge or any(by in r.values for r in here if r.method == method)
    ]
    place = {by: turn for turn, by in enumerate(judges)}
    name = question.measure
    rows = _adjusted(rows, question)
    return sorted(rows, key=lambda row: (place[row.judge], -_or_low(row.spread[name].mean)))


def reference_judge(judge: str, question: Question) -> str:
    """Return the judge of the baselines that rows of a judge are compared with."""
    return question.judge if judge == OWN else judge


def _adjusted(rows: Sequence[Row], question: Question) -> list[Row]:
    """Return the rows with Holm's p-values: over all that are compared with the same numbers."""
    found = [{name: dict(against) for name, against in row.against.items()} for row in rows]
    for by in {reference_judge(row.judge, question) for row in rows}:
        for baseline, name in product(question.baselines, MEASURES):
            family = [
                place
                for place, row in enumerate(rows)
                if reference_judge(row.judge, question) == by and baseline in row.against
            ]
            pairs = adjust([rows[place].against[baseline][name] for place in family])
            for place, pair in zip(family, pairs, strict=True):
                found[place][baseline][name] = pair
    return [replace(row, against=against) for row, against in zip(rows, found, strict=True)]


def _row(here: Sequence[Result], setting: Setting, method: str, by: str, question: Question) -> Row:
    mine = [result for result in here if result.method == method]
    done = [result for result in mine if result.status == "done"]
    reference = reference_judge(by, question)

    def seeds(whose: str, judge: str, name: str) -> dict[int, float]:
        return by_seed(here, whose, judge, name, question.split)

    return Row(
        setting,
        method,
        by,
        tuple(sorted(result.seed for result in done)),
        tuple(sorted(result.seed for result in mine if result.status == "failed")),
        {name: spread(seeds(method, by, name).values()) for name in MEASURES},
        {
            baseline: {
                name: paired(seeds(method, by, name), seeds(baseline, reference, name))
                for name in MEASURES
            }
            for baseline in question.baselines
            if not (method == baseline and by == reference)
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


def _or_low(value: float | None) -> float:
    return -1.0 if value is None else value
