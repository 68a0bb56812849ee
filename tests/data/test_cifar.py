"""CIFAR-10 and CIFAR-100 in their three forms, on tiny sets and on real pictures where they are."""

from __future__ import annotations

import io
import pickle
import urllib.error
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.data.cifar10 import CLASSES
from debias_cl.data.contract import Dataset
from debias_cl.data_cli import main
from debias_cl.errors import DataError, UsageError

TEN, HUNDRED = DATASETS.get("cifar10"), DATASETS.get("cifar100")
COUNT = {"train": 60, "test": 20}


def pixels(split: str) -> np.ndarray:
    """Return (n, 32, 32, 3) uint8 noise, the same in every form."""
    seed = len(split)
    return np.random.default_rng(seed).integers(0, 256, (COUNT[split], 32, 32, 3), dtype=np.uint8)


def names(split: str) -> list[str]:
    return [f"thing_{row:03d}.png" for row in range(COUNT[split])]


def labels(split: str) -> list[int]:
    return [row % 10 for row in range(COUNT[split])]


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def write_batches(root: Path, folder: str = "cifar10/cifar-10-batches-py") -> None:
    """Five training batches and a test batch, as torchvision unpacks them."""
    place = root / folder
    place.mkdir(parents=True)
    parts = [(f"data_batch_{i + 1}", "train", slice(12 * i, 12 * i + 12)) for i in range(5)]
    for name, split, rows in [*parts, ("test_batch", "test", slice(None))]:
        flat = pixels(split)[rows].transpose(0, 3, 1, 2).reshape(-1, 3072)
        content = {
            b"data": flat,
            b"labels": labels(split)[rows],
            b"filenames": [name.encode() for name in names(split)[rows]],
        }
        (place / name).write_bytes(pickle.dumps(content, protocol=2))


def write_parquet(root: Path, folder: str = "cifar10", **columns: object) -> None:
    for split in COUNT:
        content = {
            "image": [png(picture) for picture in pixels(split)],
            "label": labels(split),
            "label_name": [CLASSES[y] for y in labels(split)],
            "name": names(split),
        }
        content = {k: v for k, v in (content | columns).items() if v is not None}
        (root / folder).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(content), root / folder / f"{split}.parquet")


def write_folders(root: Path) -> None:
    for split in COUNT:
        rows = zip(names(split), labels(split), pixels(split), strict=True)
        for name, y, picture in rows:
            path = root / "cifar10" / split / CLASSES[y] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(picture))


FORMS = {"torchvision": write_batches, "parquet": write_parquet, "folders": write_folders}


