"""CSV as people really write it: separators, encodings, repeated headers, rows of odd width."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from debias_cl.data.cells import Cells, Table, cell_notes, encoded, refuse_double_names
from debias_cl.errors import DataError
from debias_cl.records import Exclusion

SEPARATORS = {",": "a comma", ";": "';'", "\t": "a tab", "|": "'|'"}


def parse_csv(source: str, data: bytes, missing: Sequence[str] = ()) -> Table:
    """Return the table in a CSV file's bytes, with notes on what was recognised and left out.

    Args:
        source: file name for messages.
        data: the whole file.
        missing: texts that mean "missing" besides the empty cell.

    Raises:
        DataError: empty, no rows, quotes that do not close, a column name twice, or most rows of
            another width than the header.
    """
    text, did = _decode(data)
    first_line = 1
    if text[:4].casefold() == "sep=":
        text, first_line = text.partition("\n")[2], 2
    if not text.strip():
        raise DataError(f"{source} is empty", expected="a header line and rows")
    if "\r\n" in text[:100_000]:
        did.append("Windows line ends")
    separator = _separator(text)
    if separator != ",":
        did.append(f"separated by {SEPARATORS[separator]}")
    records = _records(source, text, separator, first_line)
    _, raw = next(record for record in records if record[1])
    header = _header(source, raw)
    if header != [name.strip("\ufeff") for name in raw]:
        did.append("header names trimmed or made up where empty")
    rows = _Rows(source, header)
    for line, row in records:
        rows.add(line, row)
    columns = rows.columns(missing)
    notes = ([f"{source} was read as: {', '.join(did)}"] if did else []) + rows.notes()
    lines = np.array(rows.lines, dtype=np.int64)
    return Table(
        source,
        columns,
        lines,
        notes=(*notes, *cell_notes(columns, missing)),
        exclusions=tuple(rows.exclusions),
    )


@dataclass(frozen=True)
class Dialect:
    """How a plain CSV file is written, for engines that read it by themselves.

    Attributes:
        separator: between fields.
        header: column names without outer spaces.
        line: the header's bytes, without byte order mark and line end.
        notes: what was recognised.
    """

    separator: str
    header: tuple[str, ...]
    line: bytes
    notes: tuple[str, ...]


def sniff(source: str, head: bytes) -> Dialect | None:
    """Return the dialect of a file from its first bytes; None where only `parse_csv` will do.

    Plain is: UTF-8, a header of two names or more on the first line, no two of them alike but for
    case, and line ends of one kind.

    Raises:
        DataError: a column name stands twice.
    """
    whole = head[: head.rfind(b"\n") + 1]
    line = whole.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0].removesuffix(b"\r")
    if whole.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in whole or b'"' in line:
        return None
    try:
        text, did = whole.decode("utf-8-sig"), list[str]()
    except UnicodeDecodeError:
        return None
    if whole.startswith(b"\xef\xbb\xbf"):
        did.append("UTF-8 with a byte order mark")
    if text[:4].casefold() == "sep=" or not line.strip() or "\r" in text.replace("\r\n", "\n"):
        return None
    if "\r\n" in text:
        did.append("Windows line ends")
    separator = _separator(text)
    if separator != ",":
        did.append(f"separated by {SEPARATORS[separator]}")
    raw = line.decode("utf-8").split(separator)
    header = _header(source, raw)
    if header != raw:
        did.append("header names trimmed or made up where empty")
    if len(header) < 2 or len({name.casefold() for name in header}) < len(header):
        return None
    notes = (f"{source} was read as: {', '.join(did)}",) if did else ()
    return Dialect(separator, tuple(header), line, notes)


def _decode(data: bytes) -> tuple[str, list[str]]:
    """Return the text, and what is worth saying of its encoding."""
    if data.startswith(b"\xef\xbb\xbf"):
        return data.decode("utf-8-sig", "replace"), ["UTF-8 with a byte order mark"]
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace"), ["UTF-16"]
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), ["Windows-1252, because it is not UTF-8"]


def _separator(text: str) -> str:
    """Return the separator under which most of the first rows have the header's width."""
    sample = [line[:10_000] for line in text[:200_000].splitlines()[:30] if line.strip()]

    def fitness(separator: str) -> tuple[bool, float, int]:
        widths = [len(row) for row in csv.reader(sample, delimiter=separator) if row]
        return widths[0] > 1, sum(w == widths[0] for w in widths) / len(widths), widths[0]

    return max(SEPARATORS, key=fitness)


