"""Splits made from a hash of the name: the same on every machine, whatever else is there.

A file keeps its split when other files come or go (`by_hash`); `ranked` is for protocols that
state exact counts. No torch, no random state, no order of `os.listdir`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from debias_cl.records import Floats, Texts

HASH_SHARES: Mapping[str, float] = {"train": 0.6, "validation": 0.2, "test": 0.2}
"""Shares where neither the data nor a protocol gives a split."""


def position(name: str, salt: str = "") -> float:
    """Return the place of a name in [0, 1), uniform over names.

    Args:
        name: file name or id.
        salt: another salt gives an independent place.

    >>> round(position("000001.jpg"), 4) == round(position("000001.jpg"), 4)
    True
    """
    digest = hashlib.sha256(f"{salt}\0{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def positions(names: Sequence[str] | Texts, salt: str = "") -> Floats:
    """Return `position` of each name, (n,) float64."""
    return np.array([position(str(name), salt) for name in names], dtype=np.float64)


def by_hash(
    names: Sequence[str] | Texts, shares: Mapping[str, float] = HASH_SHARES, salt: str = ""
) -> Texts:
    """Return the split of each name.

    Args:
        names: (n,) file names or ids.
        shares: split -> share of the names; the shares add up to 1.
        salt: makes another, independent split.

    Returns:
        (n,) text. The counts follow the shares up to chance; a name's split never depends on
        which other names there are.
    """
    if abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"shares add up to {sum(shares.values())}, not 1")
    bounds = np.cumsum(list(shares.values()))[:-1]
    return np.array(list(shares))[np.searchsorted(bounds, positions(names, salt), side="right")]


def ranked(names: Sequence[str] | Texts, count: int, salt: str = "") -> npt.NDArray[np.bool_]:
    """Return an (n,) mask of the `count` names that come first in the order of the hash."""
    mask = np.zeros(len(names), dtype=np.bool_)
    mask[np.argsort(positions(names, salt), kind="stable")[:count]] = True
    return mask


def by_hash_filled(names: Sequence[str] | Texts, salt: str = "") -> Texts:
    """Return `by_hash` in the usual shares, but with no empty train or test part where n >= 2.

    A handful of pictures may all hash into one split; then the order of the hash decides: the
    last fifth (at least one) is the test split, and the rest trains.
    """
    split = by_hash(names, salt=salt)
    if {"train", "test"} <= set(split.tolist()) or len(names) < 2:
        return split
    first = ranked(names, len(names) - max(1, len(names) // 5), salt)
    return np.where(first, "train", "test")
