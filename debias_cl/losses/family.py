"""The contrastive family as a table: which pull, against which rows, over which anchors.

Every loss is a mean over anchors of a weighted sum of `Term`s, times temperature /
base_temperature where its source has that factor. Notation: s_ij = z_i . z_j / temperature of unit
vectors; P(i) the other rows with the anchor's label, N(i) the rows with another label, S(i) the
other views of its image, A(i) all rows but i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import torch
from torch import Tensor, nn

from debias_cl.errors import UsageError
from debias_cl.losses.anchors import Anchors, Sources, TiledAnchors, chosen_rows
from debias_cl.losses.classes import full_precision
from debias_cl.losses.tiles import OTHER, SAME, WHOLE_BATCH
from debias_cl.losses.whole import WholeAnchors


@dataclass(frozen=True)
class Term:
    """One pull of a loss, a row of the family's table.

    Attributes:
        value: gives (M,) values of the anchors.
        needs: what an anchor must have for the term: else the term adds 0 to it and is counted.
        sums: kinds of pairs (SAME, OTHER, ALL) whose log-sum-exp it reads.
    """

    value: Callable[[Anchors], Tensor]
    needs: tuple[Literal["positives", "negatives", "views"], ...]
    sums: tuple[int, ...]


class FamilyLoss(nn.Module):
    """A loss of the contrastive family over (n, views, d) features, exact for any batch.

    Memory grows with n x views, never with its square (up to 512 rows, where all
    pairs are compared at once, it is a few MB). Features of any length are normalised;
    float16, bfloat16 and autocast are computed in float32. An anchor that a term does not apply to
    (no positive, no negative, no other view) adds 0 to that term and stays in the mean; how many
    there were is in `diagnostics()`. Value and gradient are finite for every finite batch. First
    derivatives only. Under `torch.compile` the loss itself runs eagerly.

    Args:
        terms: (share, term) pairs.
        temperature: above 0.
        base_temperature: the loss is multiplied by temperature / base_temperature; None is 1.
        first_view: whether only view 0 of each image is an anchor.
    """

    tile = 0
    """Rows of a tile; 0 chooses by the number of rows and the device. A batch that fits into one
    tile is compared all at once, unsorted, and its tile is kept for the backward pass."""

    shares = True
    """Whether it takes `sources`, so that several processes can each compute a part."""

    looks_at_labels = True
    """Whether labels matter; where not, they may be given and every image is its own label."""

    def __init__(
        self,
        terms: tuple[tuple[float, Term], ...],
        temperature: float,
        base_temperature: float | None,
        first_view: bool = False,
    ) -> None:
        super().__init__()
        positive("temperature", temperature)
        if base_temperature is not None:
            positive("base_temperature", base_temperature)
        self.terms = tuple((share, term) for share, term in terms if share != 0)
        self.temperature, self.base_temperature = temperature, base_temperature
        self.first_view = first_view
        self._wanted = tuple(sorted({kind for _, term in self.terms for kind in term.sums}))
        self._needs = sorted({need for _, term in self.terms for need in term.needs})
        self._present: dict[str, tuple[Tensor | int, int]] = {}

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(
        self, features: Tensor, labels: Tensor | None = None, *, sources: Sources = None
    ) -> Tensor:
        """Return the loss.

        Args:
            features: (n, views, d) float of any norm, or (N, d) where each row is its own source.
            labels: (n,) of any integer type; None makes every source image its own label.
            sources: source images whose anchors are counted; the divisor stays that of the whole
                batch, so the shares of a partition add up to the loss and to its gradient.

        Returns:
            A scalar, float32 (float64 for float64 features).

        Raises:
            UsageError: features or labels of another shape or type.
        """
        features, label = checked(features, labels)
        with full_precision(features.device.type):
            anchors = self._prepare(features, label if self.looks_at_labels else None, sources)
            self._count(anchors)
            rows = features.shape[0] * (1 if self.first_view else features.shape[1])
            scale = self.temperature / (self.base_temperature or self.temperature) / rows
            (first, term), *others = self.terms
            total = self._applied(term, anchors)
            for share, term in others:
                total = total.add(self._applied(term, anchors), alpha=share / first)
            return total.sum() * (first * scale)

    def _prepare(self, features: Tensor, label: Tensor | None, sources: Sources) -> Anchors:
        b, v, _ = features.shape
        chosen = chosen_rows(b, v, sources, self.first_view, features.device)
        if chosen is None and b * v <= (self.tile or WHOLE_BATCH):
            return WholeAnchors(features, label, self.temperature, self._wanted)
        visited = (OTHER,) if self._wanted == (OTHER,) else (SAME, OTHER)
        return TiledAnchors(features, label, self.temperature, chosen, visited, self.tile)

    @staticmethod
    def _applied(term: Term, anchors: Anchors) -> Tensor:
        lacking = [anchors.number[need] == 0 for need in term.needs]
        return term.value(anchors).masked_fill(reduce(torch.logical_or, lacking), 0.0)

    def _count(self, anchors: Anchors) -> None:
        present = {f"anchors_without_{need}": anchors.number[need] for need in self._needs}
        present["rows_without_direction"] = anchors.unit
        for name, number in present.items():
            enough, of = self._present.get(name, (0, 0))
            self._present[name] = (enough + torch.count_nonzero(number), of + number.numel())

    def diagnostics(self) -> dict[str, float]:
        """Return shares since the last call: anchors that a term did not apply to.

        Returns:
            `anchors_without_positives`, `..._negatives`, `..._views` (those that the loss needs)
            and `rows_without_direction` (all zeros), in [0, 1]; empty before the first batch.
        """
        shares = {name: 1 - float(n) / of for name, (n, of) in self._present.items() if of}
        self._present = {}
        return shares


def positive(name: str, value: float) -> None:
    """Raise `UsageError` unless a setting is a finite number above 0."""
    if not 0 < value < float("inf"):
        raise UsageError(f"{name} is {value}", expected="a number above 0")


def not_negative(name: str, value: float) -> None:
    """Raise `UsageError` unless a setting is a finite number of at least 0."""
    if not 0 <= value < float("inf"):
        raise UsageError(f"{name} is {value}", expected="a number of at least 0")


def fraction(name: str, value: float) -> None:
    """Raise `UsageError` unless a setting is a number from 0 to 1."""
    if not 0 <= value <= 1:
        raise UsageError(f"{name} is {value}", expected="a number from 0 to 1")


def checked(features: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return features as (n, views, d) and labels as (n,) int64 on the same device.

    Raises:
        UsageError: what was given has another shape or type.
    """
    if features.ndim < 2 or features.numel() == 0 or not features.is_floating_point():
        raise UsageError(
            f"features are {tuple(features.shape)} {features.dtype}",
            expected="floating point of shape (n, views, d), or (N, d) for one view, not empty",
        )
    features = features.unsqueeze(1) if features.ndim == 2 else features.flatten(2)
    if labels is None:
        return features, None
    if labels.numel() != features.shape[0] or labels.is_floating_point() or labels.is_complex():
        raise UsageError(
            f"labels are {tuple(labels.shape)} {labels.dtype} for {features.shape[0]} images",
            expected=f"({features.shape[0]},) integers, one an image",
        )
    return features, labels.detach().reshape(-1).to(features.device, torch.int64)
