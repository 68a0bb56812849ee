"""The same rows give the same numbers by every reader, on tables as odd as people's."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from debias_cl.auditing import judge
from debias_cl.errors import DataError
from debias_cl.tables.counted import Counted, TableSource
from debias_cl.tables.files import open_files

QUICK = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def table(seed: int, n: int = 400, kinds: int = 40) -> str:
    """Return a table with scores, weights, persons, missing cells, two attributes, a site."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    p = np.round(np.clip(0.3 + 0.3 * y + rng.normal(0, 0.2, n), 0, 1) * kinds) / kinds
    columns = {
        "y": np.where(rng.random(n) < 0.03, "", y.astype(str)),
        "yhat": np.where(rng.random(n) < 0.05, "", (p >= 0.45).astype(int).astype(str)),
        "other": (rng.random(n) < p).astype(int).astype(str),
        "p": np.where(rng.random(n) < 0.04, "", p.astype(str)),
        "g": rng.choice(["a", "b", "c", ""], n, p=[0.5, 0.3, 0.15, 0.05]),
        "h": rng.choice(["0", "1"], n),
        "w": np.where(rng.random(n) < 0.02, "", rng.choice(["0.5", "1", "2.25"], n)),
        "site": rng.choice(["n", "s"], n),
        "who": np.where(rng.random(n) < 0.05, "", rng.integers(0, 90, n).astype(str)),
    }
    rows = [columns.keys(), *zip(*columns.values(), strict=True)]
    return "".join(",".join(row) + "\n" for row in rows)


ASKED: dict[str, dict[str, Any]] = {
    "scores beside predictions": {"score": "p", "by": "g h"},
    "scores alone": {"prediction": "", "score": "p", "threshold": 0.35},
    "no label": {"label": "", "score": "p"},
    "weights": {"score": "p", "weight": "w"},
    "strata": {"within": "site", "by": "g h"},
}


@pytest.mark.parametrize("asked", ASKED)
def test_numbers_do_not_depend_on_the_reader(
    asked: str, readers: Any, roles: Any, document: Any, same: Any, tmp_path: Path
) -> None:
    text, known = table(1), roles(**ASKED[asked])
    first = document(readers["csv"](text, tmp_path, known), known)
    assert first["n"] > 300
    for name, read in readers.items():
        if known.weight and name == "counts":  # pandas' count has no sums of weights
            continue
        same(document(read(text, tmp_path, known), known), first)


