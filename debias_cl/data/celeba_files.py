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
    promised, header = _head(path, lines)
    places = [_place(path, header, name) for name in wanted]
    names: list[str] = []
    codes: list[list[int]] = []
    last = 0
    for number, line in enumerate(lines[2:], start=3):
        fields = line.split()
        if fields:
            _check_width(path, number, fields, header)
            codes.append([_code(path, number, fields, place, header) for place in places])
            names.append(fields[0])
            last = number
    if not names or len(names) < promised:
        raise DataError(
            f"{path.name} promises {promised:,} rows and has {len(names):,}",
            where=f"{path}, the last row is line {last} ({names[-1]})" if names else str(path),
            expected="a whole file; for a subset, its own number of rows in the first line",
            remedy=OBTAIN,
        )
    notes: tuple[str, ...] = ()
    if len(names) > promised:
        notes = (f"{path.name} promises {promised:,} rows and has {len(names):,}; all are read",)
    table = np.array(codes, dtype=np.int64).reshape(len(names), len(wanted))
    return AttributeFile(tuple(names), {n: table[:, i] for i, n in enumerate(wanted)}, notes)


def _head(path: Path, lines: Sequence[str]) -> tuple[int, list[str]]:
    """Return the promised number of rows and the names of the attributes."""
    count = lines[0].split() if len(lines) > 1 else []
    if len(count) != 1 or not count[0].isdigit():
        raise DataError(
            f"{path.name} does not have CelebA's official format",
            where=f"{path}, line 1: {lines[0][:60] if lines else '(empty)'}",
            expected="a line with the number of rows, a line with the names of the attributes, "
            "then a file name and -1 or 1 for each attribute",
            remedy=OBTAIN,
        )
    return int(count[0]), lines[1].split()


def _place(path: Path, header: list[str], name: str) -> int:
    if name not in header:
        raise DataError(
            f"attribute '{name}' is not in {path.name}", remedy=did_you_mean(name, header)
        )
    return header.index(name) + 1


def _check_width(path: Path, number: int, fields: list[str], header: list[str]) -> None:
    if len(fields) != len(header) + 1:
        raise DataError(
            f"a row of {path.name} has {len(fields) - 1} values for {len(header)} attributes",
            where=f"{path}, line {number}: {fields[0]}",
            remedy=OBTAIN,
        )


def _code(path: Path, number: int, fields: list[str], place: int, header: list[str]) -> int:
    code = VALUES.get(fields[place])
    if code is None:
        raise DataError(
            f"attribute '{header[place - 1]}' is '{fields[place]}'",
            where=f"{path}, line {number} ({fields[0]})",
            expected="-1 or 1",
        )
    return code


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
