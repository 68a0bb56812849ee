"""The forgiving table reader that manifests and `audit` share. No torch.

CSV (any usual separator, encoding and line end), Parquet and pandas frames all become text cells,
so that the same rows give the same numbers in every form. What the reader did is in `notes`, and
every row that it left out is in `exclusions`.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.data.cells import Cells, Table, cell_notes, cells_of, encoded, refuse_double_names
from debias_cl.data.coding import (
    code_column,
    code_label,
    code_label_and_prediction,
    find_level,
    level_map,
    levels_of,
    numeric,
)
from debias_cl.data.csv_text import parse_csv
from debias_cl.errors import DataError, did_you_mean

__all__ = [
    "Cells",
    "Table",
    "arrow_cells",
    "cells_of",
    "code_column",
    "code_label",
    "code_label_and_prediction",
    "find_level",
    "level_map",
    "levels_of",
    "numeric",
    "read_table",
    "refuse_spreadsheet_dates",
    "table_of_frame",
]

NOT_A_TABLE = {
    b"PK\x03\x04": "a zip archive or a spreadsheet (.xlsx)",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet (.xls)",
    b"%PDF": "a PDF",
}


def read_table(path: Path, missing: Sequence[str] = ()) -> Table:
    """Read a CSV or Parquet file.

    Args:
        path: the file; what it holds decides, not its ending (`.csv.gz` is read too).
        missing: texts that mean "missing" besides the empty cell.

    Raises:
        DataError: not there, empty, of another kind, or damaged beyond single rows.
    """
    path = Path(path)
    if not path.is_file():
        near = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        raise DataError(
            f"the table {path} is not there", remedy=did_you_mean(path.name, near) if near else ""
        )
    with path.open("rb") as handle:
        head = handle.read(4)
    if head == b"PAR1":
        return _read_parquet(path, missing)
    kind = next((what for magic, what in NOT_A_TABLE.items() if head.startswith(magic)), "")
    if kind:
        raise DataError(f"{path} is {kind}", expected="CSV or Parquet", remedy="save it as CSV")
    data = path.read_bytes()
    return parse_csv(path.name, gzip.decompress(data) if head[:2] == b"\x1f\x8b" else data, missing)


def table_of_frame(frame: Any, missing: Sequence[str] = (), source: str = "the frame") -> Table:
    """Return a pandas frame as a table; NaN, None, NaT and "" are empty cells.

    Args:
        frame: pandas.DataFrame, n rows.
        missing: texts that mean "missing" besides these.
        source: name for messages.
    """
    import pandas as pd

    refuse_double_names(source, [str(name).strip() for name in frame.columns])
    columns = {}
    for name in frame.columns:
        codes, distinct = pd.factorize(frame[name])
        columns[str(name).strip()] = encoded(
            [str(value) for value in distinct], codes.astype(np.int32), missing
        )
    lines = np.arange(1, len(frame) + 1)
    return Table(source, columns, lines, "row", notes=cell_notes(columns, missing))


def _read_parquet(path: Path, missing: Sequence[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path, memory_map=True).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"the Parquet file {path} cannot be read: {error}") from error
    refuse_double_names(path.name, [name.strip() for name in table.column_names])
    columns: dict[str, Cells] = {}
    blobs: dict[str, Sequence[bytes | None]] = {}
    notes: list[str] = []
    for name, values in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_struct(values.type) and values.type.get_field_index("bytes") >= 0:
            values = pa.chunked_array([c.field("bytes") for c in values.chunks], pa.binary())
        if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
            blobs[name.strip()] = _Blobs(values)
        elif pa.types.is_nested(values.type):
            notes.append(f"column '{name}' of type {values.type} is not read")
        else:
            columns[name.strip()] = arrow_cells(values, missing)
    if not table.num_rows:
        raise DataError(f"the Parquet file {path} has no rows")
    lines = np.arange(1, table.num_rows + 1)
    notes += cell_notes(columns, missing)
    return Table(path.name, columns, lines, "row", blobs, tuple(notes))


@dataclass(frozen=True)
class _Blobs(Sequence[bytes | None]):
    """A binary Arrow column that is turned into Python bytes one cell at a time."""

    values: Any

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, row: Any) -> Any:
        return self.values[row].as_py()


def arrow_cells(
    values: Any, missing: Sequence[str], rows: npt.NDArray[np.int64] | None = None
) -> Cells:
    """Return an Arrow column as cells: a float's NaN is an empty cell, as in a written CSV.

    Args:
        values: pyarrow.ChunkedArray, n values.
        missing: texts that mean "missing" besides null.
        rows: (n,) rows behind each value; None: one each.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type):
        values = values.cast(pa.float32()) if pa.types.is_float16(values.type) else values
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    coded = values.cast(pa.large_string()).combine_chunks().dictionary_encode()
    if isinstance(coded, pa.ChunkedArray):  # newer Arrow keeps an empty column chunked
        coded = coded.combine_chunks()
    index = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return encoded(coded.dictionary.to_pylist(), index, missing, rows)


RANGE = re.compile(r"\d+ ?[-–] ?\d+")
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
DATE = re.compile(rf"\d{{1,2}}-(?:{MONTHS})|(?:{MONTHS})-\d{{1,2}}", re.IGNORECASE)


def refuse_spreadsheet_dates(table: Table) -> None:
    """Refuse a column of ranges in which a spreadsheet turned some into dates (3-9 -> 03-Sep).

    Raises:
        DataError: names the rows. The original text cannot be known for sure, so none is guessed.
    """
    for name, cells in table.columns.items():
        texts = cells.counts()
        dates = [text for text in texts if DATE.fullmatch(text)]
        if not dates or not any(RANGE.fullmatch(text) for text in texts):
            continue
        rows = sorted(int(row) for text in dates for row in cells.rows_of(text))
        listed = ", ".join(f"{table.unit} {table.lines[r]} '{cells[r]}'" for r in rows[:5])
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise DataError(
            f"column '{name}' was damaged by a spreadsheet: ranges became dates",
            where=f"{table.source}: {listed}{more}",
            expected="the texts as they were before a spreadsheet opened and saved the file",
            remedy="take the original file, or import the column as text and mend these rows",
        )
