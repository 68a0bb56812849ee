"""All ordered pairs of a batch's rows, for the losses that read label and bias of both.

Everything here is dense: memory grows with N squared, N = B V rows (N = 2,048: 16 MB a matrix in
float32).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from debias_cl.errors import UsageError
from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.contract import Targets


@dataclass(frozen=True)
class Pairs:
    """What is known of every ordered pair of N = B V rows, each field (N, N).

    Attributes:
        cosine: similarity of the rows, in [-1, 1] up to rounding; 0 to a row without direction.
        other: bool, the rows differ.
        same_image, same_label, same_bias: bool, true on the diagonal too.
    """

    cosine: Tensor
    other: Tensor
    same_image: Tensor
    same_label: Tensor
    same_bias: Tensor

    @classmethod
    def of(cls, features: Tensor, label: Tensor, bias: Tensor) -> Pairs:
        """Compare all rows.

        Args:
            features: (B, V, d) float of any length; half precision is raised to float32.
            label, bias: (B,) int64.
        """
        b, v, _ = features.shape
        z = unit_rows(features)[0].flatten(0, 1)  # (N, d)
        image = torch.arange(b, device=features.device)
        same = [_same(codes.repeat_interleave(v)) for codes in (image, label, bias)]
        other = ~torch.eye(b * v, dtype=torch.bool, device=features.device)
        return cls(z @ z.T, other, *same)


def _same(codes: Tensor) -> Tensor:
    return codes[:, None] == codes


def known_bias(targets: Targets) -> Tensor:
    """Return the (B,) bias codes of a batch.

    Raises:
        UsageError: there are none.
    """
    if targets.bias is None:
        raise UsageError(
            "the batch has no bias codes", expected="a data set with a bias attribute (--bias-attr)"
        )
    return targets.bias


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the (N,) means of each row of `values` (N, N) over a mask; 0 where it is empty."""
    return (values * mask).sum(1) / mask.sum(1).clamp(min=1)


def masked_log_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Return (N,) log sum exp of each row of `values` over a mask; very low where it is empty."""
    return values.masked_fill(~mask, torch.finfo(values.dtype).min).logsumexp(1)


class Lacking:
    """Counts what a loss left out since the log was last written."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Tensor | int, int]] = {}

    def note(self, name: str, lacking: Tensor) -> None:
        """Add a bool tensor of any shape under a name."""
        without, of = self._seen.get(name, (0, 0))
        self._seen[name] = (without + torch.count_nonzero(lacking), of + lacking.numel())

    def report(self) -> dict[str, float]:
        """Return the share of true values of each name, in [0, 1], and begin anew."""
        shares = {name: float(n) / of for name, (n, of) in self._seen.items() if of}
        self._seen = {}
        return shares
