"""What each disparity compares: a table of group x stratum x outcome, and rates read off it.

The strata are what the metric conditions on, and so what shuffling keeps: the label for TPR, FPR
and equalized odds, the prediction for precision, nothing for selection and accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps

import numpy as np

from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.design import Design
from debias_cl.metrics.null import Ints, Pick
from debias_cl.metrics.rates import NO_ROWS, RATES
from debias_cl.metrics.tally import Tally, tally


@dataclass(frozen=True)
class View:
    """A table that can be shuffled, and the rates compared on it.

    Attributes:
        table: (groups, strata, outcomes) counts.
        picks: the rates, one a rate and class.
        empty: for each pick, why a group without rows in its denominator has no value.
        design: the same table of weights and of persons; None where every row counts once.
    """

    table: Ints
    picks: tuple[Pick, ...]
    empty: tuple[str, ...]
    design: Design[Ints] | None = None

    def tally(self, pick: Pick) -> Tally:
        """Return successes and sizes of the groups in one rate."""
        return tally(self.table, self.design, pick.read)


Maker = Callable[[CountTable, tuple[str, ...]], View]


def layered(make: Maker) -> Maker:
    """Let a maker, which sorts rows, sort the layers of weights and persons by the same rules."""

    @wraps(make)
    def made(table: CountTable, rates: tuple[str, ...]) -> View:
        view = make(table, rates)
        if table.design is None:
            return view
        return replace(view, design=table.design.map(lambda layer: make(layer, rates).table))

    return made


def _levels(table: CountTable) -> list[tuple[str, int]]:
    """Return (level, position) of the judged classes."""
    return [(table.classes[place], place) for place in table.judged]


def _reason(table: CountTable, rate: str, level: str) -> str:
    return RATES[rate].empty.format(y=f"{table.label or 'prediction'} = {level}")


def _collapsed(table: CountTable) -> CountTable:
    """Return a binary table with the favourable class last and always two classes."""
    cells = table.against_rest(table.positive)
    pairs = [[cells["tn"], cells["fp"]], [cells["fn"], cells["tp"]]]
    square: Ints = np.moveaxis(np.array(pairs), -1, 0)
    level = table.classes[table.positive]
    return replace(table, table=square, classes=("rest", level), known=(0, 1), positive=1)


@layered
def by_label(table: CountTable, rates: tuple[str, ...]) -> View:
    """Return the view for TPR and FPR: strata are true classes, outcomes predicted ones."""
    small = _collapsed(table) if table.binary else table
    picks, empty = [], []
    for rate in rates:
        for level, place in _levels(small):
            others = tuple(i for i in range(len(small.classes)) if i != place)
            strata = (place,) if rate == "true_positive_rate" else others
            picks.append(Pick(rate, level, strata, place))
            empty.append(_reason(table, rate, level))
    return View(small.table, tuple(picks), tuple(empty))


@layered
def by_prediction(table: CountTable, rates: tuple[str, ...]) -> View:
    """Return the view for precision: strata are predicted classes, outcomes right and wrong."""
    small = _collapsed(table) if table.binary else table
    right = np.diagonal(small.table, axis1=1, axis2=2)
    view = np.stack([right, small.falsely], -1)
    levels = _levels(small)
    return View(
        view,
        tuple(Pick(rates[0], level, (place,), 0) for level, place in levels),
        tuple(_reason(table, rates[0], level) for level, _ in levels),
    )


@layered
def by_selection(table: CountTable, rates: tuple[str, ...]) -> View:
    """Return the view for selection: one stratum, outcomes are predicted classes."""
    selected = table.selected
    if table.binary:
        chosen = selected[:, table.positive]
        selected = np.stack([selected.sum(1) - chosen, chosen], -1)
    picks = [
        Pick(rates[0], level, (0,), 1 if table.binary else place) for level, place in _levels(table)
    ]
    return View(selected[:, None], tuple(picks), (NO_ROWS,) * len(picks))


@layered
def by_rightness(table: CountTable, rates: tuple[str, ...]) -> View:
    """Return the view for accuracy: one stratum, outcomes right and wrong; over rows."""
    view = np.stack([table.right, table.missed.sum(1)], -1)[:, None]
    return View(view, (Pick(rates[0], "", (0,), 0),), (NO_ROWS,))


@layered
def by_presence(table: CountTable, rates: tuple[str, ...]) -> View:
    """Return the view for missing predictions: one stratum, outcomes missing and present."""
    view = np.stack([table.missing.sum(1), table.n], -1)[:, None]
    return View(view, (Pick(rates[0], "", (0,), 0),), (NO_ROWS,))


@dataclass(frozen=True)
class Comparison:
    """One family of disparities.

    Attributes:
        make: its view.
        rates: the rates whose largest gap (smallest ratio) it is.
        truth: whether it needs labels.
        forms: "difference", "ratio" or both.
    """

    make: Maker
    rates: tuple[str, ...]
    truth: bool = True
    forms: tuple[str, ...] = ("difference", "ratio")


COMPARISONS: Mapping[str, Comparison] = {
    "demographic_parity": Comparison(by_selection, ("selection_rate",), truth=False),
    "equalized_odds": Comparison(by_label, ("true_positive_rate", "false_positive_rate")),
    "equal_opportunity": Comparison(by_label, ("true_positive_rate",)),
    "predictive_parity": Comparison(by_prediction, ("precision",)),
    "accuracy": Comparison(by_rightness, ("accuracy",)),
    "missing_prediction": Comparison(
        by_presence, ("missing_prediction_rate",), truth=False, forms=("difference",)
    ),
}
