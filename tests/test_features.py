"""Features, the own classifier's predictions, and what the monitor reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from debias_cl import features as module
from debias_cl.config import ViewsConfig
from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.data.views import Views
from debias_cl.encoders import Encoder
from debias_cl.errors import UsageError
from debias_cl.features import KnnMonitor, extract, joined, own_classifier_predictions
from debias_cl.losses.contract import TrainingObjective
from debias_cl.records import Alignment, Annotations, Column, Features

LEVELS = ("0", "1")
VIEWS = Views(ViewsConfig(), (0.5,) * 3, (0.25,) * 3)


def split(n: int, name: str, aligned: bool = True, seed: int = 0) -> LabelledImages:
    """Brightness says the label; the first channel alone says the attribute."""
    rng = np.random.default_rng(seed)
    truth, group = rng.integers(0, 2, n), rng.integers(0, 2, n)
    images = rng.integers(0, 40, (n, 4, 4, 3)).astype(np.uint8)
    images[..., 1] += (150 * truth).astype(np.uint8)[:, None, None]
    images[..., 0] += (150 * group).astype(np.uint8)[:, None, None]
    alignment = Alignment(frozenset({("0", "0"), ("1", "1")}), "the protocol")
    annotations = Annotations(
        ids=np.array([f"{name}{i}" for i in range(n)]),
        label=Column("y", LEVELS),
        truth=truth.astype(np.int64),
        attributes=(Column("a", LEVELS),),
        groups={"a": group.astype(np.int64)},
        alignment={"a": alignment} if aligned else {},
    )
    return LabelledImages(images, annotations)


def dataset(sizes: Mapping[str, int], aligned: bool = True) -> Dataset:
    splits = {name: split(n, name, aligned, i) for i, (name, n) in enumerate(sizes.items())}
    return Dataset("toy", "", splits, (0.5,) * 3, (0.25,) * 3)


class Channels(nn.Module):
    """Features are the means of chosen channels; batch norm's mode would change them."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = list(channels)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x)[:, self.channels].mean(dim=(2, 3))


def encoder(*channels: int) -> Encoder:
    return Encoder(Channels(channels), len(channels), "channels", "fc")


def test_features_are_the_encoders_in_evaluation_mode() -> None:
    data = dataset({"train": 9, "test": 5})
    net = encoder(0, 1).train()
    found = extract(net, data, VIEWS, batch_size=4, about={"seed": 3})
    assert found.values.shape == (14, 2) and found.values.dtype == np.float32
    assert found.split.tolist() == ["train"] * 9 + ["test"] * 5
    assert found.annotations.ids[9] == "test0"
    assert found.encoder["architecture"] == "channels" and found.encoder["seed"] == 3
    assert net.training and int(net.body.norm.num_batches_tracked) == 0  # type: ignore[union-attr,arg-type]
    images = data.splits["test"].images.astype(np.float64)
    expected = ((images / 255 - 0.5) / 0.25)[..., :2].mean((1, 2)) / np.sqrt(1 + 1e-5)
    assert np.allclose(found.part("test").values, expected, atol=1e-5)
    assert np.array_equal(
        found.part("test").annotations.truth, data.splits["test"].annotations.truth
    )  # type: ignore[arg-type]


def test_monitor_tells_a_shortcut_from_the_oracle() -> None:
    data = dataset({"train": 200, "validation": 80})
    # One number a picture has no direction: the third channel, constant, gives it one.
    oracle, shortcut = (KnnMonitor(data, VIEWS)(encoder(channel, 2)) for channel in (1, 0))
    assert oracle["knn_conflict_accuracy"] == 1.0 and oracle["knn_aligned_accuracy"] == 1.0
    conflict = shortcut["knn_conflict_accuracy"]
    assert conflict is not None and conflict < 0.8  # colour says nothing of the label here


def test_monitor_subsamples_by_seed_and_says_none_for_an_empty_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST", {"train": 50, "validation": 20})
    data = dataset({"train": 200, "validation": 80})
    first, again, other = (KnnMonitor(data, VIEWS, seed=seed) for seed in (0, 0, 1))
    ids = [m.parts["train"].annotations.ids.tolist() for m in (first, again, other)]
    assert len(ids[0]) == 50 and ids[0] == ids[1] != ids[2]
    validation = data.splits["validation"]
    follows = validation.annotations.aligned("a")
    assert follows is not None
    only = LabelledImages(validation.images[follows], validation.annotations.take(follows))
    data = Dataset("toy", "", {**data.splits, "validation": only}, (0.5,) * 3, (0.25,) * 3)
    assert KnnMonitor(data, VIEWS)(encoder(1, 2))["knn_conflict_accuracy"] is None


def test_monitor_without_alignment_or_validation() -> None:
    plain = dataset({"train": 100, "validation": 40}, aligned=False)
    assert KnnMonitor(plain, VIEWS)(encoder(1, 2)) == {"knn_accuracy": 1.0}
    assert KnnMonitor(dataset({"train": 30, "test": 30}), VIEWS)(encoder(1, 2)) == {}


class Classifier(TrainingObjective):
    has_classifier = True

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def predict(self, features: Tensor) -> Tensor:
        return self.linear(features)  # type: ignore[no-any-return]


def test_the_own_classifier_judges_the_test_split() -> None:
    found = extract(encoder(0, 1), dataset({"train": 20, "test": 10}), VIEWS)
    head = Classifier()
    result = own_classifier_predictions(head, found, "test", "1", "default")
    weight, bias = head.linear.weight.detach().numpy(), head.linear.bias.detach().numpy()
    logits = found.part("test").values @ weight.T + bias
    assert np.array_equal(result.predicted, logits.argmax(1))
    assert np.allclose(result.scores, 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])))  # type: ignore[arg-type]
    assert result.training_cells["a"].sum() == 20
    assert result.levels == LEVELS
    with pytest.raises(UsageError, match="no classifier"):
        own_classifier_predictions(TrainingObjective(), found, "test", "1", "default")


def test_features_need_no_gradient_and_are_plain_numbers() -> None:
    found: Features = extract(encoder(0), dataset({"train": 3}), VIEWS)
    assert type(found.values) is np.ndarray
    assert not torch.is_inference_mode_enabled()


def test_joined_rows_keep_whom_they_show_and_their_strata() -> None:
    one = split(3, "a").annotations
    strata = (Column("site", LEVELS),)
    groups = {**one.groups, "site": np.array([0, 1, 1])}
    known = replace(one, strata=strata, groups=groups, persons=np.array([5, 5, 7]))
    both = joined([known, known.take(np.array([2]))])
    assert both.strata == strata
    assert both.groups["site"].tolist() == [0, 1, 1, 1]
    assert both.persons is not None and both.persons.tolist() == [5, 5, 7, 7]
    assert joined([known, replace(known, persons=None)]).persons is None
