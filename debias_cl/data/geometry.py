"""Where each pixel of a view comes from: rotation, crop, flip and resize of a batch.

Every row of the batch has its own parameters; no loop over rows. All functions work on float
pictures with planes first, (n, 3, H, W).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TRIES = 10
"""Draws of area and aspect before RandomResizedCrop takes the centre."""


def draw_boxes(
    uniform: Tensor, size: tuple[int, int], scale: tuple[float, float], ratio: tuple[float, float]
) -> Tensor:
    """Draw the boxes of RandomResizedCrop.

    Args:
        uniform: (n, 2 TRIES + 2) float in [0, 1): areas, aspects, top, left.
        size: height and width of the pictures in pixels.
        scale: least and largest share of the area.
        ratio: least and largest width / height.

    Returns:
        (n, 4) int64: top, left, height, width in whole pixels.

    Source: `torchvision.transforms.RandomResizedCrop.get_params`, for all rows at once: the first
    of ten draws that fits, else the largest central box whose aspect is allowed.
    """
    high, wide = size
    area = high * wide * (scale[0] + (scale[1] - scale[0]) * uniform[:, :TRIES])
    low, top = math.log(ratio[0]), math.log(ratio[1])
    aspect = torch.exp(low + (top - low) * uniform[:, TRIES : 2 * TRIES])
    boxes = torch.stack([(area / aspect).sqrt().round(), (area * aspect).sqrt().round()], dim=2)
    limits = torch.tensor([high, wide], device=uniform.device, dtype=uniform.dtype)
    fits = ((boxes > 0) & (boxes <= limits)).all(dim=2)  # (n, TRIES)
    first = fits.int().argmax(dim=1)[:, None, None].expand(-1, 1, 2)
    box = boxes.gather(1, first)[:, 0]  # (n, 2)
    centre = limits.new_tensor(_central_box(high, wide, ratio))
    found = fits.any(dim=1, keepdim=True)
    box = torch.where(found, box, centre)
    room = limits - box
    corner = (uniform[:, -2:] * (room + 1)).floor()
    corner = torch.where(found, corner, (room / 2).floor())
    return torch.cat([corner, box], dim=1).long()


def _central_box(high: int, wide: int, ratio: tuple[float, float]) -> tuple[int, int]:
    """Height and width of the largest box with an allowed aspect."""
    if wide / high < ratio[0]:
        return round(wide / ratio[0]), wide
    if wide / high > ratio[1]:
        return high, round(high * ratio[1])
    return high, wide


def resize_weights(
    start: Tensor, length: Tensor, source: int, target: int, mirror: Tensor | None = None
) -> Tensor:
    """Make the matrices that cut [start, start + length) out of an axis and resize it.

    Args:
        start: (n,) first pixel of each cut.
        length: (n,) pixels of each cut, at least 1.
        source: pixels of the axis before.
        target: pixels of the axis after.
        mirror: (n,) bool, whether the axis is reversed; None is never.

    Returns:
        (n, target, source) float32, each row sums to 1: bilinear interpolation with pixel centres
        at .5 and edges clamped to the cut; a cut longer than `target` is smoothed first, as
        torchvision does with `antialias=True` (its default, and what PIL does).
    """
    pixels = torch.arange(source, device=start.device, dtype=torch.float32)
    steps = torch.arange(target, device=start.device, dtype=torch.float32)
    step = length.float()[:, None] / target  # (n, 1)
    order = steps.expand(len(start), target)
    if mirror is not None:
        order = torch.where(mirror[:, None], target - 1 - order, order)
    centre = start.float()[:, None] + (order + 0.5) * step  # (n, target)
    distance = (pixels + 0.5 - centre[:, :, None]).abs() / step.clamp_min(1)[:, :, None]
    inside = (pixels >= start[:, None]) & (pixels < (start + length)[:, None])  # (n, source)
    weights = (1 - distance).clamp_min_(0).mul_(inside[:, None, :])
    return weights.div_(weights.sum(dim=2, keepdim=True))


def resample(pictures: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Resize by two small matrix products a view.

    Args:
        pictures: (b, 3, H, W) float.
        rows: (n, h, H) weights, n = b V, the V views of a picture one after another.
        columns: (n, w, W) weights.

    Returns:
        (n, 3, h, w) float, a view of (n, h, 3, w) memory.
    """
    b, planes, high, wide = pictures.shape
    n, h, w = len(rows), rows.shape[1], columns.shape[1]
    lines = pictures.transpose(1, 2).reshape(b, high, planes * wide)
    cut = torch.bmm(rows.reshape(b, n // b * h, high), lines)  # (b, V h, 3 W)
    out = torch.bmm(cut.view(n, h * planes, wide), columns.transpose(1, 2))  # (n, h 3, w)
    return out.view(n, h, planes, w).transpose(1, 2)


def rotate(pictures: Tensor, degrees: Tensor) -> Tensor:
    """Rotate about the centre, counter-clockwise, size kept, corners filled with 0.

    Args:
        pictures: (b, 3, H, W) float.
        degrees: (n,) float, n = b V, the V views of a picture one after another.

    Returns:
        (n, 3, H, W) float, bilinear.

    Source: `torchvision.transforms.functional.rotate` on a tensor with bilinear interpolation.
    """
    b, planes, high, wide = pictures.shape
    n = len(degrees)
    cos, sin = torch.cos(torch.deg2rad(degrees)), torch.sin(torch.deg2rad(degrees))
    y, x = torch.meshgrid(
        (2 * torch.arange(high, device=degrees.device) + 1 - high) / 2,
        (2 * torch.arange(wide, device=degrees.device) + 1 - wide) / 2,
        indexing="ij",
    )
    cos, sin = cos[:, None, None], sin[:, None, None]
    grid = torch.stack([(cos * x - sin * y) * (2 / wide), (sin * x + cos * y) * (2 / high)], dim=3)
    # All views of a picture are read in one call, one below the other: no copy of the picture.
    turned = torch.nn.functional.grid_sample(
        pictures, grid.view(b, n // b * high, wide, 2), padding_mode="zeros", align_corners=False
    )
    return turned.view(b, planes, n // b, high, wide).transpose(1, 2).reshape(n, planes, high, wide)
