"""Nearest neighbours by cosine, in blocks of rows. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.records import Codes, Floats

KNN_ROWS = 1024
"""Test rows whose similarities to all training rows are held at once."""

Values = npt.NDArray[np.floating[Any]]


def knn_shares(
    train: Values,
    truth: Codes,
    test: Values,
    neighbours: int,
    classes: int,
    weight: Floats | None = None,
) -> Floats:
    """Return (m, K) shares of the label levels among the nearest training rows by cosine.

    A tie between levels goes to the one whose neighbours are nearer.

    Args:
        train: (n, D) features; truth: (n,) codes.
        test: (m, D) features.
        neighbours: how many are asked; all where there are fewer.
        classes: number of label levels K.
        weight: (n,) weights of the votes; None is one each.
    """
    k = min(neighbours, len(train))
    ours, theirs = _unit(train), _unit(test)
    votes = np.eye(classes)[truth] * (1.0 if weight is None else weight[:, None])
    shares = np.empty((len(test), classes))
    for start in range(0, len(test), KNN_ROWS):
        near = theirs[start : start + KNN_ROWS] @ ours.T
        chosen = np.argpartition(-near, k - 1, axis=1)[:, :k]
        cosine = np.take_along_axis(near, chosen, axis=1)
        counted = votes[chosen]
        total = counted.sum(axis=1) + 1e-9 * (counted * (1 + cosine[..., None])).sum(axis=1)
        shares[start : start + len(near)] = total / total.sum(axis=1, keepdims=True)
    return shares


def _unit(values: Values) -> Values:
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norm == 0, 1, norm)
