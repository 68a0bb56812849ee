"""A table that was counted before gives the numbers of its rows, one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from debias_cl.metrics import Settings, measure
from debias_cl.records import Annotations, Mass, Predictions


def counted(rows: Predictions) -> Predictions:
    """Count equal rows together."""
    known = rows.annotations
    assert known.truth is not None
    keys = np.stack([known.truth, rows.predicted, *known.groups.values()])
    kinds, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    assert kinds.shape[1] < len(rows)
    entries: Annotations = replace(known.take(first), mass=Mass(many.astype(np.int64)))
    return replace(rows, annotations=entries, predicted=rows.predicted[first])


def test_counted_rows_give_the_same_document(make: Any) -> None:
    rng = np.random.default_rng(3)
    label, answer = rng.integers(0, 3, (2, 500)).astype(str)
    groups = {"g": list(rng.choice(["a", "b", "c"], 500)), "h": list(rng.choice(["x", "y"], 500))}
    rows = make(list(label), [None if a == "2" else a for a in answer], groups)
    settings = Settings(permutations=99)
    assert json.dumps(measure(counted(rows), settings)) == json.dumps(measure(rows, settings))


def test_taking_entries_takes_what_they_stand_for(make: Any) -> None:
    rows = make(list("0101"), list("0011"), {"g": list("aabb")})
    mass = Mass(np.array([5, 1, 2, 3]), np.array([1.0, 2, 3, 4]), np.array([1.0, 4, 9, 16]))
    known = replace(rows.annotations, mass=mass, persons=np.array([0, 0, 1, 2]))
    part = known.take(np.array([3, 0]))
    assert part.mass is not None and part.mass.weight is not None and part.mass.square is not None
    assert (part.rows == [3, 5]).all()
    assert (part.mass.weight == [4, 1]).all()
    assert (part.mass.square == [16, 1]).all()
    assert part.persons is not None and (part.persons == [2, 0]).all()
    assert known.cell_counts("g").sum() == 11
