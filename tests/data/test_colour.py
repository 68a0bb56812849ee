"""Colour operations against torchvision, one picture at a time, each with its own parameters."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as F

from debias_cl.data import colour

TOLERANCE = 1e-5
"""Largest difference of a pixel in [0, 1]: float32 rounding of the way through HSV."""


@pytest.fixture
def batch() -> Tensor:
    """Eight pictures: noise, and the corners of the colour cube, greys and black among them."""
    pictures = torch.rand(8, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * 3).T  # (3, 27)
    pictures[0].view(3, -1)[:, :27] = corners
    pictures[1] = pictures[1, :1]
    pictures[2] = 0
    return pictures


@pytest.mark.parametrize(
    ("operation", "adjust"),
    [
        (colour.BRIGHTNESS, F.adjust_brightness),
        (colour.CONTRAST, F.adjust_contrast),
        (colour.SATURATION, F.adjust_saturation),
    ],
)
def test_blends_equal_torchvision(
    batch: Tensor, operation: int, adjust: Callable[[Tensor, float], Tensor]
) -> None:
    factors = torch.tensor([0.6, 1.0, 1.4, 0.0, 2.5, 0.9, 1.1, 1.39])
    made = colour.blend(batch, torch.full((8,), operation), factors)
    for i in range(8):
        expected = adjust(batch[i], factors[i].item())
        torch.testing.assert_close(made[i], expected, atol=TOLERANCE, rtol=0)


def test_hue_equals_torchvision(batch: Tensor) -> None:
    turns = torch.tensor([0.1, -0.1, 0.3, 0.5, -0.5, 0.0, 0.03, -0.37])
    made = colour.turn_hue(batch, turns)
    for i in range(8):
        expected = F.adjust_hue(batch[i], turns[i].item())
        torch.testing.assert_close(made[i], expected, atol=TOLERANCE, rtol=0)


def test_hue_equals_the_standard_library() -> None:
    colours = torch.rand(1, 3, 1, 50, generator=torch.Generator().manual_seed(3))
    made = colour.turn_hue(colours, torch.tensor([0.2]))[0, :, 0].T.tolist()
    for before, after in zip(colours[0, :, 0].T.tolist(), made, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        expected = colorsys.hsv_to_rgb((hue + 0.2) % 1, saturation, value)
        assert after == pytest.approx(expected, abs=TOLERANCE)


def test_hue_by_hand() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    green = colour.turn_hue(red, torch.tensor([1 / 3])).flatten()
    assert green.tolist() == pytest.approx([0, 1, 0], abs=1e-6)


def test_jitter_equals_torchvision_in_every_order(batch: Tensor) -> None:
    order = torch.cartesian_prod(*[torch.arange(4)] * 4)
    order = order[(order.sort(dim=1).values == torch.arange(4)).all(dim=1)]
    assert len(order) == 24
    pictures = batch[3:].repeat(5, 1, 1, 1)[:24]
    uniform = torch.rand(24, 4, generator=torch.Generator().manual_seed(1))
    factors = torch.cat([0.6 + 0.8 * uniform[:, :3], 0.2 * uniform[:, 3:] - 0.1], dim=1)
    acts = torch.arange(24) != 5
    made = colour.jitter_(pictures.clone(), order, factors, acts)
    assert torch.equal(made[5], pictures[5])
    adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
    for i in acts.nonzero().flatten().tolist():
        expected = pictures[i]
        for operation in order[i].tolist():
            expected = adjust[operation](expected, factors[i, operation].item())
        torch.testing.assert_close(made[i], expected, atol=4 * TOLERANCE, rtol=0)


def test_jitter_without_hue_leaves_the_turn_out(batch: Tensor) -> None:
    order = torch.tensor([[3, 0, 2, 1]]).expand(8, 4)
    factors = torch.tensor([[1.2, 0.8, 1.3, 0.4]]).expand(8, 4)
    no_turn = factors * torch.tensor([1.0, 1.0, 1.0, 0.0])
    acts = torch.ones(8, dtype=torch.bool)
    made = colour.jitter_(batch.clone(), order, factors, acts, hue=False)
    expected = colour.jitter_(batch.clone(), order, no_turn, acts)
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


def test_jitter_of_no_picture_is_no_picture() -> None:
    none = torch.empty(0, 3, 4, 4)
    order, acts = torch.empty(0, 4, dtype=torch.int64), torch.empty(0, dtype=torch.bool)
    made = colour.jitter_(none, order, torch.empty(0, 4), acts)
    assert made.shape == (0, 3, 4, 4)


def test_grey_equals_torchvision(batch: Tensor) -> None:
    expected = F.rgb_to_grayscale(batch)
    torch.testing.assert_close(colour.grey(batch), expected, atol=1e-6, rtol=0)


def test_permutation_by_hand(batch: Tensor) -> None:
    channels = torch.tensor([[2, 0, 1]]).expand(8, 3)
    made = colour.permute_channels(batch, channels)
    assert torch.equal(made, batch[:, [2, 0, 1]])


def test_values_stay_in_range(batch: Tensor) -> None:
    order = torch.tensor([[0, 1, 2, 3]]).expand(8, 4)
    factors = torch.tensor([[3.0, 3.0, 3.0, 0.5]]).expand(8, 4)
    made = colour.jitter_(batch, order, factors, torch.ones(8, dtype=torch.bool))
    assert made.min() >= 0
    assert made.max() <= 1
