"""`debias_cl.audit`: the same rows give the same numbers in every form, as in a CSV of them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import debias_cl
from debias_cl import Audit, Settings
from debias_cl.auditing import TableRequest, judge, opened, roles_of
from debias_cl.auditing import audit as audit_files
from debias_cl.data.bins import read_bins
from debias_cl.errors import DataError, UsageError
from debias_cl.gates import Gate
from debias_cl.metrics.schema import read_document, validate
from debias_cl.records import Finding, Predictions

QUICK = Settings(permutations=20)
ABOUT = ("created", "provenance", "dataset", "encoder", "notes")
"""Parts of a document that are not numbers of its rows."""


def numbers(document: Any) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ABOUT}


def from_csv(folder: Path, frame: pd.DataFrame, **columns: Any) -> dict[str, Any]:
    """The document of the same rows written as CSV and read by the command's way."""
    path = folder / "rows.csv"
    frame.to_csv(path, index=False)
    (done,) = audit_files(
        TableRequest(predictions=(str(path),), out=str(folder), settings=QUICK, **columns)
    )
    return dict(done.document)


def frame_of(seed: int, n: int = 60) -> pd.DataFrame:
    """Rows with missing cells in every column, floats that are levels, and texts like marks."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "y": rng.choice([0.0, 1.0, np.nan], n, p=[0.5, 0.45, 0.05]),
            "p": rng.integers(0, 2, n),
            "s": np.where(rng.random(n) < 0.1, np.nan, rng.random(n).round(3)),
            "site": rng.choice(["north", "NA", "", " south"], n),
            "old": rng.random(n) < 0.5,
            "w": rng.integers(1, 4, n) / 2,
            "who": rng.integers(0, n // 3, n),
        }
    )
    frame.loc[0, "y"], frame.loc[1, "y"] = 0.0, 1.0
    return frame


ROLES = {"label": "y", "prediction": "p", "score": "s", "weights": "w", "persons": "who"}
FLAGS = {
    "labels": ("y",),
    "prediction": ("p",),
    "score": ("s",),
    "weight": "w",
    "cluster_by": "who",
    "bias_attr": ("site", "old"),
}


def forms(frame: pd.DataFrame) -> dict[str, Any]:
    """The same rows in every form that is taken."""
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    return {
        "pandas": frame,
        "pandas, another index": frame.set_index(np.arange(len(frame))[::-1] * 7),
        "pandas, its own types": frame.convert_dtypes(),
        "polars": pl.from_pandas(frame),
        "polars, lazy": pl.from_pandas(frame).lazy(),
        "Arrow": arrow,
        "arrays": {name: frame[name].to_numpy() for name in frame},
        "lists": {name: frame[name].tolist() for name in frame},
        "records": frame.to_records(index=False),
    }


def coded(data: Any, **columns: Any) -> Predictions:
    """What is measured of a form: its rows after the one coding."""
    with patch("debias_cl.api.audited", lambda *asked: asked):
        source, roles, *_ = debias_cl.audit(data, **columns).metrics
    return judge(source, roles)[0][0].predictions


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 10_000))
def test_every_form_is_coded_as_the_csv_is(tmp_path: Path, seed: int) -> None:
    frame = frame_of(seed)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    request = TableRequest(predictions=(str(tmp_path / "rows.csv"),), settings=QUICK, **FLAGS)
    wanted = judge(opened(request), roles_of(request)[0])[0][0].predictions
    for form, data in forms(frame).items():
        found = coded(data, attributes=["site", "old"], settings=QUICK, **ROLES)
        assert found.annotations.attributes == wanted.annotations.attributes, form
        assert (found.levels, found.positive) == (wanted.levels, wanted.positive), form
        pairs = [
            (found.predicted, wanted.predicted),
            (found.scores, wanted.scores),
            (found.annotations.truth, wanted.annotations.truth),
            (found.annotations.persons, wanted.annotations.persons),
            (found.annotations.rows, wanted.annotations.rows),
            (found.annotations.mass.weight, wanted.annotations.mass.weight),
            *(
                (found.annotations.groups[n], codes)
                for n, codes in wanted.annotations.groups.items()
            ),
        ]
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours, theirs, err_msg=form)


@pytest.mark.parametrize("form", ["pandas", "polars", "lists"])
def test_the_same_rows_give_the_same_numbers_as_a_csv(tmp_path: Path, form: str) -> None:
    frame = frame_of(1)
    wanted = numbers(from_csv(tmp_path, frame, **FLAGS))
    found = debias_cl.audit(forms(frame)[form], attributes=["site", "old"], settings=QUICK, **ROLES)
    assert numbers(found.metrics) == wanted


def test_columns_may_be_given_as_arrays(tmp_path: Path) -> None:
    frame = frame_of(3)
    wanted = numbers(debias_cl.audit(frame, attributes=["site"], settings=QUICK, **ROLES).metrics)
    arrays = {role: frame[name].to_numpy() for role, name in ROLES.items() if role != "prediction"}
    found = debias_cl.audit(
        frame["p"].to_numpy(), attributes={"site": frame["site"]}, settings=QUICK, **arrays
    )
    assert found.metrics["label"]["name"] == "label"
    assert found.metrics["disparities"].keys() == wanted["disparities"].keys()
    for name, value in found.metrics["disparities"]["site"].items():
        assert value["value"] == wanted["disparities"]["site"][name]["value"], name
    mixed = debias_cl.audit(
        frame, label="y", prediction=frame["p"], attributes=["site"], settings=QUICK,
        score="s", weights="w", persons="who",
    )  # fmt: skip
    assert numbers(mixed.metrics) == wanted


def test_a_series_of_polars_is_an_array_too() -> None:
    y, p = [1, 0, 1, 1] * 20, [1, 0, 0, 1] * 20
    found = debias_cl.audit(
        pl.Series(p), label=pl.Series(y), attributes={"g": list("aabb") * 20}, settings=QUICK
    )
    assert found.metrics["overall"]["accuracy"]["value"] == 0.75


def test_without_labels_what_needs_no_truth_is_audited(tmp_path: Path) -> None:
    rows = {"yhat": [1, 1, 0, 1, 0, 0, 0, 1], "gender": list("aaaabbbb")}
    found = debias_cl.audit(rows, prediction="yhat", attributes="gender", settings=QUICK)
    gap = found.metrics["disparities"]["gender"]["demographic_parity_difference"]
    assert gap["value"] == 0.5
    validate(found.metrics)


def test_settings_read_numbers_into_ranges_and_gaps_within_strata(tmp_path: Path) -> None:
    frame = frame_of(8, 200).assign(age=lambda rows: rows["who"] + 0.5)
    asked = {"ranges": read_bins(["age=0,20,40,80"]), "within": "site", "permutations": 20}
    found = debias_cl.audit(
        frame, label="y", prediction="p", attributes=["age", "old"], settings=Settings(**asked)
    )
    assert len(found.metrics["attributes"][0]["levels"]) == 3
    frame.to_csv(tmp_path / "rows.csv", index=False)
    request = TableRequest(
        predictions=(str(tmp_path / "rows.csv"),),
        labels=("y",),
        prediction=("p",),
        bias_attr=("age", "old"),
        out=str(tmp_path),
        settings=Settings(**asked),
    )
    (done,) = audit_files(request)
    assert numbers(found.metrics) == numbers(done.document)


def test_lists_of_texts_are_columns_unless_they_name_some() -> None:
    said, truth = ["cat", "dog", "cat", "cat"] * 20, ["cat", "dog", "dog", "cat"] * 20
    alone = debias_cl.audit(said, label=truth, settings=QUICK)
    beside = debias_cl.audit({"truth": truth}, label="truth", prediction=said, settings=QUICK)
    for found in (alone, beside):
        assert found.metrics["overall"]["accuracy"]["value"] == 0.75
        assert found.metrics["label"]["positive"] == "dog"


def test_several_models_are_compared_on_the_same_rows() -> None:
    frame = frame_of(5).assign(q=lambda rows: 1 - rows["p"])
    found = debias_cl.audit(
        frame, label="y", prediction=["p", "q"], attributes=["old"], settings=QUICK
    )
    (other,) = found.metrics["beside"]
    ours, theirs = (one["overall"]["accuracy"]["value"] for one in (found.metrics, other))
    assert ours + theirs == pytest.approx(1)
    assert other["paired"]["accuracy"]["value"] == pytest.approx(ours - theirs)


@pytest.fixture(scope="module")
def found() -> Audit:
    rows = {"y": [1, 0, 1, 0] * 40, "p": [1, 0, 0, 0] * 40, "g": ["a", "a", "<b>", "<b>"] * 40}
    return debias_cl.audit(rows, label="y", prediction="p", attributes=["g"], settings=QUICK)


def test_the_audit_gives_frames_and_findings(found: Audit) -> None:
    groups = found.frame()
    assert list(groups["group"]) == ["g=<b>", "g=a"] and list(groups["n"]) == [80, 80]
    assert list(groups["true_positive_rate"]) == [0.0, 1.0]
    gaps = found.disparities("g").set_index("name")
    row = gaps.loc["equal_opportunity_difference_min_group"]
    assert (row["value"], row["lowest"], row["highest"]) == (1.0, "g = <b>", "g = a")
    assert found.disparities("h").empty and found.frame("h").empty
    assert all(isinstance(one, Finding) for one in found.findings)
    assert [one.to_dict() for one in found.findings] == found.metrics["findings"]


def test_the_report_is_that_of_the_command(found: Audit, tmp_path: Path) -> None:
    report = found.save_report(tmp_path / "report")
    assert report == tmp_path / "report" / "report.html" and report.exists()
    written = read_document(tmp_path / "report")
    assert written == found.metrics
    validate(written)
    table = (tmp_path / "report" / "groups.csv").read_text(encoding="utf-8")
    assert table == found.frame().to_csv(index=False, lineterminator="\n")


def test_gates_are_judged_and_shown(tmp_path: Path) -> None:
    rows = {"y": [1, 0] * 60, "p": [1, 0, 0, 0] * 30, "g": ["a", "b", "a", "b"] * 30}
    one = debias_cl.audit(rows, label="y", prediction="p", attributes=["g"], settings=QUICK)
    assert one.gates() == [] and "Gates" not in one._repr_html_()
    gates = one.gates("accuracy<0.5", "equal_opportunity_difference>0.1")
    assert [(gate.outcome, gate.passes) for gate in gates] == [
        ("passed", True),
        ("undefined", False),
    ]
    assert one.gates() == gates and all(isinstance(gate, Gate) for gate in gates)
    assert "Gates: 1 of 2 passes" in one._repr_html_() and "Gates: 1 of 2" in repr(one)
    one.save_report(tmp_path)
    assert 'id="gates"' in (tmp_path / "report.html").read_text(encoding="utf-8")
    (tmp_path / "policy.toml").write_text(
        "fail_on = 'accuracy<0.9'\n[tolerance]\naccuracy_difference = 0.1\n"
    )
    policy = debias_cl.audit(
        rows, label="y", prediction="p", settings=QUICK, policy=tmp_path / "policy.toml",
        baseline=tmp_path,
    )  # fmt: skip
    assert policy.metrics["settings"]["tolerance"] == {"accuracy_difference": 0.1}
    assert policy.metrics["gates"][0]["outcome"] == "failed"
    assert len(policy.metrics["gates"]) > 3


def test_a_notebook_shows_verdict_numbers_and_groups(found: Audit) -> None:
    shown = found._repr_html_()
    assert "It finds" in shown and "Gates" not in shown
    assert shown.count("<tr>") == 3
    assert "g = &lt;b&gt;" in shown and "g = <b>" not in shown
    assert len(shown) < 20_000
    assert not any(text in shown for text in ("<script", "http://", "https://", "@import", "url("))
    assert "rows" in repr(found) and "findings: " in repr(found)


@pytest.mark.parametrize(
    ("data", "columns", "error", "words"),
    [
        ({"y": [1, 0], "p": [1]}, {"prediction": "p"}, DataError, "not of one length"),
        ({"p": [1, 0]}, {}, UsageError, "prediction=COLUMN"),
        ({"yhat": [1, 0]}, {"prediction": "yht"}, DataError, "did you mean 'yhat'?"),
        ({"p": [1, 0]}, {"prediction": "p", "label": [1]}, DataError, "1 values for the 2 rows"),
        ({"p": [[1, 0]]}, {"prediction": "p"}, DataError, "2 dimensions"),
        ({"p": []}, {"prediction": "p"}, DataError, "no rows"),
        (7, {"prediction": "p"}, UsageError, "cannot be read from int"),
        ([1, 0], {"prediction": [1, 0]}, UsageError, "given twice"),
        ({"p": [1, 0]}, {"prediction": "p", "positive": 3}, UsageError, "'3' is no level"),
    ],
)
def test_errors_say_what_to_do(data: Any, columns: Any, error: Any, words: str) -> None:
    with pytest.raises(error) as caught:
        debias_cl.audit(data, **columns)
    assert words in str(caught.value)


def test_the_function_and_the_command_share_a_name() -> None:
    code = (
        "import debias_cl, debias_cl.audit as command\n"
        "from debias_cl.audit import main\n"
        "found = debias_cl.audit([1, 0, 1], label=[1, 0, 0])\n"
        "assert found.metrics['n'] == 3 and main is command.main\n"
        "import sys; assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, time; start = time.perf_counter(); import debias_cl\n"
        "print(time.perf_counter() - start)\n"
        "assert not {'numpy', 'pandas', 'torch'} & set(sys.modules)\n"
        "assert {'audit', 'evaluate', 'Audit', 'Settings'} <= set(dir(debias_cl))\n"
        "try: debias_cl.nothing\n"
        "except AttributeError as error: assert 'nothing' in str(error)\n"
        "else: raise SystemExit(3)\n"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.3 and time.perf_counter() - start < 60
