"""The order in which pairs of rows are compared: tiles of rows that were sorted by label.

Most tiles then hold one kind of pair (one label, or two labels) and need no mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

SAME, OTHER, ALL = 0, 1, 2
"""Kinds of pairs: of one label and of two labels (rows of the (2, M) results), and both."""

WHOLE_BATCH = 512
"""Rows up to which all pairs are compared at once (measured)."""

SMALL_BATCH = 2048
TILE_SMALL, TILE_CPU, TILE_ELSEWHERE = 256, 512, 4096
"""Rows of a tile: what fits a core's cache (measured), and what keeps an accelerator busy."""


@dataclass(frozen=True)
class Tile:
    """A block of pairs.

    Attributes:
        rows, cols: the anchors and the rows that they are compared with.
        kinds: which of SAME and OTHER it holds.
        mirrored: whether its columns are anchors too, seen here and nowhere else.
        square: whether it lies on the diagonal of a symmetric grid.
    """

    rows: slice
    cols: slice
    kinds: tuple[int, ...]
    mirrored: bool = False
    square: bool = False


@dataclass(frozen=True)
class Layout:
    """The order in which pairs are visited.

    Attributes:
        label: (N,) int64, ascending.
        anchors: (M,) int64 positions of the anchors, ascending; None where every row is one.
        tile: side of a tile in rows.
    """

    label: Tensor
    anchors: Tensor | None
    tile: int

    @classmethod
    def of(cls, label: Tensor, anchors: Tensor | None = None, tile: int = 0) -> Layout:
        """Choose the tile: `tile` rows, or 0 for the size that measured best."""
        return cls(label, anchors, tile or _tile_size(label))

    def tiles(self, wanted: tuple[int, ...] = (SAME, OTHER)) -> Iterator[Tile]:
        """Yield the tiles that hold any of the wanted kinds of pairs."""
        row_label = self.label if self.anchors is None else self.label[self.anchors]
        rows, cols = _cut(row_label, self.tile), _cut(self.label, self.tile)
        for i, (row, row_low, row_high) in enumerate(rows):
            for col, col_low, col_high in cols[i:] if self.anchors is None else cols:
                apart = row_high < col_low or col_high < row_low
                alone = row_low == row_high == col_low == col_high
                kinds = (OTHER,) if apart else (SAME,) if alone else (SAME, OTHER)
                if set(kinds) & set(wanted):
                    square = self.anchors is None and row == col
                    yield Tile(row, col, kinds, self.anchors is None and not square, square)

    def same(self, tile: Tile) -> Tensor | None:
        """Return which pairs of a mixed tile have one label; None where all are of one kind."""
        if len(tile.kinds) == 1:
            return None
        positions = tile.rows if self.anchors is None else self.anchors[tile.rows]
        return self.label[positions, None] == self.label[None, tile.cols]

    def split(self, tile: Tile, values: Tensor, fill: float) -> Iterator[tuple[int, Tensor]]:
        """Yield the values of each kind of pair, `fill` at the others."""
        same = self.same(tile)
        if same is None:
            yield tile.kinds[0], values
        else:
            yield SAME, torch.where(same, values, fill)
            yield OTHER, torch.where(same, fill, values)

    def leave_out_self(self, tile: Tile, values: Tensor, fill: float) -> Tensor:
        """Put `fill` where a row meets itself."""
        if tile.square:
            values.fill_diagonal_(fill)
        elif self.anchors is not None and SAME in tile.kinds:
            col = torch.arange(tile.cols.start, tile.cols.stop, device=values.device)
            values.masked_fill_(self.anchors[tile.rows, None] == col, fill)
        return values


def _tile_size(label: Tensor) -> int:
    if label.device.type != "cpu":
        return TILE_ELSEWHERE
    return TILE_SMALL if label.numel() <= SMALL_BATCH else TILE_CPU


def _cut(label: Tensor, size: int) -> list[tuple[slice, int, int]]:
    """Cut ascending labels into slices; each with its lowest and its highest label."""
    n = label.numel()
    slices = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    if len(slices) < 2:
        return [(part, 0, 1) for part in slices]  # one mixed tile: no need to look at labels
    ends = [position for part in slices for position in (part.start, part.stop - 1)]
    labels = label[torch.tensor(ends, device=label.device)].tolist()
    return list(zip(slices, labels[::2], labels[1::2], strict=True))
