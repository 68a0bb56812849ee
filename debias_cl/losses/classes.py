"""Small steps of the contrastive family: sums within labels, reordering, precision, first order."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _ClassSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, counts: Tensor) -> Tensor:
        ctx.save_for_backward(counts)
        return _summed(x, counts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (counts,) = ctx.saved_tensors
        return _summed(grad, counts), None  # the matrix of "same label" is symmetric


def _summed(x: Tensor, counts: Tensor) -> Tensor:
    sums = torch.segment_reduce(x.contiguous(), "sum", lengths=counts, axis=0)
    return sums.repeat_interleave(counts, dim=0, output_size=x.shape[0])


def class_sums(x: Tensor, counts: Tensor) -> Tensor:
    """Return for each row the sum of the rows of its label.

    Args:
        x: (n, d), sorted by label.
        counts: (labels,) int64, how many rows each label has.
    """
    result: Tensor = _ClassSums.apply(x, counts)
    return result


class _Reordered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return x.index_select(0, order)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return torch.empty_like(grad).index_copy_(0, order, grad), None


def reordered(x: Tensor, order: Tensor) -> Tensor:
    """Return `x[order]` for a permutation: its gradient is a copy, not a sum."""
    result: Tensor = _Reordered.apply(x, order)
    return result


_AS_IT_IS: AbstractContextManager[Any] = nullcontext()


def wide(x: Tensor) -> Tensor:
    """Return half-precision numbers as float32, others as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def full_precision(kind: str) -> AbstractContextManager[Any]:
    """Return a context without autocast on a kind of device; where none is on, one that is free."""
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else _AS_IT_IS


class _Refused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, x: Tensor) -> Tensor:
        return grad.view_as(grad)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        raise RuntimeError(
            "the streaming contrastive losses have first derivatives only: "
            "a second derivative (double backward) is not supported"
        )


def refused(gradient: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of x; going back through it raises a RuntimeError."""
    result: Tensor = _Refused.apply(gradient, x)
    return result
