"""Features made by hand: a label and an attribute, each in directions of its own or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from debias_cl.records import Alignment, Annotations, Column, Features

Make = Callable[..., Features]


def make(
    label: float = 4.0,
    attribute: float = 0.0,
    *,
    follows: float = 0.5,
    levels: int = 2,
    sizes: tuple[int, int, int] = (400, 100, 300),
    width: int = 8,
    seed: int = 0,
) -> Features:
    """Gaussian features whose first columns hold the label, the next ones the attribute.

    Args:
        label, attribute: how far their levels lie apart, in standard deviations.
        follows: share of rows whose attribute equals the label, in all splits.
        levels: of both.
        sizes: rows of train, validation and test.
        width: columns.
        seed: of everything.
    """
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    truth = rng.integers(levels, size=n)
    group = np.where(rng.random(n) < follows, truth, rng.integers(levels, size=n))
    values = rng.normal(size=(n, width + 2 * levels))
    values[:, :levels] += label * np.eye(levels)[truth]
    values[:, levels : 2 * levels] += attribute * np.eye(levels)[group]
    names = tuple(str(level) for level in range(levels))
    known = Annotations(
        ids=np.array([f"row {i}" for i in range(n)]),
        label=Column("y", names),
        truth=truth,
        attributes=(Column("a", names),),
        groups={"a": group},
        alignment={"a": Alignment(frozenset(zip(names, names, strict=True)), "the protocol")},
    )
    split = np.repeat(["train", "validation", "test"], sizes)
    return Features(values.astype(np.float32), split, known)


@pytest.fixture(scope="session")
def features() -> Make:
    """The maker of features."""
    return make


@pytest.fixture(scope="session")
def look() -> Callable[[Features], dict[str, Any]]:
    """The audit of features made by hand, on their test split."""
    from debias_cl.representation import audit

    return lambda made: audit(made, "test")
