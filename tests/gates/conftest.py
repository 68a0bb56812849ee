"""Documents of small tables: measured and checked by the package, judged by the gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pytest

from debias_cl.document import Judged, assemble
from debias_cl.gates import NO_RULES, Rules
from debias_cl.metrics import Settings
from debias_cl.records import Annotations, Column, Predictions, natural_order

Document = dict[str, Any]
Counts = Mapping[tuple[str, int, int], int]
Make = Callable[..., Document]
MACHINE = {"device": "cpu", "wall_seconds": 0.1, "platform": "test"}


def predictions_of(counts: Counts, scores: Iterable[float] | None = None) -> Predictions:
    """Rows of {(group, label, prediction): rows}; a group "a/x" has two attributes."""
    rows = [key for key, n in counts.items() for _ in range(n)]
    parts = [key[0].split("/") for key in rows]
    columns = []
    codes = {}
    for place, name in enumerate(("g", "h")[: len(parts[0])]):
        texts = [part[place] for part in parts]
        column = Column(name, natural_order(set(texts)))
        columns.append(column)
        codes[name] = np.array([column.code(text) for text in texts])
    label = Column("y", ("0", "1"))
    annotations = Annotations(
        ids=np.array([f"row {place}" for place in range(len(rows))]),
        label=label,
        truth=np.array([y for _, y, _ in rows]),
        attributes=tuple(columns),
        groups=codes,
    )
    predicted = np.array([p for _, _, p in rows])
    given = None if scores is None else np.array(list(scores), np.float64)
    return Predictions(annotations, predicted, label.levels, given, "1", "the test")


def document_of(
    counts: Counts,
    rules: Rules = NO_RULES,
    *,
    scores: Iterable[float] | None = None,
    permutations: int = 100,
    **settings: Any,
) -> Document:
    """The whole document of a table."""
    return assemble(
        Judged(
            {"name": "table", "source": "the test", "control": False},
            predictions_of(counts, scores),
        ),
        (),
        dataset={
            "name": "table",
            "title": "table",
            "noun": "rows",
            "protocol": "",
            "licence": "",
            "test_split": "table",
            "splits": {},
            "exclusions": {"count": 0, "listed": []},
            "notes": [],
        },
        provenance={"command": "the test", "seed": 0, "versions": {}, "commit": None, **MACHINE},
        settings=Settings(permutations=permutations, **settings),
        rules=rules,
    )


@pytest.fixture(scope="session")
def document() -> Make:
    return document_of


@pytest.fixture(scope="session")
def d7() -> dict[str, Counts]:
    """Three groups: a and b differ, c has no positives; and a and c alone."""
    ac = {
        ("a", 1, 1): 450, ("a", 1, 0): 50, ("a", 0, 1): 100, ("a", 0, 0): 400,
        ("c", 0, 0): 40,
    }  # fmt: skip
    b = {("b", 1, 1): 250, ("b", 1, 0): 250, ("b", 0, 1): 100, ("b", 0, 0): 400}
    return {"abc": {**ac, **b}, "ac": ac}
