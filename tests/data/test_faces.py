"""UTKFace and CelebA on small generated copies, and on the real pictures where they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.data.celeba_words import NAMES
from debias_cl.errors import DataError, UsageError

UTK, CELEBA = DATASETS.get("utkface"), DATASETS.get("celeba")

IRREGULAR = (
    "24_0_1_20170116220224657 .jpg.chip.jpg",
    "39_1_20170116174525125.jpg.chip.jpg",
    "55_0_0_20170116232725357jpg.chip.jpg",
    "61_1_20170109142408075.jpg.chip.jpg",
)


@pytest.fixture(scope="session")
def utk_root(tmp_path_factory, picture_bytes: Callable[..., bytes]) -> Path:
    """480 faces: ages 5, 15, 30, 70 x both genders x five races x 12, and irregular names."""
    root = tmp_path_factory.mktemp("utk")
    folder = root / "utkface" / "UTKFace"
    folder.mkdir(parents=True)
    data = picture_bytes(1, "RGB", (40, 40))
    for age, gender, race, i in product((5, 15, 30, 70), (0, 1), range(5), range(12)):
        (folder / f"{age}_{gender}_{race}_201701{i:011d}.jpg.chip.jpg").write_bytes(data)
    for name in (*IRREGULAR, "130_0_0_20170100000000000.jpg.chip.jpg", ".DS_Store"):
        (folder / name).write_bytes(data)
    return root


def test_irregular_names_are_listed_never_guessed(utk_root: Path) -> None:
    data = UTK.load(DataConfig(dataset="utkface", data_root=str(utk_root), image_size=16))
    assert sorted(e.item for e in data.exclusions) == sorted(
        (*IRREGULAR, "130_0_0_20170100000000000.jpg.chip.jpg")
    )
    assert all("does not parse" in e.reason for e in data.exclusions)


def cells_of_names(names: np.ndarray, attribute: str) -> Counter[tuple[str, str]]:
    """Count (label, attribute) straight from the file names: the second path."""
    counts: Counter[tuple[str, str]] = Counter()
    for name in names.tolist():
        age, gender, race, _ = name.split("_")
        level = {
            "race": "White" if race == "0" else "non-White",
            "age": "adult" if int(age) >= 20 else "child" if int(age) <= 10 else "between",
        }[attribute]
        counts["female" if gender == "1" else "male", level] += 1
    return counts


@pytest.mark.parametrize("attribute", ["race", "age"])
def test_the_bias_protocol_thins_training_only(utk_root: Path, attribute: str) -> None:
    config = DataConfig(
        dataset="utkface", data_root=str(utk_root), image_size=16, bias_attr=(attribute,)
    )
    data = UTK.load(config)
    ours = {"race": ("White", "non-White"), "age": ("adult", "child")}[attribute]
    counted = {}
    for name, split in data.splits.items():
        column = split.annotations.attribute(attribute)
        table = split.annotations.cell_counts(attribute)
        counted[name] = cells_of_names(split.annotations.ids, attribute)
        for (y, label), (a, level) in product(
            enumerate(data.label.levels), enumerate(column.levels)
        ):
            assert table[y, a] == counted[name][label, level]
        assert counted[name]["male", "between"] == counted[name]["female", "between"] == 0
    train = counted["train"]
    assert train["female", ours[0]] == train["male", ours[0]] // 10
    assert train["male", ours[1]] == train["female", ours[1]] // 10
    aligned = data.splits["train"].annotations.aligned(attribute)
    assert aligned is not None
    assert aligned.sum() == train["male", ours[0]] + train["female", ours[1]]
    held_out = sum(counted["validation"].values()) + sum(counted["test"].values())
    assert held_out / (480 if attribute == "race" else 360) == pytest.approx(0.2, abs=0.08)


def test_the_natural_protocol_takes_any_column(utk_root: Path) -> None:
    config = DataConfig(
        dataset="utkface",
        data_root=str(utk_root),
        image_size=16,
        protocol="natural",
        attr="age group",
        bias_attr=("gender", "race"),
    )
    data = UTK.load(config)
    assert sum(len(split) for split in data.splits.values()) == 480
    assert data.label.levels == ("0-10", "11-19", "20-39", "40-59", "60+")
    train = data.splits["train"].annotations
    assert train.attribute("race").levels == ("Asian", "Black", "Indian", "Other", "White")
    assert train.alignment["race"].source == "majority label of each level in training"
    for name, truth, race in zip(train.ids, train.truth, train.groups["race"], strict=True):
        age, _, number, _ = name.split("_")
        assert data.label.levels[truth] == {"5": "0-10", "15": "11-19", "30": "20-39"}.get(
            age, "60+"
        )
        expected = ("White", "Black", "Asian", "Indian", "Other")[int(number)]
        assert train.attribute("race").levels[race] == expected
    with pytest.raises(UsageError, match="both the label and a bias attribute"):
        UTK.load(replace(config, attr="race"))
    with pytest.raises(UsageError, match="one attribute, not 2"):
        UTK.load(replace(config, attr="", protocol="bias", bias_attr=("race", "age")))
    with pytest.raises(UsageError, match="'race_' is not in UTKFace"):
        UTK.load(replace(config, bias_attr=("race_",)))


@pytest.fixture(scope="session")
def celeba_root(tmp_path_factory, picture_bytes: Callable[..., bytes]) -> Path:
    """300 pictures of half size, official text files with CRLF."""
    root = tmp_path_factory.mktemp("celeba")
    folder = root / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    random = np.random.default_rng(0)
    values = random.choice([-1, 1], (300, 40))
    names = [f"{i + 1:06d}.jpg" for i in range(300)]
    lines = ["300", " ".join(NAMES)]
    lines += [f"{n} " + " ".join(f"{v:2d}" for v in row) for n, row in zip(names, values)]  # noqa: B905
    (folder / "list_attr_celeba.txt").write_bytes("\r\n".join([*lines, ""]).encode())
    partition = [f"{n} {0 if i < 200 else 1 if i < 250 else 2}" for i, n in enumerate(names)]
    (folder / "list_eval_partition.txt").write_bytes("\r\n".join([*partition, ""]).encode())
    data = picture_bytes(1, "RGB", (89, 109))
    for name in names:
        (folder / "img_align_celeba" / name).write_bytes(data)
    return root


def by_hand(root: Path, attribute: str) -> dict[str, str]:
    lines = (root / "celeba" / "list_attr_celeba.txt").read_text().split("\n")
    place = lines[1].split().index(attribute) + 1
    rows = [line.split() for line in lines[2:] if line.strip()]
    return {row[0]: "1" if row[place] == "1" else "0" for row in rows}


def test_celeba_levels_words_and_alignment(celeba_root: Path) -> None:
    config = DataConfig(dataset="celeba", data_root=str(celeba_root), image_size=16)
    data = CELEBA.load(config)
    assert {name: len(s) for name, s in data.splits.items()} == {
        "train": 200, "validation": 50, "test": 50,
    }  # fmt: skip
    blond, male = by_hand(celeba_root, "Blond_Hair"), by_hand(celeba_root, "Male")
    for split in data.splits.values():
        rows = split.annotations
        aligned = rows.aligned("Male")
        assert aligned is not None
        for i, name in enumerate(rows.ids):
            assert data.label.levels[rows.truth[i]] == blond[name]
            assert "01"[rows.groups["Male"][i]] == male[name]
            assert aligned[i] == (blond[name] != male[name])
    assert data.splits["test"].annotations.attribute("Male").say("1") == "men"
    assert data.label.say("0") == "not blond"
    assert "Hong and Yang" in data.splits["test"].annotations.alignment["Male"].source
    other = CELEBA.load(replace(config, attr="smiling", bias_attr=("Male", "Young")))
    assert other.label.name == "Smiling"
    sources = {a.source for a in other.splits["test"].annotations.alignment.values()}
    assert sources == {"majority label of each level in training"}


def test_celeba_protocols(celeba_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from debias_cl.data import celeba

    monkeypatch.setattr(celeba, "KEPT_NOT_BLOND_WOMEN", 20)
    config = DataConfig(
        dataset="celeba", data_root=str(celeba_root), image_size=16, protocol="biascon"
    )
    data = CELEBA.load(config)
    assert data.test_split == "validation"
    counts = data.splits["train"].annotations.cell_counts("Male")
    assert counts[0, 0] == 20
    whole = CELEBA.load(replace(config, protocol="worst_group"))
    full = whole.splits["train"].annotations.cell_counts("Male")
    assert counts.ravel().tolist()[1:] == full.ravel().tolist()[1:]
    assert any(f"{full[0, 0] - 20} training pictures" in note for note in data.notes)
    fair = CELEBA.load(replace(config, protocol="fscl", bias_attr=("Young",)))
    assert (fair.label.name, fair.test_split) == ("Attractive", "test")
    with pytest.raises(UsageError, match=r"protocol fscl\n.*one of: Attractive"):
        CELEBA.load(replace(config, protocol="fscl", attr="Blond_Hair"))
    with pytest.raises(UsageError, match="protocol biascon"):
        CELEBA.load(replace(config, attr="Young"))


def copied(root: Path, to: Path) -> Path:
    """The text files copied, the pictures linked."""
    (to / "celeba").mkdir(parents=True)
    for path in (root / "celeba").glob("*.txt"):
        (to / "celeba" / path.name).write_bytes(path.read_bytes())
    (to / "celeba" / "img_align_celeba").symlink_to(root / "celeba" / "img_align_celeba")
    return to


def test_line_ends_of_the_other_system_give_the_same(celeba_root: Path, tmp_path: Path) -> None:
    root = copied(celeba_root, tmp_path / "lf")
    for path in (root / "celeba").glob("*.txt"):
        path.write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    first, second = (
        CELEBA.load(DataConfig(dataset="celeba", data_root=str(r), image_size=16))
        for r in (celeba_root, root)
    )
    for name, split in first.splits.items():
        np.testing.assert_array_equal(split.annotations.ids, second.splits[name].annotations.ids)
        assert split.annotations.truth is not None
        np.testing.assert_array_equal(
            split.annotations.truth, second.splits[name].annotations.truth
        )


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.replace("300", "202599", 1), "promises 202,599 rows and has 300"),
        (lambda t: t.replace("300\r\n", "", 1), "official format"),
        (lambda t: "\r\n".join(t.split("\r\n")[:8]) + " -1  1 ", "line 8: 000006.jpg"),
        (lambda t: t.replace("Blond_Hair", "Blond_Hairs", 1), "did you mean 'Blond_Hairs'"),
        (lambda t: "", "(empty)"),
    ],
)
def test_damaged_attribute_files_are_named(
    celeba_root: Path, tmp_path: Path, edit, words: str
) -> None:
    root = copied(celeba_root, tmp_path / "damaged")
    path = root / "celeba" / "list_attr_celeba.txt"
    path.write_bytes(edit(path.read_bytes().decode()).encode())
    with pytest.raises(DataError) as caught:
        CELEBA.load(DataConfig(dataset="celeba", data_root=str(root)))
    assert words in str(caught.value)


def test_a_value_that_is_neither_is_named(celeba_root: Path, tmp_path: Path) -> None:
    root = copied(celeba_root, tmp_path / "value")
    path = root / "celeba" / "list_attr_celeba.txt"
    lines = path.read_text().split("\n")
    fields = lines[4].split()
    fields[NAMES.index("Male") + 1] = "2"
    lines[4] = " ".join(fields)
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"line 5 \(000003\.jpg\)"):
        CELEBA.load(DataConfig(dataset="celeba", data_root=str(root)))


def test_a_subset_is_read_and_what_is_missing_is_listed(
    celeba_root: Path, tmp_path: Path, write_picture
) -> None:
    root = tmp_path / "subset"
    copied(celeba_root, root)
    (root / "celeba" / "img_align_celeba").unlink()
    for i in range(195, 300):
        write_picture(root / "celeba" / "img_align_celeba" / f"{i + 1:06d}.jpg", size=(89, 109))
    partition = root / "celeba" / "list_eval_partition.txt"
    partition.write_text("\n".join(partition.read_text().split("\n")[:-3]) + "\n")
    (root / "celeba" / "identity_CelebA.txt").write_text(
        "".join(f"{i + 1:06d}.jpg {i // 60}\n" for i in range(300))
    )
    data = CELEBA.load(DataConfig(dataset="celeba", data_root=str(root), image_size=16))
    reasons = Counter(e.reason for e in data.exclusions)
    assert reasons["the picture is not there"] == 195
    assert reasons["no split 0, 1 or 2"] == 2
    assert len(data.splits["train"]) == 5
    assert any("1 of 2 persons stand in the training split" in note for note in data.notes)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"attr": "Blond_Hiar"}, "did you mean 'Blond_Hair'"),
        ({"bias_attr": ("gender",)}, "did you mean 'Male'"),
        ({"attr": "Male"}, "both the label and a bias attribute"),
        ({"protocol": "worst"}, "did you mean 'worst_group'"),
    ],
)
def test_wrong_wishes_name_the_nearest(celeba_root: Path, asked, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        CELEBA.load(replace(DataConfig(dataset="celeba", data_root=str(celeba_root)), **asked))


def test_a_saved_web_page_in_place_of_the_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "celeba").mkdir()
    (tmp_path / "celeba" / "img_align_celeba.zip").write_bytes(b"<html>Quota exceeded")
    with pytest.raises(DataError, match="no zip archive"):
        CELEBA.load(DataConfig(dataset="celeba", data_root=str(tmp_path)))


@pytest.mark.data
def test_the_real_utkface_pictures(shared_data: Path) -> None:
    names = [p.name for p in (shared_data / "utkface" / "UTKFace").iterdir()]
    data = UTK.load(DataConfig(dataset="utkface", data_root=str(shared_data)))
    train = cells_of_names(data.splits["train"].annotations.ids, "race")
    assert train["female", "White"] == train["male", "White"] // 10
    assert len(data.exclusions) == sum(len(name.split("_")) != 4 for name in names) + sum(
        len(name.split("_")) == 4 and int(name.split("_")[2]) > 4 for name in names
    )
    assert data.splits["train"].images.shape[1:] == (64, 64, 3)
    assert 40 < data.splits["train"].images.mean() < 200


@pytest.mark.data
def test_the_real_celeba_pictures(shared_data: Path) -> None:
    data = CELEBA.load(DataConfig(dataset="celeba", data_root=str(shared_data)))
    sizes = {name: len(split) for name, split in data.splits.items()}
    assert sizes == {"train": 4182, "validation": 994, "test": 877}
    blond, male = by_hand(shared_data, "Blond_Hair"), by_hand(shared_data, "Male")
    test = data.splits["test"].annotations
    expected = Counter((blond[name], male[name]) for name in test.ids.tolist())
    counts = test.cell_counts("Male")
    assert {(y, a): counts[int(y), int(a)] for y, a in expected} == dict(expected)
    assert data.exclusions == ()


@pytest.mark.data
def test_the_real_truncated_attribute_file(shared_data: Path, tmp_path: Path) -> None:
    (tmp_path / "celeba" / "img_align_celeba").mkdir(parents=True)
    text = (shared_data / "bad_inputs" / "list_attr_celeba_truncated.txt").read_bytes()
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_bytes(text)
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text("000001.jpg 0\n")
    with pytest.raises(DataError) as caught:
        CELEBA.load(DataConfig(dataset="celeba", data_root=str(tmp_path)))
    assert "promises 202,599 rows and has 50" in str(caught.value)
    assert "line 52 (000050.jpg)" in str(caught.value)


@pytest.mark.data
def test_the_real_irregular_names(shared_data: Path, tmp_path: Path, write_picture) -> None:
    bad = (shared_data / "bad_inputs" / "utkface_names.txt").read_text().splitlines()
    good = [f"{20 + i}_{i % 2}_{i % 3}_2017{i:013d}.jpg.chip.jpg" for i in range(60)]
    for name in (*bad, *good):
        write_picture(tmp_path / "utkface" / "UTKFace" / name, size=(40, 40))
    config = DataConfig(
        dataset="utkface", data_root=str(tmp_path), image_size=16, protocol="natural"
    )
    data = UTK.load(config)
    assert sorted(e.item for e in data.exclusions) == sorted(bad)
    assert sum(len(s) for s in data.splits.values()) == 60
