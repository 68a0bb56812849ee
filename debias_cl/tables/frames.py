"""Frames and arrays in memory as the same table of text cells that a file gives. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.data.cells import Cells, Table, cell_notes, refuse_double_names
from debias_cl.data.tables import arrow_cells, table_of_frame
from debias_cl.errors import DataError, UsageError

ACCEPTED = (
    "a pandas, polars or other frame that narwhals knows, an Arrow table, a mapping of names to "
    "arrays, or an array of predictions"
)


def table_of(data: Any, missing: Sequence[str] = (), source: str = "the frame") -> Table:
    """Return a frame, or arrays by name, as a table.

    Args:
        data: n rows; see `ACCEPTED`.
        missing: texts that mean "missing" besides the empty cell.
        source: name for messages.

    Raises:
        UsageError: it is nothing of the kind.
        DataError: no rows, columns of unequal length, or two columns of one name.
    """
    if isinstance(data, np.ndarray) and data.dtype.names:
        data = {name: data[name] for name in data.dtype.names}
    table = (
        _of_arrays(data, missing, source)
        if isinstance(data, Mapping)
        else _of_frame(data, missing, source)
    )
    if not len(table):
        raise DataError(f"{source} has no rows")
    return table


def with_arrays(
    table: Table | None, arrays: Mapping[str, Any], missing: Sequence[str], source: str
) -> Table:
    """Return the table with further columns, given as arrays of its length.

    Raises:
        DataError: an array is of another length.
    """
    if not arrays and table is not None:
        return table
    more = table_of(arrays, missing, source)
    if table is None:
        return more
    if len(more) != len(table):
        raise DataError(
            f"{', '.join(arrays)} has {len(more):,} values for the {len(table):,} rows of {source}"
        )
    columns = {**table.columns, **more.columns}
    return replace(table, columns=columns, notes=(*table.notes, *more.notes))


def is_array(data: Any) -> bool:
    """Return whether this is one column of values rather than a frame or a mapping."""
    if isinstance(data, list | tuple):
        return True
    if isinstance(data, str | bytes | Mapping) or hasattr(type(data), "columns"):
        return False
    plain = not (isinstance(data, np.ndarray) and data.dtype.names)
    return plain and hasattr(data, "__array__") and np.ndim(data) == 1


def _of_arrays(data: Mapping[Any, Any], missing: Sequence[str], source: str) -> Table:
    import pandas as pd

    columns = {str(name): _column(str(name), values) for name, values in data.items()}
    sizes = {name: len(values) for name, values in columns.items()}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} ({n:,})" for name, n in sizes.items())
        raise DataError(f"the columns of {source} are not of one length", where=told)
    return table_of_frame(pd.DataFrame(columns), missing, source)


def _column(name: str, values: Any) -> npt.NDArray[Any]:
    """Return one column as an array; the index of a pandas Series plays no part."""
    found: npt.NDArray[Any] = np.asarray(values)
    if np.ma.is_masked(values):
        found = found.astype(object)
        found[np.ma.getmaskarray(values)] = None
    if found.ndim != 1:
        raise DataError(
            f"the column '{name}' has {found.ndim} dimensions", expected="one value a row"
        )
    return found


def _of_frame(data: Any, missing: Sequence[str], source: str) -> Table:
    import narwhals.stable.v2 as nw
    import pyarrow as pa

    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    try:
        frame = nw.from_native(data)
    except TypeError as error:
        raise UsageError(
            f"predictions cannot be read from {type(data).__name__}", expected=ACCEPTED
        ) from error
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    if eager.implementation.is_pandas_like():
        return table_of_frame(eager.to_pandas(), missing, source)
    return _of_arrow(eager.to_arrow(), missing, source)


def _of_arrow(data: Any, missing: Sequence[str], source: str) -> Table:
    import pyarrow as pa

    refuse_double_names(source, [name.strip() for name in data.column_names])
    columns: dict[str, Cells] = {}
    notes: list[str] = []
    for name, values in zip(data.column_names, data.columns, strict=True):
        kind = values.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            notes.append(f"column '{name}' of type {kind} is not read")
        else:
            columns[name.strip()] = arrow_cells(values, missing)
    lines = np.arange(1, data.num_rows + 1)
    return Table(source, columns, lines, "row", notes=(*notes, *cell_notes(columns, missing)))
