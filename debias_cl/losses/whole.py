"""The contrastive family's sums for a small batch: all pairs at once, as one tile.

Below some hundred rows the bookkeeping of tiles costs more than their products. Here nothing is
sorted, the similarities are made once and their exponentials kept for the backward pass, and every
sum that a term may read comes from one autograd function. Terms cannot tell the difference.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from debias_cl.losses.anchors import Anchors, unit_rows
from debias_cl.losses.contrast import EXPONENT_LIMIT, Curve, similarities
from debias_cl.losses.tiles import OTHER, SAME


class WholeAnchors(Anchors):
    """Every row an anchor, compared with every row at once.

    Args:
        features: (B, V, d) float; float16 and bfloat16 are raised to float32.
        label: (B,) int64; None where every source image is its own label.
        temperature: above 0.
        wanted: kinds of pairs that the terms need.
    """

    def __init__(
        self,
        features: Tensor,
        label: Tensor | None,
        temperature: float,
        wanted: tuple[int, ...] = (SAME, OTHER),
    ) -> None:
        b, v, _ = features.shape
        z, self.unit = unit_rows(features)
        self.flat, self.scale = z.flatten(0, 1), 1 / temperature
        label = torch.arange(b, device=z.device) if label is None else label
        row_label = label[:, None].expand(b, v).reshape(-1)
        equal = row_label[:, None] == row_label
        self.positive = equal.to(z.dtype).fill_diagonal_(0)
        positives = self.positive.sum(1)
        self._number = {
            "positives": positives,
            "negatives": b * v - 1 - positives,
            "views": positives.new_full((), v - 1),
        }
        self._sums: list[Tensor]
        self._share = positives.clamp(min=1).reciprocal_()
        self.s, *self._sums = _Sums.apply(
            self.flat, equal, self.positive, self._share, (b, v), self.scale, wanted
        )

    @property
    def number(self) -> dict[str, Tensor]:
        return self._number

    @property
    def log_same(self) -> Tensor:
        return self._sums[SAME]

    @property
    def log_others(self) -> Tensor:
        return self._sums[OTHER]

    @property
    def mean_positives(self) -> Tensor:
        return self._sums[2]

    @property
    def mean_views(self) -> Tensor:
        return self._sums[3]

    def mean_curve(self, curve: Curve) -> Tensor:
        result: Tensor = _Curved.apply(
            self.flat, self.log_others, self.s, self.positive, self._share, self.scale, curve
        )
        return result


def _exponentials(
    s: Tensor, equal: Tensor, scale: float, wanted: tuple[int, ...]
) -> list[tuple[Tensor, Tensor | float]]:
    """Return for SAME and OTHER: exp(s - top) at such pairs, 0 elsewhere, and top."""
    if scale <= EXPONENT_LIMIT[s.dtype]:
        powers = s.exp().fill_diagonal_(0)
        others = powers.masked_fill(equal, 0)
        # exact: one of the two is 0, or they are the same number
        return [(powers - others if SAME in wanted else powers[:0], 0.0), (others, 0.0)]
    alike = s.masked_fill(~equal, -torch.inf).fill_diagonal_(-torch.inf)
    parts: list[tuple[Tensor, Tensor | float]] = []
    for values in (alike, s.masked_fill(equal, -torch.inf)):
        top = values.amax(1, keepdim=True).clamp_(min=torch.finfo(s.dtype).min)
        parts.append((values.sub_(top).exp_(), top.squeeze(1)))
    return parts


class _Sums(torch.autograd.Function):
    """Similarities without a gradient; then log_same, log_others, mean_positives, mean_views."""

    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        equal: Tensor,
        positive: Tensor,
        share: Tensor,
        shape: tuple[int, int],
        scale: float,
        wanted: tuple[int, ...],
    ) -> tuple[Tensor, ...]:
        s = similarities(z, z, scale)
        exponentials = _exponentials(s, equal, scale, wanted)
        totals = [powers.sum(1) for powers, _ in exponentials]
        logs = [total.log().add_(top) for total, (_, top) in zip(totals, exponentials, strict=True)]
        positives = (s * positive).sum(1).mul_(share)
        b, v = shape
        own = _own_views(s, b, v)
        views = (own.sum(1) - own.diagonal(0, 0, 1).T).T.reshape(-1) / max(v - 1, 1)
        ctx.save_for_backward(z, positive, share, *totals, *(powers for powers, _ in exponentials))
        ctx.shape, ctx.scale = shape, scale
        ctx.mark_non_differentiable(s)
        ctx.set_materialize_grads(False)
        return s, *logs, positives, views

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: None, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        z, positive, share, *kept = ctx.saved_tensors
        (b, v), pulls = ctx.shape, [(positive, None if grads[2] is None else grads[2] * share)]
        for grad, total, powers in zip(grads[:2], kept[:2], kept[2:], strict=True):
            if grad is not None:
                pulls.append((powers, torch.where(total > 0, grad / total, 0.0)))
        weight = torch.zeros_like(positive)
        for matrix, pull in pulls:
            if pull is not None:
                weight.addcmul_(matrix, pull[:, None])
        if grads[3] is not None and v > 1:
            _own_views(weight, b, v).add_((grads[3] / (v - 1)).view(b, v).T[:, None])
            weight.fill_diagonal_(0)
        return _pulled(weight, z, ctx.scale), None, None, None, None, None, None


def _own_views(pairs: Tensor, b: int, v: int) -> Tensor:
    """Return the (v, v, b) pairs of rows that are views of one image, as a view of (N, N)."""
    return pairs.view(b, v, b, v).diagonal(0, 0, 2)


def _pulled(weight: Tensor, z: Tensor, scale: float) -> Tensor:
    """Return the gradient of the rows from the (N, N) weights of their similarities."""
    with torch.autocast(z.device.type, enabled=False):
        return similarities(weight + weight.T, z.T, scale)


class _Curved(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        others: Tensor,
        s: Tensor,
        positive: Tensor,
        share: Tensor,
        scale: float,
        curve: Curve,
    ) -> Tensor:
        ctx.save_for_backward(z, others, s, positive, share)
        ctx.scale, ctx.curve = scale, curve
        return curve.value(s - others[:, None]).mul_(positive).sum(1).mul_(share)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, others, s, positive, share = ctx.saved_tensors
        weight = ctx.curve.slope(s - others[:, None]).mul_(positive).mul_((grad * share)[:, None])
        return _pulled(weight, z, ctx.scale), -weight.sum(1), None, None, None, None, None
