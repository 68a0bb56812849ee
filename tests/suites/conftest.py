"""Results as a run would have written them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from debias_cl.suites.results import Result

EPOCHS = [
    {"epoch": 1, "seconds": 2.0, "knn_conflict_accuracy": 0.1, "knn_aligned_accuracy": 1.0},
    {"epoch": 2, "seconds": 4.5, "knn_conflict_accuracy": 0.4, "knn_aligned_accuracy": 1.0},
]


def made(method: str, seed: int, value: float | None, **fields: object) -> Result:
    """A result with one value on the test split; `fields` replaces what else it has."""
    found = {"value": value, "low": None, "high": None, "n": 9}
    plain = Result(
        suite="s",
        part="p",
        method=method,
        objective=method,
        views="geo",
        dataset="biased_mnist",
        attr="digit",
        bias_attr=("colour",),
        protocol="holdout",
        rho=0.99,
        preset="lite",
        seed=seed,
        selection="last",
        config={"fit": {"epochs": 2}},
        status="done",
        values={"linear probe": {"test": {"accuracy": found, "conflict_accuracy": found}}},
        epochs=EPOCHS,
        seconds={"train": 4.5, "monitor": 0.5, "judge": 1.0},
        provenance={"device": "cpu: test", "versions": {"torch": "2"}, "commit": "abc"},
    )
    return replace(plain, **fields)  # type: ignore[arg-type]


@pytest.fixture
def result() -> Callable[..., Result]:
    """Makes a result: method, seed, value, other fields."""
    return made
