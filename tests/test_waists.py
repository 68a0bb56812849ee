"""The two narrow waists come back from disk as they went."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from debias_cl.errors import DataError
from debias_cl.records import Alignment, Annotations, Column, Features, Mass, Predictions


def annotations(label_name: str = "hair") -> Annotations:
    return Annotations(
        ids=np.array(["a.jpg", "ß/ü.jpg", "", "long name with spaces.png"]),
        label=Column(label_name, ("0", "1"), {"1": "blond people"}),
        truth=np.array([0, 1, -1, 1]),
        attributes=(Column("Male", ("0", "1"), {"1": "men"}), Column("race", ("NA", "(missing)"))),
        groups={"Male": np.array([0, 1, 1, 0]), "race": np.array([1, 0, 0, 1])},
        alignment={"Male": Alignment(frozenset({("0", "1"), ("1", "0")}), "the protocol")},
    )


def predictions(label_name: str = "hair") -> Predictions:
    return Predictions(
        annotations(label_name),
        predicted=np.array([1, -1, 0, 1]),
        levels=("0", "1"),
        scores=np.array([0.1, np.nan, 0.25, 1 / 3]),
        positive="1",
        positive_source="--positive",
        training_cells={"Male": np.array([[3, 4], [5, 0]])},
        notes=("the probe did not converge",),
    )


def assert_same_annotations(a: Annotations, b: Annotations) -> None:
    assert a.ids.tolist() == b.ids.tolist()
    assert a.label == b.label
    assert a.attributes == b.attributes
    assert a.alignment == b.alignment
    if a.truth is None or b.truth is None:
        assert a.truth is b.truth
    else:
        np.testing.assert_array_equal(a.truth, b.truth)
    assert list(a.standing()) == list(b.standing())
    for one, two in zip(a.standing().values(), b.standing().values(), strict=True):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype
    assert list(a.groups) == list(b.groups)
    for name in a.groups:
        np.testing.assert_array_equal(a.groups[name], b.groups[name])
        assert b.groups[name].dtype == np.int64


def assert_same_predictions(a: Predictions, b: Predictions) -> None:
    assert_same_annotations(a.annotations, b.annotations)
    np.testing.assert_array_equal(a.predicted, b.predicted)
    if a.scores is None or b.scores is None:
        assert a.scores is b.scores
    else:
        np.testing.assert_array_equal(a.scores, b.scores)
    for name in ("levels", "positive", "positive_source", "notes"):
        assert getattr(a, name) == getattr(b, name)
    assert list(a.training_cells) == list(b.training_cells)
    for name in a.training_cells:
        np.testing.assert_array_equal(a.training_cells[name], b.training_cells[name])


def test_features_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = Features(
        rng.normal(size=(4, 3)).astype(np.float32),
        np.array(["train", "test", "validation", "test"]),
        annotations(),
        {"architecture": "slim", "seed": 3, "name": "größer"},
    )
    path = tmp_path / "deep" / "features.safetensors"
    features.save(path)
    back = Features.load(path)
    np.testing.assert_array_equal(back.values, features.values)
    assert back.values.dtype == np.float32
    assert back.split.tolist() == features.split.tolist()
    assert back.encoder == features.encoder
    assert_same_annotations(features.annotations, back.annotations)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("weighted", [True, False])
def test_weights_and_persons_are_kept(tmp_path: Path, weighted: bool) -> None:
    weight = np.array([0.5, 1 / 3, 2.0, 1.0])
    mass = Mass(np.array([1, 2, 3, 4]), *((weight, weight**2) if weighted else ()))
    known = replace(annotations("weight"), mass=mass, persons=np.array([3, 0, -1, 3]))
    made = replace(predictions(), annotations=known)
    made.save(tmp_path / "predictions.parquet")
    assert_same_predictions(made, Predictions.load(tmp_path / "predictions.parquet"))
    features = Features(np.zeros((4, 2), np.float32), np.array(["test"] * 4), known)
    features.save(tmp_path / "features.safetensors")
    back = Features.load(tmp_path / "features.safetensors").annotations
    assert_same_annotations(known, back)


def test_features_without_label_and_without_rows(tmp_path: Path) -> None:
    known = replace(annotations(), label=None, truth=None)
    features = Features(np.zeros((4, 2), np.float32), np.array(["test"] * 4), known)
    features.save(tmp_path / "a.safetensors")
    assert_same_annotations(known, Features.load(tmp_path / "a.safetensors").annotations)
    empty = features.part("train")
    empty.save(tmp_path / "b.safetensors")
    back = Features.load(tmp_path / "b.safetensors")
    assert back.values.shape == (0, 2)
    assert len(back.annotations) == 0


def test_predictions_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    predictions().save(path)
    assert_same_predictions(predictions(), Predictions.load(path))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_predictions_are_readable_by_anyone(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    predictions().save(path)
    table = pq.read_table(path).to_pydict()
    assert table == {
        "id": ["a.jpg", "ß/ü.jpg", "", "long name with spaces.png"],
        "hair": ["0", "1", None, "1"],
        "prediction": ["1", None, "0", "1"],
        "score": [0.1, None, 0.25, 1 / 3],
        "Male": ["0", "1", "1", "0"],
        "race": ["(missing)", "NA", "NA", "(missing)"],
    }


@pytest.mark.parametrize("name", ["id", "prediction", "score", "Male"])
def test_a_label_may_have_the_name_of_another_column(tmp_path: Path, name: str) -> None:
    path = tmp_path / "predictions.parquet"
    predictions(name).save(path)
    assert_same_predictions(predictions(name), Predictions.load(path))


def test_predictions_without_label_or_scores(tmp_path: Path) -> None:
    bare = replace(
        predictions(),
        annotations=replace(annotations(), label=None, truth=None, alignment={}),
        scores=None,
        training_cells={},
    )
    bare.save(tmp_path / "p.parquet")
    assert_same_predictions(bare, Predictions.load(tmp_path / "p.parquet"))


@pytest.mark.parametrize("kind", [Features, Predictions])
def test_a_file_of_another_kind_is_named(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "x.bin"
    with pytest.raises(DataError, match="there is no file"):
        kind.load(path)
    path.write_bytes(b"not a table")
    with pytest.raises(DataError, match="cannot be read"):
        kind.load(path)


def test_a_plain_parquet_is_no_predictions_file(tmp_path: Path) -> None:
    import pyarrow as pa

    pq.write_table(pa.table({"a": [1]}), tmp_path / "p.parquet")
    with pytest.raises(DataError, match="is not a file of kind debias_cl"):
        Predictions.load(tmp_path / "p.parquet")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    predictions().save(path)
    before = path.read_bytes()
    broken = replace(predictions(), positive=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        broken.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_waists_and_metrics_import_no_torch() -> None:
    code = (
        "import sys, debias_cl.waists, debias_cl.metrics, safetensors.numpy, pyarrow.parquet;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
