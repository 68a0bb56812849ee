"""The same table by every reader: files, engines, frames, counts made elsewhere."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from debias_cl.auditing import TableRequest, audited, printed_sql
from debias_cl.data.tables import table_of_frame
from debias_cl.metrics import Settings
from debias_cl.tables.counted import Source, TableSource
from debias_cl.tables.files import open_files
from debias_cl.tables.roles import Model, Roles

Reader = Callable[[str, Path, Roles], Source]


def typed(text: str) -> pd.DataFrame:
    """Return the frame that pandas makes of it, with numbers as numbers."""
    return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])


def as_texts(text: str) -> pd.DataFrame:
    """Return a frame of texts, None where a cell is empty."""
    rows = list(csv.reader(io.StringIO(text)))
    cells = [[cell or None for cell in row] for row in rows[1:]]
    return pd.DataFrame(cells, columns=rows[0], dtype=object)


def written(text: str, folder: Path) -> str:
    path = folder / "preds.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return str(path)


def parquet(frame: pd.DataFrame, folder: Path) -> str:
    path = folder / "preds.parquet"
    frame.to_parquet(path)
    return str(path)


def counts(text: str, folder: Path, roles: Roles) -> Source:
    """Return the table counted by pandas, as another system would hand it over."""
    frame = as_texts(text)[list(roles.columns)].fillna("")
    counted = frame.groupby(list(frame.columns)).size().reset_index(name="n")
    path = folder / "counts.csv"
    counted.to_csv(path, index=False)
    return open_files([str(path)], roles.missing, "n")


def by_sql(text: str, folder: Path, roles: Roles) -> Source:
    """Return the result of the printed SQL, run by DuckDB on cells of text."""
    cells = as_texts(text)
    request = TableRequest(
        predictions=(written(text, folder),),
        labels=(roles.label,) if roles.label else (),
        prediction=tuple(model.prediction for model in roles.models if model.prediction),
        score=roles.scores,
        bias_attr=roles.attributes,
        weight=roles.weight,
        missing=roles.missing,
        cluster_by=roles.cluster,
        settings=Settings(threshold=roles.threshold, within=roles.within),
    )
    engine = duckdb.connect()
    engine.register("preds", cells)
    path = folder / "result.csv"
    engine.execute(f"COPY ({printed_sql(request, 'duckdb').rstrip(';')}) TO '{path}'")
    return open_files([str(path)], roles.missing, "n")


READERS: Mapping[str, Reader] = {
    "csv": lambda text, folder, roles: open_files([written(text, folder)], roles.missing),
    "csv by DuckDB": lambda text, folder, roles: open_files(
        [written(text, folder)], roles.missing, in_memory=0
    ),
    "Parquet": lambda text, folder, roles: open_files(
        [parquet(typed(text), folder)], roles.missing
    ),
    "Parquet of texts by DuckDB": lambda text, folder, roles: open_files(
        [parquet(as_texts(text), folder)], roles.missing, in_memory=0
    ),
    "Parquet by DuckDB": lambda text, folder, roles: open_files(
        [parquet(typed(text), folder)], roles.missing, in_memory=0
    ),
    "pandas": lambda text, folder, roles: TableSource(
        "the frame", table_of_frame(typed(text), roles.missing)
    ),
    "counts": counts,
    "counts by SQL": by_sql,
}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    """One of the readers."""
    return READERS[request.param]


@pytest.fixture
def readers() -> Mapping[str, Reader]:
    """All readers by name."""
    return READERS


@pytest.fixture
def roles() -> Callable[..., Roles]:
    """Make roles: label, predictions and scores with spaces, attributes with spaces."""

    def make(
        label: str = "y", prediction: str = "yhat", score: str = "", by: str = "g", **more: Any
    ) -> Roles:
        names = [prediction.split(), score.split()]
        width = max(map(len, names))
        padded = [column + [""] * (width - len(column)) for column in names]
        models = tuple(Model(*pair) for pair in zip(*padded, strict=True))
        return Roles(models, label, tuple(by.split()), **more)

    return make


@pytest.fixture
def document() -> Callable[..., dict[str, Any]]:
    """Make the metrics document of a source, quickly."""

    def make(source: Source, roles: Roles, **settings: Any) -> dict[str, Any]:
        return audited(source, roles, Settings(permutations=99, **settings))

    return make


MEASURED = ("label", "n", "n_missing_prediction", "n_missing_label", "attributes_overall")
PARTS = (*MEASURED, "attributes", "overall", "groups", "cells", "classes", "disparities", "scores")


@pytest.fixture
def numbers() -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Take the measured part of a document."""

    def take(document: Mapping[str, Any]) -> dict[str, Any]:
        return {name: document[name] for name in PARTS if name in document}

    return take


@pytest.fixture
def same(numbers: Any) -> Callable[..., None]:
    """Compare two documents number by number."""

    def walk(one: Any, other: Any, place: str) -> None:
        if isinstance(one, Mapping):
            assert one.keys() == other.keys(), place
            for key in one:
                walk(one[key], other[key], f"{place}/{key}")
        elif isinstance(one, list):
            assert len(one) == len(other), place
            for index, (a, b) in enumerate(zip(one, other, strict=True)):
                walk(a, b, f"{place}/{index}")
        elif isinstance(one, float):
            assert one == pytest.approx(other, rel=1e-9, abs=1e-12), place
        else:
            assert one == other, place

    return lambda one, other: walk(numbers(one), numbers(other), "")
