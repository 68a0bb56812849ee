"""The streaming kernel that the contrastive family shares: exact, and no N x N tensor is kept.

N rows z (unit vectors or zeros), sorted by label, are compared tile by tile: a tile of
similarities s_ij = z_i . z_j / temperature is made by one matrix product, used, and dropped; the
backward pass makes it again. Because s is symmetric, a tile above the diagonal serves its rows
and its columns. Because rows are sorted, most tiles hold one kind of pair (same label, or other
label) and need no mask.

`log_sums` gives each anchor log sum exp s over the rows of its label (itself left out) and over
the rows of other labels. `pair_sums` gives it the sum of a curve over its positives, for the
losses that are not linear in s. Both have exact gradients of first order; a second derivative
raises an error. Additions happen in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from debias_cl.losses.classes import full_precision
from debias_cl.losses.tiles import OTHER, SAME, Layout, Tile

EXPONENT_LIMIT = {torch.float32: 40.0, torch.float64: 300.0}
"""Largest 1 / temperature for which exp(+-1 / temperature) and its sums fit the number format."""


Pull = Callable[[Tile, Tensor, Tensor | None], Tensor]
"""Gives the weights of a tile's similarities in the gradient; may overwrite the tile's values."""


class _Arithmetic(Protocol):
    """How exponentials are added up without overflow or underflow."""

    empty: float

    def lift(self, a: Tensor, b: Tensor) -> Tensor: ...
    def add(self, total: Tensor, part: Tensor, dim: int) -> None: ...
    def logs(self, total: Tensor) -> Tensor: ...
    def pull(self, grad: Tensor, logs: Tensor) -> Pull: ...


class _Plain:
    """Sums of exp s: similarities of unit vectors are within +-scale, and exp(+-scale) fits."""

    empty = 0.0

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def lift(self, a: Tensor, b: Tensor) -> Tensor:
        return similarities(a, b, self.scale).exp_()

    def add(self, total: Tensor, part: Tensor, dim: int) -> None:
        total += part.sum(dim)

    def logs(self, total: Tensor) -> Tensor:
        return total.log()

    def pull(self, grad: Tensor, logs: Tensor) -> Pull:
        weight = torch.where(logs.isfinite(), grad * (-logs).exp(), 0.0)

        def factor(kind: int, tile: Tile) -> Tensor:
            row = weight[kind, tile.rows, None]
            both = tile.mirrored or tile.square
            return row + weight[kind, None, tile.cols] if both else row

        def pull(tile: Tile, values: Tensor, same: Tensor | None) -> Tensor:
            if same is None:
                return values.mul_(factor(tile.kinds[0], tile))
            return values.mul_(torch.where(same, factor(SAME, tile), factor(OTHER, tile)))

        return pull


class _Running:
    """Logarithms all the way, each set with its own maximum: for any temperature."""

    empty = -torch.inf

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def lift(self, a: Tensor, b: Tensor) -> Tensor:
        return similarities(a, b, self.scale)

    def add(self, total: Tensor, part: Tensor, dim: int) -> None:
        torch.logaddexp(total, part.logsumexp(dim), out=total)

    def logs(self, total: Tensor) -> Tensor:
        return total

    def pull(self, grad: Tensor, logs: Tensor) -> Pull:
        grad = torch.where(logs.isfinite(), grad, 0.0)
        logs = torch.where(logs.isfinite(), logs, 0.0)

        def side(kind: int, values: Tensor, index: tuple[slice | None, ...]) -> Tensor:
            share = (values - logs[kind][index]).clamp_(max=0.0).exp_()
            return share.mul_(grad[kind][index])

        def weight(kind: int, tile: Tile, values: Tensor) -> Tensor:
            row = side(kind, values, (tile.rows, None))
            both = tile.mirrored or tile.square
            return row.add_(side(kind, values, (None, tile.cols))) if both else row

        def pull(tile: Tile, values: Tensor, same: Tensor | None) -> Tensor:
            if same is None:
                return weight(tile.kinds[0], tile, values)
            return torch.where(same, weight(SAME, tile, values), weight(OTHER, tile, values))

        return pull


def _arithmetic(scale: float, dtype: torch.dtype) -> _Arithmetic:
    return _Plain(scale) if scale <= EXPONENT_LIMIT[dtype] else _Running(scale)


def similarities(a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Return scale * a @ b.T, (n, m), of (n, d) and (m, d)."""
    return torch.addmm(a.new_empty((1, 1)), a, b.T, beta=0, alpha=scale)


class _Gradient:
    """Adds up the gradient of the rows (and of the anchors where they are given apart)."""

    def __init__(self, z: Tensor, anchors: Tensor | None) -> None:
        self.z, self.a = z, z if anchors is None else anchors
        self.dz = torch.zeros_like(z)
        self.da = self.dz if anchors is None else torch.zeros_like(anchors)

    def add(self, tile: Tile, weight: Tensor) -> None:
        """Take the (rows, cols) weights of a tile's similarities."""
        self.da[tile.rows].addmm_(weight, self.z[tile.cols])
        if not tile.square:
            self.dz[tile.cols].addmm_(weight.T, self.a[tile.rows])

    def scaled(self, scale: float) -> tuple[Tensor, Tensor | None]:
        """Return the gradients of z and of the anchors (None where they are z)."""
        apart = self.da is not self.dz
        return self.dz.mul_(scale), self.da.mul_(scale) if apart else None


