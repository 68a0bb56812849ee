"""Figures that others have published, and beside which of our tables they belong. No torch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from debias_cl.suites.question import Question
from debias_cl.suites.results import Result
from debias_cl.suites.table import Setting

FILE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True)
class Published:
    """A figure as it was published.

    Attributes:
        dataset, attr, bias_attr, rho: the data; rho None where the data set has none.
        protocols: our protocols that train and test on the same pictures; () for none of them.
        encoder: architecture; "" where the source does not say.
        epochs: of training; None where the source does not say.
        measure: our name of the number; "" for a number that the suites do not have.
        setting, metric, method: as printed.
        value, sd: fractions; sd None where there is none.
        n_runs: as printed ("3", "best 3 of a sweep"); "" where the source does not say.
        source: where it was read.
        checked: whether it was compared with that source.
    """

    dataset: str
    attr: str
    bias_attr: tuple[str, ...]
    rho: float | None
    protocols: tuple[str, ...]
    encoder: str
    epochs: int | None
    measure: str
    setting: str
    metric: str
    method: str
    value: float
    sd: float | None
    n_runs: str
    source: str
    checked: bool


@cache
def published() -> tuple[Published, ...]:
    """Return all figures of `published.csv`, in its order."""
    with FILE.open(encoding="utf-8", newline="") as lines:
        return tuple(_read(line) for line in csv.DictReader(lines))


def _read(line: Mapping[str, str]) -> Published:
    return Published(
        dataset=line["dataset"],
        attr=line["attr"],
        bias_attr=tuple(line["bias_attr"].split()),
        rho=float(line["rho"]) if line["rho"] else None,
        protocols=tuple(line["protocols"].split()),
        encoder=line["encoder"],
        epochs=int(line["epochs"]) if line["epochs"] else None,
        measure=line["measure"],
        setting=line["setting"],
        metric=line["metric"],
        method=line["method"],
        value=float(line["value_percent"]) / 100,
        sd=float(line["sd"]) / 100 if line["sd"] else None,
        n_runs=line["n_runs"],
        source=line["source"],
        checked=line["checked"] == "yes",
    )


def beside(
    setting: Setting, question: Question, measures: Sequence[str], results: Sequence[Result]
) -> tuple[Published, ...]:
    """Return the published figures that were made under the protocol of a table.

    The same protocol is: data set, label, attribute, rho, a protocol that trains and tests on the
    same pictures, all of them, encoder and epochs. What a source does not state about encoder and
    epochs is not compared. Views, optimiser and the choice of the weights are not compared either:
    they are part of a method. A table on the validation split has no published figures.

    Args:
        setting: of the table.
        question: names the split.
        measures: numbers that the table has.
        results: behind the table; their encoder and their limits are looked at.
    """
    encoders = {_config(result, "encoder", "architecture") for result in results}
    limited = any(_config(result, "data", "train_limit") for result in results)
    if question.split != "test" or len(encoders) != 1 or limited:
        return ()
    (encoder,) = encoders
    return tuple(
        figure
        for figure in published()
        if figure.measure in measures
        and (figure.dataset, figure.attr) == (setting.dataset, setting.attr)
        and figure.bias_attr == setting.bias_attr
        and (-1.0 if figure.rho is None else figure.rho) == setting.rho
        and setting.protocol in figure.protocols
        and figure.encoder in ("", encoder)
        and figure.epochs in (None, setting.epochs)
    )


def _config(result: Result, group: str, name: str) -> Any:
    return result.config.get(group, {}).get(name)
