"""What losses that know the bias label share: cells, sums over groups of rows, and counts."""

from __future__ import annotations

import torch
from torch import Tensor

from debias_cl.errors import UsageError
from debias_cl.losses.contract import Targets


def known_bias(targets: Targets) -> Tensor:
    """Return the (B,) bias codes of a batch.

    Raises:
        UsageError: they are not known.
    """
    if targets.bias is None:
        raise UsageError(
            "the bias attribute of this batch is not known",
            expected="a data set with a bias attribute (--bias-attr)",
        )
    return targets.bias


def cells(label: Tensor, bias: Tensor) -> Tensor:
    """Return (n,) int64 codes that differ where the label or the bias differs."""
    return label * (bias.max() + 1) + bias


def distinct(code: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distinct codes, ascending, and how many rows have each."""
    found, number = torch.unique_consecutive(code.sort().values, return_counts=True)
    return found, number


def members(code: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the (n, groups) table of 1 where a row has a group's code and 0 elsewhere.

    Sums over groups are products with it: unlike scattered additions they have one order on every
    device.
    """
    return code[:, None].eq(distinct(code)[0]).to(dtype)


def checked_bias(bias: Tensor, label: Tensor) -> Tensor:
    """Return bias codes as (n,) int64 on the labels' device.

    Raises:
        UsageError: there is not one integer for each label.
    """
    if bias.numel() != label.numel() or bias.is_floating_point() or bias.is_complex():
        raise UsageError(
            f"bias codes are {tuple(bias.shape)} {bias.dtype} for {label.numel()} images",
            expected=f"({label.numel()},) integers, one an image",
        )
    return bias.detach().reshape(-1).to(label.device, torch.int64)


class Shares:
    """Shares of anchors, counted on the device and read once an epoch."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[Tensor, int]] = {}

    def add(self, name: str, chosen: Tensor) -> None:
        """Count the True entries of a mask."""
        number, of = self._counted.get(name, (chosen.new_zeros((), dtype=torch.int64), 0))
        self._counted[name] = (number + torch.count_nonzero(chosen), of + chosen.numel())

    def read(self) -> dict[str, float]:
        """Return the shares in [0, 1] since the last call, and begin anew."""
        shares = {name: float(number) / of for name, (number, of) in self._counted.items()}
        self._counted = {}
        return shares
