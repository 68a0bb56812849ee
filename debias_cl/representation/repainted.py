"""Shortcut reliance: what is predicted of the same picture when only its attribute is changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from debias_cl.metrics.values import Value, proportions, undefined
from debias_cl.records import Annotations, Bools, Codes
from debias_cl.representation.means import mean_share


def shortcut(known: Annotations, attribute: str, predicted: Codes, of: int) -> dict[str, Any]:
    """Return how far predictions follow an attribute that was changed in the picture.

    Args:
        known: of n pictures, as they were.
        attribute: the one that was changed.
        predicted: (n, A) codes of the label: picture i with level j painted in.
        of: pictures that there were to choose from.

    Returns:
        `changed`: share of pictures with not the same prediction in all levels (Wilson over
        pictures); `moved`: mean share of the other levels that change it (t over pictures);
        `follows`: of the pictures painted in a level that usually goes with another label than
        theirs, the mean share called that label (None where no pattern is known);
        `levels`: for each level `changed`, `usual`, `accuracy` and `predicted` (label -> count).
    """
    column, label = known.attribute(attribute), known.label
    assert label is not None and known.truth is not None
    n, own = len(known), known.groups[attribute]
    before = predicted[np.arange(n), own]
    moved = predicted != before[:, None]
    other = np.arange(len(column.levels)) != own[:, None]
    usual = _usual(known, attribute)
    follows = None if usual is None else (predicted == usual, usual != known.truth[:, None])
    right = predicted == known.truth[:, None]
    return {
        "attribute": attribute,
        "n": n,
        "of": of,
        "changed": _share(moved.any(axis=1), np.ones(n, np.bool_)),
        "moved": _mean_share(moved, other),
        "follows": None if follows is None else _mean_share(*follows),
        "levels": [
            {
                "level": level,
                "usual_label": None if usual is None else label.levels[usual[0, j]],
                "changed": _share(moved[:, j], other[:, j]),
                "usual": None if follows is None else _share(follows[0][:, j], follows[1][:, j]),
                "accuracy": _share(right[:, j], np.ones(n, np.bool_)),
                "predicted": {
                    y: int((predicted[:, j] == i).sum()) for i, y in enumerate(label.levels)
                },
            }
            for j, level in enumerate(column.levels)
        ],
    }


def _usual(known: Annotations, attribute: str) -> Codes | None:
    """Return (n, A) the label that usually goes with each level; None unless each has just one."""
    assert known.label is not None
    if attribute not in known.alignment:
        return None
    table = known.alignment[attribute].table(known.label, known.attribute(attribute))
    if not (table.sum(axis=0) == 1).all():
        return None
    return np.broadcast_to(table.argmax(axis=0), (len(known), table.shape[1]))


def _share(hit: Bools, among: Bools) -> Value:
    x, n = np.array([(hit & among).sum()]), np.array([among.sum()])
    return proportions(x, n, "wilson", "no such pictures")[0]


def _mean_share(hit: Bools, among: Bools) -> Value:
    """Return the mean over pictures of the share of levels, with a t interval over pictures."""
    some = among.any(axis=1)
    n = int(some.sum())
    if not n:
        return undefined("no such pictures", 0)
    shares = (hit & among)[some].sum(axis=1) / among[some].sum(axis=1)
    return mean_share(shares, "pictures")