def _records(
    source: str, text: str, separator: str, first_line: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which the record starts, its fields)."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 0
    try:
        for row in reader:
            yield start + first_line, row
            start = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{source} cannot be read as CSV: {error}",
            where=f"{source}, the record that starts on line {start + first_line}",
            remedy="mend the quotes there",
        ) from error


def _header(source: str, raw: Sequence[str]) -> list[str]:
    header = [name.strip() or f"column {place}" for place, name in enumerate(raw, start=1)]
    refuse_double_names(source, header)
    return header


class _Rows:
    """Collects the rows of a CSV file column by column, and lists those left out."""

    def __init__(self, source: str, header: list[str]) -> None:
        self.source, self.header = source, header
        self.lines = array("q")
        self.exclusions: list[Exclusion] = []
        self.blank: list[int] = []
        self.repeated: list[int] = []
        self.ragged: list[int] = []
        self._codes = [array("i") for _ in header]
        self._texts: list[dict[str, int]] = [{} for _ in header]

    def add(self, line: int, row: list[str]) -> None:
        """Take one record, or list why it is left out."""
        width = len(self.header)
        if len(row) > width and not any(field.strip() for field in row[width:]):
            row = row[:width]
        if not row or (width > 1 and not any(field.strip() for field in row)):
            self.blank.append(line)
        elif len(row) != width:
            reason = f"{len(row)} fields where the header has {width}"
            self._leave_out(self.ragged, line, reason)
        elif row[0].strip() == self.header[0] and [f.strip() for f in row] == self.header:
            self._leave_out(self.repeated, line, "repeats the header row")
        else:
            self.lines.append(line)
            for field_, texts, codes in zip(row, self._texts, self._codes, strict=True):
                codes.append(texts.setdefault(field_, len(texts)))

    def _leave_out(self, kind: list[int], line: int, reason: str) -> None:
        kind.append(line)
        self.exclusions.append(Exclusion(f"line {line}", f"{self.source}, line {line}", reason))

    def columns(self, missing: Sequence[str]) -> dict[str, Cells]:
        """Return the cells of all columns.

        Raises:
            DataError: no rows, or more rows of another width than rows that fit.
        """
        if len(self.ragged) > len(self.lines):
            raise DataError(
                f"{len(self.ragged)} rows of {self.source} have another number of fields than "
                f"the header ({len(self.header)})",
                where=f"{self.source}, first on line {self.ragged[0]}",
                expected="one separator throughout, quotes around fields that hold it",
            )
        if not self.lines:
            raise DataError(f"{self.source} has a header and no rows")
        return {
            name: encoded(tuple(texts), np.array(codes, dtype=np.int32), missing)
            for name, texts, codes in zip(self.header, self._texts, self._codes, strict=True)
        }

    def notes(self) -> list[str]:
        """Say what was left out, by line."""
        kinds = {
            "repeated header rows left out": self.repeated,
            "rows with another number of fields than the header left out": self.ragged,
            "empty rows skipped": self.blank,
        }
        return [
            f"{self.source}: {len(lines)} {what}: line {', '.join(map(str, lines[:10]))}"
            + (f" and {len(lines) - 10} more" if len(lines) > 10 else "")
            for what, lines in kinds.items()
            if lines
        ]
