"""Tables of text cells, each column held as distinct texts and one code a row. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.errors import DataError, did_you_mean
from debias_cl.records import Exclusion


@dataclass(frozen=True)
class Cells:
    """The cells of one column, whatever file they came from.

    Attributes:
        texts: the distinct texts, in order of first appearance, without outer spaces.
        index: (n,) int32 codes into `texts`; -1 is an empty cell.
        trimmed: how many cells had spaces around their text.
        marked: how many cells were made empty because the user said that their text means missing.
        rows: (n,) rows behind each cell where equal rows were counted together; None: one each.
    """

    texts: tuple[str, ...]
    index: npt.NDArray[np.int32]
    trimmed: int = 0
    marked: int = 0
    rows: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, row: int) -> str | None:
        code = self.index[row]
        return None if code < 0 else self.texts[code]

    def __iter__(self) -> Iterator[str | None]:
        texts: tuple[str | None, ...] = (*self.texts, None)  # code -1 is the last one
        return (texts[code] for code in self.index)

    def take(self, rows: npt.NDArray[Any]) -> Cells:
        """Return the cells at `rows` (integers or a mask); `texts` may then hold unused ones."""
        behind = None if self.rows is None else self.rows[rows]
        return Cells(self.texts, self.index[rows], rows=behind)

    def counts(self) -> dict[str, int]:
        """Return how many rows each text stands in; texts in no row are left out."""
        filled = self.index >= 0
        behind = None if self.rows is None else self.rows[filled]
        number = np.bincount(self.index[filled], behind, minlength=len(self.texts))
        return {text: int(n) for text, n in zip(self.texts, number, strict=True) if n}

    def rows_of(self, text: str) -> npt.NDArray[np.int64]:
        """Return the rows whose cell is `text`."""
        if text not in self.texts:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(self.index == self.texts.index(text))

    def filled(self) -> npt.NDArray[np.bool_]:
        """Return an (n,) mask of the cells that are not empty."""
        return np.asarray(self.index >= 0, dtype=np.bool_)


def encoded(
    texts: Sequence[str],
    index: npt.NDArray[np.int32],
    missing: Sequence[str] = (),
    rows: npt.NDArray[np.int64] | None = None,
) -> Cells:
    """Return cells from raw texts and codes: outer spaces trimmed, empty and missing texts as -1.

    Args:
        texts: raw texts; several may become one when trimmed.
        index: (n,) codes into `texts`, -1 for an empty cell.
        missing: texts that the user says mean "missing".
        rows: (n,) rows behind each cell; None: one each.
    """
    distinct: dict[str, int] = {}
    new = np.full(len(texts) + 1, -1, dtype=np.int32)  # the last one serves code -1
    trimmed = np.zeros(len(texts) + 1, dtype=np.bool_)
    marked = np.zeros(len(texts) + 1, dtype=np.bool_)
    for code, raw in enumerate(texts):
        text = raw.strip()
        trimmed[code] = text != raw
        marked[code] = text in missing and text != ""
        if text and not marked[code]:
            new[code] = distinct.setdefault(text, len(distinct))
    behind = np.ones(len(index), np.int64) if rows is None else rows
    changed = [int(behind[mask[index]].sum()) for mask in (trimmed, marked)]
    return Cells(tuple(distinct), new[index], changed[0], changed[1], rows)


def cells_of(values: Iterable[str | None], missing: Sequence[str] = ()) -> Cells:
    """Return the cells of plain values; None and "" are empty cells.

    >>> list(cells_of(["NA", "", " ZA", None]))
    ['NA', None, 'ZA', None]
    """
    distinct: dict[str, int] = {}
    codes = [-1 if v is None else distinct.setdefault(v, len(distinct)) for v in values]
    return encoded(tuple(distinct), np.array(codes, dtype=np.int32), missing)


@dataclass(frozen=True)
class Table:
    """Text cells by column, and where each row came from.

    Attributes:
        source: file name for messages.
        columns: column name -> (n,) cells.
        lines: (n,) line of the file (CSV, the header is line 1) or number of the row (from 1).
        unit: "line" or "row", what `lines` counts.
        blobs: binary columns (pictures in Parquet), name -> (n,) sequence of bytes or None.
        notes: what the reader recognised and did.
        exclusions: rows left out.
        parts: first row and file name of each file, where several were joined.
    """

    source: str
    columns: Mapping[str, Cells]
    lines: npt.NDArray[np.int64]
    unit: str = "line"
    blobs: Mapping[str, Sequence[bytes | None]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    parts: tuple[tuple[int, str], ...] = ()

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int) -> str:
        """Return "people.csv, line 4" for a row."""
        source = next((name for first, name in self.parts[::-1] if first <= row), self.source)
        return f"{source}, {self.unit} {self.lines[row]}"

    def column(self, name: str) -> Cells:
        """Return the cells of a column.

        Raises:
            DataError: there is no such column; names the nearest.
        """
        if name not in self.columns:
            names = [*self.columns, *self.blobs]
            raise DataError(
                f"column '{name}' is not in {self.source}",
                where=f"columns: {', '.join(names)}",
                remedy=did_you_mean(name, names),
            )
        return self.columns[name]


def refuse_double_names(source: str, names: Sequence[str]) -> None:
    """Refuse a table in which two columns have one name.

    Raises:
        DataError: names the columns.
    """
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        places = [str(place) for place, name in enumerate(names, start=1) if name == double]
        raise DataError(
            f"the column name '{double}' stands {len(places)} times in {source}",
            where=f"columns {', '.join(places)}",
            remedy="rename all but one",
        )


def cell_notes(columns: Mapping[str, Cells], missing: Sequence[str]) -> tuple[str, ...]:
    """Say how many cells were trimmed, and how many the user's `missing` texts emptied."""
    notes = [
        f"column '{name}': spaces around {cells.trimmed} cells were removed"
        for name, cells in columns.items()
        if cells.trimmed
    ]
    texts = ", ".join(f"'{text}'" for text in missing)
    notes += [
        f"column '{name}': {cells.marked} cells with {texts} count as missing, as asked"
        for name, cells in columns.items()
        if cells.marked
    ]
    return tuple(notes)
