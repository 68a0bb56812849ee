"""From Predictions to the measured part of metrics.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from debias_cl.metrics import (
    against,
    alignment,
    amplification,
    disparities,
    rates,
    reweighted,
    sampling,
    scores,
    spread,
    strata,
    tolerance,
    trend,
)
from debias_cl.metrics.counts import MOST_CROSSED, CountTable, count, subsets
from debias_cl.metrics.proportions import Interval
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.values import Value, rows
from debias_cl.records import Alignment, Annotations, Predictions

DEFAULT = Settings()


def measure(predictions: Predictions, settings: Settings = DEFAULT) -> Value:
    """Measure everything that counts can tell, with intervals, chance and reasons.

    Args:
        predictions: n rows; every number comes from their count tables.
        settings: how; see `Settings`.

    Returns:
        The measured part of metrics.json (schema debias_cl.metrics/1): label, attributes, n,
        n_missing_prediction, overall, attributes_overall, groups, cells, classes, disparities,
        leakage, findings, and what each of `EACH` and `ADDED` adds.
    """
    everything = count(predictions, ())
    document = _started(predictions, everything.overall(), settings)
    names = [column.name for column in predictions.annotations.attributes]
    for combo in subsets(names):
        table = count(predictions, combo)
        _add(document, predictions, table, settings)
        for add_to in EACH:
            add_to(document, predictions, table, settings)
    first = next(iter(document["attributes_overall"].values()), alignment.without_cells())
    document["overall"] |= first
    classes, least = alignment.by_class(everything, settings.min_group, settings.interval)
    document["classes"], document["overall"]["worst_class_accuracy"] = classes, least
    for add in ADDED:
        add(document, predictions, settings)
    disparities.adjust(document["disparities"])
    return document


EACH: tuple[Callable[[Value, Predictions, CountTable, Settings], None], ...] = (
    spread.add,
    against.add,
)
"""Each adds its part for one attribute or intersection, whose table is counted and gaps known."""

ADDED: tuple[Callable[[Value, Predictions, Settings], None], ...] = (
    sampling.add,
    scores.add,
    strata.add,
    reweighted.add,
    trend.add,
    tolerance.add,  # last: it reads what the others add
)
"""Each adds its part to the document in place: the next family of numbers is one more file."""


def refuse_absent(known: Annotations, settings: Settings) -> None:
    """Refuse, before anything is computed, references and strata that the data do not have.

    Raises:
        UsageError: proposes the nearest.
    """
    against.named_levels(settings.reference, known)
    if settings.within:
        strata.refuse_absent(settings.within, known)


def _started(predictions: Predictions, whole: CountTable, settings: Settings) -> dict[str, Any]:
    """Return the document with what concerns all rows together."""
    return {
        "label": _label(predictions, whole),
        "attributes": [],
        "intersections_left_out": _uncrossed(predictions),
        "n": rows(whole.n[0]),
        "n_missing_prediction": rows(whole.missing.sum()),
        "n_missing_label": rows(whole.unlabelled.sum()),
        "overall": rates.group_values(whole, settings.interval, settings.seed)[0],
        "attributes_overall": {},
        "groups": [],
        "cells": [],
        "disparities": {},
        "leakage": {},
        "findings": [],
    }


def _uncrossed(predictions: Predictions) -> str | None:
    """Return why attributes are not crossed with each other; None where they are."""
    asked = len(predictions.annotations.attributes)
    if asked <= MOST_CROSSED:
        return None
    return f"{asked} attributes were asked for; only up to {MOST_CROSSED} are crossed"


def _add(
    document: dict[str, Any],
    predictions: Predictions,
    table: CountTable,
    settings: Settings,
) -> None:
    """Add one attribute, or intersection, to the document."""
    single = len(table.columns) == 1
    by = alignment.alignment_of(predictions, table.name) if single else None
    cells = alignment.cells_of(table, by)
    document["attributes"].append(_attribute(predictions, table, by))
    document["attributes_overall"][table.name] = alignment.over_cells(
        cells, by is not None, settings.min_group
    )
    document["groups"] += group_entries(table, settings.interval, settings.seed)
    document["cells"] += alignment.cell_entries(cells, settings.interval)
    training = predictions.training_cells.get(table.name) if single else None
    document["disparities"][table.name] = {
        **disparities.gaps(table, settings),
        **_others(table, training, settings),
    }


def _others(table: CountTable, training: Any, settings: Settings) -> dict[str, Value]:
    """Return the disparities that are no largest gap."""
    odds = amplification.mean_pair(table, 1, settings)
    bias = amplification.amplification(table, training, 1, settings)
    least = settings.min_group
    cells = table.table.sum(2)
    if ((cells == 0) | (cells >= least)).all():  # the same groups give the same numbers
        few_odds, few_bias = deepcopy(odds), deepcopy(bias)
    else:
        few_odds = amplification.mean_pair(table, least, settings)
        few_bias = amplification.amplification(table, training, least, settings)
    return {
        "mean_pair_equalized_odds": odds,
        "mean_pair_equalized_odds_min_group": few_odds,
        "bias_amplification": bias,
        "bias_amplification_min_group": few_bias,
    }


def group_entries(table: CountTable, interval: Interval, seed: int) -> list[Value]:
    """Return the entries of `groups`: who, how many, and every rate."""
    shares = table.shares
    found = rates.group_values(table, interval, seed)
    return [
        {
            "attribute": table.name,
            "group": dict(group),
            "n": rows(table.n[i]),
            "share": float(shares[i]),
            **found[i],
        }
        for i, group in enumerate(table.groups)
    ]


def _label(predictions: Predictions, table: CountTable) -> Value:
    label = predictions.annotations.label
    return {
        "name": table.label,
        "levels": list(table.classes),
        "positive": predictions.positive,
        "positive_source": predictions.positive_source,
        "words": {} if label is None else dict(label.words),
    }


def _attribute(predictions: Predictions, table: CountTable, by: Alignment | None) -> Value:
    columns = [predictions.annotations.attribute(name) for name in table.columns]
    words: Mapping[str, str] = columns[0].words if len(columns) == 1 else {}
    entry: Value = {
        "name": table.name,
        "levels": [" & ".join(group.values()) for group in table.groups],
        "words": dict(words),
        "alignment": None if by is None else _pairs(by),
    }
    if len(columns) > 1:
        entry |= {"of": list(table.columns), "empty_left_out": table.combinations_left_out}
    return entry


def _pairs(by: Alignment) -> Value:
    return {"source": by.source, "pairs": [list(pair) for pair in sorted(by.pairs)]}
