"""The one coding of levels: from text cells to codes, the same for every reader. No torch.

`1`, `1.0`, `True` and `TRUE` are one level, said in a note. Only an empty cell is missing: `NA`,
`None`, `nan` are levels, and a note says which option makes them missing. Nothing else is merged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from debias_cl.data.cells import Cells
from debias_cl.errors import DataError
from debias_cl.records import MISSING, Codes, Column, Floats, natural_order

WHOLE = re.compile(r"-?(?:0|[1-9]\d*)(?:\.0+)?")
TRUTHS: Mapping[str, str] = {"true": "True", "false": "False"}
NUMBER_OF: Mapping[str, str] = {"True": "1", "False": "0"}
MARKS = frozenset({"na", "n/a", "#n/a", "nan", "none", "null", "nil", "<na>", "nat", "-", "?", "."})
"""Case-folded texts that often stand for a missing value; levels unless the user says otherwise."""

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)


def canonical(text: str) -> str:
    """Return the spelling that stands for a text as a level.

    >>> canonical("1.0"), canonical("TRUE"), canonical("01"), canonical("1.50")
    ('1', 'True', '01', '1.50')
    """
    if WHOLE.fullmatch(text):
        whole = text.partition(".")[0]
        return "0" if whole == "-0" else whole
    return TRUTHS.get(text.casefold(), text)


def level_map(texts: Iterable[str]) -> dict[str, str]:
    """Return text -> level for all texts that share one set of levels.

    `True` and `False` become `1` and `0` only where `0` or `1` stands among the texts too.
    """
    levels = {text: canonical(text) for text in texts}
    if {"0", "1"} & set(levels.values()):
        return {text: NUMBER_OF.get(level, level) for text, level in levels.items()}
    return levels


def find_level(levels: Sequence[str], text: str) -> str | None:
    """Return the level that a user's text means (`1.0` finds `1`, `yes` only `yes`), or None."""
    wanted = canonical(text)
    back = {number: truth for truth, number in NUMBER_OF.items()}
    for candidate in (text, wanted, NUMBER_OF.get(wanted, wanted), back.get(wanted, wanted)):
        if candidate in levels:
            return candidate
    return None


def code_column(
    name: str, cells: Cells, words: Mapping[str, str] | None = None
) -> tuple[Column, Codes, tuple[str, ...]]:
    """Return an attribute: an empty cell has the level `(missing)`.

    Args:
        name: column name as the user writes it.
        cells: (n,) texts.
        words: level -> words for sentences.

    Returns:
        The column, (n,) codes into its levels, and notes for the reader.
    """
    levels, (codes,), notes = _share_levels((name,), (cells,))
    if (codes < 0).any():
        levels, (codes,), _ = _share_levels((name,), (cells,), extra=(MISSING,))
        codes = np.where(codes < 0, levels.index(MISSING), codes)
    return Column(name, levels, dict(words or {})), codes, notes


def code_label(
    name: str, cells: Cells, words: Mapping[str, str] | None = None
) -> tuple[Column, Codes, tuple[str, ...]]:
    """Return a label column; an empty cell has the code -1 (see `code_column`)."""
    levels, (codes,), notes = _share_levels((name,), (cells,))
    return Column(name, levels, dict(words or {})), codes, notes


def code_label_and_prediction(
    label: tuple[str, Cells], prediction: tuple[str, Cells]
) -> tuple[Column, Codes, Codes, tuple[str, ...]]:
    """Return labels and predictions coded by one set of levels; an empty cell has the code -1.

    Args:
        label: name and (n,) texts of the truth.
        prediction: name and (n,) texts of the predictions.

    Returns:
        The label's column (its levels are those of both), truth, predicted, and notes.
    """
    names, columns = (label[0], prediction[0]), (label[1], prediction[1])
    levels, (truth, predicted), notes = _share_levels(names, columns)
    counts = {name: cells.counts() for name, cells in (label, prediction)}
    mapping = level_map(text for found in counts.values() for text in found)
    notes += only_predicted(label[0], mapping, counts)
    return Column(label[0], levels), truth, predicted, notes


def only_predicted(
    label: str, mapping: Mapping[str, str], counts: Mapping[str, Mapping[str, int]]
) -> tuple[str, ...]:
    """Say which levels are predicted and never a label.

    Args:
        label: name of the label column.
        mapping: text -> level.
        counts: column -> text -> rows, of the label and of every column of predictions.
    """
    true = {mapping[text] for text in counts[label]}
    said = {mapping[text] for found in counts.values() for text in found}
    only = [f"'{level}'" for level in natural_order(said - true)]
    return (f"predicted but never a label in '{label}': {', '.join(only)}",) if only else ()


