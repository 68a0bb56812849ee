"""Pictures and persons that stand in two splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.data.overlap import equal_pictures, shared_persons
from debias_cl.records import Annotations, Column

Pictures = npt.NDArray[np.uint8]


def split(images: Pictures, name: str, persons: list[int] | None = None) -> LabelledImages:
    """Pictures whose label alternates."""
    n = len(images)
    known = Annotations(
        ids=np.array([f"{name}{i}.png" for i in range(n)]),
        label=Column("y", ("0", "1")),
        truth=np.arange(n) % 2,
        attributes=(),
        groups={},
        persons=None if persons is None else np.array(persons),
    )
    return LabelledImages(images, known)


def dataset(**splits: LabelledImages) -> Dataset:
    """A data set of these splits."""
    return Dataset("toy", "", splits, (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("side", [8, 96])
def test_copies_under_other_names_are_counted_and_named(side: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (9, side, side, 3), dtype=np.uint8)
    train, test = images[:6].copy(), images[6:].copy()
    test[0], test[2] = train[4], train[1]
    nearly = train[3].copy()
    nearly[1, 0, 0] ^= 1  # one bit in a row that no glance reads
    test[1] = nearly
    found = equal_pictures(dataset(train=split(train, "a"), test=split(test, "b")))
    (between,) = found["between"]
    assert found["compared"] == {"train": 6, "test": 3}
    assert (between["n"], between["pairs"], between["labels_differ"]) == (2, 2, 1)
    assert between["listed"] == [
        {"train": {"id": "a4.png", "label": "0"}, "test": {"id": "b0.png", "label": "0"}},
        {"train": {"id": "a1.png", "label": "1"}, "test": {"id": "b2.png", "label": "0"}},
    ]


def test_a_picture_that_repeats_often_is_counted_without_making_its_pairs() -> None:
    blank = np.zeros((3000, 4, 4, 3), np.uint8)
    found = equal_pictures(dataset(train=split(blank, "a"), test=split(blank[:1000], "b")))
    (between,) = found["between"]
    assert (between["n"], between["pairs"]) == (1000, 3_000_000)
    assert between["labels_differ"] == 1_500_000
    assert len(between["listed"]) == 20
    assert found["within"] == {"train": 2999, "test": 999}


def test_persons_in_two_splits() -> None:
    images = np.zeros((4, 4, 4, 3), np.uint8)
    parts = {"train": split(images, "a", [1, 1, 2, 3]), "test": split(images, "b", [3, 3, 4, 1])}
    found = shared_persons(dataset(**parts))
    assert found is not None
    assert found["persons"] == {"train": 3, "test": 3}
    (between,) = found["between"]
    assert (between["n"], between["persons"]) == (3, 2)
    assert between["listed"][0] == {"train": "a0.png", "test": "b3.png"}
    assert shared_persons(dataset(train=split(images, "a"))) is None


@pytest.mark.data
def test_copies_in_utkface_are_those_of_equal_bytes(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBIAS_CL_CACHE", str(tmp_path))
    if not (shared_data / "utkface").is_dir():
        pytest.skip("no UTKFace pictures")
    config = DataConfig(dataset="utkface", data_root=str(shared_data), protocol="natural")
    data = DATASETS.get("utkface").load(config)
    found = {tuple(one["splits"]): one for one in equal_pictures(data)["between"]}
    split_of = {str(i): name for name, part in data.splits.items() for i in part.annotations.ids}
    names = defaultdict(list)
    for path in sorted((shared_data / "utkface" / "UTKFace").glob("*.jpg")):
        names[hashlib.md5(path.read_bytes()).digest()].append(path.name)
    pairs = [
        (one, two)
        for twins in names.values()
        for one in twins
        for two in twins
        if split_of.get(one) == "train" and split_of.get(two) == "test"
    ]
    assert pairs
    listed = [(p["train"]["id"], p["test"]["id"]) for p in found["train", "test"]["listed"]]
    assert set(pairs) <= set(listed)
    assert found["train", "test"]["pairs"] == len(listed)


@pytest.mark.data
def test_persons_of_celeba_are_kept_apart(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBIAS_CL_CACHE", str(tmp_path))
    if not (shared_data / "celeba" / "identity_CelebA.txt").is_file():
        pytest.skip("no CelebA identities")
    config = DataConfig(dataset="celeba", data_root=str(shared_data), image_size=16)
    found = shared_persons(DATASETS.get("celeba").load(config))
    assert found is not None
    assert all(one["n"] == 0 for one in found["between"])
