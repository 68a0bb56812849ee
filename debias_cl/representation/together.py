"""All that is said of one encoder's features, as parts of the metrics document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from debias_cl.records import Features
from debias_cl.representation import geometry
from debias_cl.representation.flat import flat
from debias_cl.representation.neighbours import neighbours, purity, suspects
from debias_cl.representation.readable import leakage
from debias_cl.representation.sample import Limits, part_of

DEFAULT = Limits()
FEWEST = 3
"""Labelled rows of a split without which nothing is said of it."""


def audit(
    features: Features, test_split: str, seed: int = 0, limits: Limits = DEFAULT
) -> dict[str, Any]:
    """Look at features before any label is predicted from them.

    Args:
        features: all splits, with a label; `test_split` holds rows.
        test_split: the split that is reported.
        seed: of subsamples, halves and shuffles; equal input gives equal output.
        limits: how much is looked at.

    Returns:
        `leakage` (attribute -> name -> value object) and `representation`: `rows`, `neighbours`,
        `geometry`, `variance`, `map`, `suspects`, `shortcut`; nothing where the reported split has
        fewer than three labelled rows, no neighbours and suspects where training has.
    """
    train = part_of(features, features.split == "train", limits.train, seed)
    test = part_of(features, features.split == test_split, limits.test, seed)
    if len(test) < FEWEST:
        return {"leakage": {}, "representation": None}
    near = neighbours(train, test, limits.neighbours) if len(train) >= FEWEST else None
    most = max(limits.least, limits.numbers // features.values.shape[1])
    held = part_of(features, features.split != "train", min(most, limits.train), seed)
    names = [column.name for column in features.annotations.attributes]
    splits = [str(name) for name in np.unique(features.split) if name != "train"]
    return {
        "leakage": {name: leakage(held, name, limits, seed) for name in names},
        "representation": {
            "rows": {
                "train": train.told(),
                "test": test.told(),
                "held_out": {**held.told(), "splits": splits},
            },
            "neighbours": None if near is None else purity(train, test, near),
            "geometry": geometry.groups(test, limits, seed),
            "variance": geometry.variance(test),
            "map": flat(test, limits, seed),
            "suspects": None if near is None else suspects(train, test, near, limits),
            "shortcut": None,
        },
    }


def with_shortcut(inside: Mapping[str, Any], found: Mapping[str, Any] | None) -> dict[str, Any]:
    """Add what came of changing an attribute in the pictures; it depends on the judge as well.

    Args:
        inside: what `audit` returned; empty for a further judge of the same features.
        found: what `shortcut` returned; None where no attribute can be changed.
    """
    if found is None:
        return dict(inside)
    return {**inside, "representation": {**(inside.get("representation") or {}), "shortcut": found}}
