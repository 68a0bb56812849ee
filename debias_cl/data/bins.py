"""Ranges of a numeric column: by the user's edges, or with about as many rows each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from debias_cl.errors import UsageError
from debias_cl.records import MISSING, Codes, Column, Floats

QUANTILES = "quantiles:"
EXPECTED = "COLUMN=0,18,30,65 (rising edges) or COLUMN=quantiles:4"
WHERE = "--bins"


@dataclass(frozen=True)
class Bins:
    """How a numeric column becomes ranges.

    Attributes:
        edges: rising edges; a range holds its lower edge, the last one both.
        quantiles: number of ranges with about as many rows each, where no edges are given.
    """

    edges: tuple[float, ...] = ()
    quantiles: int = 0


def read_bins(texts: Sequence[str]) -> dict[str, Bins]:
    """Return column -> its ranges, from "age=0,18,30" or "age=quantiles:4".

    Raises:
        UsageError: no column, no numbers, or edges that do not rise.
    """
    return dict(_one(text) for text in texts)


def _one(text: str) -> tuple[str, Bins]:
    name, _, said = text.partition("=")
    said = said.strip()
    if not name.strip() or not said:
        raise UsageError(f"'{text}' names no ranges", where=WHERE, expected=EXPECTED)
    if said.startswith(QUANTILES):
        many = said.removeprefix(QUANTILES).strip()
        if not many.isdigit() or int(many) < 2:
            raise UsageError(f"'{text}' asks for no ranges", where=WHERE, expected="2 or more")
        return name.strip(), Bins(quantiles=int(many))
    try:
        edges = tuple(float(part) for part in said.split(","))
    except ValueError as error:
        raise UsageError(f"'{text}' holds no edges", where=WHERE, expected=EXPECTED) from error
    rising = all(low < high for low, high in pairwise(edges))
    if len(edges) < 2 or not rising or not all(map(math.isfinite, edges)):
        raise UsageError(f"the edges in '{text}' do not rise", where=WHERE, expected=EXPECTED)
    return name.strip(), Bins(edges)


def ranges(name: str, values: Floats, rows: Codes, bins: Bins) -> tuple[Column, Codes]:
    """Return a column of ranges and which range each entry lies in.

    Args:
        name: of the column.
        values: (n,) numbers, NaN where missing.
        rows: (n,) rows behind each entry.
        bins: the ranges; what lies outside the edges has ranges of its own, nothing is dropped.

    Returns:
        The column, whose `numbers` are the mean value of the rows in each range, and (n,) codes; a
        missing value has the level `(missing)`. Ranges without rows between others are kept.
    """
    known = ~np.isnan(values) & (rows > 0)
    edges = np.array(bins.edges or _quantile_edges(values[known], rows[known], bins.quantiles))
    # 0 is below the edges, 1 .. k - 1 the ranges, k above; the last range holds its upper edge.
    place = np.searchsorted(edges, values, side="right")
    place = np.where(values == edges[-1], max(len(edges) - 1, 1), place)
    names = _names(edges)
    there = [i for i in range(len(names)) if 0 < i < len(names) - 1 or (place[known] == i).any()]
    levels = tuple(names[i] for i in there)
    code = np.full(len(names), -1, np.int64)
    code[there] = np.arange(len(there))
    codes = code[np.where(np.isnan(values), 0, place)]
    numbers = {}
    for i, level in zip(there, levels, strict=True):
        inside = known & (place == i)
        if inside.any():
            numbers[level] = float(np.average(values[inside], weights=rows[inside]))
    if np.isnan(values).any():
        codes, levels = np.where(np.isnan(values), len(levels), codes), (*levels, MISSING)
    return Column(name, levels, numbers=numbers), codes.astype(np.int64)


def _quantile_edges(values: Floats, rows: Codes, many: int) -> list[float]:
    """Return the edges of ranges with about as many rows each; equal ones are one."""
    if not len(values):
        return [0.0, 1.0]
    order = np.argsort(values, kind="stable")
    values, upto = values[order], np.cumsum(rows[order])
    wanted = np.arange(1, many) / many * upto[-1]
    inner = values[np.minimum(np.searchsorted(upto, wanted, side="right"), len(values) - 1)]
    return sorted({float(values[0]), *inner.tolist(), float(values[-1])})


def _names(edges: Floats) -> list[str]:
    """Return what the ranges are called, those outside the edges first and last."""
    texts = [f"{edge:.12g}" for edge in edges]
    inner = [f"{low} to under {high}" for low, high in pairwise(texts)]
    if inner:
        inner[-1] = f"{texts[-2]} to {texts[-1]}"
    return [f"under {texts[0]}", *(inner or [texts[0]]), f"over {texts[-1]}"]
