"""A user's own table (CSV or Parquet) as annotated rows: columns, splits, paths, ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data.assemble import Rows
from debias_cl.data.decode import Picture
from debias_cl.data.folders import SPLIT_NAMES
from debias_cl.data.splits import by_hash_filled
from debias_cl.data.tables import (
    Table,
    code_column,
    code_label,
    read_table,
    refuse_spreadsheet_dates,
)
from debias_cl.errors import DataError, UsageError
from debias_cl.records import Annotations, Bools, Codes, Column, Exclusion, Texts

PATH_COLUMNS = ("path", "file", "image", "filename", "file_name", "filepath", "image_path")
"""Columns that may name the picture, the first that is there."""

BY_HASH = "splits by a hash of the name: 60 % train, 20 % validation, 20 % test"


def rows_of_table(path: Path, config: DataConfig) -> Rows:
    """Return the rows of a manifest.

    Args:
        path: CSV or Parquet with `path` (relative to it) or `image` (bytes), the label, the
            attributes, and optionally `split`, `id`.
        config: label, attributes, texts that mean missing, whether paths may leave the folder.

    Raises:
        DataError: a column is absent, a path or id stands twice or leaves the folder, a split has
            another name, or the label or the only attribute has one level.
        UsageError: no label was named.
    """
    table = read_table(path, config.missing)
    refuse_spreadsheet_dates(table)
    if not config.attr:
        raise UsageError(
            f"which column of {table.source} is the label?",
            where=f"columns: {', '.join([*table.columns, *table.blobs])}",
            remedy="name it with --attr",
        )
    named, unnamed = _pictures(path, table)
    labelled = table.column(config.attr).filled()
    keep = np.flatnonzero(labelled & named)
    exclusions = [*table.exclusions, *unnamed]
    for row in np.flatnonzero(~labelled & named):
        reason = f"no label: the cell in '{config.attr}' is empty"
        exclusions.append(Exclusion(table.where(int(row)), table.where(int(row)), reason))
    label, truth, attributes, groups, notes = _columns(table, keep, config)
    ids = _ids(table, keep)
    split, split_notes = _splits(table, keep, ids)
    pictures = _sources(path, table, keep, ids, config.allow_outside)
    unused = ("the column 'weight' is not used in training",) if "weight" in table.columns else ()
    annotations = Annotations(ids, label, truth, attributes, groups)
    every_note = (*table.notes, *notes, *split_notes, *unused)
    return Rows(annotations, split, pictures, tuple(exclusions), every_note)


def _columns(
    table: Table, keep: Codes, config: DataConfig
) -> tuple[Column, Codes, tuple[Column, ...], dict[str, Codes], tuple[str, ...]]:
    """Code the label and the attributes."""
    label, truth, notes = code_label(config.attr, table.column(config.attr).take(keep))
    if len(label.levels) < 2:
        raise _one_level("label", label, len(keep), table.source)
    attributes: list[Column] = []
    groups: dict[str, Codes] = {}
    for name in dict.fromkeys(config.bias_attr):
        if name == config.attr:
            raise UsageError(f"'{name}' is both the label and a bias attribute")
        column, codes, more = code_column(name, table.column(name).take(keep))
        notes += more
        if len(column.levels) > 1:
            attributes.append(column)
            groups[name] = codes
        elif len(config.bias_attr) == 1:
            raise _one_level("bias attribute", column, len(keep), table.source)
        else:
            notes += (f"'{name}' is left out: all {len(keep)} rows have '{column.levels[0]}'",)
    if not config.bias_attr:
        notes += ("no attribute was named (--bias-attr), so no groups are compared",)
    return label, truth, tuple(attributes), groups, notes


def _one_level(kind: str, column: Column, n: int, source: str) -> DataError:
    levels = " and ".join(f"'{level}'" for level in column.levels) or "no level"
    return DataError(
        f"the {kind} '{column.name}' has only {levels} in all {n} rows",
        where=source,
        expected="at least two levels",
        remedy="choose another column, or add rows",
    )


def _ids(table: Table, keep: Codes) -> Texts:
    """Return the `id` column, else the paths, else the row numbers; each stands once."""
    column = "id" if "id" in table.columns else _path_column(table)
    if column is None:
        return np.array([f"{table.unit} {table.lines[row]}" for row in keep])
    cells = table.column(column)
    seen: dict[str, int] = {}
    for row in keep.tolist():
        text = cells[row]
        if text is None:
            raise DataError(f"the '{column}' is empty", where=table.where(row))
        key = text if column == "id" else str(PurePosixPath(text.replace("\\", "/")))
        if key in seen:
            raise DataError(
                f"the {column} '{text}' stands twice",
                where=f"{table.where(seen[key])} and {table.unit} {table.lines[row]}",
                remedy="keep one of the two rows: a picture that stands twice counts twice",
            )
        seen[key] = row
    return np.array(list(seen), dtype=np.str_)


def _path_column(table: Table) -> str | None:
    return next((name for name in PATH_COLUMNS if name in table.columns), None)


def _blob_column(table: Table) -> str | None:
    if "image" in table.blobs or len(table.blobs) != 1:
        return "image" if "image" in table.blobs else None
    return next(iter(table.blobs))


def _pictures(path: Path, table: Table) -> tuple[Bools, list[Exclusion]]:
    """Return which rows name a picture, and the others as exclusions."""
    if _blob_column(table) is not None:
        return np.ones(len(table), dtype=np.bool_), []
    column = _path_column(table)
    if column is None:
        raise DataError(
            f"{table.source} names no pictures",
            where=f"columns: {', '.join(table.columns)}",
            expected=f"a column {' or '.join(PATH_COLUMNS)} with paths relative to {path.parent}, "
            "or in Parquet a column image with bytes",
        )
    named = table.column(column).filled()
    empty = [table.where(int(row)) for row in np.flatnonzero(~named)]
    return named, [Exclusion(place, place, f"the cell in '{column}' is empty") for place in empty]


def _sources(
    path: Path, table: Table, keep: Codes, ids: Texts, allow_outside: bool
) -> Sequence[Picture]:
    blob = _blob_column(table)
    if blob is not None:
        status = path.stat()
        cells = table.blobs[blob]
        return [
            Picture(
                str(name),
                table.where(row),
                partial(cells.__getitem__, row),
                f"{path.resolve()} {status.st_size} {status.st_mtime_ns} {row}",
            )
            for name, row in zip(ids, keep.tolist(), strict=True)
        ]
    texts = table.column(_path_column(table) or "")
    inside = resolver(path.parent, allow_outside)
    return [
        Picture(str(name), table.where(row), inside(texts[row] or "", table.where(row)))
        for name, row in zip(ids, keep.tolist(), strict=True)
    ]


def resolver(folder: Path, allow_outside: bool) -> Callable[[str, str], Path]:
    """Return a function from (path text, what named it) to the file.

    The function raises `DataError` where the path leaves `folder`, links followed, unless
    `allow_outside`. Windows separators are read too.
    """
    root = folder.resolve()
    resolved = lru_cache(maxsize=None)(Path.resolve)  # many files, few folders

    def inside(text: str, where: str) -> Path:
        if "\0" in text:
            raise DataError("a path holds a zero byte", where=where)
        file = folder / text.replace("\\", "/")
        true = file.resolve() if file.is_symlink() else resolved(file.parent) / file.name
        if file.name == ".." or not (allow_outside or true.is_relative_to(root)):
            raise DataError(
                f"the path '{text}' leaves the folder of the manifest",
                where=where,
                expected=f"a file below {folder}",
                remedy="--allow-outside, if you trust the manifest",
            )
        return file

    return inside


def _splits(table: Table, keep: Codes, ids: Texts) -> tuple[Texts, tuple[str, ...]]:
    """Return the split of each kept row: the user's column, else by hash."""
    if "split" not in table.columns:
        return by_hash_filled(ids), (BY_HASH,)
    cells = table.column("split")
    known = []
    for row in keep.tolist():
        text = cells[row]
        split = SPLIT_NAMES.get((text or "").casefold())
        if split is None:
            raise DataError(
                f"the split '{text}' is unknown" if text else "the cell in 'split' is empty",
                where=table.where(row),
                expected="train, validation (val, dev) or test",
            )
        known.append(split)
    return settled(np.array(known, dtype=np.str_), ids)


def settled(split: Texts, ids: Texts) -> tuple[Texts, tuple[str, ...]]:
    """Return splits that can be used: where only training rows are named, the hash decides."""
    names = set(split.tolist())
    if names <= {"train"}:
        return by_hash_filled(ids), (f"only the split 'train' is named; {BY_HASH}",)
    notes = []
    if "train" not in names:
        notes.append("no training split is named")
    if "test" not in names:
        notes.append("no test split is named: the validation split is reported")
    return split, tuple(notes)
