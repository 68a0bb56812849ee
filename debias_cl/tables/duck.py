"""Big files are counted by DuckDB where they lie; what it would read otherwise, it does not read.

A CSV is handed to DuckDB as plain text cells, its separator and header settled by the reader of
small files. Where the two could differ, `None` says that the careful reader must do it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debias_cl.data.csv_text import Dialect, sniff
from debias_cl.records import Exclusion
from debias_cl.tables.backend import BackendSource
from debias_cl.tables.counted import refuse_other_columns

HEAD = 1 << 20
"""Bytes of a CSV that settle its dialect."""

VIEW = "rows"
"""What the table is called in SQL, where nobody named it."""
SPACES = r"E' \t\n\r\v\f'"


def quoted(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def named(text: str) -> str:
    """Return an SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def connection() -> Any:
    """Return an embedded DuckDB of this audit's own, by way of Ibis."""
    import duckdb
    import ibis

    folder = tempfile.gettempdir()
    engine = ibis.duckdb.connect(temp_directory=folder, preserve_insertion_order=False)
    engine.raw_sql("SET enable_progress_bar = false")
    with suppress(duckdb.Error):  # each part is read once, so keeping it in memory helps nobody
        engine.raw_sql("SET enable_external_file_cache = false")  # since DuckDB 1.3
    return engine


def parquet_source(files: Sequence[Path], name: str, view: str = VIEW) -> BackendSource | None:
    """Return Parquet files as a source; None where their types differ.

    Raises:
        DataError: their columns differ.
    """
    import pyarrow.parquet as pq

    if any(_is_pattern(file) for file in files):
        return None
    schemas = [pq.read_schema(file) for file in files]
    for file, schema in zip(files[1:], schemas[1:], strict=True):
        refuse_other_columns(files[0].name, schemas[0].names, file.name, schema.names)
    first = {field.name: field.type for field in schemas[0]}
    if any({field.name: field.type for field in schema} != first for schema in schemas[1:]):
        return None
    engine = connection()
    paths = ", ".join(quoted(str(file)) for file in files)
    read = f"read_parquet([{paths}], union_by_name = true)"
    engine.raw_sql(f"CREATE VIEW {named(view)} AS FROM {read}")
    return BackendSource(name, engine.table(view))


def csv_source(files: Sequence[Path], name: str, view: str = VIEW) -> BackendSource | None:
    """Return CSV files as a source; None where DuckDB might read them otherwise.

    Raises:
        DataError: their columns differ.
    """
    dialects = [_dialect(file) for file in files]
    first = dialects[0]
    if first is None or any(_is_pattern(file) for file in files):
        return None
    for file, other in zip(files[1:], dialects[1:], strict=True):
        if other is None:
            return None
        refuse_other_columns(files[0].name, list(first.header), file.name, list(other.header))
    known = [dialect for dialect in dialects if dialect is not None]
    if any((one.header, one.separator) != (first.header, first.separator) for one in known):
        return None
    engine = connection()
    engine.raw_sql(_read(files, first))
    notes = [note for one in known for note in one.notes]
    odd = _odd_rows(engine, files, name, first)
    if odd is None:
        return None
    engine.raw_sql(f"CREATE VIEW {named(view)} AS FROM cells WHERE {odd.kept}")
    notes += odd.notes
    listed = tuple(odd.exclusions)
    return BackendSource(name, engine.table(view), tuple(notes), listed, len(listed))


def _is_pattern(file: Path) -> bool:
    return bool(set("*?[") & set(str(file)))


def _dialect(file: Path) -> Dialect | None:
    with file.open("rb") as handle:
        return sniff(file.name, handle.read(HEAD))


def _read(files: Sequence[Path], dialect: Dialect) -> str:
    """Return the SQL of a view on CSV files: every cell a text, nothing guessed, nothing mended."""
    paths = ", ".join(quoted(str(file)) for file in files)
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in dialect.header)
    return (
        f"CREATE VIEW cells AS FROM read_csv([{paths}], auto_detect = false, header = true, "
        f"delim = {quoted(dialect.separator)}, quote = '\"', escape = '\"', "
        f"columns = {{{columns}}}, strict_mode = true, null_padding = false, "
        "ignore_errors = false)"
    )


@dataclass(frozen=True)
class _Odd:
    """Rows that are none: the condition that keeps the others, and what is said of them."""

    kept: str
    notes: list[str]
    exclusions: list[Exclusion]


def _odd_rows(engine: Any, files: Sequence[Path], name: str, dialect: Dialect) -> _Odd | None:
    """Find empty rows and repeated headers; None where DuckDB cannot read a row."""
    import duckdb

    cells = [f"trim({named(column)}, {SPACES})" for column in dialect.header]
    blank = " AND ".join(f"coalesce({cell}, '') = ''" for cell in cells)
    repeats = " AND ".join(
        f"coalesce({cell}, '') = {quoted(column)}"
        for cell, column in zip(cells, dialect.header, strict=True)
    )
    counts = f"SELECT count(*) FILTER ({blank}), count(*) FILTER ({repeats}) FROM cells"
    try:
        n_blank, n_repeated = engine.raw_sql(counts).fetchone()
    except duckdb.Error:  # a row of another width, a quote that does not close, another encoding
        return None
    exclusions = [one for file in files for one in repeated_headers(file, dialect)]
    if len(exclusions) != n_repeated:
        return None
    notes = [f"{name}: {n_blank} empty rows skipped"] if n_blank else []
    if exclusions:
        lines = ", ".join(one.item.removeprefix("line ") for one in exclusions[:10])
        more = f" and {n_repeated - 10} more" if n_repeated > 10 else ""
        notes.append(f"{name}: {n_repeated} repeated header rows left out: line {lines}{more}")
    return _Odd(f"NOT ({blank}) AND NOT ({repeats})", notes, exclusions)


def repeated_headers(file: Path, dialect: Dialect) -> list[Exclusion]:
    """Return the lines that repeat the header, as the careful reader lists them."""
    found: list[Exclusion] = []
    with file.open("rb") as handle:
        for line, text in enumerate(handle, start=1):
            if (
                line > 1
                and text.startswith(dialect.line)
                and text.rstrip() == dialect.line.rstrip()
            ):
                place = f"{file.name}, line {line}"
                found.append(Exclusion(f"line {line}", place, "repeats the header row"))
    return found
