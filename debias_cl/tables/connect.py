"""Tables on an engine of the user's own, by an Ibis URL; and the SQL for one that is not ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from debias_cl.errors import DataError, UsageError, did_you_mean, first_line
from debias_cl.tables import expression
from debias_cl.tables.backend import BackendSource, Plan
from debias_cl.tables.expression import Number
from debias_cl.tables.merge import BINS, Grid
from debias_cl.tables.roles import Roles

ALIASES: Mapping[str, str] = {"spark": "pyspark://", "duckdb": "duckdb://"}
DIALECTS: Mapping[str, str] = {"spark": "pyspark", "postgresql": "postgres"}


def connected(url: str, table: str, files: Sequence[str] = ()) -> BackendSource:
    """Return a table of an engine as a source.

    Args:
        url: as Ibis takes it (`postgres://host/db`, `duckdb:///file.duckdb`, `pyspark://`).
        table: its name, `schema.table` where it is in a schema; "" where `files` are read.
        files: Parquet files as the engine sees them.

    Raises:
        UsageError: the engine is unknown, or its driver is not installed.
        DataError: no connection, or no such table.
    """
    if bool(table) == bool(files):
        raise UsageError("which table?", where="--connect", expected="--table, or --predictions")
    engine = engine_of(url)
    if files:
        try:
            # Not every engine takes a list; each takes a pattern.
            rows = engine.read_parquet(files[0] if len(files) == 1 else list(files))
            return BackendSource(", ".join(files), rows)
        except Exception as error:  # every engine raises its own kind
            raise DataError(f"the files cannot be read: {first_line(error)}", where=url) from error
    schema, _, name = table.rpartition(".")
    try:
        return BackendSource(table, engine.table(name, database=schema or None))
    except Exception as error:
        near = _tables(engine)
        raise DataError(
            f"there is no table '{table}': {first_line(error)}",
            where=f"--connect {url}",
            remedy=did_you_mean(name, near) if near else "",
        ) from error


def engine_of(url: str) -> Any:
    """Return the Ibis backend behind a URL.

    Raises:
        UsageError, DataError: see `connected`.
    """
    import ibis

    try:
        return ibis.connect(ALIASES.get(url, url))
    except ImportError as error:
        extra = "debias-cl[spark]" if "spark" in url else "ibis-framework with the engine's extra"
        raise UsageError(
            f"the driver for {url} is not installed: {error}", remedy=f"pip install {extra}"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"'{url}' names no engine that Ibis knows",
            where="--connect",
            expected="a URL such as duckdb:///file.duckdb, postgres://host/db, pyspark://",
        ) from error
    except Exception as error:  # every engine raises its own kind
        raise DataError(f"no connection to {url}: {first_line(error)}") from error


def _tables(engine: Any) -> list[str]:
    """Return names of tables, for a hint; an engine that cannot list them still has them."""
    with suppress(Exception):
        return list(engine.list_tables())[:50]
    with suppress(Exception):  # Ibis 12 cannot list the tables of DuckDB 2
        rows = engine.raw_sql("SELECT table_name FROM information_schema.tables").fetchall()
        return [str(row[0]) for row in rows][:50]
    return []


def sql(expression_: Any, dialect: str) -> str:
    """Return the SQL of an expression.

    Raises:
        UsageError: the dialect is unknown, or cannot say it.
    """
    import ibis

    name = DIALECTS.get(dialect, dialect)
    with suppress(Exception):  # Spark's dialect needs its engine's options; others need no engine
        getattr(ibis, name)
    try:
        return str(ibis.to_sql(expression_, dialect=name))
    except Exception as error:  # each part of Ibis raises its own kind
        raise UsageError(
            f"no SQL in the dialect '{dialect}': {first_line(error)}",
            where="--print-sql",
            expected="a name that Ibis knows: duckdb, postgres, bigquery, snowflake, pyspark, ...",
        ) from error


def unseen(roles: Roles, table: str, *, unusual: bool) -> Plan:
    """Return the plan for a table that cannot be looked at: 64-bit scores in [0, 1], binned.

    Args:
        roles: which column is what.
        table: its name.
        unusual: whether its engine knows NaN and infinity.
    """
    import ibis

    numeric = (*roles.scores, *((roles.weight,) if roles.weight else ()))
    schema = dict.fromkeys(roles.columns, "string") | dict.fromkeys(numeric, "float64")
    rows = ibis.table(schema, name=table)
    numbers: dict[str, Number] = {
        name: expression.number(name, rows[name], roles.missing, unusual=unusual)
        for name in numeric
    }
    thresholds = dict.fromkeys(roles.scores, roles.threshold)
    grids = dict.fromkeys(roles.scores, Grid(BINS, infinite=unusual))
    counted = expression.counting(rows, roles, numbers, grids, thresholds)
    name = expression.other_names(roles.columns)
    return Plan(counted, name, numbers, thresholds, (), 0)


def sql_unseen(roles: Roles, table: str, dialect: str) -> tuple[str, str]:
    """Return the SQL that counts a table of which only the name is known, and its count column.

    Raises:
        UsageError: the dialect is unknown, or cannot say it.
    """
    plan = unseen(roles, table, unusual=True)
    try:
        return sql(plan.expression, dialect), plan.count_name
    except UsageError:  # perhaps an engine without NaN
        return sql(unseen(roles, table, unusual=False).expression, dialect), plan.count_name
