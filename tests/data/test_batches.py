"""Batches: the order, resuming, shares of several processes, and where the pictures live."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from debias_cl.config import ViewsConfig
from debias_cl.data.batches import RESIDENT_SHARE, Batches, fits, plain_batches
from debias_cl.data.views import Views
from debias_cl.errors import DataError, UsageError
from debias_cl.losses.contract import Targets

N = 23
VIEWS = Views(
    ViewsConfig(rotation=10, crop_scale=(0.5, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1)),
    (0.5,) * 3,
    (0.5,) * 3,
)
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
IMAGES[:, 0, 0, 0] = np.arange(N)
LABEL, BIAS = np.arange(N) % 3, np.arange(N) % 2


def batches(images: np.ndarray = IMAGES, size: int = 8, **settings: object) -> Batches:
    return Batches(images, LABEL, BIAS, VIEWS, size, **settings)  # type: ignore[arg-type]


def same(a: tuple[Tensor, Targets], b: tuple[Tensor, Targets]) -> bool:
    return torch.equal(a[0], b[0]) and torch.equal(a[1].index, b[1].index)


@pytest.fixture
def memory_map(tmp_path: Path) -> np.ndarray:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped: np.ndarray = np.load(tmp_path / "images.npy", mmap_mode="r")
    return mapped


def test_an_epoch_shows_each_picture_once_with_its_codes() -> None:
    seen = []
    for views, targets in batches(drop_last=False).epoch(0):
        assert views.shape == (len(targets.index), 2, 3, 8, 8)
        assert targets.label.tolist() == LABEL[targets.index].tolist()
        assert targets.bias is not None
        assert targets.bias.tolist() == BIAS[targets.index].tolist()
        seen += targets.index.tolist()
    assert sorted(seen) == list(range(N))
    assert seen != sorted(seen)


def test_views_are_of_the_pictures_that_the_index_names() -> None:
    plain = Views(ViewsConfig(), (0.0,) * 3, (1 / 255,) * 3)
    for views, targets in Batches(IMAGES, LABEL, None, plain, 5).epoch(3):
        assert targets.bias is None
        assert views[:, 1, 0, 0, 0].round().long().tolist() == targets.index.tolist()


def test_resuming_at_an_epoch_is_the_same_bit_for_bit() -> None:
    uninterrupted = batches(seed=4)
    history = [list(uninterrupted.epoch(e)) for e in range(3)]
    torch.manual_seed(123)
    resumed = list(batches(seed=4).epoch(2))
    assert len(resumed) == len(history[2]) == len(uninterrupted) == 2
    assert all(same(a, b) for a, b in zip(resumed, history[2], strict=True))
    assert not same(history[1][0], history[2][0])


def test_each_epoch_and_each_batch_has_views_of_its_own() -> None:
    same_picture = np.repeat(IMAGES[:1], N, axis=0)
    made = batches(same_picture, size=8)
    first, second = made.epoch(0)
    other = next(made.epoch(1))
    assert not torch.allclose(first[0], second[0], atol=1e-2)
    assert not torch.allclose(first[0], other[0], atol=1e-2)


def test_an_epoch_left_early_does_not_change_the_next() -> None:
    whole = list(batches().epoch(1))
    left = batches()
    next(left.epoch(0))
    assert all(same(a, b) for a, b in zip(left.epoch(1), whole, strict=True))


def test_batches_made_ahead_are_the_same_and_may_be_left_early() -> None:
    plain, ahead = batches(drop_last=False), batches(drop_last=False, ahead=True)
    next(iter(ahead.epoch(0)))
    for epoch in range(2):
        found = list(zip(plain.epoch(epoch), ahead.epoch(epoch), strict=True))
        assert len(found) == len(plain)
        assert all(same(a, b) for a, b in found)


def test_seeds_give_other_orders() -> None:
    first, second = (next(batches(seed=seed).epoch(0))[1].index for seed in (0, 1))
    assert not torch.equal(first, second)
    # (seed 0, epoch 1) and (seed 1, epoch 0) must not be the same.
    crossed = next(batches(seed=0).epoch(1))[1].index
    assert not torch.equal(crossed, second)


@pytest.mark.parametrize("world_size", [2, 3])
def test_the_shares_of_all_ranks_are_the_batch(world_size: int) -> None:
    whole = list(batches(drop_last=False).epoch(1))
    ranks = [
        list(batches(drop_last=False, rank=rank, world_size=world_size).epoch(1))
        for rank in range(world_size)
    ]
    assert [len(views) for views, _ in whole] == [8, 8, 7]
    for i, (views, targets) in enumerate(whole):
        parts = [rank[i] for rank in ranks]
        index = torch.cat([part[1].index for part in parts])
        assert torch.equal(index, targets.index)
        torch.testing.assert_close(torch.cat([part[0] for part in parts]), views, atol=1e-5, rtol=0)
        sizes = [len(part[0]) for part in parts]
        assert max(sizes) - min(sizes) <= 1


def test_a_memory_map_gives_the_same_as_memory(memory_map: np.ndarray) -> None:
    kept, mapped = batches(), batches(memory_map, resident=False)
    assert kept.resident
    assert not mapped.resident
    for epoch in range(2):
        pairs = zip(kept.epoch(epoch), mapped.epoch(epoch), strict=True)
        assert all(same(a, b) for a, b in pairs)


def test_a_small_memory_map_is_read_into_memory(memory_map: np.ndarray) -> None:
    assert fits(memory_map, torch.device("cpu"))
    loaded = batches(memory_map)
    assert loaded.resident
    assert same(next(loaded.epoch(0)), next(batches().epoch(0)))


def test_a_memory_map_beyond_the_stated_share_stays_on_disk(
    memory_map: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"SC_PAGE_SIZE": 1, "SC_AVPHYS_PAGES": int(IMAGES.nbytes / RESIDENT_SHARE) - 1}
    monkeypatch.setattr("debias_cl.data.batches.os.sysconf", pages.__getitem__)
    assert not fits(memory_map, torch.device("cpu"))
    pages["SC_AVPHYS_PAGES"] += 1
    assert fits(memory_map, torch.device("cpu"))


def test_an_error_while_reading_reaches_the_reader() -> None:
    class Broken(np.ndarray):
        def __getitem__(self, key: object) -> object:
            raise OSError("disk gone")

    broken = batches(IMAGES.view(Broken), resident=False)
    with pytest.raises(OSError, match="disk gone"):
        next(broken.epoch(0))


@pytest.mark.parametrize(
    ("size", "drop_last", "expected"),
    [(8, True, [8, 8]), (8, False, [8, 8, 7]), (23, True, [23]), (64, True, [23])],
)
def test_sizes(size: int, drop_last: bool, expected: list[int]) -> None:
    made = batches(size=size, drop_last=drop_last)
    assert [len(views) for views, _ in made.epoch(0)] == expected
    assert len(made) == len(expected)
    assert bool(made.note) == (size > N)


def test_a_rest_smaller_than_the_processes_is_left_out_and_said() -> None:
    made = batches(size=11, drop_last=False, world_size=2)
    assert len(made) == 2
    assert "last 1 pictures" in made.note


def test_the_rest_that_is_dropped_changes_from_epoch_to_epoch() -> None:
    dropped = [
        set(range(N)) - {i for _, t in batches().epoch(e) for i in t.index.tolist()}
        for e in range(2)
    ]
    assert len(dropped[0]) == len(dropped[1]) == 7
    assert dropped[0] != dropped[1]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (IMAGES[:0], "no picture"),
        (IMAGES.astype(np.float32), "uint8"),
        (IMAGES[..., :1], r"shape \(23, 8, 8, 1\)"),
        (IMAGES[:20], "20 pictures and 23 codes of the label"),
    ],
)
def test_pictures_that_cannot_be_used_are_named(images: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        batches(images)


def test_a_batch_has_at_least_one_picture() -> None:
    with pytest.raises(UsageError, match="batch size is 0"):
        batches(size=0)


@pytest.mark.parametrize("size", [1, 10, 100])
def test_plain_batches_are_all_pictures_in_order(size: int, memory_map: np.ndarray) -> None:
    for images in (IMAGES, memory_map):
        made = torch.cat(list(plain_batches(images, VIEWS, size)))
        torch.testing.assert_close(made, VIEWS.plain(torch.from_numpy(IMAGES)), atol=0, rtol=0)


def test_plain_batches_of_no_picture() -> None:
    assert list(plain_batches(IMAGES[:0], VIEWS, 4)) == []
