"""Shortcut reliance: a model of colour, and one of shape, on digits painted in every colour."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from debias_cl.config import DataConfig, ProbeConfig, ViewsConfig
from debias_cl.data.load import load_dataset
from debias_cl.data.views import Views
from debias_cl.features import features_of, joined
from debias_cl.metrics.proportions import wilson
from debias_cl.probe import predict
from debias_cl.recolour import Repainted, repainted
from debias_cl.records import Alignment, Annotations, Column, Features
from debias_cl.representation import shortcut

LEVELS = ("0", "1", "2")


def annotations(truth: list[int], groups: list[int], pairs: bool = True) -> Annotations:
    """Three labels, three colours."""
    usual = Alignment(frozenset(zip(LEVELS, LEVELS, strict=True)), "the protocol")
    return Annotations(
        ids=np.array([f"row {i}" for i in range(len(truth))]),
        label=Column("y", LEVELS),
        truth=np.array(truth),
        attributes=(Column("a", LEVELS),),
        groups={"a": np.array(groups)},
        alignment={"a": usual} if pairs else {},
    )


def test_predictions_that_are_the_colour_follow_it_always() -> None:
    known = annotations([0, 1, 2, 0], [0, 2, 1, 1])
    found = shortcut(known, "a", np.tile([0, 1, 2], (4, 1)), 9)
    assert (found["n"], found["of"]) == (4, 9)
    assert found["changed"]["value"] == found["moved"]["value"] == found["follows"]["value"] == 1
    red = found["levels"][0]
    assert (red["level"], red["usual_label"]) == ("0", "0")
    assert red["predicted"] == {"0": 4, "1": 0, "2": 0}
    assert (red["changed"]["value"], red["changed"]["n"]) == (1.0, 3)
    assert red["usual"]["n"] == 2  # the two pictures whose own label is another one
    assert red["accuracy"]["value"] == 0.5


def test_predictions_that_are_the_shape_never_move() -> None:
    truth = [0, 1, 2, 0]
    found = shortcut(annotations(truth, [0, 2, 1, 1]), "a", np.repeat([truth], 3, axis=0).T, 4)
    assert found["changed"]["value"] == found["moved"]["value"] == found["follows"]["value"] == 0
    assert [entry["accuracy"]["value"] for entry in found["levels"]] == [1, 1, 1]
    low, high = wilson(0, 4)
    assert (found["changed"]["low"], found["changed"]["high"]) == (float(low), float(high))


def test_a_mixture_by_hand() -> None:
    known = annotations([0, 0, 1], [0, 1, 1])
    predicted = np.array([[0, 1, 0], [0, 0, 0], [1, 1, 2]])
    found = shortcut(known, "a", predicted, 3)
    assert found["changed"]["value"] == pytest.approx(2 / 3)
    assert found["moved"]["value"] == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    # follows: in levels whose usual label is not the picture's own
    assert found["follows"]["value"] == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert found["moved"]["low"] < found["moved"]["value"] < found["moved"]["high"]
    without = shortcut(annotations([0, 0, 1], [0, 1, 1], pairs=False), "a", predicted, 3)
    assert without["follows"] is None and without["levels"][0]["usual"] is None


class Colour(nn.Module):
    """The upper left corner: background alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, 0, 0]


class Shape(nn.Module):
    """Where the picture is white, whatever its background."""

    def forward(self, x: Tensor) -> Tensor:
        white = (x.min(dim=1).values > 0.9).float()
        return nn.functional.avg_pool2d(white, 4).flatten(1)


@pytest.mark.parametrize(("encoder", "follows"), [(Colour(), True), (Shape(), False)])
def test_digits_in_every_colour(encoder: nn.Module, follows: bool) -> None:
    dataset = load_dataset(DataConfig(dataset="biased_mnist_mini", rho=0.99))
    views = Views(ViewsConfig(), dataset.mean, dataset.std)
    found = repainted(encoder, dataset, views)
    assert found is not None
    assert found.values.shape[:2] == (10, 1000)
    test = dataset.split("test")
    own = found.values[test.annotations.groups["colour"], np.arange(1000)]
    assert (own == features_of(encoder, test.images, views)).all()  # painted as it was: the same
    train = dataset.split("train")
    parts = [train, test]
    features = Features(
        np.concatenate([features_of(encoder, part.images, views) for part in parts]),
        np.repeat(["train", "test"], [len(part) for part in parts]),
        joined([part.annotations for part in parts]),
    )
    asked = (ProbeConfig(), "test", "9", "", 0)
    answers, painted = found.parted(predict(found.behind(features, "test"), *asked))
    plain = predict(features, *asked)
    assert (answers.predicted == plain.predicted).all()
    assert (answers.annotations.ids == plain.annotations.ids).all()
    assert (painted[np.arange(1000), test.annotations.groups["colour"]] == plain.predicted).all()
    told = shortcut(found.known, found.attribute, painted, found.of)
    if follows:
        assert told["follows"]["value"] == 1 and told["changed"]["value"] == 1
    else:
        assert told["changed"]["value"] == 0 and told["follows"]["value"] < 0.1
        assert told["levels"][0]["accuracy"]["value"] > 0.7


def test_many_pictures_are_a_subsample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("debias_cl.recolour.MOST", 30)
    dataset = load_dataset(DataConfig(dataset="biased_mnist_mini"))
    found = repainted(Colour(), dataset, Views(ViewsConfig(), dataset.mean, dataset.std))
    assert isinstance(found, Repainted)
    assert (found.values.shape, found.of) == ((10, 30, 3), 1000)
