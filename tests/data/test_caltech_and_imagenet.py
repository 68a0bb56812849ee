"""Caltech-101, Caltech-256 and ImageNet on tiny folders of the published layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS, class_sets, imagenet
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.errors import DataError

CALTECH, CALTECH256 = DATASETS.get("caltech101"), DATASETS.get("caltech256")
IMAGENET = DATASETS.get("imagenet")
SIZES = {"ant": 34, "Faces": 40, "inline_skate": 31}

Write = Callable[..., Path]


def load(spec: DatasetSpec, name: str, root: Path, **fields: object) -> Dataset:
    config = DataConfig(dataset=name, data_root=str(root), image_size=8, **fields)  # type: ignore[arg-type]
    return spec.load(config)


def lines(spec: DatasetSpec, root: Path) -> dict[str, CountLine]:
    return {line.what: line for line in spec.check(DataConfig(data_root=str(root)))}


@pytest.fixture(scope="session")
def caltech(tmp_path_factory, picture_bytes: Callable[..., bytes]) -> Path:
    """Three classes, one of them greyscale, a background class with a stray file."""
    root = tmp_path_factory.mktemp("caltech")
    colour, grey = picture_bytes(1), picture_bytes(2, "L")
    for name, size in {**SIZES, "BACKGROUND_Google": 7}.items():
        folder = root / "caltech101" / "101_ObjectCategories" / name
        folder.mkdir(parents=True)
        for number in range(size):
            data = grey if name == "ant" else colour
            (folder / f"image_{number + 1:04d}.jpg").write_bytes(data)
    (root / "caltech101/101_ObjectCategories/BACKGROUND_Google/tmp").write_bytes(b"")
    return root


def test_caltech_has_thirty_training_pictures_a_class_and_no_background(caltech: Path) -> None:
    data = load(CALTECH, "caltech101", caltech)
    assert data.label.levels == ("ant", "Faces", "inline_skate")
    assert data.label.say("inline_skate") == "inline skate"
    counts = {
        name: Counter(id_.split("/")[0] for id_ in part.annotations.ids.tolist())
        for name, part in data.splits.items()
    }
    assert counts["train"] + counts["validation"] == dict.fromkeys(SIZES, 30)
    assert counts["test"] == {name: size - 30 for name, size in SIZES.items()}
    assert sum(counts["validation"].values()) == 9
    assert len(data.splits["train"].annotations.attributes) == 0
    notes = " ".join(data.notes)
    assert "the background class BACKGROUND_Google is left out: 7 pictures" in notes
    assert "105 of 8,677 pictures and 3 of 101 classes" in notes
    assert "greyscale pictures were turned into RGB" in notes
    assert data.exclusions == ()


def test_caltech_full_trains_on_all_thirty_and_the_split_stays_when_others_go(
    caltech: Path, tmp_path: Path
) -> None:
    full = load(CALTECH, "caltech101", caltech, protocol="full")
    assert set(full.splits) == {"train", "test"}
    assert len(full.splits["train"]) == 90
    there = caltech / "caltech101" / "101_ObjectCategories"
    (tmp_path / "caltech101" / "101_ObjectCategories").mkdir(parents=True)
    for name in ("ant", "Faces"):
        (tmp_path / "caltech101" / "101_ObjectCategories" / name).symlink_to(there / name)
    part = load(CALTECH, "caltech101", tmp_path, protocol="full")
    kept = [i for i in full.splits["train"].annotations.ids.tolist() if "skate" not in i]
    assert part.splits["train"].annotations.ids.tolist() == kept


def test_caltech_check_counts_beside_the_published(caltech: Path) -> None:
    found = lines(CALTECH, caltech)
    assert (found["classes"].found, found["classes"].published) == (3, 101)
    assert found["pictures of BACKGROUND_Google, left out"].found == 7
    assert (found["train and validation"].found, found["train and validation"].published) == (
        90,
        3030,
    )
    assert (found["test"].found, found["test"].published) == (15, 5647)
    assert all(line.note for line in found.values() if line.published not in (None, line.found))


def test_caltech256_drops_numbers_and_lists_what_stands_too_deep(
    tmp_path: Path, picture_bytes: Callable[..., bytes]
) -> None:
    root = tmp_path / "caltech256" / "256_ObjectCategories"
    names = {"001.ak47": 33, "056.dog": 32, "198.spider": 20, "257.clutter": 3, "056.dog/greg": 2}
    for name, size in names.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(size):
            (root / name / f"{number:03d}.jpg").write_bytes(picture_bytes(3))
    (root / "198.spider" / "RENAME2").write_text("a script")
    data = load(CALTECH256, "caltech256", tmp_path)
    assert data.label.levels == ("ak47", "dog", "spider")
    reasons = {one.item: one.reason for one in data.exclusions}
    assert set(reasons) == {
        "056.dog/greg/000.jpg",
        "056.dog/greg/001.jpg",
        "198.spider/RENAME2",
    }
    assert reasons["056.dog/greg/000.jpg"] == "stands in a folder inside its class folder"
    assert any(
        "classes of at most 30 pictures, which all train: 1 (spider)" in n for n in data.notes
    )


@pytest.fixture(scope="session")
def wordnet(tmp_path_factory, picture_bytes: Callable[..., bytes]) -> Path:
    """Two classes of ImageNet: 60 training and 4 test pictures each, one of them CMYK."""
    root = tmp_path_factory.mktemp("imagenet")
    for folder, size in (("train", 60), ("val", 4)):
        for name in ("n01440764", "n01443537"):
            place = root / "imagenet" / folder / name
            place.mkdir(parents=True)
            for number in range(size):
                mode = "CMYK" if number == 0 else "RGB"
                (place / f"{name}_{number}.JPEG").write_bytes(picture_bytes(number, mode))
    return root


def test_imagenets_val_is_the_test_split(wordnet: Path, monkeypatch) -> None:
    from debias_cl.data import decode

    monkeypatch.setattr(decode, "IN_MEMORY_BYTES", 1000)
    data = load(IMAGENET, "imagenet", wordnet)
    assert {k: len(v) for k, v in data.splits.items()} == {
        "train": 116,
        "validation": 4,
        "test": 8,
    }
    assert isinstance(data.splits["train"].images, np.memmap)
    assert all(i.startswith("val/") for i in data.splits["test"].annotations.ids.tolist())
    assert all(i.startswith("train/") for i in data.splits["validation"].annotations.ids.tolist())
    notes = " ".join(data.notes)
    assert "120 of 1,281,167 training and 8 of 50,000 test pictures, 2 of 1,000 classes" in notes
    assert "CMYK" in notes
    limited = load(IMAGENET, "imagenet", wordnet, train_limit=10)
    assert len(limited.splits["train"]) == 10


def test_imagenet_check(wordnet: Path) -> None:
    found = lines(IMAGENET, wordnet)
    assert (found["train pictures"].found, found["train pictures"].published) == (120, 1_281_167)
    assert (found["test, largest class"].found, found["test, largest class"].published) == (4, 50)


def test_imagenets_thousand_classes_have_english_words() -> None:
    said = imagenet._words({f"n{number:08d}" for number in range(1000)})
    assert said is not None
    label = class_sets.class_column([f"n{number:08d}" for number in range(1000)], said)
    assert label.say("n00000000") == "tench"
    assert len(set(label.words.values())) == 1000
    assert imagenet._words({"n01440764"}) is None


def test_imagenet_pictures_without_class_folders_and_strange_classes_are_refused(
    wordnet: Path, tmp_path: Path
) -> None:
    there = tmp_path / "imagenet"
    there.mkdir()
    (there / "train").symlink_to(wordnet / "imagenet" / "train")
    (there / "val").mkdir()
    (there / "val" / "ILSVRC2012_val_00000001.JPEG").write_bytes(b"")
    with pytest.raises(DataError, match="in no class folders"):
        load(IMAGENET, "imagenet", tmp_path)
    (there / "val" / "ILSVRC2012_val_00000001.JPEG").unlink()
    (there / "val" / "n99").symlink_to(wordnet / "imagenet" / "val" / "n01440764")
    with pytest.raises(DataError, match="no training picture, first 'n99'"):
        load(IMAGENET, "imagenet", tmp_path)


def test_imagenet_is_not_fetched_and_caltech_goes_through_torchvision(
    tmp_path: Path, monkeypatch
) -> None:
    from torchvision import datasets

    assert IMAGENET.fetch is None

    def absent(root: Path, download: bool) -> None:
        raise RuntimeError("gdown is not here")

    monkeypatch.setattr(datasets, "Caltech101", absent)
    assert CALTECH.fetch is not None
    with pytest.raises(DataError, match="gdown is not here") as caught:
        CALTECH.fetch(DataConfig(dataset="caltech101", data_root=str(tmp_path)))
    assert "data.caltech.edu" in str(caught.value)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "caltech101", "caltech256", "imagenet"])
def test_the_papers_preset(name: str) -> None:
    preset = DATASETS.get(name).presets["paper"]
    optimizer = preset.optimizer
    assert preset.encoder.architecture == "torchvision:resnet50"
    assert preset.image_size == (32 if name.startswith("cifar") else 224)
    assert (preset.fit.epochs, preset.fit.batch_size) == (1000, 1024)
    assert (optimizer.name, optimizer.learning_rate, optimizer.momentum) == ("sgd", 0.5, 0.9)
    assert (optimizer.schedule, optimizer.warmup_epochs, optimizer.weight_decay) == (
        "cosine",
        10,
        1e-4,
    )
    assert preset.objective.projection == (2048, 128)
    assert preset.views.crop_scale == (0.2, 1.0)
    quick = DATASETS.get(name).presets["quick"]
    assert (quick.encoder.architecture, quick.image_size) == ("slim", 32)
