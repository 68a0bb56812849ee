"""Group-balanced sampling: counts by construction, determinism, shares, and what it says."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from debias_cl.config import DataConfig, ViewsConfig
from debias_cl.data.batches import Batches
from debias_cl.data.sampling import SAMPLINGS, GroupBalanced, Sampling, make_sampling
from debias_cl.data.views import Views
from debias_cl.errors import UsageError
from debias_cl.losses.contract import seeded
from debias_cl.records import Annotations, Column
from debias_cl.resolve import resolve

CELLS = {(0, 0): 60, (0, 1): 3, (1, 1): 25, (2, 0): 1, (2, 1): 12}  # (1, 0) has no picture


def split(cells: dict[tuple[int, int], int] = CELLS) -> Annotations:
    pairs = [cell for cell, number in cells.items() for _ in range(number)]
    order = np.random.default_rng(0).permutation(len(pairs))
    label, bias = np.array(pairs, dtype=np.int64)[order].T
    return Annotations(
        ids=np.array([str(i) for i in range(len(pairs))]),
        label=Column("shape", ("round", "square", "star")),
        truth=label,
        attributes=(Column("colour", ("red", "blue")),),
        groups={"colour": bias},
    )


def drawn(train: Annotations, epoch: int) -> tuple[list[int], Counter[tuple[int, int]]]:
    rows = GroupBalanced(train).order(seeded(epoch)).tolist()
    assert train.truth is not None
    cells = zip(train.truth[rows].tolist(), train.groups["colour"][rows].tolist(), strict=True)
    return rows, Counter(cells)


@pytest.mark.parametrize("epoch", range(5))
def test_cells_are_shown_equally_and_their_pictures_too(epoch: int) -> None:
    train = split()
    rows, cells = drawn(train, epoch)
    assert len(rows) == len(train) == 101
    assert set(cells) == set(CELLS)
    assert sorted(cells.values()) == [20, 20, 20, 20, 21]
    assert train.truth is not None
    for (y, b), number in CELLS.items():
        members = np.flatnonzero((train.truth == y) & (train.groups["colour"] == b))
        times = [Counter(rows)[row] for row in members.tolist()]
        assert sum(times) == cells[y, b]
        assert max(times) - min(times) <= 1 and len(times) == number


def test_the_remainder_and_the_shown_part_change_with_the_epoch() -> None:
    train = split()
    more = {max(cells, key=cells.__getitem__) for _, cells in (drawn(train, e) for e in range(20))}
    assert len(more) > 1
    shown = [set(drawn(train, epoch)[0]) for epoch in range(30)]
    assert shown[0] != shown[1] and set.union(*shown) == set(range(len(train)))


def test_the_cells_are_mixed_over_the_epoch() -> None:
    train = split()
    assert train.truth is not None
    rows, _ = drawn(train, 0)
    halves = [Counter(train.truth[part].tolist()) for part in (rows[:50], rows[50:])]
    assert all(abs(halves[0][y] - halves[1][y]) < 20 for y in range(3))


def batches(sampling: Sampling | None, **settings: Any) -> Batches:
    train = split()
    assert train.truth is not None
    images = np.random.default_rng(0).integers(0, 256, (len(train), 8, 8, 3), dtype=np.uint8)
    views = Views(ViewsConfig(flip=0.5, noise=0.1), (0.5,) * 3, (0.5,) * 3)
    bias = train.groups["colour"]
    return Batches(images, train.truth, bias, views, 16, sampling=sampling, **settings)


@pytest.mark.parametrize("name", list(SAMPLINGS))
def test_an_epoch_is_the_same_whenever_it_is_made(name: str) -> None:
    sampling = make_sampling(name, split())
    first, again = batches(sampling, seed=3), batches(make_sampling(name, split()), seed=3)
    history = [list(first.epoch(epoch)) for epoch in range(3)]
    torch.manual_seed(5)
    for (views, targets), (other, others) in zip(history[2], again.epoch(2), strict=True):
        assert torch.equal(views, other) and torch.equal(targets.index, others.index)
    assert len(history[0]) == 101 // 16
    seeds = [next(batches(sampling, seed=seed).epoch(0))[1].index for seed in (3, 4)]
    assert not torch.equal(*seeds)
    assert not torch.equal(history[0][0][1].index, history[1][0][1].index)


def test_shuffling_is_what_batches_do_by_default() -> None:
    pairs = zip(
        batches(None).epoch(1), batches(make_sampling("shuffle", split())).epoch(1),
        strict=True,
    )  # fmt: skip
    assert all(torch.equal(a[1].index, b[1].index) for a, b in pairs)


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_balanced_epoch(world_size: int) -> None:
    sampling = GroupBalanced(split())
    whole = [targets.index for _, targets in batches(sampling).epoch(1)]
    ranks = [
        [t.index for _, t in batches(sampling, rank=rank, world_size=world_size).epoch(1)]
        for rank in range(world_size)
    ]
    for together, parts in zip(whole, zip(*ranks, strict=True), strict=True):
        assert torch.equal(torch.cat(parts), together)
        sizes = [len(part) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_the_note_says_what_is_left_out() -> None:
    note = batches(GroupBalanced(split())).note
    assert "5 of 6 cells of shape x colour" in note
    assert "the smallest cell (1) comes about 21 times an epoch" in note
    assert "left out: shape = square, colour = red" in note
    full = dict.fromkeys(itertools.product(range(3), range(2)), 4)
    assert "left out" not in GroupBalanced(split(full)).note
    assert batches(None).note == ""


def test_a_long_list_of_empty_cells_is_cut_and_counted() -> None:
    levels = tuple("abcdefghijkl")
    train = split({(0, 0): 4})
    attribute = Column("colour", levels)
    wide = Annotations(train.ids, train.label, train.truth, (attribute,), train.groups)
    assert GroupBalanced(wide).note.endswith("colour = i and 27 more")


def test_without_a_bias_attribute_it_cannot_be() -> None:
    train = split()
    bare = Annotations(train.ids, train.label, train.truth, (), {})
    with pytest.raises(UsageError, match="needs to know the bias attribute"):
        make_sampling("group_balanced", bare)
    assert len(make_sampling("shuffle", bare).order(seeded(0))) == len(train)


def test_an_unknown_sampling_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'group_balanced'"):
        make_sampling("group_balance", split())


def test_it_is_a_setting_of_any_run() -> None:
    data = DataConfig(dataset="biased_mnist_mini")
    config = resolve(
        data, objective="supcon", preset="quick", overrides=["fit.sampling=group_balanced"]
    )
    assert config.fit.sampling == "group_balanced"
    assert resolve(data, objective="supcon", preset="quick").fit.sampling == "shuffle"
