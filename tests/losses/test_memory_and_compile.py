"""The streaming path allocates nothing of size N x N, and runs under torch.compile."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from debias_cl.losses import ConTeXLoss
from debias_cl.losses.tiles import TILE_CPU


class LargestTensor(TorchDispatchMode):
    """Remembers the largest number of elements that any operation returned."""

    largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.largest = max(self.largest, tensor.untyped_storage().nbytes() // 4)
        return result


def test_the_watch_sees_a_square_matrix() -> None:
    with LargestTensor() as watch:
        z = torch.randn(100, 4)
        (z @ z.T).sum()
    assert watch.largest == 100 * 100


def test_no_square_matrix_is_allocated(objective: Any) -> None:
    n, d = 4096, 16
    x = torch.randn(n // 2, 2, d).requires_grad_()
    labels = torch.randint(0, 10, (n // 2,))
    with LargestTensor() as watch:
        objective.build(0.1)(x, labels).backward()
    # int64 pairs count twice; a square matrix would be 64 tiles
    assert watch.largest <= max(2 * TILE_CPU**2, n * d)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's own, within
def test_it_runs_under_compile() -> None:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    loss, labels = ConTeXLoss(), torch.tensor([0, 1, 0, 1])
    x = torch.randn(4, 2, 6)

    def trained(features: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = loss(encoder(features), labels)
        return value

    plain = trained(x)
    plain.backward()
    expected = [p.grad.clone() for p in encoder.parameters() if p.grad is not None]
    encoder.zero_grad()
    compiled = torch.compile(trained)(x)
    compiled.backward()
    torch.testing.assert_close(compiled, plain)
    for parameter, gradient in zip(encoder.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
