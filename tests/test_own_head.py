"""A checkpoint's own classifier: whose outputs are whose, and when it is not used."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from debias_cl.config import EncoderConfig
from debias_cl.encoders import Encoder, build
from debias_cl.errors import UsageError
from debias_cl.own_head import head_predictions, own_head
from debias_cl.records import Annotations, Column, Features

LABEL = Column("y", ("a", "b", "c"))
N = 90


def with_head(width: int) -> Encoder:
    """A head that reads the first features as logits."""
    encoder = build(EncoderConfig("slim"), 28)
    layer = nn.Linear(encoder.feature_dim, width)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(width, encoder.feature_dim))
        layer.bias.zero_()
    encoder.classifier = layer
    return encoder


def features(order: tuple[int, ...]) -> Features:
    """Output `order[k]` is the largest for level k, in nine rows of ten."""
    truth = np.arange(N) % 3
    right = np.where(np.arange(N) % 10, truth, (truth + 1) % 3)
    values = np.zeros((N, 128), np.float32)
    values[np.arange(N), np.array(order)[right]] = 2.0
    notes = Annotations(np.arange(N).astype(str), LABEL, truth, (), {})
    return Features(values, np.full(N, "test"), notes, {})


def test_outputs_stand_for_the_levels_in_their_order() -> None:
    head = own_head(with_head(3), LABEL)
    made = head_predictions(features((0, 1, 2)), head, "test", "c", "default")
    truth = made.annotations.truth
    assert truth is not None
    assert (made.predicted == truth).mean() == pytest.approx(0.9)
    assert "order of the label's levels: a, b, c" in made.notes[0] and len(made.notes) == 1
    assert head.to_dict(LABEL)["classes"] == ["a", "b", "c"]


def test_classes_name_another_order_and_a_wrong_one_is_noticed() -> None:
    order = (2, 0, 1)  # output 2 is "a", 0 is "b", 1 is "c"
    wrong = head_predictions(features(order), own_head(with_head(3), LABEL), "test", "c", "default")
    assert (wrong.predicted == wrong.annotations.truth).mean() < 0.2
    assert "in 90% if its outputs were named b,c,a" in wrong.notes[-1]
    assert "--classes" in wrong.notes[-1]
    head = own_head(with_head(3), LABEL, ("b", "c", "a"))
    right = head_predictions(features(order), head, "test", "c", "default")
    assert (right.predicted == right.annotations.truth).mean() == pytest.approx(0.9)
    assert len(right.notes) == 1 and head.to_dict(LABEL)["classes"] == ["b", "c", "a"]
    misnamed = own_head(with_head(3), LABEL, ("a", "b", "c"))
    noticed = head_predictions(features(order), misnamed, "test", "c", "default").notes[-1]
    assert "named b,c,a" in noticed


def test_two_levels_and_one_output() -> None:
    label = Column("y", ("no", "yes"))
    head = own_head(with_head(1), label)
    assert head.layer is not None and "the score of yes" in head.said
    rows = features((0, 1, 2))
    notes = Annotations(rows.annotations.ids, label, np.arange(N) % 2, (), {})
    values = np.where(np.arange(N) % 2, 3.0, -3.0)[:, None] * np.eye(1, 128)
    made = head_predictions(
        Features(values.astype(np.float32), rows.split, notes), head, "test", "yes", "default"
    )
    assert (made.predicted == notes.truth).all()
    turned = own_head(with_head(1), label, ("yes", "no"))
    other = head_predictions(
        Features(values.astype(np.float32), rows.split, notes), turned, "test", "yes", "default"
    )
    assert (other.predicted != notes.truth).all() and turned.to_dict(label)["classes"][0] == "yes"
    assert made.scores is not None and made.scores.max() == pytest.approx(1 / (1 + np.exp(-3)))


def test_other_widths_are_not_used_and_the_report_says_why() -> None:
    head = own_head(with_head(10), LABEL)
    assert head.layer is None
    assert head.said.startswith("its classifier has 10 outputs and y has 3 levels")
    assert own_head(build(EncoderConfig("slim"), 28), LABEL).said.startswith(
        "the checkpoint has no"
    )


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("a", "b"), "names 2 classes"),
        (("a", "b", "d"), "each level of y once: d"),
        (("a", "b", "b"), "each level of y once: c"),
    ],
)
def test_classes_must_be_the_levels(classes: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        own_head(with_head(3), LABEL, classes)
    with pytest.raises(UsageError, match="there is none"):
        own_head(build(EncoderConfig("slim"), 28), LABEL, classes)
