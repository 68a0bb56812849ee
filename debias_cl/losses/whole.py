"""The contrastive family's sums for a small batch: all pairs at once, as one tile.

Below some hundred rows the bookkeeping of tiles costs more than their products. Here nothing is
sorted, the similarities are made once and their exponentials kept for the backward pass, and every
sum that a term may read comes from one autograd function. Terms cannot tell the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from debias_cl.losses.anchors import Anchors, unit_rows
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contrast import EXPONENT_LIMIT, Curve, similarities
from debias_cl.losses.tiles import ALL, OTHER, SAME


class WholeAnchors(Anchors):
    """Every row an anchor, compared with every row at once.

    Args:
        features: (B, V, d) float; float16 and bfloat16 are raised to float32.
        label: (B,) int64; None where every source image is its own label.
        temperature: above 0.
        wanted: kinds of pairs whose log-sum-exp the terms read.
    """

    def __init__(
        self,
        features: Tensor,
        label: Tensor | None,
        temperature: float,
        wanted: tuple[int, ...] = (SAME, OTHER, ALL),
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
        self._share = positives.clamp(min=1).reciprocal_()
        self.s, self._positives, self._views, *logs = _Sums.apply(
            self.flat, equal, self.positive, self._share, (b, v), self.scale, wanted
        )
        self._logs: dict[int, Tensor] = dict(zip(wanted, logs, strict=True))

    @property
    def number(self) -> dict[str, Tensor]:
        return self._number

    @property
    def log_same(self) -> Tensor:
        return self._logs[SAME]

    @property
    def log_others(self) -> Tensor:
        return self._logs[OTHER]

    @property
    def log_all(self) -> Tensor:
        return self._logs[ALL]

    @property
    def mean_positives(self) -> Tensor:
        result: Tensor = self._positives
        return result

    @property
    def mean_views(self) -> Tensor:
        result: Tensor = self._views
        return result

    def mean_curve(self, curve: Curve) -> Tensor:
        result: Tensor = _Curved.apply(
            self.flat, self.log_others, self.s, self.positive, self._share, self.scale, curve
        )
        return result


def _plain(s: Tensor, equal: Tensor, kinds: tuple[int, ...]) -> Iterator[tuple[Tensor, None]]:
    """Yield exp s at the pairs of each kind, 0 elsewhere."""
    powers = s.exp().fill_diagonal_(0)
    for kind in kinds:
        if kind == ALL:
            yield powers, None
        else:
            yield powers.masked_fill(equal if kind == OTHER else ~equal, 0), None


def _lifted(s: Tensor, equal: Tensor, kinds: tuple[int, ...]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield exp(s - top) at the pairs of each kind, 0 elsewhere, and (N, 1) top, their maximum."""
    s = s.clone().fill_diagonal_(-torch.inf)
    for kind in kinds:
        values = s
        if kind != ALL:
            values = s.masked_fill(equal if kind == OTHER else ~equal, -torch.inf)
        top = values.amax(1, keepdim=True).clamp_(min=torch.finfo(s.dtype).min)
        yield (values - top).exp_(), top


class _Sums(torch.autograd.Function):
    """Similarities (no gradient), means over positives and views, a log-sum-exp a wanted kind."""

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
        s = similarities(z, z, scale).fill_diagonal_(0)
        positives = torch.linalg.vecdot(s, positive).mul_(share)
        b, v = shape
        views = _own_views(s, b, v).sum(1).T.reshape(-1).div_(max(v - 1, 1))
        how = _plain if scale <= EXPONENT_LIMIT[s.dtype] else _lifted
        kept, logs = [], []
        for powers, top in how(s, equal, wanted):
            total = powers.sum(1)
            logs.append(total.log() if top is None else total.log().add_(top.squeeze(1)))
            kept += [powers, total.clamp_(min=torch.finfo(s.dtype).tiny)]  # 0 where powers are
        ctx.save_for_backward(z, positive, share, *kept)
        ctx.shape, ctx.scale = shape, scale
        ctx.mark_non_differentiable(s)
        ctx.set_materialize_grads(False)
        return s, positives, views, *logs

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, _: None, by_positives: Tensor | None, by_views: Tensor | None, *by_logs: Tensor
    ) -> tuple[Tensor | None, ...]:
        z, positive, share, *kept = ctx.saved_tensors
        (b, v), weight = ctx.shape, torch.zeros_like(positive)
        for pull, powers, total in zip(by_logs, kept[::2], kept[1::2], strict=True):
            if pull is not None:
                weight.addcmul_(powers, (pull / total)[:, None])
        if by_positives is not None:
            weight.addcmul_(positive, (by_positives * share)[:, None])
        if by_views is not None and v > 1:
            _own_views(weight, b, v).add_((by_views / (v - 1)).view(b, v).T[:, None])
            weight.fill_diagonal_(0)
        return _pulled(weight, z, ctx.scale), None, None, None, None, None, None


def _own_views(pairs: Tensor, b: int, v: int) -> Tensor:
    """Return the (v, v, b) pairs of rows that are views of one image, as a view of (N, N)."""
    return pairs.view(b, v, b, v).diagonal(0, 0, 2)


def _pulled(weight: Tensor, z: Tensor, scale: float) -> Tensor:
    """Return the gradient of the rows from the (N, N) weights of their similarities."""
    with full_precision(z.device.type):
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
