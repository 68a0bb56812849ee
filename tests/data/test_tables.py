"""The table reader: odd files as people have them, the same numbers from every form."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debias_cl.data.csv_text import parse_csv
from debias_cl.data.tables import (
    Table,
    code_column,
    code_label_and_prediction,
    numeric,
    read_table,
    refuse_spreadsheet_dates,
    table_of_frame,
)
from debias_cl.errors import DataError

NAMIBIA = [
    ("1", "1", "NA"), ("1", "0", "NA"), ("0", "0", "NA"),
    ("1", "1", "ZA"), ("0", "0", "ZA"), ("0", "1", "ZA"),
    ("1", "1", None), ("0", "0", None),
]  # fmt: skip
HEADER = ["y", "yhat", "country"]


def as_csv(rows: list[tuple[str | None, ...]], path: Path) -> Table:
    text = "\n".join(",".join(cell or "" for cell in row) for row in [tuple(HEADER), *rows])
    path.write_text(text + "\n", encoding="utf-8")
    return read_table(path)


def as_parquet(rows: list[tuple[str | None, ...]], path: Path) -> Table:
    columns = {
        name: [row[i] if i == 2 else int(row[i] or 0) for row in rows]
        for i, name in enumerate(HEADER)
    }
    pq.write_table(pa.table(columns), path)
    return read_table(path)


def as_frame(rows: list[tuple[str | None, ...]], path: Path) -> Table:
    return table_of_frame(pd.DataFrame(rows, columns=HEADER))


def as_typed_frame(rows: list[tuple[str | None, ...]], path: Path) -> Table:
    frame = pd.DataFrame(rows, columns=HEADER)
    return table_of_frame(frame.astype({"y": float, "yhat": int, "country": "category"}))


READERS = [as_csv, as_parquet, as_frame, as_typed_frame]


def accuracy_by_group(table: Table, group: str) -> dict[str, tuple[int, float]]:
    label, truth, predicted, _ = code_label_and_prediction(
        ("y", table.column("y")), ("yhat", table.column("yhat"))
    )
    assert label.levels == ("0", "1")
    column, codes, _ = code_column(group, table.column(group))
    found = {}
    for code, level in enumerate(column.levels):
        rows = (codes == code) & (predicted >= 0)
        found[level] = (int((codes == code).sum()), float((truth == predicted)[rows].mean()))
    return found


@pytest.mark.parametrize("reader", READERS)
def test_na_is_a_level_and_an_empty_cell_is_missing_in_every_form(reader, tmp_path: Path) -> None:
    table = reader(NAMIBIA, tmp_path / "t")
    assert accuracy_by_group(table, "country") == {
        "NA": (3, pytest.approx(2 / 3)),
        "ZA": (3, pytest.approx(2 / 3)),
        "(missing)": (2, 1.0),
    }
    *_, notes = code_column("country", table.column("country"))
    assert any("'NA' (3 rows)" in note and "--missing NA" in note for note in notes)


def test_the_option_makes_na_missing_and_says_so(tmp_path: Path) -> None:
    as_csv(NAMIBIA, tmp_path / "t.csv")
    table = read_table(tmp_path / "t.csv", missing=("NA", "None"))
    assert accuracy_by_group(table, "country")["(missing)"][0] == 5
    assert any("3 cells" in note for note in table.notes)


def test_mark_separator_spaces_and_decimal_comma_are_recognised_and_said() -> None:
    table = parse_csv(
        "d1.csv",
        b"\xef\xbb\xbfid;label; gender;score\r\n1;1;F;0,73\r\n2;0;F;0,20\r\n"
        b"3;1;M;0,55\r\n4;0;M;0,61\r\n",
    )
    assert list(table.columns) == ["id", "label", "gender", "score"]
    scores, notes = numeric("score", table.column("score"))
    assert scores.tolist() == [0.73, 0.20, 0.55, 0.61]
    assert notes == ("column 'score': decimal commas were read",)
    said = table.notes[0]
    assert all(word in said for word in ("byte order mark", "';'", "header names", "Windows"))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_encodings_and_line_ends_give_the_same_cells(separator, encoding, end) -> None:
    lines = [separator.join(row) for row in (["y", "städte"], ["1", "Köln"], ["0", "Ulm"])]
    table = parse_csv("t.csv", (end.join(lines) + end).encode(encoding))
    assert list(table.column("städte")) == ["Köln", "Ulm"]
    assert table.lines.tolist() == [2, 3]


def test_repeated_header_rows_are_left_out_by_line() -> None:
    table = parse_csv("d4.csv", b"y,yhat,g\n1,1,a\n0,0,b\ny, yhat,g\n1,0,a\n0,0,b\n")
    assert accuracy_by_group(table, "g") == {"a": (2, 0.5), "b": (2, 1.0)}
    assert [e.where for e in table.exclusions] == ["d4.csv, line 4"]
    assert any("line 4" in note for note in table.notes)
    assert table.where(2) == "d4.csv, line 5"


def test_odd_rows_are_counted_and_lines_stay_right_after_a_break_inside_quotes() -> None:
    table = parse_csv("t.csv", b'a,b\n1,"x\ny"\n\n2,z,surplus\n3,w,,\n4\n5,v\n6,u\n')
    assert [(table.lines[i], table.column("a")[i]) for i in range(len(table))] == [
        (2, "1"), (6, "3"), (8, "5"), (9, "6"),
    ]  # fmt: skip
    assert [e.item for e in table.exclusions] == ["line 5", "line 7"]
    assert any("empty rows skipped: line 4" in note for note in table.notes)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n", "is empty"),
        (b"a,b\n", "no rows"),
        (b"a,b,a\n1,2,3\n", "'a' stands 2 times"),
        (b'a,b\n1,"x\n2,y\n', "starts on line 2"),
        (b"a;b\n1;2;3\n1;2;3\n", "first on line 2"),
    ],
)
def test_files_that_cannot_be_read_say_why(data: bytes, words: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_csv("t.csv", data)
    assert words in str(caught.value)


def test_other_kinds_of_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04rest")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and nothing else")
    for name, words in (("t.xlsx", "spreadsheet"), ("t.parquet", "cannot be read")):
        with pytest.raises(DataError, match=words):
            read_table(tmp_path / name)
    with pytest.raises(DataError, match=r"did you mean 't\.xlsx'"):
        read_table(tmp_path / "t.xls")
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"y\n1\n"))
    assert list(read_table(tmp_path / "t.csv.gz").column("y")) == ["1"]


def test_an_absent_column_names_the_nearest() -> None:
    with pytest.raises(DataError, match="did you mean 'gender'"):
        parse_csv("t.csv", b"gender,race\nf,a\n").column("gendre")


def test_parquet_types_become_the_texts_of_a_csv(tmp_path: Path) -> None:
    table = pa.table(
        {
            "flag": [True, False, None],
            "whole": pa.array([1.0, float("nan"), None]),
            "name": pa.array(["a", None, ""]).dictionary_encode(),
            "image": pa.array([{"bytes": b"x", "path": "p"}, {"bytes": b"y", "path": "q"}, None]),
            "many": [[1], [2], []],
        }
    )
    pq.write_table(table, tmp_path / "t")
    read = read_table(tmp_path / "t")
    assert code_column("flag", read.column("flag"))[0].levels == ("False", "True", "(missing)")
    assert code_column("whole", read.column("whole"))[0].levels == ("1", "(missing)")
    assert list(read.column("name")) == ["a", None, None]
    assert [read.blobs["image"][i] for i in range(3)] == [b"x", b"y", None]
    assert any("'many'" in note for note in read.notes)
    assert read.where(1) == "t, row 2"


def test_a_parquet_file_is_read_alone_and_double_names_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "site=a"
    place.mkdir()
    pq.write_table(pa.table({"y": [1]}), place / "t.parquet")
    assert list(read_table(place / "t.parquet").columns) == ["y"]
    double = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["y", " y"])
    pq.write_table(double, tmp_path / "double")
    with pytest.raises(DataError, match="'y' stands 2 times"):
        read_table(tmp_path / "double")
    with pytest.raises(DataError, match="'y' stands 2 times"):
        table_of_frame(pd.DataFrame([[1, 2]], columns=["y", "y"]))


def test_a_spreadsheets_first_line_and_a_huge_line() -> None:
    table = parse_csv("t.csv", b"sep=;\r\na;b\r\n1;2\r\n")
    assert (table.column("b")[0], table.where(0)) == ("2", "t.csv, line 3")
    with pytest.raises(DataError, match="field larger"):
        parse_csv("t.csv", b"a,b\n1," + b"x" * 300_000 + b"\n")


CELL = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), max_size=6
).map(str.strip)  # fmt: skip


@given(rows=st.lists(st.tuples(CELL, CELL, st.sampled_from("xyz")), min_size=1, max_size=20))
def test_what_python_writes_as_csv_is_read_back(rows: list[tuple[str, str, str]]) -> None:
    header = ("first column", "second column", "third column")
    buffer = io.StringIO()
    csv.writer(buffer).writerows([header, *rows])
    table = parse_csv("t.csv", buffer.getvalue().encode())
    for place, name in enumerate(header):
        assert list(table.column(name)) == [row[place] or None for row in rows]


@given(
    values=st.lists(
        st.one_of(st.none(), st.integers(-3, 3), st.floats(-9, 9, allow_nan=False)),
        min_size=1,
        max_size=20,
    )
)
def test_numbers_are_the_same_from_csv_parquet_and_frame(values, tmp_path_factory) -> None:
    expected = np.array([np.nan if v is None else float(v) for v in values])
    folder = tmp_path_factory.mktemp("numbers")
    frame = pd.DataFrame({"s": expected, "t": "x"})
    frame.to_csv(folder / "s.csv", index=False)
    frame.to_parquet(folder / "s.parquet")
    for table in (
        read_table(folder / "s.csv"),
        read_table(folder / "s.parquet"),
        table_of_frame(frame),
    ):
        np.testing.assert_array_equal(numeric("s", table.column("s"))[0], expected)


def test_ranges_that_became_dates_are_refused_with_their_rows() -> None:
    data = b"file,age\na,03-Sep\nb,50-59\nc,30-39\nd,Oct-19\n"
    with pytest.raises(DataError) as caught:
        refuse_spreadsheet_dates(parse_csv("t.csv", data))
    assert "line 2 '03-Sep', line 5 'Oct-19'" in str(caught.value)
    refuse_spreadsheet_dates(parse_csv("t.csv", b"file,day\na,03-Sep\nb,04-Sep\n"))


@pytest.mark.data
def test_the_real_damaged_label_file_is_refused(shared_data: Path) -> None:
    table = read_table(shared_data / "bad_inputs" / "fairface_label_spreadsheet.csv")
    with pytest.raises(DataError, match="line 2 '03-Sep'"):
        refuse_spreadsheet_dates(table)


def test_the_reader_never_imports_torch() -> None:
    code = "import sys, debias_cl.data.tables; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