class _LogSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        anchors: Tensor | None,
        layout: Layout,
        scale: float,
        wanted: tuple[int, ...],
    ) -> Tensor:
        a = z if anchors is None else anchors
        how = _arithmetic(scale, z.dtype)
        total = z.new_full((2, a.shape[0]), how.empty)
        for tile in layout.tiles(wanted):
            values = how.lift(a[tile.rows], z[tile.cols])
            layout.leave_out_self(tile, values, how.empty)
            for kind, part in layout.split(tile, values, how.empty):
                how.add(total[kind, tile.rows], part, 1)
                if tile.mirrored:
                    how.add(total[kind, tile.cols], part, 0)
        logs = how.logs(total)
        ctx.save_for_backward(z, anchors, logs)
        ctx.layout, ctx.scale, ctx.wanted = layout, scale, wanted
        return logs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, anchors, logs = ctx.saved_tensors
        layout, scale = ctx.layout, ctx.scale
        how = _arithmetic(scale, z.dtype)
        gradient = _Gradient(z, anchors)
        with full_precision(z.device.type):
            pull = how.pull(grad, logs)
            for tile in layout.tiles(ctx.wanted):
                values = how.lift(gradient.a[tile.rows], z[tile.cols])
                layout.leave_out_self(tile, values, how.empty)
                gradient.add(tile, pull(tile, values, layout.same(tile)))
            return (*gradient.scaled(scale), None, None, None)


@dataclass(frozen=True)
class Curve:
    """A function of a positive's log-odds b = s_ip - log sum exp s_in, and its derivative."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


class _PairSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        z: Tensor,
        anchors: Tensor | None,
        others: Tensor,
        layout: Layout,
        scale: float,
        curve: Curve,
    ) -> Tensor:
        a = z if anchors is None else anchors
        total = torch.zeros_like(others)
        for tile in layout.tiles((SAME,)):
            s = similarities(a[tile.rows], z[tile.cols], scale)
            for dim, log in _sides(tile, others):
                total[tile.cols if dim == 0 else tile.rows] += _positives(
                    layout, tile, curve.value(s - log)
                ).sum(dim)
        ctx.save_for_backward(z, anchors, others)
        ctx.layout, ctx.scale, ctx.curve = layout, scale, curve
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, anchors, others = ctx.saved_tensors
        layout, scale, curve = ctx.layout, ctx.scale, ctx.curve
        gradient = _Gradient(z, anchors)
        grad_others = torch.zeros_like(others)
        with full_precision(z.device.type):
            for tile in layout.tiles((SAME,)):
                s = similarities(gradient.a[tile.rows], z[tile.cols], scale)
                weight = torch.zeros_like(s)
                for (dim, log), (_, g) in zip(
                    _sides(tile, others), _sides(tile, grad), strict=True
                ):
                    part = _positives(layout, tile, curve.slope(s - log)) * g
                    grad_others[tile.cols if dim == 0 else tile.rows] -= part.sum(dim)
                    weight += part
                # on the diagonal a tile's pairs come twice, once as (i, j) and once as (j, i)
                gradient.add(tile, weight + weight.T if tile.square else weight)
            dz, da = gradient.scaled(scale)
            return dz, da, grad_others, None, None, None


def _sides(tile: Tile, per_anchor: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield (dimension to add up, values to broadcast) for the rows, and for mirrored columns."""
    yield 1, per_anchor[tile.rows, None]
    if tile.mirrored:
        yield 0, per_anchor[None, tile.cols]


def _positives(layout: Layout, tile: Tile, values: Tensor) -> Tensor:
    """Return the values at pairs of one label, 0 elsewhere and where a row meets itself."""
    values = layout.leave_out_self(tile, values, 0.0)
    return next(part for kind, part in layout.split(tile, values, 0.0) if kind == SAME)


def log_sums(
    z: Tensor,
    layout: Layout,
    temperature: float,
    anchors: Tensor | None = None,
    wanted: tuple[int, ...] = (SAME, OTHER),
) -> Tensor:
    """Return each anchor's log-sum-exps over its own label's other rows and over other labels.

    Args:
        z: (N, d) float32 or float64, rows of length 1 or 0, in the layout's order.
        layout: the order of visits.
        temperature: divisor of similarities, above 0.
        anchors: (M, d), `z[layout.anchors]`; None where every row is an anchor.
        wanted: kinds of pairs to visit; the other kind's sums are then incomplete.

    Returns:
        (2, M): row SAME and row OTHER; -inf where there is no such row.
    """
    result: Tensor = _LogSums.apply(z, anchors, layout, 1 / temperature, wanted)
    return result


def pair_sums(
    z: Tensor,
    layout: Layout,
    temperature: float,
    others: Tensor,
    curve: Curve,
    anchors: Tensor | None = None,
) -> Tensor:
    """Return the sum of `curve(s_ip - others_i)` over each anchor's positives p.

    Only the tiles that hold pairs of one label are visited.

    Args:
        z, layout, temperature, anchors: as in `log_sums`.
        others: (M,) log-sum-exp over the rows of other labels; -inf where there is none.
        curve: finite at +inf with slope 0 there.

    Returns:
        (M,); 0 where an anchor has no positive.
    """
    result: Tensor = _PairSums.apply(z, anchors, others, layout, 1 / temperature, curve)
    return result