def test_many_distinct_scores_are_binned_alike(
    readers: Any, roles: Any, document: Any, same: Any, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{i % 2},{'abc'[i % 3]},{s!r}" for i, s in enumerate(rng.random(6000).tolist())]
    text, known = "y,g,p\n" + "\n".join(lines) + "\n", roles("y", "", "p", threshold=0.3001)
    first = document(readers["csv"](text, tmp_path, known), known)
    for name in ("csv by DuckDB", "Parquet by DuckDB", "pandas", "counts by SQL"):
        same(document(readers[name](text, tmp_path, known), known), first)


def test_scores_of_32_bits_are_read_as_their_texts(roles: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([[0.7, 0.3, 0.1], np.round(rng.random(50), 1)]).astype(np.float32)
    frame = pd.DataFrame({"y": 1, "g": "a", "p": scores})
    frame.to_parquet(tmp_path / "p.parquet")
    known = roles("y", "", "p", threshold=0.7)
    counts = [
        open_files([str(tmp_path / "p.parquet")], in_memory=memory) for memory in (1 << 20, 0)
    ]
    (small,), _ = judge(counts[0], known)
    (big,), _ = judge(counts[1], known)
    assert small.predictions.scores is not None and big.predictions.scores is not None
    np.testing.assert_array_equal(small.predictions.scores, big.predictions.scores)
    np.testing.assert_array_equal(small.predictions.predicted, big.predictions.predicted)
    assert (small.predictions.predicted == (small.predictions.scores >= 0.7)).all()


@pytest.mark.parametrize(
    "scores",
    [[0.1, float("nan"), 0.7, None, 0.3, float("inf")], [0.1, 0.2, 0.7, None, 0.3, 0.4]],
    ids=["with NaN", "without"],
)
def test_nan_is_a_missing_score_wherever_it_is_counted(
    scores: list[float | None], roles: Any, tmp_path: Path
) -> None:
    p = pa.array(scores, pa.float64(), from_pandas=False)
    columns = {"y": [0, 1, 0, 1, 1, 0], "p": p, "g": list("aabbab")}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    known, seen = roles("y", "", "p"), []
    for memory in (1 << 20, 0):
        (one,), _ = judge(open_files([str(tmp_path / "t.parquet")], in_memory=memory), known)
        assert one.predictions.scores is not None
        seen.append((one.predictions.scores.tolist(), one.predictions.predicted.tolist()))
        nothing = sum(score is None or score != score for score in scores)
        assert seen[-1][1].count(-1) == nothing
    assert repr(seen[0]) == repr(seen[1])


def test_persons_and_weights_reach_the_predictions(
    readers: Any, roles: Any, tmp_path: Path
) -> None:
    text, known = table(2), roles(score="p", weight="w", cluster="who")
    seen = []
    for name in ("csv", "csv by DuckDB", "Parquet by DuckDB", "pandas"):
        (one,), counted = judge(readers[name](text, tmp_path, known), known)
        annotations = one.predictions.annotations
        mass = annotations.mass
        assert mass is not None and mass.weight is not None and mass.square is not None
        assert annotations.persons is not None and counted.left_out > 0
        seen.append(
            (mass.rows.sum(), mass.weight.sum(), mass.square.sum(), np.unique(annotations.persons))
        )
    frame = pd.read_csv(io.StringIO(text)).dropna(subset="w")
    who = frame["who"].nunique() + frame["who"].isna().sum()
    for rows, weight, square, persons in seen:
        assert rows == len(frame)
        assert weight == pytest.approx(frame["w"].sum())
        assert square == pytest.approx((frame["w"] ** 2).sum())
        assert len(persons) == who


def test_models_are_compared_on_the_same_rows(
    readers: Any, roles: Any, document: Any, tmp_path: Path
) -> None:
    text, known = table(3), roles(prediction="yhat other", score="p p")
    frame = pd.read_csv(io.StringIO(text)).dropna(subset=["y", "yhat"])
    gained = ((frame.yhat == frame.y) & (frame.other != frame.y)).sum()
    lost = ((frame.yhat != frame.y) & (frame.other == frame.y)).sum()
    for name in ("csv", "csv by DuckDB", "Parquet by DuckDB", "pandas"):
        found = document(readers[name](text, tmp_path, known), known)
        assert found["encoder"]["name"] == "yhat"
        assert found["beside"][0]["encoder"]["name"] == "other"
        paired = found["beside"][0]["paired"]["accuracy"]
        assert (paired["gained"], paired["lost"], paired["n"]) == (gained, lost, len(frame))
        assert paired["value"] == pytest.approx((gained - lost) / len(frame))


TEXTS = st.sampled_from(
    ["a", "b", " a", "NA", "1", "1.0", "0", "0.0", "TRUE", "false", "", "é", 'q"t', "x,y", "l\nn"]
)
LEVELS = st.sampled_from(["0", "1", "1.0", "True", ""])
SCORES = st.sampled_from(["0.5", ".25", "1", "", "0.75", "1e-3", "nan"])
ROWS = st.lists(st.tuples(LEVELS, LEVELS, SCORES, TEXTS), min_size=1, max_size=12)


def entries(counted: Counted) -> list[tuple[Any, ...]]:
    """Return what was counted, in an order that no reader decides."""
    names = sorted(counted.keys)
    found: dict[tuple[Any, ...], int] = {}
    for row, n in enumerate(counted.mass.rows.tolist()):
        scores = tuple(repr(float(scores[row])) for scores in counted.scores.values())
        key = (*(counted.keys[name][row] for name in names), *scores)
        found[key] = found.get(key, 0) + n
    return sorted(found.items(), key=repr)


@QUICK
@given(rows=ROWS, separator=st.sampled_from([",", ";", "\t"]), end=st.sampled_from(["\n", "\r\n"]))
def test_duckdb_reads_what_the_careful_reader_reads(
    rows: list[tuple[str, ...]], separator: str, end: str, roles: Any, tmp_path: Path
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=end).writerows(
        [("y", "yhat", "p", " g"), *rows]
    )
    path = tmp_path / "t.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    known = roles(score="p")
    found = []
    for memory in (1 << 20, 0):
        try:
            source = open_files([str(path)], in_memory=memory)
            found.append(entries(source.count(known)))
        except DataError as error:
            found.append([("refused", type(error).__name__)])
    assert found[0] == found[1]


ODD = {
    "another width": "y,yhat,g\n1,1,a\n1,1\n0,0,b\n1,1,a,\n",
    "latin": "y,yhat,g\n1,1,é\n0,0,b\n".encode("latin-1"),
    "utf-16": "y,yhat,g\n1,1,é\n0,0,b\n".encode("utf-16"),
    "sep line": "sep=;\ny;yhat;g\n1;1;a\n0;0;b\n",
    "empty rows": "y,yhat,g\n1,1,a\n\n,,\n0,0,b\n",
    "open quote": 'y,yhat,g\n1,1,"a\n0,0,b\n',
    "quoted header": '"y","yhat","g"\n1,1,a\n0,0,b\n',
    "header with spaces again": "y,yhat,g\n1,1,a\ny, yhat,g\n0,0,b\n",
    "case": "y,yhat,g,G\n1,1,a,c\n0,0,b,c\n",
    "no last line end": "y,yhat,g\n1,1,a\n0,0,b",
    "spaces": "y,yhat,g\n1 , 1,a\n0,0 ,  b\n",
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_files_are_read_alike_or_refused_alike(odd: str, roles: Any, tmp_path: Path) -> None:
    path, text = tmp_path / "t.csv", ODD[odd]
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = []
    for memory in (1 << 20, 0):
        try:
            counted = open_files([str(path)], in_memory=memory).count(roles())
            found.append((entries(counted), counted.left_out))
        except DataError as error:
            found.append((str(error), 0))
    assert found[0] == found[1]


def test_several_files_are_one_table_or_say_what_differs(
    roles: Any, document: Any, same: Any, tmp_path: Path
) -> None:
    lines = table(4).splitlines(keepends=True)
    (tmp_path / "all.csv").write_text("".join(lines))
    (tmp_path / "part1.csv").write_text("".join(lines[:200]))
    (tmp_path / "part2.csv").write_text("".join([lines[0], *lines[200:]]))
    known = roles(score="p")
    whole = document(open_files([str(tmp_path / "all.csv")]), known)
    for memory in (1 << 20, 0):
        source = open_files([str(tmp_path / "part*.csv")], in_memory=memory)
        assert source.name == "part1.csv and part2.csv"
        same(document(source, known), whole)
    (tmp_path / "part2.csv").write_text("y,yhat,q\n1,1,a\n")
    for memory in (1 << 20, 0):
        with pytest.raises(DataError, match=r"part1.csv and part2.csv differ") as caught:
            open_files([str(tmp_path / "part*.csv")], in_memory=memory)
        assert "only in part2.csv: q" in str(caught.value)


@pytest.mark.parametrize("memory", [1 << 20, 0])
def test_what_is_no_number_is_refused(memory: int, roles: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("y,p,g\n1,0.5,a\n0,high,b\n")
    with pytest.raises(DataError, match="'p'") as caught:
        open_files([str(path)], in_memory=memory).count(roles("y", "", "p"))
    assert "high" in str(caught.value)
    path.write_text("y,yhat,w,g\n1,1,0.5,a\n0,0,-2,b\n")
    with pytest.raises(DataError, match="weight"):
        open_files([str(path)], in_memory=memory).count(roles(weight="w"))


def test_numbers_are_no_levels(roles: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{i % 2},{i / 2000},{i % 2},{20 + i / 31}\n" for i in range(2000)]
    path.write_text("y,p,yhat,age\n" + "".join(rows))
    source = open_files([str(path)])
    with pytest.raises(DataError, match=r"2,00\d levels") as caught:
        judge(source, roles("y", "p", "", ""))
    assert "--score" in str(caught.value)
    with pytest.raises(DataError, match="'age' holds 2,000 levels") as caught:
        judge(source, roles("y", "yhat", "", "age"))
    assert "--bins age" in str(caught.value)


def test_counts_must_be_whole_numbers(roles: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("y,yhat,g,n\n1,1,a,3\n0,0,b,2.5\n")
    with pytest.raises(DataError, match=r"line 3, column 'n'"):
        open_files([str(path)], count_column="n").count(roles())


def test_a_frame_is_a_table_too(roles: Any) -> None:
    from debias_cl.data.tables import table_of_frame

    frame = pd.DataFrame({"y": [True, False], "yhat": [1, 0], "g": pd.Categorical(["a", "b"])})
    (one,), _ = judge(TableSource("f", table_of_frame(frame)), roles())
    assert one.predictions.levels == ("0", "1")