def load(root: Path, **fields: object) -> Dataset:
    return TEN.load(DataConfig(dataset="cifar10", data_root=str(root), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_pixels_and_classes(form: str, tmp_path: Path) -> None:
    FORMS[form](tmp_path)
    data = load(tmp_path, protocol="full")
    assert {name: len(part) for name, part in data.splits.items()} == COUNT
    for split, part in data.splits.items():
        assert part.annotations.label is not None
        assert part.annotations.truth is not None
        assert part.annotations.attributes == ()
        levels = part.annotations.label.levels
        assert levels == CLASSES
        found = {}
        for image, y in zip(part.images, part.annotations.truth, strict=True):
            found[image.tobytes()] = levels[y]
        expected = zip(pixels(split), labels(split), strict=True)
        assert found == {image.tobytes(): CLASSES[y] for image, y in expected}
    assert any("a part of CIFAR-10: 60 of 50,000 training" in note for note in data.notes)


def test_named_pictures_have_the_same_holdout_in_every_file_order(tmp_path: Path) -> None:
    held = []
    for form in ("torchvision", "parquet"):
        FORMS[form](tmp_path / form)
        data = load(tmp_path / form)
        assert {k: len(v) for k, v in data.splits.items()} == {
            "train": 54,
            "validation": 6,
            "test": 20,
        }
        held.append(sorted(data.splits["validation"].annotations.ids.tolist()))
        assert "one in 10 by a hash" in " ".join(data.notes)
    assert held[0] == held[1]
    assert held[0][0].startswith("train/thing_")


def test_repeated_and_absent_names_get_ids_of_their_own(tmp_path: Path) -> None:
    write_parquet(tmp_path, name=None)
    ids = load(tmp_path, protocol="full").splits["train"].annotations.ids
    assert ids[:2].tolist() == ["train/00000", "train/00001"]
    table = pq.read_table(tmp_path / "cifar10" / "train.parquet")
    twice = table.append_column("name", pa.array(["same.png"] * table.num_rows))
    pq.write_table(twice, tmp_path / "cifar10" / "train.parquet")
    ids = load(tmp_path, protocol="full").splits["train"].annotations.ids
    assert len(set(ids.tolist())) == 60


def test_several_forms_are_said_and_the_first_is_read(tmp_path: Path) -> None:
    write_batches(tmp_path)
    write_folders(tmp_path)
    notes = " ".join(load(tmp_path).notes)
    assert "read from the torchvision form; also there, not read: folders" in notes


def test_hub_style_columns_and_the_hundred_classes(tmp_path: Path) -> None:
    for split in COUNT:
        blobs = [{"bytes": png(picture), "path": None} for picture in pixels(split)]
        content = {"img": blobs, "fine_label": [y + 90 for y in labels(split)]}
        (tmp_path / "cifar100").mkdir(exist_ok=True)
        pq.write_table(pa.table(content), tmp_path / "cifar100" / f"{split}.parquet")
    data = HUNDRED.load(DataConfig(dataset="cifar100", data_root=str(tmp_path)))
    assert len(data.label.levels) == 100
    truth = data.splits["test"].annotations.truth
    assert truth is not None
    assert [data.label.levels[y] for y in truth[:3]] == ["train", "trout", "tulip"]
    assert data.label.say("willow_tree") == "willow tree"


class Runs:
    """What a hostile file would hold."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return print, ("code was run",)


def test_a_batch_that_would_run_code_is_refused(tmp_path: Path, capsys) -> None:
    write_batches(tmp_path)
    bad = tmp_path / "cifar10" / "cifar-10-batches-py" / "data_batch_2"
    bad.write_bytes(pickle.dumps({"data": Runs()}))
    with pytest.raises(DataError, match=r"read safely: it names builtins\.print"):
        load(tmp_path)
    assert "code was run" not in capsys.readouterr().out
    bad.write_bytes(b"cut off")
    with pytest.raises(DataError, match="data_batch_2"):
        load(tmp_path)


def test_a_missing_batch_is_named(tmp_path: Path) -> None:
    write_batches(tmp_path)
    (tmp_path / "cifar10" / "cifar-10-batches-py" / "data_batch_4").unlink()
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert "data_batch_4 (not there)" in str(caught.value)
    assert "data_batch_3 (found)" in str(caught.value)
    assert "one of the three forms" in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"image": None}, "no column 'image'"),
        ({"label": None}, "no column 'label'"),
    ],
)
def test_a_table_without_a_column_names_those_it_has(
    tmp_path: Path, columns: dict[str, None], said: str
) -> None:
    write_parquet(tmp_path, **columns)
    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path)
    assert "label_name" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (3, "label", 10, "the label 10 is none of CIFAR-10"),
        (3, "label_name", "dog", "the label 3 is named 'dog'"),
        (3, "label_name", "catt", "did you mean 'cat'"),
    ],
)
def test_a_wrong_label_is_refused_with_its_row(
    tmp_path: Path, row: int, column: str, value: object, said: str
) -> None:
    write_parquet(tmp_path)
    path = tmp_path / "cifar10" / "train.parquet"
    content = pq.read_table(path).to_pydict()
    content[column][row] = value
    pq.write_table(pa.table(content), path)
    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path)
    assert f"row {row}" in str(caught.value)


def test_rows_without_label_or_picture_are_left_out_and_listed(tmp_path: Path) -> None:
    write_parquet(tmp_path, label_name=None)
    path = tmp_path / "cifar10" / "test.parquet"
    content = pq.read_table(path).to_pydict()
    content["label"][0], content["image"][1], content["image"][2] = None, None, b"no picture"
    pq.write_table(pa.table(content), path)
    data = load(tmp_path)
    assert len(data.splits["test"]) == 17
    reasons = {one.item: one.reason for one in data.exclusions}
    assert reasons["test.parquet, row 0"] == "no label"
    assert reasons["test.parquet, row 1"] == "empty file"
    assert "not a picture" in reasons["test.parquet, row 2"]


def test_a_class_folder_of_another_name_is_refused(tmp_path: Path) -> None:
    write_folders(tmp_path)
    (tmp_path / "cifar10" / "train" / "ship").rename(tmp_path / "cifar10" / "train" / "ships")
    with pytest.raises(DataError, match="'ships' is no class of CIFAR-10"):
        load(tmp_path)


def test_there_is_no_bias_attribute_and_the_error_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="a class and no attribute, so not 'colour'") as caught:
        TEN.load(DataConfig(dataset="cifar10", bias_attr=("colour",)))
    assert "--dataset manifest" in str(caught.value)
    with pytest.raises(UsageError, match="label 'gender' is not in CIFAR-10"):
        TEN.load(DataConfig(dataset="cifar10", attr="gender"))


def test_check_shows_a_part_as_a_part_and_list_finds_any_form(tmp_path: Path, capsys) -> None:
    write_parquet(tmp_path)
    assert main(["check", "--dataset", "cifar10", "--data-root", str(tmp_path)]) == 0
    lines = {line.what: line for line in TEN.check(DataConfig(data_root=str(tmp_path)))}
    assert (lines["train pictures"].found, lines["train pictures"].published) == (60, 50_000)
    assert lines["train, cat"].found == 6
    assert lines["train, cat"].note == "60 of 50,000 pictures are here"
    assert lines["validation pictures (protocol holdout)"].found == 6
    capsys.readouterr()
    assert main(["list", "--data-root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "found" in said
    assert "2 of 5" not in said


def test_check_compares_bytes_of_the_published_batches(tmp_path: Path) -> None:
    write_batches(tmp_path)
    lines = {line.what: line for line in TEN.check(DataConfig(data_root=str(tmp_path)))}
    odd = lines["data_batch_1: bytes as published (1 is yes)"]
    assert (odd.found, odd.published) == (0, 1)
    assert odd.note


def test_fetch_goes_through_torchvision(tmp_path: Path, monkeypatch, capsys) -> None:
    from torchvision import datasets

    asked = []

    class Fake:
        def __init__(self, root: Path, download: bool) -> None:
            asked.append((Path(root), download))
            if len(asked) > 1:
                raise urllib.error.URLError("no route")

    monkeypatch.setattr(datasets, "CIFAR10", Fake)
    command = ["fetch", "--dataset", "cifar10", "--data-root", str(tmp_path)]
    assert main(command) == 0
    assert asked == [(tmp_path / "cifar10", True)]
    assert "fetched into" in capsys.readouterr().out
    assert main(command) == 3
    said = capsys.readouterr().err
    assert "no route" in said
    assert "www.cs.toronto.edu" in said
    write_batches(tmp_path)
    assert main(command) == 0
    assert "already" in capsys.readouterr().out


@pytest.mark.data
def test_the_real_part_of_cifar10(shared_data: Path) -> None:
    data = TEN.load(DataConfig(dataset="cifar10", data_root=str(shared_data), train_limit=500))
    sizes = {name: len(part) for name, part in data.splits.items()}
    assert sizes == {"train": 500, "validation": 1500, "test": 5000}
    test = data.splits["test"]
    assert test.images.shape == (5000, 32, 32, 3)
    assert np.bincount(test.annotations.truth).tolist() == [500] * 10  # type: ignore[arg-type]
    assert any("15,000 of 50,000 training and 5,000 of 10,000" in note for note in data.notes)
    table = pq.read_table(shared_data / "cifar10" / "test.parquet")
    first = Image.open(io.BytesIO(table["image"][0].as_py()))
    assert (test.images[0] == np.asarray(first.convert("RGB"))).all()
    assert test.annotations.ids[0] == f"test/{table['name'][0].as_py()}"
