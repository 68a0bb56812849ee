"""--reference, --within, --tolerance, --reweight and --bins: from the command line to numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debias_cl.audit import main
from debias_cl.errors import DataError, UsageError
from debias_cl.metrics.flags import read_reference, read_reweight, read_tolerance
from debias_cl.metrics.schema import validate
from debias_cl.metrics.settings import TRAINING

Run = Callable[..., dict[str, Any]]


def table(n: int = 600, seed: int = 3) -> str:
    """A CSV with a site, a sex, an age (some empty) and answers that are worse for the old."""
    rng = np.random.default_rng(seed)
    lines = ["y,said,sex,site,age"]
    for row in range(n):
        sex, site, age = rng.choice(["f", "m"]), rng.choice(["A", "B"]), rng.integers(18, 90)
        y = rng.integers(0, 2)
        said = y if rng.random() < 0.98 - 0.004 * age else 1 - y
        lines.append(f"{y},{said},{sex},{site},{'' if row % 100 == 0 else age}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Audit the table with further flags and return the document."""
    (tmp_path / "t.csv").write_text(table())

    def go(*flags: str, attributes: str = "sex,age", code: int = 0) -> dict[str, Any]:
        told = ["--predictions", str(tmp_path / "t.csv"), "--label", "y", "--prediction", "said"]
        told += ["--bias-attr", attributes, "--out", str(tmp_path), "--name", "r"]
        told += ["--permutations", "99", *flags]
        assert main(told) == code
        return dict(json.loads((tmp_path / "r" / "metrics.json").read_text())) if not code else {}

    return go


def test_all_of_them_together_fit_the_schema(run: Run, tmp_path: Path) -> None:
    shares = "label,group,share\n0,f,10\n1,f,30\n0,m,20\n1,m,40\n"
    (tmp_path / "shares.csv").write_text(shares)
    document = run(
        *("--reference", "sex=m,rest", "--reference", "overall", "--within", "site"),
        *("--tolerance", "accuracy_difference=0.05,demographic_parity_ratio=.5"),
        *("--reweight", str(tmp_path / "shares.csv"), "--bins", "age=18,40,65,90"),
    )
    validate(document)
    assert document["settings"]["reference"] == {"sex": "m"}
    assert document["settings"]["against"] == ["rest", "overall"]
    assert document["settings"]["ranges"] == {"age": {"edges": [18, 40, 65, 90], "quantiles": 0}}
    gaps = document["disparities"]["sex"]["accuracy_difference"]
    assert len(gaps["against"]) == 5
    assert gaps["tolerance"]["limit"] == 0.05
    assert document["within"]["column"] == "site"
    assert set(document["within"]["attributes"]) == {"sex", "age"}
    assert [one["name"] for one in document["attributes"]] == ["sex", "age", "sex & age"]
    found = document["overall"]["reweighted_accuracy"]
    cells = {tuple(one["group"].values()): one for one in document["cells"]}
    by = [
        cells[key]["accuracy"]["value"] for key in (("0", "f"), ("1", "f"), ("0", "m"), ("1", "m"))
    ]
    assert found["value"] == pytest.approx(np.average(by, weights=[10, 30, 20, 40]))


def test_an_age_is_read_into_ranges_and_its_trend_falls(run: Run) -> None:
    document = run("--bins", "age=18,40,65,90")
    (age,) = [one for one in document["attributes"] if one["name"] == "age"]
    assert age["levels"] == ["18 to under 40", "40 to under 65", "65 to 90", "(missing)"]
    sizes = {
        one["group"]["age"]: one["n"] for one in document["groups"] if one["attribute"] == "age"
    }
    ages = [line.split(",")[4] for line in table().splitlines()[1:]]
    assert sizes["(missing)"] == ages.count("") == 6
    assert sizes["18 to under 40"] == sum(18 <= int(a) < 40 for a in ages if a)
    assert document["trends"]["age"]["accuracy"]["change"]["high"] < 0
    quarters = run("--bins", "age=quantiles:4")
    n = [one["n"] for one in quarters["groups"] if one["attribute"] == "age"][:4]
    assert sum(n) == 594
    assert min(n) > 125


def test_an_attribute_may_be_the_strata_of_another(run: Run) -> None:
    apart = run("--within", "site", attributes="sex")["within"]["attributes"]["sex"]
    both = run("--within", "site", attributes="sex,site")
    assert [one["name"] for one in both["attributes"]] == ["sex", "site", "sex & site"]
    assert both["within"]["attributes"] == {"sex": apart}
    ages = run("--within", "age", "--bins", "age=18,40,90", attributes="sex")
    assert [one["level"] for one in ages["within"]["strata"]] == [
        "18 to under 40",
        "40 to 90",
        "(missing)",
    ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--reference", "sex"), "names no reference"),
        (("--reference", "sex=x"), "'x' is no level of 'sex'"),
        (("--within", "sitt"), "column 'sitt' is not in"),
        (("--tolerance", "accuracy_diference=0.05"), "did you mean 'accuracy_difference'"),
        (("--tolerance", "accuracy_difference=5"), "is no tolerance"),
        (("--reweight", "none.csv"), "there is no file none.csv"),
        (("--bins", "site=1,2"), "'site' is no attribute whose groups are compared"),
        (("--bins", "age=2,1"), "do not rise"),
    ],
)
def test_what_cannot_be_is_said_in_one_message(
    run: Run, flags: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = 3 if "sitt" in flags else 2
    run(*flags, code=code)
    assert said in capsys.readouterr().err


def test_texts_have_no_ranges(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--bins", "sex=1,2", code=3)
    assert "which is no number" in capsys.readouterr().err


def test_references_and_tolerances_are_read() -> None:
    assert read_reference([]) == ({}, ())
    assert read_reference(["a = x , rest", "rest,b=y=z"]) == ({"a": "x", "b": "y=z"}, ("rest",))
    with pytest.raises(UsageError, match="two references, 'x' and 'y'"):
        read_reference(["a=x,a=y"])
    assert read_tolerance(["accuracy_difference=0"]) == {"accuracy_difference": 0}
    with pytest.raises(UsageError, match="is no tolerance"):
        read_tolerance(["accuracy_difference"])


def test_shares_are_read_by_attribute_and_refused_where_they_cannot_be(tmp_path: Path) -> None:
    assert read_reweight("") == {}
    assert read_reweight("train") is TRAINING
    path = tmp_path / "s.csv"
    path.write_text("attribute;label;group;share\ng;0;a;0,25\ng;1;a;0,5\nh;0;x;1\ng;0;a;0,25\n")
    assert read_reweight(str(path)) == {
        "g": {("0", "a"): 0.5, ("1", "a"): 0.5},
        "h": {("0", "x"): 1},
    }
    for cells in ("0,a,-1", "0,,1", "0,a,"):
        path.write_text(f"label,group,share\n1,a,1\n{cells}\n")
        with pytest.raises(DataError, match="line 3"):
            read_reweight(str(path))
    path.write_text("label,group,share\n1,a,0\n")
    with pytest.raises(DataError, match="all shares are 0"):
        read_reweight(str(path))
    path.write_text("label,group\n1,a\n")
    with pytest.raises(DataError, match="column 'share' is not in"):
        read_reweight(str(path))
