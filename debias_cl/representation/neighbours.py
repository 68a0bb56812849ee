"""Whom rows lie beside: neighbour purity, and rows whose neighbours contradict their label."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from debias_cl.knn import nearest
from debias_cl.metrics.values import Value, undefined
from debias_cl.records import Bools, Codes, Floats
from debias_cl.representation.means import mean_share
from debias_cl.representation.sample import Limits, Part

AGREED = 0.9
"""Share of the neighbours that must agree on another label than a suspect's own."""

CHANCE = 1e-3
"""Largest probability that training rows at random agree as much: else they say nothing."""

LISTED = 100
"""Suspects told in full in the document; all of them are counted."""

NAMED = 500
"""Suspects named in the document, so that those of several encoders can be compared."""


def neighbours(train: Part, rows: Part, k: int, own: Codes | None = None) -> Codes:
    """Return (n, k) places of the nearest training rows by cosine; k is fewer where there are."""
    found = [index for _, index, _ in nearest(train.values, rows.values, k, own)]
    return np.concatenate(found)


def purity(train: Part, test: Part, index: Codes) -> dict[str, Any]:
    """Return the share of the k nearest training rows with the same label, and the same attribute.

    Each beside its chance: the share that a level has of the training rows, averaged over the rows
    that are judged.

    Args:
        train, test: rows.
        index: (n, k) of `neighbours`, for the rows of `test`.

    Returns:
        `k` and, for each attribute, `all`, `aligned`, `conflicting` and `cells`: entries with `n`,
        `label` and `attribute` (value objects with `chance`).
    """
    label = _same(train.truth, test.truth, index)
    found: dict[str, Any] = {"k": index.shape[1], "attributes": {}}
    for column in test.known.attributes:
        ours, theirs = train.known.groups[column.name], test.known.groups[column.name]
        pair = (label, _same(ours, theirs, index))
        found["attributes"][column.name] = _by_rows(test, column.name, pair)
    if not test.known.attributes:
        everything = np.ones(len(test), np.bool_)
        found["label"] = _mean(*label, everything)
    return found


Same = tuple[Floats, Floats]
"""(n,) share of a row's neighbours with its own level, and the share expected by chance."""


def _same(ours: Codes, theirs: Codes, index: Codes) -> Same:
    """Return for each row the share of neighbours with its level, and that level's share."""
    part = np.bincount(ours, minlength=int(max(ours.max(), theirs.max())) + 1) / len(ours)
    return (ours[index] == theirs[:, None]).mean(axis=1), part[theirs]


def _by_rows(test: Part, name: str, pair: tuple[Same, Same]) -> dict[str, Any]:
    """Return the entries of all rows, of aligned and conflicting ones, and of each cell."""
    aligned, groups = test.known.aligned(name), test.known.groups[name]
    label, attribute = test.known.label, test.known.attribute(name)
    assert label is not None
    masks: dict[str, Bools | None] = {
        "all": np.ones(len(test), np.bool_),
        "aligned": aligned,
        "conflicting": None if aligned is None else ~aligned,
    }
    found: dict[str, Any] = {
        key: None if mask is None else _entry(pair, mask) for key, mask in masks.items()
    }
    table = test.known.alignment.get(name)
    pattern = None if table is None else table.table(label, attribute)
    found["cells"] = [
        {
            "group": {label.name: y, name: a},
            "aligned": None if pattern is None else bool(pattern[i, j]),
            **_entry(pair, (test.truth == i) & (groups == j)),
        }
        for i, y in enumerate(label.levels)
        for j, a in enumerate(attribute.levels)
    ]
    return found


def _entry(pair: tuple[Same, Same], mask: Bools) -> dict[str, Any]:
    label, attribute = pair
    return {
        "n": int(mask.sum()),
        "label": _mean(*label, mask),
        "attribute": _mean(*attribute, mask),
    }


def _mean(shares: Floats, chance: Floats, mask: Bools) -> Value:
    """Return the mean share of some rows with a t interval over rows, beside chance."""
    n = int(mask.sum())
    if not n:
        return undefined("no rows", 0, chance=None)
    return {**mean_share(shares[mask], "rows"), "chance": float(chance[mask].mean())}


def suspects(train: Part, test: Part, index: Codes, limits: Limits) -> dict[str, Any]:
    """Return rows whose neighbours agree on another label than their own.

    A row whose attribute usually goes with the neighbours' label is counted apart (`explained`):
    the features may follow the attribute there, which says nothing of the row's own label.

    Args:
        train, test: rows.
        index: (n, k) of `neighbours`, for the rows of `test`.
        limits: names k.

    Returns:
        `agreed`, and for `train` (each row among the others) and `test` (among the training rows):
        `n`, `explained`, `of`, `listed` (id, own label, the neighbours' label, share), `ids`.
    """
    if len(train) <= limits.neighbours:
        none = {"n": 0, "explained": 0, "of": 0, "listed": [], "ids": []}
        return {"agreed": AGREED, "train": none, "test": none}
    others = neighbours(train, train, limits.neighbours, np.arange(len(train)))
    return {
        "agreed": AGREED,
        "train": _contradicted(train, train, others),
        "test": _contradicted(train, test, index),
    }


def _contradicted(train: Part, rows: Part, index: Codes) -> dict[str, Any]:
    label = rows.known.label
    assert label is not None
    other, share = _majority(train.truth[index], len(label.levels))
    doubted = (other != rows.truth) & (share >= AGREED) & _unusual(train, other, share, index)
    explained = doubted & _usual(rows, other)
    order = np.flatnonzero(doubted & ~explained)
    order = order[np.argsort(-share[order], kind="stable")]
    listed = [
        {
            "id": str(rows.known.ids[row]),
            "label": label.levels[rows.truth[row]],
            "neighbours": label.levels[other[row]],
            "share": float(share[row]),
        }
        for row in order[:LISTED]
    ]
    return {
        "n": len(order),
        "explained": int(explained.sum()),
        "of": len(rows),
        "listed": listed,
        "ids": rows.known.ids[order[:NAMED]].tolist(),
    }


def _unusual(train: Part, other: Codes, share: Floats, index: Codes) -> Bools:
    """Return where chance does not give so many neighbours of a label: most rows may have it."""
    k, common = index.shape[1], np.bincount(train.truth, minlength=int(other.max()) + 1)
    tail = stats.binom.sf(np.round(share * k) - 1, k, common[other] / len(train))
    return np.asarray(tail <= CHANCE, np.bool_)


def _majority(labels: Codes, levels: int) -> tuple[Codes, Floats]:
    """Return the commonest label of each row of neighbours, and its share."""
    votes = np.zeros((len(labels), levels))
    np.add.at(votes, (np.arange(len(labels))[:, None], labels), 1)
    return votes.argmax(axis=1), votes.max(axis=1) / labels.shape[1]


def _usual(rows: Part, other: Codes) -> Bools:
    """Return which rows have an attribute level that usually goes with a label."""
    usual = np.zeros(len(rows), np.bool_)
    for column in rows.known.attributes:
        by = rows.known.alignment.get(column.name)
        if by is not None and rows.known.label is not None:
            table = by.table(rows.known.label, column)
            usual |= table[other, rows.known.groups[column.name]]
    return usual
