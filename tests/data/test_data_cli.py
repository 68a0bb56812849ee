"""The command `data`: list, check, fetch, and their exit codes."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from debias_cl.data import DATASETS, idx
from debias_cl.data_cli import main


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_list_names_every_set_and_whether_it_is_here(tmp_path: Path, capsys) -> None:
    assert main(["list", "--data-root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in DATASETS.names())
    assert "built in" in said
    assert "not found" in said
    (tmp_path / "utkface" / "UTKFace").mkdir(parents=True)
    (tmp_path / "celeba").mkdir()
    (tmp_path / "celeba" / "list_attr_celeba.txt").write_text("")
    assert main(["--data-root", str(tmp_path)]) == 0
    assert "1 of 3 found" in capsys.readouterr().out


def test_check_of_what_is_built_in_fits(tmp_path: Path, capsys) -> None:
    assert main(["check", "--data-root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "as published" in said
    assert "differs" not in said


def test_check_of_absent_data_is_exit_3_with_the_files(tmp_path: Path, capsys) -> None:
    arguments = ["check", "--dataset", "celeba", "--data-root", str(tmp_path)]
    assert main(arguments) == 3
    said = capsys.readouterr().err
    assert str(tmp_path / "celeba" / "list_eval_partition.txt") in said
    assert "mmlab.ie.cuhk.edu.hk" in said
    assert "Traceback" not in said
    assert main([*arguments, "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_count_that_must_fit_and_does_not_is_exit_3(monkeypatch, capsys) -> None:
    from debias_cl.data import biased_mnist_mini

    monkeypatch.setattr(biased_mnist_mini, "VALIDATION", 39)
    assert main(["check", "--dataset", "biased_mnist_mini"]) == 3
    streams = capsys.readouterr()
    assert "differs" in streams.out
    assert "validation digits" in streams.err


def test_fetch_of_what_may_not_be_fetched_says_how_to_get_it(capsys) -> None:
    assert main(["fetch", "--dataset", "utkface"]) == 2
    assert "susanqq.github.io" in capsys.readouterr().err
    assert main(["fetch"]) == 2
    assert "--dataset biased_mnist" in capsys.readouterr().err
    assert main(["fetch", "--dataset", "biased_mnsit"]) == 2
    assert "did you mean 'biased_mnist" in capsys.readouterr().err


class Answer:
    """What urlopen gives."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self) -> bytes:
        return self.data

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_fetch_checks_bytes_goes_to_the_next_mirror_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    wanted = {name: name.encode() for name in idx.MD5}
    sums = {name: hashlib.md5(data).hexdigest() for name, data in wanted.items()}
    monkeypatch.setattr(idx, "MD5", sums)
    asked = []

    def urlopen(url: str, timeout: float) -> Answer:
        asked.append(url)
        name = url.rsplit("/", 1)[1]
        return Answer(b"<html>" if url.startswith(idx.MIRRORS[0]) else wanted[name])

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    kept = tmp_path / idx.FOLDER / next(iter(sums))
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"already here")
    arguments = ["fetch", "--dataset", "biased_mnist", "--data-root", str(tmp_path)]
    assert main(arguments) == 0
    assert "3 files fetched" in capsys.readouterr().out
    assert len(asked) == 6
    assert kept.read_bytes() == b"already here"
    assert {p.name: p.read_bytes() for p in kept.parent.iterdir() if p != kept} == {
        name: data for name, data in wanted.items() if name != kept.name
    }


def test_fetch_without_a_network_is_exit_3(tmp_path: Path, monkeypatch, capsys) -> None:
    def urlopen(url: str, timeout: float) -> Answer:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    assert main(["fetch", "--dataset", "biased_mnist", "--data-root", str(tmp_path)]) == 3
    said = capsys.readouterr().err
    assert "no route" in said
    assert "mnist/MNIST/raw" in said
    assert list(tmp_path.rglob("*.gz")) == []


@pytest.mark.data
def test_the_real_counts_stand_beside_the_published_ones(shared_data: Path, capsys) -> None:
    arguments = ["check", "--dataset", "biased_mnist", "--data-root", str(shared_data)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    for count in ("63", "184", "305", "606", "1,205", "3,006", "6,006", "996", "9,004"):
        assert f"{count} " in said
