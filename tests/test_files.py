"""A file stands under its final name whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from debias_cl.files import replacing, write_atomic


@pytest.mark.parametrize("content", [b"\x00\xff", "grün\n", "", b""])
def test_writes_exactly_what_was_given(tmp_path: Path, content: bytes | str) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    write_atomic(path, content)
    expected = content.encode("utf-8") if isinstance(content, str) else content
    assert path.read_bytes() == expected
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_a_failure_keeps_the_old_file_and_leaves_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "old")
    with pytest.raises(RuntimeError, match="disk"), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_the_temporary_name_keeps_the_ending(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.parquet") as temporary:
        assert temporary.suffix == ".parquet" and temporary.parent == tmp_path
        temporary.write_bytes(b"x")
    assert (tmp_path / "a.parquet").read_bytes() == b"x"
