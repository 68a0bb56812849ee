"""What two splits share: pictures that are equal in every pixel, and persons.

Pictures are compared as the encoder sees them (decoded, resized, cut), so a copy under another
name or in another file format that decodes alike is found; one that was cut or compressed anew is
not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import combinations, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.records import Annotations, Codes, Texts

LISTED = 20
"""Pairs named in the document; all of them are counted."""

GLANCE_BYTES = 16 * 2**10
"""Pictures above this size are told apart by three of their rows first."""


def equal_pictures(dataset: Dataset) -> dict[str, Any]:
    """Return which pictures stand in two splits, under whatever names.

    Returns:
        `compared` (split -> pictures), `side`, `within` (split -> pictures that repeat another of
        the same split), and `between`: an entry for each two splits with `n` (pictures of the
        second that also stand in the first), `pairs`, `labels_differ` (pairs) and `listed` (the
        first pairs, by name and label).
    """
    names = list(dataset.splits)
    groups = dict(zip(names, _groups([dataset.splits[name] for name in names]), strict=True))
    return {
        "compared": {name: len(dataset.splits[name]) for name in names},
        "side": int(dataset.splits[names[0]].images.shape[1]),
        "within": {name: len(codes) - len(np.unique(codes)) for name, codes in groups.items()},
        "between": [
            {"splits": [first, second], **_shared(dataset, groups, first, second)}
            for first, second in combinations(names, 2)
        ],
    }


def _groups(splits: list[LabelledImages]) -> list[Codes]:
    """Return a code for each picture: the same where, and only where, the pictures are equal."""
    ends = np.cumsum([len(split) for split in splits])[:-1]
    seen = np.concatenate([_glances(split.images) for split in splits])
    _, glance, times = np.unique(seen, return_inverse=True, return_counts=True)
    codes = glance.astype(np.int64)
    alike = times[glance] > 1
    if alike.any():
        whole = np.concatenate(
            [
                _digests(split.images, np.flatnonzero(rows))
                for split, rows in zip(splits, np.split(alike, ends), strict=True)
            ]
        )
        _, same = np.unique(whole, return_inverse=True)
        codes[alike] = len(times) + same
    return np.split(codes, ends)


def _glances(images: npt.NDArray[np.uint8]) -> Texts:
    """Return a digest of three rows of each large picture, of all rows of a small one.

    Unequal glances are unequal pictures, and most pictures of a large set are read no further.
    """
    height = images.shape[1]
    small = not len(images) or images[0].nbytes <= GLANCE_BYTES
    rows = slice(None) if small else [height // 4, height // 2, 3 * height // 4]
    return _digests(images, np.arange(len(images)), rows)


def _digests(images: npt.NDArray[np.uint8], which: Codes, rows: Any = slice(None)) -> Texts:
    """Return a digest of some rows of pixels of some pictures; one picture at a time is read."""
    found = [
        hashlib.blake2b(images[place][rows].tobytes(), digest_size=16).hexdigest()
        for place in which
    ]
    return np.array(found, dtype="U32")


def _shared(dataset: Dataset, groups: dict[str, Codes], first: str, second: str) -> dict[str, Any]:
    """Count the pictures that stand in both splits, and name the first pairs.

    Pairs are counted, never made: a blank picture may stand a thousand times in both.
    """
    ours, theirs = groups[first], groups[second]
    both = np.intersect1d(ours, theirs)
    left, right = np.isin(ours, both), np.isin(theirs, both)
    known = dataset.splits[first].annotations.take(left)
    other = dataset.splits[second].annotations.take(right)
    pairs = _pairs(ours[left], theirs[right])
    alike = _pairs(_with_label(ours[left], known), _with_label(theirs[right], other))
    listed = islice(_listed(known, ours[left], other, theirs[right]), LISTED)
    return {
        "n": int(right.sum()),
        "pairs": pairs,
        "labels_differ": pairs - alike,
        "listed": [{first: one, second: two} for one, two in listed],
    }


def _with_label(codes: Codes, known: Annotations) -> Codes:
    """Return a code for each pair of picture and label: there are fewer than 2^20 labels."""
    truth = np.zeros(len(codes), np.int64) if known.truth is None else known.truth
    return codes * 2**20 + truth + 1


def _pairs(ours: Codes, theirs: Codes) -> int:
    """Return how many pairs of rows have the same code."""
    left, n = np.unique(ours, return_counts=True)
    right, m = np.unique(theirs, return_counts=True)
    _, i, j = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    return int((n[i] * m[j]).sum())


def _listed(
    known: Annotations, ours: Codes, other: Annotations, theirs: Codes
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield the pairs by name, those of one picture of the second split together."""
    order = np.argsort(known.ids)
    for row in np.argsort(other.ids):
        for twin in order[ours[order] == theirs[row]]:
            yield _named(known, int(twin)), _named(other, int(row))


def _named(known: Annotations, row: int) -> dict[str, Any]:
    """Return a picture's name and its label."""
    level = None
    if known.label is not None and known.truth is not None and known.truth[row] >= 0:
        level = known.label.levels[known.truth[row]]
    return {"id": str(known.ids[row]), "label": level}


def shared_persons(dataset: Dataset) -> dict[str, Any] | None:
    """Return how many persons stand in two splits; None where persons are not known.

    Returns:
        `persons` (split -> how many), and `between`: an entry for each two splits with `n`
        (pictures of the second whose person stands in the first), `persons` in both, and `listed`
        (a picture of each, for the first of them).
    """
    known = {
        name: split.annotations
        for name, split in dataset.splits.items()
        if split.annotations.persons is not None
    }
    if not known:
        return None
    return {
        "persons": {name: len(np.unique(_codes(part))) for name, part in known.items()},
        "between": [
            {"splits": [first, second], **_people(known, first, second)}
            for first, second in combinations(known, 2)
        ],
    }


def _codes(part: Annotations) -> Codes:
    assert part.persons is not None
    return part.persons


def _people(known: dict[str, Annotations], first: str, second: str) -> dict[str, Any]:
    ours, theirs = _codes(known[first]), _codes(known[second])
    both = np.intersect1d(ours, theirs)
    listed = [
        {
            first: str(known[first].ids[np.argmax(ours == person)]),
            second: str(known[second].ids[np.argmax(theirs == person)]),
        }
        for person in both[:LISTED]
    ]
    return {"n": int(np.isin(theirs, both).sum()), "persons": len(both), "listed": listed}
