"""Crop, flip, resize and rotation against torchvision, one picture at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as F

from debias_cl.data import geometry

TOLERANCE = 1e-5
"""Largest difference of a pixel in [0, 1]: float32 rounding of about a hundred terms."""

LEVEL = 1e-4
"""Least p-value. The files hold some thirty of these tests with fixed seeds: at the usual .01 a
quarter of all correct programs would fail one; samples are large, so that small faults show."""


def pictures(n: int, high: int, wide: int, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, high, wide, generator=torch.Generator().manual_seed(seed))


def uniform(n: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 2 * geometry.TRIES + 2, generator=generator)


@pytest.mark.parametrize(
    ("source", "target"), [((32, 32), (32, 32)), ((28, 41), (28, 28)), ((72, 50), (24, 17))]
)
def test_crop_flip_and_resize_equal_torchvision(
    source: tuple[int, int], target: tuple[int, int]
) -> None:
    batch, views = pictures(6, *source), 3
    box = geometry.draw_boxes(uniform(18), source, (0.2, 1.0), (3 / 4, 4 / 3))
    flip = torch.arange(18) % 2 == 0
    rows = geometry.resize_weights(box[:, 0], box[:, 2], source[0], target[0])
    columns = geometry.resize_weights(box[:, 1], box[:, 3], source[1], target[1], flip)
    made = geometry.resample(batch, rows, columns)
    for i in range(18):
        expected = F.resized_crop(batch[i // views], *box[i].tolist(), target, antialias=True)
        expected = F.hflip(expected) if flip[i] else expected
        torch.testing.assert_close(made[i], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("size", [(28, 28), (21, 34)])
def test_rotation_equals_torchvision(size: tuple[int, int]) -> None:
    batch = pictures(4, *size)
    degrees = torch.tensor([-20.0, 20.0, 3.5, 0.0, 90.0, -130.0, 11.0, 45.0])
    made = geometry.rotate(batch, degrees)
    for i, angle in enumerate(degrees.tolist()):
        expected = F.rotate(batch[i // 2], angle, F.InterpolationMode.BILINEAR)
        torch.testing.assert_close(made[i], expected, atol=2e-5, rtol=0)


def test_rotation_by_hand() -> None:
    # A quarter turn counter-clockwise brings the right column to the top.
    picture = torch.zeros(1, 3, 4, 4)
    picture[..., 3] = 1
    turned = geometry.rotate(picture, torch.tensor([90.0]))
    assert torch.allclose(turned[0, 0, 0], torch.ones(4), atol=1e-5)
    assert turned[0, 0, 1:].abs().max() < 1e-5


def test_weights_by_hand() -> None:
    # Two pixels to four: a quarter of the way, edges clamped.
    weights = geometry.resize_weights(torch.tensor([1]), torch.tensor([2]), 4, 4)
    expected = [[0, 1, 0, 0], [0, 0.75, 0.25, 0], [0, 0.25, 0.75, 0], [0, 0, 1, 0]]
    assert weights[0].tolist() == expected


def test_whole_axis_is_the_identity_and_mirror_reverses_it() -> None:
    start, length = torch.zeros(2, dtype=torch.int64), torch.full((2,), 5)
    weights = geometry.resize_weights(start, length, 5, 5, torch.tensor([False, True]))
    assert torch.equal(weights[0], torch.eye(5))
    assert torch.equal(weights[1], torch.eye(5).flip(0))


@pytest.mark.parametrize(
    ("size", "scale", "ratio"),
    [
        ((32, 32), (0.2, 1.0), (3 / 4, 4 / 3)),
        ((28, 28), (0.4, 1.0), (3 / 4, 4 / 3)),
        ((30, 60), (0.5, 1.0), (3 / 4, 4 / 3)),  # wide: many draws do not fit
    ],
)
def test_boxes_have_the_distribution_of_torchvision(
    size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float]
) -> None:
    n = 10_000
    ours = geometry.draw_boxes(uniform(n, seed=1), size, scale, ratio).numpy()
    torch.manual_seed(2)
    blank = torch.empty(3, *size)
    theirs = np.array(
        [RandomResizedCrop.get_params(blank, list(scale), list(ratio)) for _ in range(n)]
    )
    quantities = {
        "top": lambda b: b[:, 0],
        "left": lambda b: b[:, 1],
        "height": lambda b: b[:, 2],
        "width": lambda b: b[:, 3],
        "area": lambda b: b[:, 2] * b[:, 3],
        "aspect": lambda b: b[:, 3] / b[:, 2],
    }
    for name, of in quantities.items():
        assert stats.ks_2samp(of(ours), of(theirs)).pvalue > LEVEL, name


def test_positions_are_uniform_up_to_both_edges() -> None:
    boxes = geometry.draw_boxes(uniform(100_000), (32, 32), (0.25, 0.25), (1.0, 1.0))
    assert (boxes[:, 2:] == 16).all()
    for corner in (boxes[:, 0], boxes[:, 1]):
        counts = np.bincount(corner.numpy(), minlength=17)
        assert len(counts) == 17
        assert stats.chisquare(counts).pvalue > LEVEL


@pytest.mark.parametrize("size", [(10, 100), (100, 10), (20, 20)])
def test_central_box_where_no_draw_fits(size: tuple[int, int]) -> None:
    scale, ratio = (1.5, 1.5), (3 / 4, 4 / 3)  # larger than the picture: never fits
    ours = geometry.draw_boxes(uniform(3), size, scale, ratio)
    theirs = RandomResizedCrop.get_params(torch.empty(3, *size), list(scale), list(ratio))
    assert ours.tolist() == [list(theirs)] * 3


def test_boxes_reach_the_last_corner_and_stay_inside() -> None:
    largest = 1 - 2**-24  # what torch.rand can give in float32
    draws = torch.full((300, 2 * geometry.TRIES + 2), largest)
    draws[:, : geometry.TRIES] = torch.linspace(0, largest, 300)[:, None]
    boxes = geometry.draw_boxes(draws, (224, 224), (0.0001, 1.0), (1.0, 1.0))
    assert (boxes[:, :2] + boxes[:, 2:] == 224).all()
    assert len(boxes[:, 2].unique()) > 100
