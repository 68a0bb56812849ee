"""CelebA's official text files, LF or CRLF, whole or for a subset; what is damaged is named."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from debias_cl.data.asked import missing_files
from debias_cl.errors import DataError, did_you_mean

FOLDER = Path("celeba")
ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
IDENTITY, PICTURES = "identity_CelebA.txt", "img_align_celeba"
PUBLISHED_ROWS = 202_599
MD5: Mapping[str, str] = {
    ATTRIBUTES: "75e246fa4810816ffd6ee81facbd244c",
    PARTITION: "d32c9cbf5e040fd4025c592c306e6668",
    IDENTITY: "32bd1bd63d3c78cd57e08160ec5ed1e2",
}
"""Published md5 (those of torchvision); other line ends change them."""

OBTAIN = (
    "get CelebA's aligned pictures and text files from "
    "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html for non-commercial research, and put "
    "img_align_celeba/*.jpg, list_attr_celeba.txt and list_eval_partition.txt into "
    "<data root>/celeba/"
)
VALUES: Mapping[str, int] = {"-1": 0, "1": 1}


@dataclass(frozen=True)
class AttributeFile:
    """Some columns of `list_attr_celeba.txt`.

    Attributes:
        names: (n,) file names of pictures.
        values: attribute -> (n,) int64, 0 for -1 and 1 for 1.
        notes: sentences on the file.
    """

    names: tuple[str, ...]
    values: Mapping[str, npt.NDArray[np.int64]]
    notes: tuple[str, ...]


def require_files(data_root: Path) -> Path:
    """Return the folder of the pictures.

    Raises:
        DataError: something is absent; says also what lies there packed.
    """
    folder = data_root / FOLDER
    wanted = [folder / ATTRIBUTES, folder / PARTITION, folder / PICTURES]
    if all(path.exists() for path in wanted):
        nested = folder / PICTURES / PICTURES  # some archives hold the folder twice
        return nested if nested.is_dir() else folder / PICTURES
    archive = folder / f"{PICTURES}.zip"
    packed = ""
    if archive.is_file() and not zipfile.is_zipfile(archive):
        packed = (
            f"; {archive.name} is there but is no zip archive (a saved web page?): fetch it anew"
        )
    elif archive.is_file():
        packed = f"; {archive.name} is there: unpack it"
    raise missing_files("CelebA", wanted, OBTAIN + packed)


def read_attributes(path: Path, wanted: Sequence[str]) -> AttributeFile:
    """Return the wanted attributes of all rows.

    Args:
        path: `list_attr_celeba.txt`: a count, a line of names, then a file name and -1/1 values.
        wanted: names of attributes.

    Raises:
        DataError: fewer rows than the first line promises, a row of another width, a value that
            is neither -1 nor 1, or an attribute that the file does not have.
    """
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    if len(rows) < 3 or len(rows[0][1]) != 1 or not rows[0][1][0].isdigit():
        raise DataError(
            f"{path.name} does not have CelebA's official format",
            where=f"{path}, line 1: {lines[0][:60] if lines else '(empty)'}",
            expected="a line with the number of rows, a line with the names of the attributes, "
            "then a file name and -1 or 1 for each attribute",
            remedy=OBTAIN,
        )
    header, body = rows[1][1], rows[2:]
    for number, fields in body:
        if len(fields) != len(header) + 1:
            raise DataError(
                f"a row of {path.name} has {len(fields) - 1} values for {len(header)} attributes",
                where=f"{path}, line {number}: {fields[0]}",
                remedy=OBTAIN,
            )
    notes = _promise(path, int(rows[0][1][0]), body)
    values = {name: _values(path, header, body, name) for name in wanted}
    return AttributeFile(tuple(fields[0] for _, fields in body), values, notes)


def _promise(path: Path, promised: int, body: list[tuple[int, list[str]]]) -> tuple[str, ...]:
    if len(body) < promised:
        number, fields = body[-1]
        raise DataError(
            f"{path.name} promises {promised:,} rows and has {len(body):,}",
            where=f"{path}, the last row is line {number} ({fields[0]})",
            expected="a whole file; for a subset, its own number of rows in the first line",
            remedy=OBTAIN,
        )
    if len(body) > promised:
        return (f"{path.name} promises {promised:,} rows and has {len(body):,}; all are read",)
    return ()


def _values(
    path: Path, header: list[str], body: list[tuple[int, list[str]]], name: str
) -> npt.NDArray[np.int64]:
    if name not in header:
        raise DataError(
            f"attribute '{name}' is not in {path.name}", remedy=did_you_mean(name, header)
        )
    place = header.index(name) + 1
    try:
        return np.array([VALUES[fields[place]] for _, fields in body], dtype=np.int64)
    except KeyError:
        number, fields = next(row for row in body if row[1][place] not in VALUES)
        raise DataError(
            f"attribute '{name}' is '{fields[place]}'",
            where=f"{path}, line {number} ({fields[0]})",
            expected="-1 or 1",
        ) from None


def read_pairs(path: Path) -> dict[str, str]:
    """Return file name -> text of a two-column file (the partition, the identities).

    Raises:
        DataError: a row of another width.
    """
    pairs = {}
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        fields = line.split()
        if len(fields) not in (0, 2):
            raise DataError(
                f"a row of {path.name} has {len(fields)} fields",
                where=f"{path}, line {number}: {line[:60]}",
                expected="a file name and a number",
                remedy=OBTAIN,
            )
        if fields:
            pairs[fields[0]] = fields[1]
    return pairs