def numeric(
    name: str, cells: Cells, where: Callable[[int], str] = lambda row: f"row {row + 1}"
) -> tuple[Floats, tuple[str, ...]]:
    """Return the numbers of a column (scores, weights), NaN where the cell is empty.

    A decimal comma is read where every number of the column that has a mark has a comma. Texts
    such as `NA` or `nan` cannot be numbers and are missing, said in a note.

    Raises:
        DataError: a text that is no number, with its row.
    """
    counts = cells.counts()
    commas = [text for text in counts if COMMA_NUMBER.fullmatch(text)]
    points = [text for text in counts if "." in text and NUMBER.fullmatch(text)]
    marks = [text for text in counts if text.casefold() in MARKS]
    decimal_comma = bool(commas) and not points
    values = np.full(len(cells.texts) + 1, np.nan)
    for code, text in enumerate(cells.texts):
        if text not in counts or text in marks:
            continue
        plain = text.replace(",", ".") if decimal_comma and text in commas else text
        if not (NUMBER.fullmatch(plain) or INFINITE.fullmatch(plain)):
            raise DataError(
                f"column '{name}' holds '{text}', which is no number",
                where=where(int(cells.rows_of(text)[0])),
                expected="numbers, with a decimal point or (in the whole column) a decimal comma",
            )
        values[code] = float(plain)
    notes: tuple[str, ...] = ()
    if decimal_comma:
        notes += (f"column '{name}': decimal commas were read",)
    if marks:
        rows = sum(counts[text] for text in marks)
        notes += (f"column '{name}': {_list(marks)} in {rows} rows is no number: missing there",)
    return values[cells.index], notes


def levels_of(
    names: Sequence[str], counts: Mapping[str, int]
) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """Return the levels of columns that share one set, for readers that count before they code.

    Args:
        names: of the columns, for the notes.
        counts: text -> rows, over all of these columns, without empty cells.

    Returns:
        The levels in natural order, text -> level, and notes for the reader.
    """
    mapping = level_map(counts)
    named = " and ".join(f"'{name}'" for name in names)
    return natural_order(set(mapping.values())), mapping, _level_notes(named, mapping, counts)


def _share_levels(
    names: Sequence[str], columns: Sequence[Cells], extra: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[Codes, ...], tuple[str, ...]]:
    """Code several columns by one set of levels."""
    counts: dict[str, int] = {}
    for cells in columns:
        for text, n in cells.counts().items():
            counts[text] = counts.get(text, 0) + n
    levels, mapping, notes = levels_of(names, counts)
    levels = natural_order({*levels, *extra})
    place = {level: code for code, level in enumerate(levels)}
    coded = []
    for cells in columns:
        table = [place[mapping[text]] if text in mapping else -1 for text in cells.texts]
        coded.append(np.array([*table, -1], dtype=np.int64)[cells.index])
    return levels, tuple(coded), notes


def _level_notes(
    names: str, mapping: Mapping[str, str], counts: Mapping[str, int]
) -> tuple[str, ...]:
    """Say what was unified, what looks like a missing value, and what differs only in case."""
    head = f"column{'s' if ' and ' in names else ''} {names}"
    spellings: dict[str, list[str]] = {}
    folded: dict[str, list[str]] = {}
    for text, level in mapping.items():
        spellings.setdefault(level, []).append(text)
    for level in spellings:
        folded.setdefault(level.casefold(), []).append(level)
    merged = [
        f"{_list(spellings[level])} are one level"
        for level in natural_order(set(spellings))
        if len(spellings[level]) > 1
    ]
    notes = [f"{head}: {'; '.join(merged)}"] if merged else []
    marks = [text for text in counts if text.casefold() in MARKS]
    notes += [
        f"{head}: the level '{text}' ({counts[text]} rows) looks like a missing-value mark and is "
        f"kept as a level; `--missing {text}` makes it missing"
        for text in marks
    ]
    alike = [_list(levels) for levels in folded.values() if len(levels) > 1]
    notes += [f"{head}: {texts} differ only in case and are kept apart" for texts in alike]
    return tuple(notes)


def _list(texts: Sequence[str]) -> str:
    quoted = [f"'{text}'" for text in sorted(texts)]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
