"""Judges of a cell: features in, accuracies of each held-out split out. No torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from debias_cl.config import ProbeConfig
from debias_cl.dfr import balancing_split
from debias_cl.metrics import Settings
from debias_cl.metrics.alignment import alignment_of, cells_of, over_cells
from debias_cl.metrics.counts import count
from debias_cl.metrics.rates import NO_ROWS
from debias_cl.metrics.values import proportions
from debias_cl.probe import predict, predict_each
from debias_cl.records import Features, Predictions, default_positive

JUDGES = {
    "linear probe": ProbeConfig(),
    "balanced linear probe": ProbeConfig(balanced=True),
    "20 nearest neighbours": ProbeConfig("knn", neighbours=20),
    "SGD linear probe": ProbeConfig("sgd"),
    "DFR": ProbeConfig("dfr"),
}
"""What a part of a suite may name under `judges`; each is a row of the leaderboard."""
USUAL = ("linear probe", "balanced linear probe")
"""The judges of a part that names none."""
OWN = "own classifier"
"""The judge that an objective brings with it."""

Judged = tuple[str, dict[str, dict[str, Any]]]


def judged(
    features: Features, names: Sequence[str], splits: Sequence[str], seed: int
) -> Iterator[Judged]:
    """Yield (judge, split -> name -> value) for each judge.

    A judge that needs an attribute is left out where there is none. DFR is fitted on the
    validation split where there is one, so it judges the other splits alone.

    Args:
        features: of all splits.
        names: of `JUDGES`.
        splits: held out, never trained on.
        seed: of the SGD probe and of DFR's subsets.
    """
    label = features.annotations.label
    assert label is not None
    positive = default_positive(label.levels)
    for name in names:
        probe = JUDGES[name]
        if (probe.balanced or probe.kind == "dfr") and not features.annotations.attributes:
            continue
        if probe.kind == "dfr":
            fitted = balancing_split(features, splits[-1])
            left = [split for split in splits if split != fitted]
            made = {split: predict(features, probe, split, *positive, seed) for split in left}
        else:
            made = predict_each(features, probe, splits, *positive, seed)
        yield name, {split: accuracies(one) for split, one in made.items()}


def accuracies(made: Predictions) -> dict[str, Any]:
    """Return accuracy over rows and over cells of the first attribute, as small value objects."""
    truth = made.annotations.truth
    assert truth is not None
    known = truth >= 0
    right, n = (made.predicted[known] == truth[known]).sum(), known.sum()
    found: dict[str, Any] = {
        "accuracy": proportions(np.array([right]), np.array([n]), "wilson", NO_ROWS)[0]
    }
    for column in made.annotations.attributes[:1]:
        by = alignment_of(made, column.name)
        cells = cells_of(count(made, [column.name]), by)
        found |= over_cells(cells, by is not None, Settings().min_group)
    keep = ("value", "low", "high", "n")
    return {name: {key: value.get(key) for key in keep} for name, value in found.items()}
