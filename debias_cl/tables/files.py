"""From what the user named (files, globs) to a source that can be counted."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from debias_cl.data.tables import read_table
from debias_cl.errors import DataError, did_you_mean
from debias_cl.tables.counted import Source, TableSource, joined


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
    patterns: Sequence[str], missing: Sequence[str] = (), count_column: str = ""
) -> tuple[Source, list[Path]]:
    """Return a source over one or more files with the same columns.

    Args:
        patterns: names and globs.
        missing: texts that mean "missing" besides the empty cell.
        count_column: column that says how many rows each row stands for; "" is one each.

    Raises:
        DataError: a file is absent or damaged, or the columns differ.
    """
    files = found_files(patterns)
    table = joined([read_table(file, missing) for file in files])
    return TableSource(title_of(files), table, count_column), files
