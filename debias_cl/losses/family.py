"""The contrastive family as a table: which pull, against which rows, over which anchors.

Every loss is a mean over anchors of a weighted sum of `Term`s, times temperature /
base_temperature where its source has that factor. Notation: s_ij = z_i . z_j / temperature of unit
vectors; P(i) the other rows with the anchor's label, N(i) the rows with another label, S(i) the
other views of its image, A(i) all rows but i.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Literal

import torch
from torch import Tensor, nn

from debias_cl.errors import UsageError
from debias_cl.losses import contrast
from debias_cl.losses.classes import class_sums, first_order, reordered
from debias_cl.losses.tiles import OTHER, SAME, Layout

Sources = slice | Tensor | None
"""Which source images are anchors: a slice, int64 positions or a (B,) bool mask; None is all."""


@dataclass(frozen=True)
class Term:
    """One pull of a loss, a row of the family's table.

    Attributes:
        value: gives (M,) values of the anchors.
        needs: what an anchor must have for the term: else the term adds 0 to it and is counted.
        same: whether it needs the log-sum-exp over rows of the anchor's own label.
    """

    value: Callable[[Anchors], Tensor]
    needs: tuple[Literal["positives", "negatives", "views"], ...]
    same: bool = True


class Anchors:
    """A batch prepared for the terms: rows of unit length, sorted by label; values an anchor.

    Args:
        features: (B, V, d) float; float16 and bfloat16 are raised to float32.
        label: (B,) int64; None where every source image is its own label.
        temperature: above 0.
        sources: source images whose rows are anchors.
        first_view: whether only view 0 of each image is an anchor.
        wanted: kinds of pairs that the terms need.
        tile: rows of a tile; 0 chooses.
    """

    def __init__(
        self,
        features: Tensor,
        label: Tensor | None,
        temperature: float,
        sources: Sources = None,
        first_view: bool = False,
        wanted: tuple[int, ...] = (SAME, OTHER),
        tile: int = 0,
    ) -> None:
        self.temperature, self.wanted = temperature, wanted
        b, v, _ = features.shape
        order = None if label is None else torch.sort(label, stable=True).indices
        self.z, self.unit = unit_rows(features if order is None else reordered(features, order))
        chosen = _chosen(b, v, sources, first_view, features.device)
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
        """(M,) int64 each (views: one for all): positives, negatives, other views of an anchor."""
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
        """(M,) log sum over P(i) of exp s."""
        return self._logs[SAME]

    @property
    def log_others(self) -> Tensor:
        """(M,) log sum over N(i) of exp s."""
        return self._logs[OTHER]

    @cached_property
    def log_all(self) -> Tensor:
        """(M,) log sum over A(i) of exp s."""
        return torch.logaddexp(self.log_same, self.log_others)

    @cached_property
    def _view_sums(self) -> Tensor:
        return self.z.sum(1)  # (B, d)

    def _mean(self, sums: Tensor, number: Tensor) -> Tensor:
        # element by element, because autocast would lower the precision of a product's gradient
        total = (self.z * sums[:, None]).sum(-1) - self.unit
        return self._of_anchors(total) / number.clamp(min=1) / self.temperature

    @cached_property
    def mean_views(self) -> Tensor:
        """(M,) mean over S(i) of s."""
        return self._mean(self._view_sums, self.number["views"])

    @cached_property
    def mean_positives(self) -> Tensor:
        """(M,) mean over P(i) of s."""
        if self.counts is None:
            return self.mean_views
        return self._mean(class_sums(self._view_sums, self.counts), self.number["positives"])

    def mean_curve(self, curve: contrast.Curve) -> Tensor:
        """(M,) mean over P(i) of curve(s_ip - log sum over N(i))."""
        total = contrast.pair_sums(
            self.flat, self.layout, self.temperature, self.log_others, curve, self.rows
        )
        return total / self.number["positives"].clamp(min=1)


def unit_rows(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows of length 1 in float32 (float64 in float64), and which rows have a length.

    A row without a direction (all zeros, or a length that its number format cannot hold) becomes
    zeros: its similarity to every row is 0 and it gets no gradient.
    """
    x = features.float() if features.dtype in (torch.float16, torch.bfloat16) else features
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    usable = norm > torch.finfo(x.dtype).tiny ** 0.5
    return x / torch.where(usable, norm, torch.inf), usable.squeeze(-1).to(x.dtype)


def _chosen(
    b: int, v: int, sources: Sources, first_view: bool, device: torch.device
) -> Tensor | None:
    if sources is None and not first_view:
        return None
    chosen = torch.zeros((b, v), dtype=torch.bool, device=device)
    chosen[slice(None) if sources is None else sources] = True
    if first_view:
        chosen[:, 1:] = False
    return chosen


class FamilyLoss(nn.Module):
    """A loss of the contrastive family over (n, views, d) features, exact for any batch.

    Memory grows with n x views, never with its square. Features of any length are normalised;
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
    """Rows of a tile; 0 chooses by the number of rows and the device."""

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
        self._missing: dict[str, tuple[Tensor | int, int]] = {}

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
        features = first_order(features)
        with torch.autocast(features.device.type, enabled=False):
            anchors = self._prepare(features, label if self.looks_at_labels else None, sources)
            total = sum(share * self._applied(term, anchors).sum() for share, term in self.terms)
            self._count(anchors)
            rows = features.shape[0] * (1 if self.first_view else features.shape[1])
            scale = self.temperature / (self.base_temperature or self.temperature)
            return torch.as_tensor(total) * (scale / rows)

    def _prepare(self, features: Tensor, label: Tensor | None, sources: Sources) -> Anchors:
        same = any(term.same for _, term in self.terms)
        wanted = (SAME, OTHER) if same else (OTHER,)
        return Anchors(
            features, label, self.temperature, sources, self.first_view, wanted, self.tile
        )

    @staticmethod
    def _applied(term: Term, anchors: Anchors) -> Tensor:
        enough = [anchors.number[need] > 0 for need in term.needs]
        return torch.where(reduce(torch.logical_and, enough), term.value(anchors), 0.0)

    def _count(self, anchors: Anchors) -> None:
        needs = sorted({need for _, term in self.terms for need in term.needs})
        present = {f"anchors_without_{need}": anchors.number[need] for need in needs}
        present["rows_without_direction"] = anchors.unit
        for name, number in present.items():
            missing, of = self._missing.get(name, (0, 0))
            absent = number.numel() - torch.count_nonzero(number)
            self._missing[name] = (missing + absent, of + number.numel())

    def diagnostics(self) -> dict[str, float]:
        """Return shares since the last call: anchors that a term did not apply to.

        Returns:
            `anchors_without_positives`, `..._negatives`, `..._views` (those that the loss needs)
            and `rows_without_direction` (all zeros), in [0, 1]; empty before the first batch.
        """
        shares = {name: float(n) / of for name, (n, of) in self._missing.items() if of}
        self._missing = {}
        return shares


def positive(name: str, value: float) -> None:
    """Raise `UsageError` unless a setting is a finite number above 0."""
    if not 0 < value < float("inf"):
        raise UsageError(f"{name} is {value}", expected="a number above 0")


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
