"""A batch prepared for the terms of the contrastive family, whichever way its sums are made.

Notation: s_ij = z_i . z_j / temperature of unit vectors; P(i) the other rows with the anchor's
label, N(i) the rows with another label, S(i) the other views of its image, A(i) all rows but i.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from debias_cl.losses import contrast
from debias_cl.losses.classes import class_sums, refused, reordered, wide
from debias_cl.losses.tiles import OTHER, SAME, Layout

Sources = slice | Tensor | None
"""Which source images are anchors: a slice, int64 positions or a (B,) bool mask; None is all."""


class Anchors(ABC):
    """What the terms read: one value an anchor, M anchors.

    Attributes:
        unit: (B, V) bool, which rows have a direction.
        number: (M,) each (views: one for all): positives, negatives, other views of an anchor.
    """

    unit: Tensor

    @property
    @abstractmethod
    def number(self) -> dict[str, Tensor]: ...

    @property
    @abstractmethod
    def log_same(self) -> Tensor:
        """(M,) log sum over P(i) of exp s."""

    @property
    @abstractmethod
    def log_others(self) -> Tensor:
        """(M,) log sum over N(i) of exp s."""

    @property
    @abstractmethod
    def log_all(self) -> Tensor:
        """(M,) log sum over A(i) of exp s."""

    @property
    @abstractmethod
    def mean_views(self) -> Tensor:
        """(M,) mean over S(i) of s."""

    @property
    @abstractmethod
    def mean_positives(self) -> Tensor:
        """(M,) mean over P(i) of s."""

    @abstractmethod
    def mean_curve(self, curve: contrast.Curve) -> Tensor:
        """(M,) mean over P(i) of curve(s_ip - log sum over N(i))."""


class TiledAnchors(Anchors):
    """Rows of unit length, sorted by label, and compared tile by tile.

    Args:
        features: (B, V, d) float; float16 and bfloat16 are raised to float32.
        label: (B,) int64; None where every source image is its own label.
        temperature: above 0.
        chosen: (B, V) bool, which rows are anchors; None is all.
        wanted: kinds of pairs that the terms need.
        tile: rows of a tile; 0 chooses.
    """

    def __init__(
        self,
        features: Tensor,
        label: Tensor | None,
        temperature: float,
        chosen: Tensor | None = None,
        wanted: tuple[int, ...] = (SAME, OTHER),
        tile: int = 0,
    ) -> None:
        self.temperature, self.wanted = temperature, wanted
        b, v, _ = features.shape
        order = None if label is None else torch.sort(label, stable=True).indices
        self.z, self.unit = unit_rows(features if order is None else reordered(features, order))
        rows = None
        if chosen is not None:
            rows = (chosen if order is None else chosen[order]).flatten().nonzero().squeeze(1)
        ordered = torch.arange(b, device=features.device) if order is None else label[order]  # type: ignore[index]
        self.counts = None if order is None else ordered.unique_consecutive(return_counts=True)[1]
        self.layout = Layout.of(ordered.repeat_interleave(v), rows, tile)
        self.flat = self.z.flatten(0, 1)  # (N, d)
        self.rows = None if rows is None else self.flat[rows]  # (M, d)

    def _of_anchors(self, per_row: Tensor) -> Tensor:
        flat = per_row.flatten()
        return flat if self.layout.anchors is None else flat[self.layout.anchors]

    @cached_property
    def number(self) -> dict[str, Tensor]:
        b, v, _ = self.z.shape
        mine = torch.ones(b, dtype=torch.int64, device=self.z.device)
        if self.counts is not None:
            mine = self.counts.repeat_interleave(self.counts, output_size=b)
        row = self._of_anchors(mine.repeat_interleave(v)) * v
        return {"positives": row - 1, "negatives": b * v - row, "views": row.new_full((), v - 1)}

    @cached_property
    def _logs(self) -> Tensor:
        return contrast.log_sums(self.flat, self.layout, self.temperature, self.rows, self.wanted)

    @property
    def log_same(self) -> Tensor:
        return self._logs[SAME]

    @property
    def log_others(self) -> Tensor:
        return self._logs[OTHER]

    @cached_property
    def log_all(self) -> Tensor:
        return torch.logaddexp(self.log_same, self.log_others)

    @cached_property
    def _view_sums(self) -> Tensor:
        return self.z.sum(1)  # (B, d)

    def _mean(self, sums: Tensor, number: Tensor) -> Tensor:
        # element by element, because autocast would lower the precision of a product's gradient
        total = (self.z * sums[:, None]).sum(-1) - self.unit.to(self.z.dtype)
        return self._of_anchors(total) / number.clamp(min=1) / self.temperature

    @cached_property
    def mean_views(self) -> Tensor:
        return self._mean(self._view_sums, self.number["views"])

    @cached_property
    def mean_positives(self) -> Tensor:
        if self.counts is None:
            return self.mean_views
        return self._mean(class_sums(self._view_sums, self.counts), self.number["positives"])

    def mean_curve(self, curve: contrast.Curve) -> Tensor:
        total = contrast.pair_sums(
            self.flat, self.layout, self.temperature, self.log_others, curve, self.rows
        )
        return total / self.number["positives"].clamp(min=1)


class _UnitRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        norm.masked_fill_(norm <= torch.finfo(x.dtype).tiny ** 0.5, torch.inf)
        z, unit = x / norm, norm.squeeze(-1) < torch.inf
        ctx.save_for_backward(x, z, norm)
        ctx.mark_non_differentiable(unit)
        return z, unit

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> Tensor:
        x, z, norm = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody means to differentiate this once more
            return refused(_through_length(grad.detach(), z.detach(), norm), x)
        return _through_length(grad, z, norm)


def _through_length(grad: Tensor, z: Tensor, norm: Tensor) -> Tensor:
    """Return the gradient of x from that of z = x / norm."""
    along = (grad * z).sum(-1, keepdim=True)  # autocast would lower a dot product's precision
    return torch.addcmul(grad, z, along, value=-1).div_(norm)


def unit_rows(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows of length 1 in float32 (float64 in float64), and which rows have a direction.

    A row without a direction (all zeros, or a length that its number format cannot hold) becomes
    zeros: its similarity to every row is 0 and it gets no gradient. A second derivative through
    the rows raises a RuntimeError instead of a wrong value.
    """
    z, unit = _UnitRows.apply(wide(features))
    return z, unit


def chosen_rows(
    b: int, v: int, sources: Sources, first_view: bool, device: torch.device
) -> Tensor | None:
    """Return which of (b, v) rows are anchors as a bool mask; None where all are.

    Args:
        b, v: source images, views of each.
        sources: source images whose rows are anchors.
        first_view: whether only view 0 of each image is an anchor.
        device: where the mask is made.
    """
    if sources is None and not first_view:
        return None
    chosen = torch.zeros((b, v), dtype=torch.bool, device=device)
    chosen[slice(None) if sources is None else sources] = True
    if first_view:
        chosen[:, 1:] = False
    return chosen
