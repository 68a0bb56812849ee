"""The most confident mistakes in the worst cells, with the training pictures nearest to them.

No torch: features, predictions and decoded pictures in; what section 9 of the report shows out.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.data.contract import Dataset
from debias_cl.knn import knn_shares, nearest
from debias_cl.records import Annotations, Codes, Features, Floats, Predictions

CELLS = 4
"""Most cells that are shown: the worst first."""
MISTAKES = 4
"""Most mistakes a cell."""
NEIGHBOURS = 3
"""Training pictures beside each mistake."""
VOTERS = 20
"""Nearest training rows whose votes say how confident an answer without a score is."""
SIDE = 96
"""Largest side of a picture in the report, in pixels."""


def mistakes(
    features: Features, made: Predictions, test_split: str, min_group: int
) -> Mapping[str, Any]:
    """Return the `mistakes` object of the document.

    Args:
        features: all splits; the rows of `test_split` are those of `made`, in the same order.
        made: predictions of the test split.
        test_split: name of that split.
        min_group: rows that a cell must have to be among the worst.

    Returns:
        attribute, confidence (what it is, in words) and cells, each with its levels, its counts and
        the mistakes shown; empty cells where nothing is wrong. `picture` names a picture as
        `split:row`.
    """
    about = made.annotations
    train, test = features.part("train"), features.part(test_split)
    assert about.truth is not None and about.label is not None
    judged = (about.truth >= 0) & (made.predicted >= 0)
    wrong = judged & (made.predicted != about.truth)
    cell, names = _cells(about)
    confidence, told = _confidence(made, train, test)
    found = []
    for place in _worst(cell, wrong, judged, len(names), min_group):
        rows = np.flatnonzero(wrong & (cell == place))
        first = rows[np.argsort(-confidence[rows], kind="stable")][:MISTAKES]
        shown = list(_shown(first, made, confidence, train, test, test_split))
        here = judged & (cell == place)
        entry = {"group": names[place], "n": int(here.sum()), "wrong": len(rows), "shown": shown}
        found.append(entry)
    attribute = about.attributes[0].name if about.attributes else ""
    return {"attribute": attribute, "confidence": told, "cells": found}


def _cells(about: Annotations) -> tuple[Codes, list[dict[str, str]]]:
    """Return a cell a row (label x first attribute, or label alone), and the cells' levels."""
    label = about.label
    assert label is not None and about.truth is not None
    if not about.attributes:
        return about.truth, [{label.name: level} for level in label.levels]
    column = about.attributes[0]
    names = [
        {label.name: level, column.name: group} for level in label.levels for group in column.levels
    ]
    return about.truth * len(column.levels) + about.groups[column.name], names


def _worst(
    cell: Codes, wrong: npt.NDArray[np.bool_], judged: npt.NDArray[np.bool_], n: int, least: int
) -> list[int]:
    """Return the cells with the largest share of mistakes, among those with enough rows."""
    size = np.bincount(cell[judged], minlength=n)
    errors = np.bincount(cell[wrong], minlength=n)
    share = np.divide(errors, size, out=np.zeros(n), where=size > 0)
    enough = np.flatnonzero((errors > 0) & (size >= least))
    few = np.flatnonzero((errors > 0) & (size < least)) if not len(enough) else enough
    return [int(place) for place in few[np.argsort(-share[few], kind="stable")][:CELLS]]


def _confidence(made: Predictions, train: Features, test: Features) -> tuple[Floats, str]:
    """Return how sure each answer is, and what that number is."""
    if made.scores is not None and len(made.levels) == 2:
        chosen = made.predicted == made.levels.index(made.positive)
        return np.where(chosen, made.scores, 1 - made.scores), "probability of the answer given"
    truth = train.annotations.truth
    assert truth is not None
    known = truth >= 0
    shares = knn_shares(train.values[known], truth[known], test.values, VOTERS, len(made.levels))
    rows = np.arange(len(made.predicted))
    told = f"share of the {VOTERS} nearest training rows with the answer given"
    return shares[rows, made.predicted], told


def _shown(
    rows: Codes, made: Predictions, confidence: Floats, train: Features, test: Features, split: str
) -> Iterator[dict[str, Any]]:
    """Yield each mistake with its nearest training rows, nearest first."""
    about = made.annotations
    assert about.label is not None and about.truth is not None
    for row in rows:
        _, near, cosine = next(iter(nearest(train.values, test.values[row : row + 1], NEIGHBOURS)))
        order = np.argsort(-cosine[0], kind="stable")
        yield {
            "id": str(about.ids[row]),
            "picture": f"{split}:{row}",
            "truth": about.label.levels[about.truth[row]],
            "predicted": made.levels[made.predicted[row]],
            "confidence": float(confidence[row]),
            "neighbours": [
                _neighbour(train.annotations, int(near[0, place]), float(cosine[0, place]))
                for place in order
            ],
        }


def _neighbour(about: Annotations, row: int, cosine: float) -> dict[str, Any]:
    assert about.label is not None and about.truth is not None
    code = int(about.truth[row])
    groups = {c.name: c.levels[about.groups[c.name][row]] for c in about.attributes[:1]}
    return {
        "id": str(about.ids[row]),
        "picture": f"train:{row}",
        "label": about.label.levels[code] if code >= 0 else None,
        "group": groups,
        "cosine": cosine,
    }


def pictures(found: Mapping[str, Any], dataset: Dataset) -> dict[str, str]:
    """Return picture -> `data:` address of every picture that the mistakes name.

    Args:
        found: what `mistakes` returned.
        dataset: the data set that the features were made of, rows in the same order.
    """
    named = {
        entry["picture"]
        for cell in found["cells"]
        for mistake in cell["shown"]
        for entry in (mistake, *mistake["neighbours"])
    }
    out = {}
    for name in sorted(named):
        split, _, row = name.partition(":")
        out[name] = _address(dataset.splits[split].images[int(row)])
    return out


def _address(image: npt.NDArray[np.uint8]) -> str:
    """Return a picture as PNG where it is tiny, else as a small JPEG."""
    from PIL import Image

    drawn = Image.fromarray(np.asarray(image))
    drawn.thumbnail((SIDE, SIDE))
    kind, options = ("PNG", {}) if max(image.shape[:2]) <= 32 else ("JPEG", {"quality": 80})
    stream = io.BytesIO()
    drawn.save(stream, kind, **options)
    text = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{text}"
