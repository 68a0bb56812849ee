"""From what the user named (files, globs) to a source that can be counted."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from debias_cl.data.tables import read_table
from debias_cl.errors import DataError, did_you_mean
from debias_cl.tables.counted import Source, TableSource, joined

if TYPE_CHECKING:
    from debias_cl.tables.backend import BackendSource

IN_MEMORY = 64 << 20
"""Bytes of files that are read into memory; more are counted by DuckDB where they lie."""
ROWS_IN_MEMORY = 1_000_000
"""Rows of Parquet, likewise: it packs many rows into few bytes."""


def found_files(patterns: Sequence[str]) -> list[Path]:
    """Return the files behind names and globs, each once, in the order given.

    Raises:
        DataError: a name or pattern matches no file.
    """
    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        if path.is_file():
            found[path] = None
            continue
        matches = map(Path, sorted(glob.glob(pattern, recursive=True)))  # noqa: PTH207 (absolute)
        files = [match for match in matches if match.is_file()]
        if not files:
            near = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
            raise DataError(
                f"there is no file {pattern}",
                expected="a CSV or Parquet file, or a pattern that matches some",
                remedy=did_you_mean(path.name, near) if near else "",
            )
        found |= dict.fromkeys(files)
    return list(found)


def title_of(files: Sequence[Path]) -> str:
    """Return what to call the table: its file's name, or the first and how many more."""
    more = f" and {len(files) - 1} more files" if len(files) > 2 else ""
    return " and ".join(file.name for file in files[: 1 if more else 2]) + more


def open_files(
    patterns: Sequence[str],
    missing: Sequence[str] = (),
    count_column: str = "",
    in_memory: int = IN_MEMORY,
) -> Source:
    """Return a source over one or more files with the same columns.

    Args:
        patterns: names and globs.
        missing: texts that mean "missing" besides the empty cell.
        count_column: column that says how many rows each row stands for; "" is one each.
        in_memory: bytes of files that are read into memory.

    Raises:
        DataError: a file is absent or damaged, or the columns differ.
    """
    files = found_files(patterns)
    if not count_column:
        small = not _too_big(files, in_memory) and _rows(files) <= ROWS_IN_MEMORY
        big = None if small else counted_in_place(files)
        if big is not None:
            return big
    table = joined([read_table(file, missing) for file in files])
    return TableSource(title_of(files), table, count_column)


def counted_in_place(files: Sequence[Path], view: str = "") -> BackendSource | None:
    """Return a source that DuckDB counts; None where it might read the files otherwise.

    Args:
        files: at least one.
        view: what the table is called in SQL; "" is the default.

    Raises:
        DataError: the columns differ.
    """
    from debias_cl.tables import duck

    kinds = {_head(file) for file in files}
    named = {"view": view} if view else {}
    if kinds == {PARQUET}:
        return duck.parquet_source(files, title_of(files), **named)
    if PARQUET in kinds or any(kind.startswith(NO_TEXT) for kind in kinds):
        return None
    return duck.csv_source(files, title_of(files), **named)


PARQUET = b"PAR1"
NO_TEXT = (b"\x1f\x8b", b"PK", b"%P", b"\xd0\xcf")


def _head(file: Path) -> bytes:
    with file.open("rb") as handle:
        return handle.read(4)


def _too_big(files: Sequence[Path], in_memory: int) -> bool:
    return sum(file.stat().st_size for file in files) > in_memory


def _rows(files: Sequence[Path]) -> int:
    """Return the rows of Parquet files; a damaged one is left to the reader that says so."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    packed = [file for file in files if _head(file) == PARQUET]
    try:
        return sum(int(pq.read_metadata(file).num_rows) for file in packed)
    except (pa.ArrowException, OSError):
        return 0
