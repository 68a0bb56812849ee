"""The named rates of a group: each is two lines in a table over tp, fp, fn and tn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from debias_cl.metrics import contrasts, draws, sizes
from debias_cl.metrics.counts import CountTable, Table
from debias_cl.metrics.proportions import Array, Interval, f1_from_jaccard, share
from debias_cl.metrics.tally import Read, Tally
from debias_cl.metrics.values import NO_LABEL, Value, defined, rated, undefined

NO_ROWS = "no rows"


@dataclass(frozen=True)
class Rate:
    """One rate: which rows count, of which rows.

    Attributes:
        numerator, denominator: among tp, fp, fn, tn of one class against the rest.
        empty: why it is undefined where the denominator is empty; {y} is "label = level".
        truth: whether it needs labels.
        carry: from the proportion to the metric (F1 from Jaccard's index).
    """

    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    empty: str
    truth: bool = True
    carry: Callable[[Array], Array] | None = None


ALL = ("tp", "fp", "fn", "tn")
POSITIVE, NEGATIVE = "no rows with {y}", "no rows without {y}"
RATES: Mapping[str, Rate] = {
    "accuracy": Rate(("tp", "tn"), ALL, NO_ROWS),
    "error_rate": Rate(("fp", "fn"), ALL, NO_ROWS),
    "selection_rate": Rate(("tp", "fp"), ALL, NO_ROWS, truth=False),
    "true_positive_rate": Rate(("tp",), ("tp", "fn"), POSITIVE),
    "false_positive_rate": Rate(("fp",), ("fp", "tn"), NEGATIVE),
    "true_negative_rate": Rate(("tn",), ("fp", "tn"), NEGATIVE),
    "false_negative_rate": Rate(("fn",), ("tp", "fn"), POSITIVE),
    "precision": Rate(("tp",), ("tp", "fp"), "no rows predicted {y}"),
    "negative_predictive_value": Rate(("tn",), ("fn", "tn"), "all rows predicted {y}"),
    "f1": Rate(("tp",), ("tp", "fp", "fn"), "no rows with or predicted {y}", carry=f1_from_jaccard),
    "prevalence": Rate(("tp", "fn"), ALL, NO_ROWS),
}
NAMES = (*RATES, "balanced_accuracy", "missing_prediction_rate")

SHARES = ("selection_rate", "prevalence")
"""Their macro mean over all classes is 1 / classes whatever happens."""
SUMS = ("true_positive_rate", "false_negative_rate", "precision")
"""Their classes rest on disjoint rows, so the macro mean has a score interval."""
NONLINEAR = ("false_positive_rate", "true_negative_rate", "negative_predictive_value", "f1")


def counts_of(table: CountTable, name: str, level: int) -> Tally:
    """Return (groups,) numerator and denominator of a rate of one class against the rest."""
    return table.tally(reader(name, level))


def reader(name: str, level: int) -> Read[CountTable]:
    """Return what reads (groups,) numerator and denominator of a rate off a table."""
    rate = RATES[name]

    def read(layer: CountTable) -> tuple[Table, Table]:
        cells = layer.against_rest(level)
        x = sum(cells[key] for key in rate.numerator)
        return np.asarray(x), np.asarray(sum(cells[key] for key in rate.denominator))

    return read


def against_rest(table: CountTable, name: str, level: int, interval: Interval) -> list[Value]:
    """Return one value object a group for a rate of one class against the rest."""
    rate = RATES[name]
    if rate.truth and table.label is None:
        return [undefined(NO_LABEL) for _ in table.groups]
    reason = rate.empty.format(y=f"{table.label or 'prediction'} = {table.classes[level]}")
    of = "" if rate.carry is None else " of tp/(tp+fp+fn)"
    return rated(counts_of(table, name, level), interval, reason, rate.carry, of)


def mean_of_cells(
    tally: Tally, names: Sequence[Any], void: str, whole: bool = False
) -> list[Value]:
    """Return the mean over cells with rows, one value object a group, empty cells named.

    Args:
        tally: (groups, cells) successes and sizes of disjoint rows.
        names: how the cells are named in `left_out`.
        void: reason where no cell has rows.
        whole: whether a group with an empty cell is undefined.
    """
    used = tally.n > 0
    found = contrasts.linear(tally, used / np.maximum(used.sum(1, keepdims=True), 1))
    out = []
    for i, present in enumerate(used):
        left_out = [name for name, there in zip(names, present, strict=True) if not there]
        if not present.any() or (whole and left_out):
            out.append(undefined(void if not present.any() else f"no rows with {left_out[0]}", 0))
            continue
        extra = {"left_out": left_out} if left_out else {}
        out.append(contrasted(tally, found, i, tally.rows[i].sum(), **extra))
    return out


def contrasted(
    tally: Tally, found: contrasts.Contrast, place: int, rows: Any, **extra: Any
) -> Value:
    """Return the value object of one contrast of cells of a tally."""
    lonely = found.reason(place)
    if not lonely:
        extra |= tally.beside(found.size[place])
    return defined(
        found.value[place],
        found.low[place],
        found.high[place],
        rows,
        None if lonely else found.method[place],
        reason=lonely,
        **extra,
    )


def balanced_accuracy(table: CountTable) -> list[Value]:
    """Return the mean recall of the classes; with two classes both must have rows."""
    if table.label is None:
        return [undefined(NO_LABEL) for _ in table.groups]
    names = [f"{table.label} = {table.classes[i]}" for i in table.known]
    return mean_of_cells(table.tally(recalls), names, NO_ROWS, table.binary)


def recalls(table: CountTable) -> tuple[Table, Table]:
    """Return (groups, known classes) rows predicted right, and rows."""
    known = list(table.known)
    return table.diagonal[:, known], table.actual[:, known]


def missing_rate(table: CountTable, interval: Interval) -> list[Value]:
    """Return the share of rows without a prediction, of all rows of the group."""

    def read(layer: CountTable) -> tuple[Table, Table]:
        missing = layer.missing.sum(1)
        return missing, missing + layer.n

    return rated(table.tally(read), interval, NO_ROWS)


def nonlinear_means(tables: Array) -> Array:
    """Return (4, draws) macro means of `NONLINEAR` from (draws, classes, classes) tables."""
    total = tables.sum((1, 2))[:, None]
    tp = np.diagonal(tables, axis1=1, axis2=2)
    actual, selected = tables.sum(2), tables.sum(1)
    fpr = share(selected - tp, total - actual)
    npv = share(total - actual - selected + tp, total - selected)
    f1 = share(2 * tp, actual + selected)
    out = []
    for rate in (fpr, 1 - fpr, npv, f1):
        there = ~np.isnan(rate)
        out.append(share(np.where(there, rate, 0).sum(1), there.sum(1)))
    return np.stack(out)


MOST_CLASSES = 100
"""Simulated intervals of macro means stop here: their cost grows with the square."""


def _nonlinear(table: CountTable, seed: int) -> dict[str, list[Value]]:
    out: dict[str, list[Value]] = {name: [] for name in NONLINEAR}
    design = table.design
    weighted, whole = sizes.weighed(table.table, design), sizes.sized(table.table, design)
    for part, counts, n in zip(weighted, whole, table.n, strict=True):
        point = nonlinear_means(part[None].astype(np.float64))[:, 0]
        few = len(table.classes) <= MOST_CLASSES and n > 0
        low, high = (
            draws.bootstrap(counts, nonlinear_means, [seed, 13], observed=part if design else None)
            if few
            else (np.full(len(point), np.nan),) * 2
        )
        for i, name in enumerate(NONLINEAR):
            if np.isnan(point[i]):
                out[name].append(undefined(NO_ROWS, 0))
            else:
                why = None if few else f"no interval: more than {MOST_CLASSES} classes"
                method = sizes.method(draws.BOOTSTRAP, design) if few else None
                beside = {} if design is None else {"n_effective": float(counts.sum())}
                value = defined(point[i], low[i], high[i], n, method, reason=why, **beside)
                out[name].append(value)
    return out


def macro(table: CountTable, interval: Interval, seed: int) -> dict[str, list[Value]]:
    """Return the macro means over classes (more than two), and rates that are over rows."""
    if table.label is None:
        out = {name: [undefined(NO_LABEL) for _ in table.groups] for name in RATES}
        return out | {"selection_rate": _constant(table)}
    names = [f"{table.label} = {level}" for level in table.classes]

    def mean(read: Read[CountTable]) -> list[Value]:
        return mean_of_cells(table.tally(read), names, NO_ROWS)

    return {
        "accuracy": rated(table.tally(lambda t: (t.right, t.n)), interval, NO_ROWS),
        "error_rate": rated(table.tally(lambda t: (t.missed.sum(1), t.n)), interval, NO_ROWS),
        **{key: mean(read) for key, read in BY_CLASS.items()},
        **_nonlinear(table, seed),
        **{key: _constant(table) for key in SHARES},
    }


BY_CLASS: Mapping[str, Read[CountTable]] = {
    "true_positive_rate": lambda table: (table.diagonal, table.actual),
    "false_negative_rate": lambda table: (table.missed, table.actual),
    "precision": lambda table: (table.diagonal, table.selected),
}
"""(groups, classes) successes and sizes."""


def _constant(table: CountTable) -> list[Value]:
    why = f"the macro mean of {len(table.classes)} shares is always 1/{len(table.classes)}"
    return [undefined(f"{why}; see per_class", n) for n in table.n]


def group_values(table: CountTable, interval: Interval = "wilson", seed: int = 0) -> list[Value]:
    """Return all named rates, one dict a group.

    Args:
        table: the counts.
        interval: of a plain proportion.
        seed: of simulated intervals (macro F1 and its like).

    Returns:
        A list of {name: value object}; more than two classes: macro means, and `per_class`.
    """
    if table.binary:
        found = {name: against_rest(table, name, table.positive, interval) for name in RATES}
    else:
        found = macro(table, interval, seed)
    found["balanced_accuracy"] = balanced_accuracy(table)
    found["missing_prediction_rate"] = missing_rate(table, interval)
    out: list[Value] = [{name: found[name][i] for name in NAMES} for i in range(len(table.groups))]
    if table.binary:
        return out
    classes = {
        level: {name: against_rest(table, name, place, interval) for name in RATES}
        for place, level in enumerate(table.classes)
    }
    for i, values in enumerate(out):
        values["per_class"] = {
            level: {name: column[i] for name, column in rates.items()}
            for level, rates in classes.items()
        }
    return out
