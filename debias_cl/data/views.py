"""Augmentation: parameters are drawn for each view, operations run on the whole batch.

The order is rotation, RandomResizedCrop, horizontal flip, ColorJitter, greyscale, permutation of
channels, noise, normalisation; each is torchvision's operation with torchvision's distribution, on
float pictures (no rounding to 8 bits between the operations).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from debias_cl.config import ViewsConfig
from debias_cl.data import colour, geometry

_COLUMNS = (2 * geometry.TRIES + 2, 1, 1, 1, 4, 4, 1, 3)
"""Uniform numbers a view, for box, angle, flip, jitter, order, factors, grey, channels."""

_CHUNK_BYTES = {"cpu": 2**21}
"""Float bytes of the views made at once: on a CPU what its caches hold; elsewhere 256 MiB."""


@dataclass(frozen=True)
class Parameters:
    """What was drawn for n views.

    Attributes:
        angle: (n,) degrees, counter-clockwise.
        box: (n, 4) int64 top, left, height, width of the crop in pixels.
        flip, jitter, grey: (n,) bool, whether the operation acts.
        order: (n, 4) int64, the order of brightness 0, contrast 1, saturation 2, hue 3.
        factors: (n, 4) float, by operation: three factors and the hue turn.
        channels: (n, 3) int64, where each output channel is taken from.
    """

    angle: Tensor
    box: Tensor
    flip: Tensor
    jitter: Tensor
    order: Tensor
    factors: Tensor
    grey: Tensor
    channels: Tensor

    def rows(self, rows: slice) -> Parameters:
        """Return the views of a slice."""
        return Parameters(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to(self, device: torch.device) -> Parameters:
        """Return the same on another device."""
        return Parameters(*(getattr(self, field.name).to(device) for field in fields(self)))


class Views:
    """Makes the normalised views that the encoder sees.

    Args:
        config: the policy.
        mean, std: (3,) channel statistics in [0, 1].
        image_size: side of the views in pixels; None keeps the pictures' own size.

    Everything random comes from the generator that is passed in: the same generator state and
    pictures give the same views. The number of draws does not depend on the policy, so changing
    one setting leaves the draws of the others as they were.
    """

    def __init__(
        self,
        config: ViewsConfig,
        mean: Sequence[float],
        std: Sequence[float],
        image_size: int | None = None,
    ) -> None:
        self.config, self.image_size = config, image_size
        self.mean = torch.tensor(mean, dtype=torch.float32)[:, None, None]
        self.std = torch.tensor(std, dtype=torch.float32)[:, None, None]

    def __call__(
        self, images: Tensor, generator: torch.Generator, share: tuple[int, int] | None = None
    ) -> Tensor:
        """Make `config.count` views of each picture.

        Args:
            images: (B, H, W, 3) uint8, on any device.
            generator: source of all randomness; quickest on the device of the images.
            share: (first, total) where `images` are the rows from `first` on of a batch of `total`
                pictures that several processes share: the views are those that one process would
                make for these rows. None where `images` are the whole batch.

        Returns:
            (B, V, 3, h, w) float32 on the device of the images.
        """
        b, high, wide, _ = images.shape
        first, total = share or (0, b)
        v = self.config.count
        rows = slice(first * v, (first + b) * v)
        drawn = self.draw(total * v, (high, wide), generator).rows(rows).to(images.device)
        shape = (3, *self._target((high, wide)))
        if self.config.noise > 0:
            # All shares draw the noise of the whole batch: the price of equal views for any number.
            noise = torch.randn((total * v, *shape), generator=generator, device=generator.device)
            out = noise[rows].to(images.device).mul_(self.config.noise)
        else:
            out = torch.empty((b * v, *shape), device=images.device)
        made = self.apply(images, drawn, out)
        return made.view(b, v, *made.shape[1:])

    def draw(self, n: int, size: tuple[int, int], generator: torch.Generator) -> Parameters:
        """Draw the parameters of n views of pictures of that height and width."""
        c, device = self.config, generator.device
        uniform = torch.rand(n, sum(_COLUMNS), generator=generator, device=device)
        box, angle, flip, jitter, order, factors, grey, channels = uniform.split_with_sizes(
            _COLUMNS, 1
        )
        spread = torch.tensor(c.jitter, device=device)
        # Factors are uniform in [max(0, 1 - s), 1 + s]; the hue turn in [-s, s].
        low = torch.cat([(1 - spread[:3]).clamp_min(0), -spread[3:]])
        high = torch.cat([1 + spread[:3], spread[3:]])
        return Parameters(
            angle=(2 * angle[:, 0] - 1) * c.rotation,
            box=self._boxes(box, size),
            flip=flip[:, 0] < c.flip,
            jitter=jitter[:, 0] < c.jitter_p,
            order=order.argsort(dim=1),
            factors=low + (high - low) * factors,
            grey=grey[:, 0] < c.grey_p,
            channels=channels.argsort(dim=1),
        )

    @torch.no_grad()
    def apply(self, images: Tensor, drawn: Parameters, noise: Tensor) -> Tensor:
        """Apply drawn parameters to pictures.

        Args:
            images: (B, H, W, 3) uint8.
            drawn: parameters of the B V views, on the same device.
            noise: (B V, 3, h, w) float32 to be added; overwritten by the result.

        Returns:
            (B V, 3, h, w) float32, normalised.
        """
        v, device = self.config.count, images.device
        mean, std = self.mean.to(device), self.std.to(device)
        row_bytes = 4 * v * max(images.shape[1:].numel(), noise.shape[1:].numel())
        # A surrounding bf16 autocast would turn the resize into bf16.
        with torch.autocast(device.type, enabled=False):
            for rows in _chunks(len(images), row_bytes, device):
                views = slice(rows.start * v, rows.stop * v)
                part = drawn.rows(views)
                picture = self._colour(self._geometry(images[rows], part), part)
                if self.config.noise > 0:
                    picture = picture.add_(noise[views]).clamp_(0, 1)
                torch.sub(picture, mean, out=noise[views]).div_(std)
        return noise

    @torch.no_grad()
    def plain(self, images: Tensor) -> Tensor:
        """Return the pictures normalised (and resized where `image_size` differs), no randomness.

        Args:
            images: (B, H, W, 3) uint8.

        Returns:
            (B, 3, h, w) float32.
        """
        b, high, wide, _ = images.shape
        pictures = _planes(images)
        target = self._target((high, wide))
        if target != (high, wide):
            whole = torch.tensor([[0, 0, high, wide]], device=images.device).expand(b, 4)
            pictures = _cut(pictures, whole, target, None)
        # Few passes, in place: for a small encoder this is what extraction waits for.
        scale, shift = 1 / (255 * self.std), -self.mean / self.std
        return pictures.mul_(scale.to(images.device)).add_(shift.to(images.device)).contiguous()

    def _target(self, size: tuple[int, int]) -> tuple[int, int]:
        return size if self.image_size is None else (self.image_size, self.image_size)

    def _crops(self) -> bool:
        return tuple(self.config.crop_scale) != (1.0, 1.0)

    def _boxes(self, uniform: Tensor, size: tuple[int, int]) -> Tensor:
        if not self._crops():
            return torch.tensor([[0, 0, *size]], device=uniform.device).expand(len(uniform), 4)
        scale, ratio = self.config.crop_scale, self.config.crop_ratio
        return geometry.draw_boxes(uniform, size, scale, ratio)

    def _geometry(self, images: Tensor, drawn: Parameters) -> Tensor:
        """(b, H, W, 3) uint8 -> (b V, 3, h, w) float in [0, 1]."""
        size = (images.shape[1], images.shape[2])
        pictures, n = _planes(images).div_(255), len(drawn.angle)
        if self.config.rotation > 0:
            pictures = geometry.rotate(pictures, drawn.angle)
        target = self._target(size)
        if self._crops() or self.config.flip > 0 or target != size:
            return _cut(pictures, drawn.box, target, drawn.flip)
        return pictures.repeat_interleave(n // len(pictures), dim=0)

    def _colour(self, pictures: Tensor, drawn: Parameters) -> Tensor:
        """Colour operations on (n, 3, h, w) floats in [0, 1]."""
        c = self.config
        pictures = pictures.contiguous()
        if any(c.jitter):
            colour.jitter_(pictures, drawn.order, drawn.factors, drawn.jitter, c.jitter[3] > 0)
        if c.grey_p > 0:
            rows = drawn.grey.nonzero()[:, 0]
            luma = colour.grey(pictures.index_select(0, rows)).expand(-1, 3, -1, -1)
            pictures.index_copy_(0, rows, luma)
        return colour.permute_channels(pictures, drawn.channels) if c.permute_channels else pictures


def _planes(images: Tensor) -> Tensor:
    """(b, H, W, 3) uint8 -> (b, 3, H, W) float32 in [0, 255]."""
    planes = images.permute(0, 3, 1, 2)
    return planes.to(torch.float32, memory_format=torch.contiguous_format)


def _cut(pictures: Tensor, box: Tensor, target: tuple[int, int], flip: Tensor | None) -> Tensor:
    """Cut (n, 4) boxes out of (b, 3, H, W) pictures, n = b V, mirror and resize them."""
    high, wide = pictures.shape[2:]
    top, left, height, width = box.unbind(1)
    rows = geometry.resize_weights(top, height, high, target[0])
    columns = geometry.resize_weights(left, width, wide, target[1], flip)
    return geometry.resample(pictures, rows, columns)


def _chunks(n: int, row_bytes: int, device: torch.device) -> Iterator[slice]:
    """Cut n rows into slices of about the chunk's bytes."""
    step = max(1, _CHUNK_BYTES.get(device.type, 2**28) // row_bytes)
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))
