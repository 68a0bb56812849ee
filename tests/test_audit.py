"""The command `audit`: torch stays out, files come out, errors say what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debias_cl.audit import main
from debias_cl.metrics.schema import validate
from debias_cl.sections.html import render


@pytest.fixture
def preds(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["hired,hired_2,ready,model,other,p,gender,site\n"]
    for i in range(400):
        gender, site = "fm"[i % 2], "ns"[i % 3 == 0]
        truth = int(rng.random() < 0.5)
        score = round(
            float(np.clip(0.3 + 0.3 * truth + 0.1 * (i % 2) + rng.normal(0, 0.2), 0, 1)), 2
        )
        said = "" if i % 50 == 0 else str(int(score >= 0.5))
        lines.append(f"{truth},{1 - truth},{i % 2},{said},{i % 2},{score},{gender},{site}\n")
    path = tmp_path / "preds.csv"
    path.write_text("".join(lines))
    return path


def run(*arguments: object) -> int:
    quick = ["--permutations", "99"]
    return main([str(argument) for argument in (*arguments, *quick)])


def test_it_runs_without_torch_and_writes_three_files(preds: Path, tmp_path: Path) -> None:
    arguments = ["--predictions", str(preds), "--label", "hired", "--prediction", "model"]
    arguments += ["--score", "p", "--bias-attr", "gender,site", "--out", str(tmp_path / "reports")]
    code = "import sys\nfrom debias_cl.audit import main\n"
    code += f"code = main({[*arguments, '--permutations', '99']!r})\n"
    code += "assert 'torch' not in sys.modules, 'torch was imported'\nsys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "reports" / "preds-hired"
    assert {path.name for path in folder.iterdir()} >= {"metrics.json", "groups.csv", "report.html"}
    document = json.loads((folder / "metrics.json").read_text())
    validate(document)
    assert document["dataset"]["title"] == "preds.csv"
    assert document["dataset"]["splits"]["table"]["n"] == 400
    assert document["encoder"]["prediction"] == "model"
    assert document["n_missing_prediction"] == 8
    assert str(folder / "report.html") in done.stdout.replace("\n", "")


def test_a_label_a_report(preds: Path, tmp_path: Path, capsys: Any) -> None:
    common = ("--predictions", preds, "--score", "p", "--bias-attr", "gender", "--out", tmp_path)
    assert run(*common, "--label", "hired,ready") == 0
    assert capsys.readouterr().out.count("report: ") == 2
    for label in ("hired", "ready"):
        document = json.loads((tmp_path / f"preds-{label}" / "metrics.json").read_text())
        assert document["label"]["name"] == label
        assert any("a score of 0.5 or more is selected" in note for note in document["notes"])


def test_what_was_done_stands_on_the_report(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    text = "y;yhat; who\n1;1,0;NA\n0;0,0;a\ny;yhat; who\n1;1,0;NA\n0;1,0;a\n".replace(",0", ".0")
    path.write_text(text)
    common = ("--predictions", path, "--label", "y", "--prediction", "yhat", "--out", tmp_path)
    assert run(*common, "--bias-attr", "who", "--name", "mine") == 0
    document = json.loads((tmp_path / "mine" / "metrics.json").read_text())
    page = render(document)
    for words in ("separated by", "line 4", "are one level", "--missing NA", "repeats the header"):
        assert words in page, words
    assert "Training views" not in page
    assert "How the encoder was trained" not in page


def test_several_models_stand_beside(preds: Path, tmp_path: Path) -> None:
    common = ("--predictions", preds, "--label", "hired", "--bias-attr", "gender")
    assert run(*common, "--prediction", "model,other", "--out", tmp_path) == 0
    document = json.loads((tmp_path / "preds-hired" / "metrics.json").read_text())
    validate(document)
    assert [document["encoder"]["name"], document["beside"][0]["encoder"]["name"]] == [
        "model",
        "other",
    ]
    assert document["beside"][0]["paired"]["accuracy"]["value"] is not None


def test_without_labels_the_page_says_what_it_left_out(preds: Path, tmp_path: Path) -> None:
    common = ("--predictions", preds, "--prediction", "model", "--bias-attr", "gender")
    assert run(*common, "--out", tmp_path) == 0
    document = json.loads((tmp_path / "preds" / "metrics.json").read_text())
    validate(document)
    page = render(document)
    assert "need the truth: not applicable, no labels given" in page
    assert "Equalized odds (larger" not in page
    outcomes = {f["code"].partition(":")[0]: f["outcome"] for f in document["findings"]}
    assert outcomes["equalized-odds"] == outcomes["accuracy-gap"] == "not applicable"
    assert outcomes["constant-predictions"] == "passed"


def test_sql_is_printed_and_nothing_is_written(tmp_path: Path, capsys: Any) -> None:
    asked = ("--table", "t", "--label", "y", "--prediction", "yhat", "--bias-attr", "g")
    assert run(*asked, "--print-sql", "duckdb", "--out", tmp_path / "none") == 0
    assert 'FROM "t"' in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_errors_name_the_column_and_the_file(preds: Path, capsys: Any) -> None:
    assert run("--predictions", preds, "--label", "hird", "--prediction", "model") == 3
    assert "did you mean 'hired'?" in capsys.readouterr().err
    assert run("--predictions", preds.with_name("pred.csv"), "--prediction", "model") == 3
    assert "did you mean 'preds.csv'?" in capsys.readouterr().err
    assert run("--predictions", preds, "--label", "hired") == 2
    assert "--prediction" in capsys.readouterr().err
    assert run("--label", "hired", "--prediction", "model") == 2
    assert "which table" in capsys.readouterr().err
    twice = ("--predictions", preds, "--label", "hired", "--prediction", "hired")
    assert run(*twice) == 2
    assert "named twice" in capsys.readouterr().err
    three = ("--predictions", preds, "--label", "gender", "--prediction", "model,other")
    assert run(*three, "--score", "p") == 2
    wrong = ("--predictions", preds, "--label", "hired", "--prediction", "model")
    assert run(*wrong, "--positive", "yes") == 2
    assert "'yes' is no level of hired" in capsys.readouterr().err
