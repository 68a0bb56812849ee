"""What happens to the colours of a batch: jitter, greyscale, permutation of channels.

Every row has its own parameters; values are floats in [0, 1] and are clamped after each
operation, as torchvision does. PIL also rounds to 8 bits after each operation; this does not, so
a channel may differ from PIL's by about 1/255 an operation.
"""

from __future__ import annotations

import torch
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
"""The operations of ColorJitter in the order of its arguments."""

_NO_TURN, _UNCHANGED = -1, -2
"""Places of the hue turn in rows that have none, and in rows that are left alone."""

LUMA = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in grey (torchvision's, ITU-R 601-2)."""


def grey(pictures: Tensor) -> Tensor:
    """Return the luma: (n, 3, H, W) float in [0, 1] -> (n, 1, H, W)."""
    red, green, blue = pictures.unbind(1)
    luma = red * LUMA[0]
    return luma.add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).unsqueeze(1)


def blend(pictures: Tensor, operation: Tensor, factor: Tensor) -> Tensor:
    """Apply brightness, contrast or saturation, each row its own; HUE leaves the row alone.

    All three are `factor x + (1 - factor) target`, clamped: the target is black for brightness,
    the mean grey of the picture for contrast, the grey picture for saturation.

    Args:
        pictures: (n, 3, H, W) float in [0, 1].
        operation: (n,) int64, BRIGHTNESS, CONTRAST, SATURATION or HUE.
        factor: (n,) float, at least 0; 1 changes nothing.

    Returns:
        (n, 3, H, W) float in [0, 1].

    Source: `adjust_brightness`, `adjust_contrast`, `adjust_saturation` of torchvision.
    """
    luma = grey(pictures)  # (n, 1, H, W)
    mean = luma.mean(dim=(2, 3), keepdim=True)
    target = luma.mul_(_column(operation == SATURATION)).add_(mean * _column(operation == CONTRAST))
    weight = torch.where(operation == HUE, torch.ones_like(factor), factor)
    return torch.lerp(target, pictures, _column(weight)).clamp_(0, 1)


def turn_hue(pictures: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue in HSV space; value and saturation are kept.

    With m the smallest channel, C the largest minus m, and h the hue in sixths of a turn in [0, 6),
    red is m + C clamp(|h - 3| - 1, 0, 1), green m + C clamp(2 - |h - 2|, 0, 1), blue the same with
    4 for 2: from HSV to RGB without cases.

    Args:
        pictures: (n, 3, H, W) float in [0, 1].
        turns: (n,) float in [-0.5, 0.5], share of a whole turn.

    Returns:
        (n, 3, H, W) float in [0, 1].

    Source: `adjust_hue` of torchvision, equal to rounding.
    """
    red, green, blue = pictures.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)  # (n, H, W)
    least = torch.minimum(torch.minimum(red, green), blue)
    chroma = value - least
    is_red = (value == red).to(value.dtype)
    is_green = (value == green).to(value.dtype).mul_(1 - is_red)
    is_blue = 1 - is_red - is_green
    hue = (green - blue).mul_(is_red)
    hue.addcmul_(blue - red, is_green).addcmul_(red - green, is_blue)
    # Where chroma is 0 the numerator is 0 too: any divisor gives hue 0 there.
    hue.div_(chroma.clamp_min(1e-20)).add_(is_green, alpha=2).add_(is_blue, alpha=4)
    hue.add_(6 * turns[:, None, None])
    hue.sub_((hue * (1 / 6)).floor_(), alpha=6)
    shares = (
        (hue - 3).abs_().sub_(1),
        (hue - 2).abs_().neg_().add_(2),
        (hue - 4).abs_().neg_().add_(2),
    )
    return torch.stack([torch.addcmul(least, chroma, share.clamp_(0, 1)) for share in shares], 1)


def jitter_(
    pictures: Tensor, order: Tensor, factors: Tensor, acts: Tensor, hue: bool = True
) -> Tensor:
    """Apply the four operations of ColorJitter in place, each row in its own order.

    Rows whose hue turn stands at the same place of the order go together, so that the costly turn
    is computed once a row and the other three are one blend for all.

    Args:
        pictures: (n, 3, H, W) float in [0, 1].
        order: (n, 4) int64, a permutation of the four operations a row.
        factors: (n, 4) float, by operation (not by place).
        acts: (n,) bool, which rows are changed.
        hue: False leaves the hue turn out.

    Returns:
        `pictures`.
    """
    places = (order == HUE).int().argmax(dim=1) if hue else torch.full_like(order[:, 0], _NO_TURN)
    places = torch.where(acts, places, _UNCHANGED).cpu()  # the one wait for the device
    for place in set(places.tolist()) - {_UNCHANGED}:
        rows = (places == place).nonzero()[:, 0].to(pictures.device)
        part = _in_order(pictures.index_select(0, rows), order[rows], factors[rows], place)
        pictures.index_copy_(0, rows, part)
    return pictures


def _in_order(pictures: Tensor, order: Tensor, factors: Tensor, turn_at: int) -> Tensor:
    for place, operation in enumerate(order.unbind(1)):
        if place == turn_at:
            pictures = turn_hue(pictures, factors[:, HUE])
        else:
            factor = factors.gather(1, operation[:, None])[:, 0]
            pictures = blend(pictures, operation, factor)
    return pictures


def permute_channels(pictures: Tensor, channels: Tensor) -> Tensor:
    """Reorder the channels of each row.

    Args:
        pictures: (n, 3, H, W), contiguous.
        channels: (n, 3) int64: output channel c of row i is input channel `channels[i, c]`.

    Returns:
        (n, 3, H, W).
    """
    n, planes = channels.shape
    rows = planes * torch.arange(n, device=channels.device)[:, None] + channels
    return pictures.flatten(0, 1).index_select(0, rows.flatten()).view_as(pictures)


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None].float()
