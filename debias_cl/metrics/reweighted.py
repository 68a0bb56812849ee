"""Overall figures for another population: cells weighted by its shares, not by these rows'.

The average accuracy of the Waterbirds papers is one of them: test cells weighted by their shares of
the training set. It is called "adjusted accuracy" in the logs of group_DRO (Sagawa et al. 2020) and
JTT (Liu et al. 2021); the "adjusted accuracy" of SubpopBench is another one, the plain mean over
cells, `unbiased_accuracy` here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from debias_cl.data.coding import find_level
from debias_cl.errors import DataError
from debias_cl.metrics import contrasts, rates
from debias_cl.metrics.alignment import CELL_RATES, NO_ATTRIBUTE, Cells, cells_of
from debias_cl.metrics.counts import CountTable, count, subsets
from debias_cl.metrics.proportions import Array, share
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.values import NO_LABEL, Value, undefined
from debias_cl.records import Bools, Predictions

Shares = Mapping[tuple[str, str], float]
NAME = "reweighted_accuracy"
NO_TRAINING = "the training set's cells are not known; give the shares in a file"
NO_SHARES = "no shares are given for its cells"
OTHERS = "the shares given are of other groups"
FILE = "shares as given"
TRAIN = "shares of the training set"


@dataclass(frozen=True)
class Figure:
    """A figure that is reweighted.

    Attributes:
        rate: which rate of a cell is averaged.
        among: positive level -> which label levels' cells take part; None for all.
        binary: whether it needs a label of two levels.
    """

    rate: str
    among: Callable[[Cells], Bools] | None = None
    binary: bool = True


def _positive(cells: Cells) -> Bools:
    return np.asarray(cells.places[:, 1] == cells.table.positive, np.bool_)


FIGURES: Mapping[str, Figure] = {
    NAME: Figure("accuracy", binary=False),
    "reweighted_selection_rate": Figure("selection_rate"),
    "reweighted_true_positive_rate": Figure("selection_rate", _positive),
    "reweighted_false_positive_rate": Figure("selection_rate", lambda cells: ~_positive(cells)),
}


def add(document: Value, predictions: Predictions, settings: Settings) -> None:
    """Add the figures of another population beside the plain ones, where its shares are given.

    To `attributes_overall` of every attribute, and to `overall` those of the first attribute that
    has any. Cells with a share but without rows are left out and named with their share: the
    figure is then of the rest of that population, whose share `covered` says.

    Raises:
        DataError: a share that cannot be, or cells that no attribute has.
    """
    if not settings.reweight:
        return
    found = document["attributes_overall"]
    used = set()
    for combo in subsets([column.name for column in predictions.annotations.attributes]):
        table = count(predictions, combo)
        weights, source = population(predictions, table, settings.reweight)
        used |= {source} if weights is not None else set()
        found[table.name] |= figures(cells_of(table, None), weights, source)
    if FILE not in used and any(settings.reweight.values()):
        _refuse_foreign(settings.reweight, document)
    first = next((one for one in found.values() if one[NAME]["value"] is not None), None)
    first = first or next(iter(found.values()), {NAME: undefined(NO_ATTRIBUTE)})
    document["overall"] |= {name: value for name, value in first.items() if name in FIGURES}


def population(
    predictions: Predictions, table: CountTable, reweight: Mapping[str, Shares]
) -> tuple[Shares | None, str]:
    """Return the shares of the cells of a table in the other population, and whose they are."""
    name = table.name
    if given := reweight.get(name) or reweight.get(""):
        spelled = _spelled(table, given)
        return spelled, OTHERS if spelled is None else FILE
    if "" not in reweight:
        return None, NO_SHARES
    counts, label = predictions.training_cells.get(name), predictions.annotations.label
    if counts is None or label is None or len(table.columns) != 1:
        return None, NO_TRAINING
    levels = predictions.annotations.attribute(name).levels
    return {
        (y, a): float(counts[i, j])
        for i, y in enumerate(label.levels)
        for j, a in enumerate(levels)
    }, TRAIN


def _spelled(table: CountTable, shares: Shares) -> Shares | None:
    """Return shares with levels as the table spells them; None where a group is not its own.

    A group of an intersection is written as in its name, "men & young".
    """
    groups = [" & ".join(group.values()) for group in table.groups]
    out: dict[tuple[str, str], float] = {}
    for (label, group), part in shares.items():
        level, who = find_level(table.classes, label), find_level(groups, group)
        if level is None or who is None:
            return None
        out[level, who] = out.get((level, who), 0.0) + part
    return out


def _refuse_foreign(reweight: Mapping[str, Shares], document: Value) -> None:
    """Refuse shares that fit no attribute."""
    label, group = next(cell for shares in reweight.values() for cell in shares)
    known = [f"{one['name']}: {', '.join(one['levels'])}" for one in document["attributes"]]
    raise DataError(
        "the shares fit no attribute: not all of their labels and groups are levels of one",
        where=f"--reweight, such as label '{label}', group '{group}'",
        expected=f"labels {', '.join(document['label']['levels'])}; groups of one attribute "
        f"({'; '.join(known)})",
    )


def figures(cells: Cells, weights: Shares | None, source: str) -> dict[str, Value]:
    """Return the reweighted figures of one attribute.

    Args:
        cells: its cells.
        weights: (label level, group) -> share, of any sum; None where they are not known.
        source: whose shares, or why there are none.
    """
    wanted = {name: one for name, one in FIGURES.items() if cells.table.binary or not one.binary}
    if cells.table.label is None:
        return {name: undefined(NO_LABEL) for name in wanted}
    if weights is None:
        return {name: undefined(source) for name in wanted}
    label = cells.table.label
    keys = [
        (cell[label], " & ".join(cell[name] for name in cells.table.columns))
        for cell in cells.names
    ]
    parts = np.array([weights.get(key, 0.0) for key in keys])
    return {name: _figure(cells, one, parts, source) for name, one in wanted.items()}


def _figure(cells: Cells, figure: Figure, parts: Array, source: str) -> Value:
    """Return one figure: the mean over the cells that have rows, weighted by their shares."""
    parts = np.where(figure.among(cells), parts, 0.0) if figure.among else parts
    tally = cells.read(CELL_RATES[figure.rate])
    there = (tally.n > 0) & (parts > 0)
    total = parts.sum()
    out = [
        {"cell": dict(cells.names[i]), "share": float(parts[i] / total)}
        for i in np.flatnonzero((parts > 0) & ~there)
    ]
    if not there.any():
        return undefined("no cell with a share has rows", population=source, left_out=out)
    weight = np.where(there, parts, 0.0)
    found = contrasts.linear(tally.row(), share(weight, weight.sum())[None])
    covered = float(weight.sum() / total)
    extra = {"population": source, "covered": covered, "left_out": out}
    return rates.contrasted(tally.row(), found, 0, tally.rows[there].sum(), **extra)
