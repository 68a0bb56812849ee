"""A map of the features: their first two principal components."""

from __future__ import annotations

from typing import Any

import numpy as np

from debias_cl.representation.sample import Limits, Part, some

DECIMALS = 3
"""Of the coordinates, which run from -1 to 1: finer than a pixel of any drawing."""


WITHIN = 0.99
"""Share of the points that set the frame; those beyond it stand at its edge."""


def flat(test: Part, limits: Limits, seed: int) -> dict[str, Any] | None:
    """Return the points of the map, their levels and the share of variance that it shows.

    The components are those of all rows given; the points are a seeded subsample of them. The few
    that lie far out stand at the edge, so that they do not shrink all others.

    Returns:
        `x`, `y` in [-1, 1], `codes` (column -> codes into its levels), `explained` (two shares)
        and `of`; None where the features do not vary.
    """
    values = test.values.astype(np.float64)
    centred = values - values.mean(axis=0)
    total = float((centred**2).sum())
    if len(values) < 3 or not total or values.shape[1] < 2:
        return None
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # one of two mirror images
    scores = centred @ axes
    rows = some(np.arange(len(values)), limits.points, seed)
    reach = np.quantile(np.abs(scores[rows]), WITHIN, axis=0)
    places = np.clip(scores[rows] / np.maximum(reach, 1e-12), -1, 1)
    label = test.known.label
    codes = {} if label is None else {label.name: test.truth[rows].tolist()}
    codes |= {name: known[rows].tolist() for name, known in test.known.groups.items()}
    return {
        "x": np.round(places[:, 0], DECIMALS).tolist(),
        "y": np.round(places[:, 1], DECIMALS).tolist(),
        "codes": codes,
        "explained": ((scores**2).sum(axis=0) / total).tolist(),
        "n": len(rows),
        "of": test.of,
    }
