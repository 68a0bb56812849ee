"""Engines of the user's own, and SQL for those that are not ours."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from debias_cl.auditing import TableRequest, printed_sql
from debias_cl.errors import DataError, UsageError
from debias_cl.metrics import Settings
from debias_cl.tables.connect import connected
from debias_cl.tables.counted import TableSource
from debias_cl.tables.files import open_files


@pytest.fixture
def frame() -> pd.DataFrame:
    rows = range(300)
    return pd.DataFrame(
        {
            "y": [i % 2 for i in rows],
            "yhat": [float(i % 3 == 0) if i % 20 else None for i in rows],
            "p": [(i * 37 % 101) / 100 if i % 17 else None for i in rows],
            "g": ["ab"[i % 5 == 0] if i % 11 else None for i in rows],
            "w": [1 + i % 4 / 2 for i in rows],
        }
    )


def of_frame(frame: pd.DataFrame) -> TableSource:
    from debias_cl.data.tables import table_of_frame

    return TableSource("the frame", table_of_frame(frame))


@pytest.mark.filterwarnings("ignore")  # Ibis' own, on DuckDB 2 and pandas 4
def test_a_table_of_duckdb_and_of_sqlite(
    frame: pd.DataFrame, tmp_path: Path, roles: Any, document: Any, same: Any
) -> None:
    known = roles(score="p", weight="w")
    wanted = document(of_frame(frame), known)
    with duckdb.connect(str(tmp_path / "d.duckdb")) as engine:
        engine.execute("CREATE SCHEMA s; CREATE TABLE s.preds AS FROM frame")
    same(document(connected(f"duckdb://{tmp_path}/d.duckdb", "s.preds"), known), wanted)
    with sqlite3.connect(tmp_path / "d.db") as other:
        frame.to_sql("preds", other, index=False)
    same(document(connected(f"sqlite://{tmp_path}/d.db", "preds"), known), wanted)


@pytest.mark.filterwarnings("ignore")  # as above
def test_what_cannot_be_reached_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no engine"):
        connected("nosuch://host", "t")
    with pytest.raises(UsageError, match="which table"):
        connected("duckdb://", "")
    with duckdb.connect(str(tmp_path / "d.duckdb")) as engine:
        engine.execute("CREATE TABLE preds AS SELECT 1 AS y")
    with pytest.raises(DataError, match="no table 'pred'") as caught:
        connected(f"duckdb://{tmp_path}/d.duckdb", "pred")
    assert "did you mean 'preds'" in str(caught.value)
    with pytest.raises(DataError, match="column 'z' is not in preds"):
        from debias_cl.tables.roles import Model, Roles

        connected(f"duckdb://{tmp_path}/d.duckdb", "preds").count(Roles((Model("z"),)))


DIALECTS = ("duckdb", "postgres", "bigquery", "snowflake", "sqlite", "mssql", "trino")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sql_for_a_table_of_which_only_the_name_is_known(dialect: str) -> None:
    request = TableRequest(
        table="preds", labels=("y",), prediction=("yhat",), score=("p",), bias_attr=("g", "h")
    )
    said = printed_sql(request, dialect)
    assert said.startswith("-- save the result as CSV") and "GROUP BY" in said
    assert "preds" in said and said.rstrip().endswith(";")


def test_sql_of_an_unseen_table_gives_its_numbers(
    tmp_path: Path, frame: pd.DataFrame, roles: Any, document: Any, same: Any
) -> None:
    """Binned scores are other scores, so predictions and selections are what must agree."""
    known = roles("y", "", "p", threshold=0.37, weight="w")
    request = TableRequest(
        table="preds",
        labels=("y",),
        score=("p",),
        bias_attr=("g",),
        weight="w",
        settings=Settings(threshold=0.37),
    )
    engine = duckdb.connect()
    engine.register("preds", frame)
    path = tmp_path / "counts.csv"
    engine.execute(f"COPY ({printed_sql(request, 'duckdb').rstrip(';')}) TO '{path}'")
    made = document(open_files([str(path)], count_column="n"), known)
    wanted = document(of_frame(frame), known)
    assert made["n"] == wanted["n"]
    names = ("accuracy", "selection_rate", "true_positive_rate", "missing_prediction_rate")
    for mine, theirs in zip(made["groups"], wanted["groups"], strict=True):
        assert [mine[name]["value"] for name in names] == pytest.approx(
            [theirs[name]["value"] for name in names], nan_ok=True
        )


def test_sql_says_what_it_cannot() -> None:
    with pytest.raises(UsageError, match="no SQL in the dialect 'nosuch'"):
        printed_sql(TableRequest(table="t", prediction=("yhat",)), "nosuch")
    with pytest.raises(UsageError, match="which table"):
        printed_sql(TableRequest(prediction=("yhat",)), "duckdb")
    two = TableRequest(table="t", prediction=("a", "b"), score=("p", "q"))
    with pytest.raises(UsageError, match="one model at a time"):
        printed_sql(two, "duckdb")


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Spark of one core on this machine, which asks no name server."""
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is not installed (pip install debias-cl[spark])")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java 17")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("audit")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.memory": "512m",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={tmp_path}",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.mark.filterwarnings("ignore")  # pyspark's own, on ports, threads and pandas
def test_spark_gives_the_same_numbers(
    spark: Any, frame: pd.DataFrame, tmp_path: Path, roles: Any, document: Any, same: Any
) -> None:
    frame.to_parquet(tmp_path / "preds.parquet")
    spark.read.parquet(str(tmp_path / "preds.parquet")).createOrReplaceTempView("preds")
    known = roles(score="p", weight="w")
    wanted = document(of_frame(frame), known)
    same(document(connected("pyspark://", "preds"), known), wanted)
    same(document(connected("spark", "", [str(tmp_path / "preds.parquet")]), known), wanted)
