"""Manifests and class folders: small generated pictures, odd tables, refusals by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS, Dataset
from debias_cl.data.picture import Rule, read_picture
from debias_cl.errors import DataError, UsageError

SPEC = DATASETS.get("manifest")
Write = Callable[..., Path]


def config(path: Path, **more: object) -> DataConfig:
    plain = DataConfig(dataset="manifest", manifest=str(path), attr="y", image_size=16)
    return replace(plain, **{"bias_attr": ("g",), **more})


@pytest.fixture
def people(tmp_path: Path, write_picture: Write) -> Path:
    """A folder with 30 pictures."""
    for i in range(30):
        write_picture(tmp_path / "pictures" / f"{i}.png", seed=i, kind="PNG")
    return tmp_path


def table(folder: Path, rows: list[str], header: str = "path,y,g,split") -> Path:
    path = folder / "people.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


SPLITS = ["train"] * 18 + ["val"] * 6 + ["Test"] * 6


def plain_rows() -> list[str]:
    return [f"pictures/{i}.png,{i % 2},{'ab'[i % 3 == 0]},{SPLITS[i]}" for i in range(30)]


def everything(data: Dataset) -> dict[str, tuple[str, str, str]]:
    """Return id -> (split, label level, level of g)."""
    found = {}
    for name, split in data.splits.items():
        rows = split.annotations
        column = rows.attribute("g")
        for i, row in enumerate(rows.ids):
            assert rows.truth is not None
            levels = (data.label.levels[rows.truth[i]], column.levels[rows.groups["g"][i]])
            found[str(row)] = (name, *levels)
    return found


def test_a_plain_manifest(people: Path) -> None:
    data = SPEC.load(config(table(people, plain_rows())))
    names = {"train": "train", "val": "validation", "Test": "test"}
    assert everything(data) == {
        f"pictures/{i}.png": (names[SPLITS[i]], str(i % 2), "ab"[i % 3 == 0]) for i in range(30)
    }
    split = data.splits["test"]
    for i, row in enumerate(split.annotations.ids):
        expected, _ = read_picture((people / str(row)).read_bytes(), Rule(16, 16))
        np.testing.assert_array_equal(split.images[i], expected)
    source = split.annotations.alignment["g"].source
    assert source == "majority label of each level in training"


NA_ROWS = ["NA", "NA", "NA", "ZA", "ZA", "ZA", "", ""]


@pytest.mark.parametrize("form", ["csv", "parquet paths", "parquet bytes"])
def test_na_and_the_empty_cell_in_every_form(people: Path, form: str) -> None:
    pictures = [f"pictures/{i}.png" for i in range(8)]
    splits = ["train", "test"] * 4
    if form == "csv":
        cells = zip(pictures, NA_ROWS, strict=True)
        rows = [f"{p},{i // 2 % 2},{g},{splits[i]}" for i, (p, g) in enumerate(cells)]
        path = table(people, rows)
    else:
        content = [(people / p).read_bytes() for p in pictures]
        columns: dict[str, object] = {
            "id": pictures,
            "y": [i // 2 % 2 for i in range(8)],
            "g": [g or None for g in NA_ROWS],
            "split": splits,
        }
        columns |= {"image": content} if "bytes" in form else {"path": pictures}
        path = people / "people.parquet"
        pq.write_table(pa.table(columns), path)
    data = SPEC.load(config(path))
    found = everything(data)
    assert {name: found[name][2] for name in pictures} == {
        name: g or "(missing)" for name, g in zip(pictures, NA_ROWS, strict=True)
    }
    assert any("--missing NA" in note for note in data.notes)
    merged = SPEC.load(config(path, missing=("NA",)))
    assert sum(g == "(missing)" for _, _, g in everything(merged).values()) == 5


def test_a_fairface_file_column_semicolons_and_mark(people: Path) -> None:
    rows = [f"pictures/{i}.png;{i % 2}; {'ab'[i % 3 == 0]}" for i in range(30)]
    path = people / "people.csv"
    path.write_bytes("﻿file;y; g\r\n".encode() + "\r\n".join(rows).encode())
    data = SPEC.load(config(path))
    assert len(everything(data)) == 30
    assert any("byte order mark" in note for note in data.notes)
    assert any("hash of the name" in note for note in data.notes)


def test_unreadable_and_unlabelled_rows_are_listed(people: Path) -> None:
    rows = plain_rows()
    rows[3] = "pictures/3.png,,a,train"
    rows[4] = ",1,a,train"
    rows[5] = "pictures/absent.png,1,a,train"
    (people / "pictures" / "6.png").write_bytes(b"")
    rows.insert(2, "path,y,g,split")
    data = SPEC.load(config(table(people, rows)))
    assert {e.where: e.reason for e in data.exclusions} == {
        "people.csv, line 4": "repeats the header row",
        "people.csv, line 6": "no label: the cell in 'y' is empty",
        "people.csv, line 7": "the cell in 'path' is empty",
        "people.csv, line 8": "the picture is not there",
        "people.csv, line 9": "empty file",
    }
    assert sum(len(split) for split in data.splits.values()) == 26
    assert any("2 images cannot be read" in note for note in data.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({7: "pictures/6.png,1,a,train"}, "line 8 and line 9"),
        ({7: "../outside.png,1,a,train"}, "line 9"),
        ({7: "pictures/../../outside.png,1,a,train"}, "leaves the folder"),
        ({7: "..\\outside.png,1,a,train"}, "leaves the folder"),
        ({7: "/etc/passwd,1,a,train"}, "leaves the folder"),
        ({7: "pictures/..,1,a,train"}, "leaves the folder"),
        ({7: "pictures/7.png,1,a,trian"}, "the split 'trian' is unknown"),
        ({7: "pictures/7.png,1,a,"}, "the cell in 'split' is empty"),
        (dict.fromkeys(range(30), None), "no rows"),
    ],
)
def test_rows_that_are_refused_are_named(people: Path, change, words: str) -> None:
    rows = [change.get(i, row) for i, row in enumerate(plain_rows())]
    with pytest.raises(DataError) as caught:
        SPEC.load(config(table(people, [row for row in rows if row is not None])))
    assert words in str(caught.value)


def test_a_link_that_leaves_the_folder_is_refused_unless_allowed(
    people: Path, write_picture: Write, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = write_picture(tmp_path_factory.mktemp("outside") / "x.png", kind="PNG")
    (people / "pictures" / "7.png").unlink()
    (people / "pictures" / "7.png").symlink_to(outside)
    path = table(people, plain_rows())
    with pytest.raises(DataError, match="leaves the folder"):
        SPEC.load(config(path))
    assert len(everything(SPEC.load(config(path, allow_outside=True)))) == 30


def test_columns_that_cannot_serve(people: Path) -> None:
    path = table(people, plain_rows())
    for wish, kind, words in (
        ({"attr": "yy"}, DataError, "did you mean 'y'"),
        ({"bias_attr": ("gg",)}, DataError, "did you mean 'g'"),
        ({"attr": ""}, UsageError, "which column"),
        ({"bias_attr": ("y",)}, UsageError, "both the label"),
    ):
        with pytest.raises(kind, match=words):
            SPEC.load(config(path, **wish))
    same = [row.replace(",a,", ",b,") for row in plain_rows()]
    with pytest.raises(DataError, match="bias attribute 'g' has only 'b' in all 30 rows"):
        SPEC.load(config(table(people, same)))
    one = [f"pictures/{i}.png,1,{'ab'[i % 2]},train" for i in range(30)]
    with pytest.raises(DataError, match="label 'y' has only '1' in all 30 rows"):
        SPEC.load(config(table(people, one)))
    with pytest.raises(DataError, match="names no pictures"):
        SPEC.load(config(table(people, ["1,a"], header="y,g")))


def test_one_of_two_attributes_with_one_level_is_left_out_and_said(people: Path) -> None:
    rows = [f"{row},same" for row in plain_rows()]
    path = table(people, rows, header="path,y,g,split,h")
    data = SPEC.load(config(path, bias_attr=("g", "h")))
    assert [c.name for c in data.splits["test"].annotations.attributes] == ["g"]
    assert any("'h' is left out: all 30 rows have 'same'" in note for note in data.notes)


def test_a_split_that_lost_all_its_pictures_is_an_error(people: Path) -> None:
    for i in range(24, 30):
        (people / "pictures" / f"{i}.png").unlink()
    with pytest.raises(DataError) as caught:
        SPEC.load(config(table(people, plain_rows())))
    assert "no picture of the test split" in str(caught.value)
    assert "(6 left out)" in str(caught.value)


def test_ids_that_stand_twice_are_named(people: Path) -> None:
    rows = [f"{row},{min(i, 28)}" for i, row in enumerate(plain_rows())]
    with pytest.raises(DataError, match="the id '28' stands twice"):
        SPEC.load(config(table(people, rows, header="path,y,g,split,id")))


def test_no_manifest_and_an_absent_one(people: Path) -> None:
    with pytest.raises(UsageError, match="no manifest"):
        SPEC.load(DataConfig(dataset="manifest"))
    table(people, plain_rows())
    with pytest.raises(DataError, match=r"did you mean 'people\.csv'"):
        SPEC.load(config(people / "poeple.csv"))


def test_a_limit_takes_training_rows_by_hash(people: Path) -> None:
    path = table(people, plain_rows())
    small = SPEC.load(config(path, train_limit=7)).splits
    large = SPEC.load(config(path, train_limit=11)).splits
    assert (len(small["train"]), len(large["train"]), len(small["test"])) == (7, 11, 6)
    assert set(small["train"].annotations.ids) < set(large["train"].annotations.ids)


def test_check_counts_before_anything_is_decoded(people: Path) -> None:
    (people / "pictures" / "0.png").unlink()
    found = {line.what: line.found for line in SPEC.check(config(table(people, plain_rows())))}
    assert found["rows"] == 30
    assert found["pictures that are not there"] == 1
    assert found["train, (y 0, g b)"] == sum(i % 2 == 0 and i % 3 == 0 for i in range(18))


def folder_of(root: Path, names: list[str], write_picture: Write) -> Path:
    for number, name in enumerate(names):
        write_picture(root / name, seed=number)
    return root


def test_system_folders_and_empty_classes_are_named_not_classes(
    tmp_path: Path, write_picture: Write
) -> None:
    names = [".ipynb_checkpoints/x.jpg", "cat/1.jpg", "dog/1.jpg", "__MACOSX/._1.jpg"]
    folder_of(tmp_path / "train", names, write_picture)
    (tmp_path / "train" / "empty").mkdir()
    for place in (tmp_path, tmp_path / "train"):
        data = SPEC.load(DataConfig(dataset="manifest", manifest=str(place), image_size=16))
        assert data.label.levels == ("cat", "dog")
        truth = {
            str(name): int(code)
            for split in data.splits.values()
            for name, code in zip(split.annotations.ids, split.annotations.truth, strict=True)
        }
        assert {Path(name).parent.name: code for name, code in truth.items()} == {
            "cat": 0,
            "dog": 1,
        }
        said = " ".join(data.notes)
        assert all(word in said for word in (".ipynb_checkpoints", "__MACOSX", "empty"))
        assert "without pictures" in said


def test_split_and_class_folders(tmp_path: Path, write_picture: Write) -> None:
    names = [
        f"{split}/{kind}/{i}.jpg" for split in ("train", "val", "test") for kind in ["10", "2"]
        for i in range(3)
    ]  # fmt: skip
    folder_of(tmp_path, [*names, "train/10/deep/er.jpg"], write_picture)
    (tmp_path / "train" / "2" / "notes.txt").write_text("x")
    (tmp_path / "train" / "2" / "bad.jpg").write_bytes(b"<html>")
    data = SPEC.load(DataConfig(dataset="manifest", manifest=str(tmp_path), image_size=16))
    assert data.label.levels == ("2", "10")
    assert {n: len(s) for n, s in data.splits.items()} == {"train": 7, "validation": 6, "test": 6}
    reasons = {e.item: e.reason for e in data.exclusions}
    assert "ending" in reasons["train/2/notes.txt"]
    assert reasons["train/2/bad.jpg"].startswith("not a picture")


def test_folders_that_cannot_serve(tmp_path: Path, write_picture: Write) -> None:
    plain = DataConfig(dataset="manifest", manifest=str(tmp_path))
    with pytest.raises(DataError, match="no pictures in class folders"):
        SPEC.load(plain)
    folder_of(tmp_path, ["cat/1.jpg"], write_picture)
    with pytest.raises(DataError, match="only the class 'cat'"):
        SPEC.load(plain)
    folder_of(tmp_path, ["dog/1.jpg"], write_picture)
    with pytest.raises(DataError, match="hold no attribute 'sex'"):
        SPEC.load(replace(plain, bias_attr=("sex",)))


@pytest.mark.data
def test_the_real_fairface_labels(shared_data: Path) -> None:
    import pandas as pd

    path = shared_data / "fairface" / "fairface_label_val.csv"
    data = SPEC.load(config(path, attr="gender", bias_attr=("race", "age")))
    frame = pd.read_csv(path)
    counts = sum(s.annotations.cell_counts("race") for s in data.splits.values())
    expected = pd.crosstab(frame.gender, frame.race)
    column = data.splits["test"].annotations.attribute("race")
    np.testing.assert_array_equal(
        counts, expected.loc[list(data.label.levels), list(column.levels)].to_numpy()
    )
    assert data.exclusions == ()


@pytest.mark.data
def test_the_real_cifar10_parquet(shared_data: Path) -> None:
    path = shared_data / "cifar10" / "test.parquet"
    data = SPEC.load(config(path, attr="label_name", bias_attr=(), image_size=32))
    assert sum(len(split) for split in data.splits.values()) == 5000
    assert len(data.label.levels) == 10
    assert data.exclusions == ()
