"""Nearest neighbours by cosine, in blocks of rows. No torch."""

from __future__ import annotations

from collections.abc import Iterator
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
    votes = np.eye(classes)[truth] * (1.0 if weight is None else weight[:, None])
    shares = np.empty((len(test), classes))
    for rows, chosen, cosine in nearest(train, test, neighbours):
        counted = votes[chosen]
        total = counted.sum(axis=1) + 1e-9 * (counted * (1 + cosine[..., None])).sum(axis=1)
        shares[rows] = total / total.sum(axis=1, keepdims=True)
    return shares


def nearest(
    train: Values, test: Values, neighbours: int, own: Codes | None = None
) -> Iterator[tuple[slice, Codes, Values]]:
    """Yield (rows of test, their (m, k) nearest training rows, the cosines), in no order of k.

    Args:
        train: (n, D) features.
        test: (m, D) features.
        neighbours: how many are asked; all where there are fewer.
        own: (m,) the training row that a test row is itself, which is no neighbour of its own.
    """
    k = min(neighbours, len(train) - (own is not None))
    ours, theirs = unit(train), unit(test)
    for start in range(0, len(test), KNN_ROWS):
        near = theirs[start : start + KNN_ROWS] @ ours.T
        rows = slice(start, start + len(near))
        if own is not None:
            near[np.arange(len(near)), own[rows]] = -np.inf
        chosen = np.argpartition(-near, k - 1, axis=1)[:, :k]
        yield rows, chosen, np.take_along_axis(near, chosen, axis=1)


def unit(values: Values) -> Values:
    """Return (n, D) rows of length 1; one of zeros stays as it is."""
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(norm == 0, 1, norm)
