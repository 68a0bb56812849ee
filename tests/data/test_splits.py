"""Hash-made splits: the same everywhere, stable under additions, the shares within chance."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_cl.data.splits import by_hash, by_hash_filled, position, ranked

NAMES = [f"{i:06d}.jpg" for i in range(4000)]


def test_positions_are_the_documented_hash() -> None:
    digest = hashlib.sha256(b"salt\x00000001.jpg").hexdigest()
    assert position("000001.jpg", "salt") == int(digest[:12], 16) / 2**48


def test_known_splits_on_every_machine() -> None:
    assert by_hash(["a.jpg", "b.jpg", "c.jpg", "d.jpg", "é.jpg"]).tolist() == KNOWN


# printf '\0a.jpg' | sha256sum | cut -c1-12, as a number / 2**48: .959, .267, .169, .037, .467
KNOWN = ["test", "train", "train", "train", "train"]


def test_shares_are_met_within_chance() -> None:
    split = by_hash(NAMES)
    for name, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        sd = np.sqrt(4000 * share * (1 - share))
        assert abs((split == name).sum() - 4000 * share) < 4 * sd


@given(st.permutations(NAMES[:40]), st.integers(1, 40))
def test_a_name_keeps_its_split_whatever_else_is_there(names: list[str], n: int) -> None:
    whole = dict(zip(NAMES, by_hash(NAMES), strict=True))
    assert by_hash(names[:n]).tolist() == [whole[name] for name in names[:n]]


def test_another_salt_is_independent() -> None:
    first, second = by_hash(NAMES, salt="a"), by_hash(NAMES, salt="b")
    both = ((first == "train") & (second == "train")).mean()
    assert both == pytest.approx(0.36, abs=0.03)


@given(st.integers(0, 60))
def test_ranked_gives_exact_counts_that_grow_into_each_other(count: int) -> None:
    small, large = ranked(NAMES[:50], count), ranked(NAMES[:50], count + 1)
    assert small.sum() == min(count, 50)
    assert not (small & ~large).any()


@given(st.integers(2, 12), st.integers(0, 1000))
def test_a_handful_still_has_train_and_test(n: int, start: int) -> None:
    split = by_hash_filled([f"{start}-{i}" for i in range(n)])
    assert {"train", "test"} <= set(split.tolist())


def test_shares_must_add_up() -> None:
    with pytest.raises(ValueError, match="add up"):
        by_hash(["a"], {"train": 0.5})
