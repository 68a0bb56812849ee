"""What every data set file must give, tested over the registry."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import debias_cl.data as package
from debias_cl.config import DataConfig, Preset, from_dict, to_dict
from debias_cl.data import DATASETS
from debias_cl.data.alignment import majority_alignment, with_alignment
from debias_cl.data.contract import SPLITS
from debias_cl.errors import DataError, UsageError
from debias_cl.records import Alignment, Annotations, Column

NAMES = DATASETS.names()


def test_the_embedded_and_the_distortion_sets_are_there() -> None:
    assert {"biased_mnist", "biased_mnist_mini", "utkface", "celeba", "manifest"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_card_and_words(name: str) -> None:
    spec = DATASETS.get(name)
    assert all((spec.title, spec.card, spec.licence, spec.obtain, spec.protocols))
    assert not spec.labels or spec.default_attr in spec.labels
    assert spec.default_attr not in spec.default_bias_attr
    text = (Path(package.__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    card = text.split('"""')[1]
    for word in ("What:", "Counts" if name.startswith("biased") else "Protocols"):
        assert word in card or name == "manifest"
    assert "icence" in card or "Terms" in card


@pytest.mark.parametrize("name", NAMES)
def test_presets_are_whole_and_honest(name: str) -> None:
    spec = DATASETS.get(name)
    assert "quick" in spec.presets
    for preset in spec.presets.values():
        assert isinstance(preset, Preset)
        assert from_dict(Preset, to_dict(preset)) == preset
        assert preset.says.endswith(".")
        assert preset.image_size > 0
        views = preset.views
        changes = any(views.jitter) or views.grey_p > 0 or views.permute_channels
        assert not changes or views.touches_bias
        if name.startswith("biased_mnist"):
            assert views.flip == 0


def test_the_quick_preset_of_the_default_set() -> None:
    preset = DATASETS.get("biased_mnist_mini").presets["quick"]
    views = preset.views
    assert (preset.encoder.architecture, preset.rho) == ("slim", 0.9)
    assert (preset.fit.epochs, preset.fit.batch_size) == (30, 128)
    optimizer = preset.optimizer
    assert (optimizer.name, optimizer.learning_rate, optimizer.weight_decay) == ("adam", 3e-3, 1e-4)
    assert optimizer.schedule == "cosine"
    assert (preset.objective.temperature, preset.objective.weight) == (0.1, 0.5)
    assert preset.objective.projection == (128, 64)
    assert (views.rotation, views.crop_scale, views.noise) == (20.0, (0.4, 1.0), 0.1)
    assert views.permute_channels
    assert preset.beside == ("supcon", "cross_entropy")


@pytest.mark.parametrize("name", [n for n in NAMES if DATASETS.get(n).extra.get("looks_for")])
def test_missing_data_says_what_was_looked_for_and_how_to_get_it(name: str, tmp_path: Path) -> None:
    spec = DATASETS.get(name)
    for action in (spec.load, spec.check):
        with pytest.raises(DataError) as caught:
            action(DataConfig(dataset=name, data_root=str(tmp_path / "none")))
        message = str(caught.value)
        assert caught.value.exit_code == 3
        assert spec.obtain in message
        for place in spec.extra["looks_for"]:
            assert str(tmp_path / "none" / place) in message


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_protocol_names_the_nearest(name: str) -> None:
    spec = DATASETS.get(name)
    near = spec.protocols[0] + "x"
    with pytest.raises(UsageError, match=f"did you mean '{spec.protocols[0]}'"):
        spec.load(DataConfig(dataset=name, protocol=near))


def test_a_loaded_set_keeps_the_contract() -> None:
    data = DATASETS.get("biased_mnist_mini").load(DataConfig())
    assert set(data.splits) <= set(SPLITS)
    assert data.test_split in data.splits
    for split in data.splits.values():
        assert split.images.dtype == np.uint8
        assert split.images.shape[0] == len(split) > 0
        assert split.images.shape[3] == 3
        assert len(set(split.annotations.ids.tolist())) == len(split)
        for column in split.annotations.attributes:
            assert split.annotations.groups[column.name].max() < len(column.levels)
            assert column.name in split.annotations.alignment


def annotations(truth: list[int], group: list[int]) -> Annotations:
    return Annotations(
        ids=np.array([str(i) for i in range(len(truth))]),
        label=Column("y", ("0", "1")),
        truth=np.array(truth),
        attributes=(Column("g", ("a", "b", "c")),),
        groups={"g": np.array(group)},
    )


def test_majority_alignment_on_a_hand_made_table() -> None:
    train = annotations([0, 0, 1, 1, 0], [0, 0, 0, 1, 1])  # a: 2 zeros of 3; b: a tie; c: absent
    assert majority_alignment(train, "g").pairs == {("0", "a"), ("0", "b")}
    test = annotations([1, 0, 0], [0, 0, 2])
    splits, notes = with_alignment({"train": train, "test": test})
    aligned = splits["test"].aligned("g")
    assert aligned is not None
    assert aligned.tolist() == [False, True, False]
    assert notes == (
        "aligned and conflicting for g: by the majority label of each level in training",
    )


def test_a_protocols_alignment_is_left_alone_and_without_training_none_is_made() -> None:
    given = Alignment(frozenset({("1", "a")}), "the protocol")
    train = dataclasses.replace(annotations([0], [0]), alignment={"g": given})
    splits, notes = with_alignment({"train": train})
    assert splits["train"].alignment["g"] == given
    assert notes == ()
    splits, notes = with_alignment({"test": annotations([0], [0])})
    assert splits["test"].alignment == {}
    assert "no training split" in notes[0]
