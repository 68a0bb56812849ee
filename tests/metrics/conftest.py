"""Small tables of predictions for the metric tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debias_cl.records import Alignment, Annotations, Column, Predictions, natural_order

Make = Callable[..., Predictions]


def codes(texts: Sequence[str | None], levels: Sequence[str]) -> Any:
    return np.array([-1 if t is None else levels.index(t) for t in texts], np.int64)


def build(
    label: Sequence[str | None] | None,
    predicted: Sequence[str | None],
    groups: Mapping[str, Sequence[str]],
    *,
    positive: str = "1",
    levels: Sequence[str] | None = None,
    alignment: Mapping[str, Alignment] | None = None,
    training: Mapping[str, Any] | None = None,
    ids: Sequence[str] | None = None,
) -> Predictions:
    """Build Predictions from columns of texts; None is a missing cell."""
    texts = [t for column in (label or [], predicted) for t in column if t is not None]
    classes = tuple(levels) if levels is not None else natural_order(set(texts))
    columns = {name: Column(name, natural_order(set(texts))) for name, texts in groups.items()}
    annotations = Annotations(
        ids=np.array(ids if ids is not None else [str(i) for i in range(len(predicted))]),
        label=None if label is None else Column("y", classes),
        truth=None if label is None else codes(label, classes),
        attributes=tuple(columns.values()),
        groups={name: codes(groups[name], columns[name].levels) for name in groups},
        alignment=dict(alignment or {}),
    )
    return Predictions(
        annotations,
        codes(predicted, classes),
        classes,
        None,
        positive,
        "--positive",
        dict(training or {}),
    )


def rows_of(counts: Mapping[tuple[str, str, str | None], int]) -> Predictions:
    """Build Predictions from {(group, label, prediction): rows}."""
    rows = [key for key, n in counts.items() for _ in range(n)]
    g, y, p = (list(column) for column in zip(*rows, strict=True))
    return build(y, p, {"g": g})


@pytest.fixture(scope="session")
def make() -> Make:
    return build


@pytest.fixture(scope="session")
def table() -> Callable[..., Predictions]:
    return rows_of


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """Values that the authors' own code gives; origins stand in the file."""
    path = Path(__file__).with_name("golden_metrics.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def golden_predictions(golden: dict[str, Any]) -> Callable[..., Predictions]:
    """Predictions with the counts of one of the golden inputs."""

    def make_one(name: str, **options: Any) -> Predictions:
        counts = np.array(golden["inputs"][name]["counts"])  # label x attribute x prediction
        y, a, p = (np.repeat(place.ravel(), counts.ravel()) for place in np.indices(counts.shape))
        levels = [str(i) for i in range(counts.shape[0])]
        said = {"levels": levels, **options}
        return build([str(v) for v in y], [str(v) for v in p], {"g": [str(v) for v in a]}, **said)

    return make_one
