"""Alignment and uniformity of groups, and which share of the variance label and attribute hold.

Source: Wang and Isola 2020 (alignment: mean squared distance of positive pairs on the unit sphere;
uniformity: log of the mean of exp(-2 distance^2) over all pairs). Deviation: a positive pair is two
rows of the same label, as there are no views of one picture at this point.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from debias_cl.knn import unit
from debias_cl.metrics.values import Value, defined, undefined
from debias_cl.records import Bools, Codes, Floats
from debias_cl.representation.sample import Limits, Part, some

FEW = "fewer than two rows"
BLOCK = 512


def groups(test: Part, limits: Limits, seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return alignment and uniformity by attribute: an entry for all rows, then one a group.

    `alignment` is over pairs inside the group, `alignment_across` over pairs of one row of the
    group and one outside of it: where the second is much larger, a label lies in pieces by group.
    """
    normed = np.asarray(unit(test.values.astype(np.float64)), np.float64)
    found = {}
    for column in test.known.attributes:
        codes = test.known.groups[column.name]
        masks: list[tuple[str | None, Bools]] = [(None, np.ones(len(test), np.bool_))]
        masks += [(level, codes == code) for code, level in enumerate(column.levels)]
        found[column.name] = [
            {
                "group": None if level is None else {column.name: level},
                "n": int(mask.sum()),
                "alignment": _inside(normed[mask], test.truth[mask]),
                "alignment_across": _across(normed, test.truth, mask),
                "uniformity": _uniformity(normed[some(np.flatnonzero(mask), limits.pairs, seed)]),
            }
            for level, mask in masks
        ]
    return found


def variance(test: Part) -> dict[str, dict[str, Value]]:
    """Return shares of the features' variance by attribute: between-group over total squares.

    `label`, `attribute`, `both` (cells), each with `chance` (K - 1) / (n - 1), the mean over
    shuffled levels; and `attribute_within_label`: (both - label) / (1 - label).
    """
    found = {}
    values = test.values.astype(np.float64)
    total = float(((values - values.mean(axis=0)) ** 2).sum())
    for column in test.known.attributes:
        codes = test.known.groups[column.name]
        cells = test.truth * len(column.levels) + codes
        parts = {"label": test.truth, "attribute": codes, "both": cells}
        shares = {name: _share(values, by, total) for name, by in parts.items()}
        found[column.name] = {**shares, "attribute_within_label": _rest(shares)}
    return found


def _share(values: Floats, codes: Codes, total: float) -> Value:
    """Return the share of the total sum of squares that lies between the groups."""
    n = len(values)
    if n < 2 or not total:
        return undefined("the features do not vary", n, chance=None)
    _, here, counts = np.unique(codes, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, here, values - values.mean(axis=0))
    between = float(((sums**2).sum(axis=1) / counts).sum())
    chance = (len(counts) - 1) / (n - 1)
    return defined(between / total, None, None, n, None, chance=chance)


def _rest(shares: dict[str, Value]) -> Value:
    label, both = shares["label"], shares["both"]
    if label["value"] is None or label["value"] >= 1:
        return undefined("the label holds all of the variance", label["n"])
    rest = (both["value"] - label["value"]) / (1 - label["value"])
    return defined(rest, None, None, label["n"], None)


def _inside(normed: Floats, truth: Codes) -> Value:
    """Return the mean squared distance of pairs of one label, from sums alone.

    The sum over ordered pairs i != j of |x_i - x_j|^2 is 2 (n sum |x|^2 - |sum x|^2).
    """
    distance, pairs = 0.0, 0
    for label in np.unique(truth):
        rows = normed[truth == label]
        n = len(rows)
        squares = float((rows**2).sum())
        distance += 2 * (n * squares - float((rows.sum(axis=0) ** 2).sum()))
        pairs += n * (n - 1)
    if not pairs:
        return undefined("no two rows of one label", len(normed))
    return defined(max(0.0, distance / pairs), None, None, len(normed), None)


def _across(normed: Floats, truth: Codes, mask: Bools) -> Value:
    """Return the same for pairs of one row of the group and one outside of it."""
    distance, pairs = 0.0, 0
    for label in np.unique(truth):
        ours, theirs = normed[mask & (truth == label)], normed[~mask & (truth == label)]
        n, m = len(ours), len(theirs)
        crossed = float(ours.sum(axis=0) @ theirs.sum(axis=0))
        distance += m * float((ours**2).sum()) + n * float((theirs**2).sum()) - 2 * crossed
        pairs += n * m
    if not pairs:
        return undefined("no pair of one label with a row outside", int(mask.sum()))
    return defined(max(0.0, distance / pairs), None, None, int(mask.sum()), None)


def _uniformity(normed: Floats) -> Value:
    """Return log mean exp(-2 |x - y|^2) over all pairs of different rows; lower is more spread."""
    n = len(normed)
    if n < 2:
        return undefined(FEW, n)
    squares, total = (normed**2).sum(axis=1), 0.0
    for start in range(0, n, BLOCK):
        rows = slice(start, start + BLOCK)
        distance = squares[rows, None] + squares[None] - 2 * normed[rows] @ normed.T
        total += float(np.exp(-2 * np.maximum(distance, 0)).sum())
    own = float(n)  # each row with itself: distance 0
    return defined(float(np.log((total - own) / (n * (n - 1)))), None, None, n, None)
