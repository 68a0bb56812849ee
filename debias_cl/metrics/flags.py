"""What is written after --reference, --tolerance and --reweight, as `Settings` hold it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from debias_cl.data.tables import numeric, read_table
from debias_cl.errors import DataError, UsageError
from debias_cl.metrics.against import OVERALL, REST
from debias_cl.metrics.settings import TRAINING

Reweight = Mapping[str, Mapping[tuple[str, str], float]]
TRAIN = "train"
COLUMNS = ("label", "group", "share")
ATTRIBUTE = "attribute"


def _parts(texts: Iterable[str]) -> list[str]:
    """Return what stands between commas."""
    return [part.strip() for text in texts for part in text.split(",") if part.strip()]


def read_reference(texts: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return attribute -> level, and "overall", "rest" where they were asked for.

    Raises:
        UsageError: what is neither, or two levels of one attribute.

    >>> read_reference(["gender=male,overall", "race=white"])
    ({'gender': 'male', 'race': 'white'}, ('overall',))
    """
    named: dict[str, str] = {}
    others: list[str] = []
    for part in _parts(texts):
        name, equals, level = (piece.strip() for piece in part.partition("="))
        if part in (OVERALL, REST):
            others.append(part)
        elif not (name and equals and level):
            raise UsageError(
                f"'{part}' names no reference",
                where="--reference",
                expected="ATTRIBUTE=LEVEL, overall or rest, with commas",
            )
        elif named.setdefault(name, level) != level:
            raise UsageError(
                f"'{name}' has two references, '{named[name]}' and '{level}'", where="--reference"
            )
    return named, tuple(dict.fromkeys(others))


def read_tolerance(texts: Sequence[str]) -> dict[str, float]:
    """Return gap -> largest (ratio -> smallest) value that is still within.

    Raises:
        UsageError: no name or no fraction.

    >>> read_tolerance(["demographic_parity_difference=0.05, accuracy_ratio = .9"])
    {'demographic_parity_difference': 0.05, 'accuracy_ratio': 0.9}
    """
    out = {}
    for part in _parts(texts):
        name, _, said = (piece.strip() for piece in part.partition("="))
        try:
            limit = float(said)
        except ValueError:
            limit = -1.0
        if not name or not 0 <= limit <= 1:
            raise UsageError(
                f"'{part}' is no tolerance",
                where="--tolerance",
                expected="NAME=FRACTION from 0 to 1, as demographic_parity_difference=0.05",
            )
        out[name] = limit
    return out


def read_reweight(text: str) -> Reweight:
    """Return the other population's shares: "train", or a file of them; "" gives none.

    Args:
        text: "train", or a CSV or Parquet file with the columns label, group and share (shares of
            any sum, so counts will do), and `attribute` where several attributes share levels.

    Raises:
        UsageError: no such file.
        DataError: columns that are not there, shares that are negative or all 0.
    """
    if not text:
        return {}
    if text == TRAIN:
        return TRAINING
    path = Path(text)
    if not path.is_file():
        raise UsageError(
            f"there is no file {path}",
            where="--reweight",
            expected=f"train, or a table with the columns {', '.join(COLUMNS)}",
        )
    return _shares(path)


def _shares(path: Path) -> Reweight:
    table = read_table(path)
    labels, groups, shares = (table.column(name) for name in COLUMNS)
    attributes = table.columns.get(ATTRIBUTE)
    values, _ = numeric("share", shares, table.where)
    out: dict[str, dict[tuple[str, str], float]] = {}
    for row, value in enumerate(values):
        label, group = labels[row], groups[row]
        if label is None or group is None or not (np.isfinite(value) and value >= 0):
            raise DataError(
                f"the share '{shares[row] or ''}' of label '{label or ''}', group '{group or ''}' "
                "cannot be",
                where=table.where(row),
                expected="a label, a group and a number from 0 upwards",
            )
        of = out.setdefault((attributes[row] if attributes else None) or "", {})
        of[label, group] = of.get((label, group), 0.0) + float(value)
    if not any(sum(of.values()) > 0 for of in out.values()):
        raise DataError("all shares are 0", where=str(path))
    return out
