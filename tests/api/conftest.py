"""A small data set in memory: grey pictures whose brightness is the label, and a side of each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.records import Annotations, Column

LABEL, PLACE = Column("bright", ("no", "yes")), Column("place", ("left", "right"))


def pictures(n: int, seed: int) -> LabelledImages:
    """Noise on grey; bright where the label is yes, and one half redder by the place."""
    rng = np.random.default_rng(seed)
    truth, place = rng.integers(0, 2, n), rng.integers(0, 2, n)
    images = rng.normal(90, 20, (n, 16, 16, 3)) + 60 * truth[:, None, None, None]
    images[:, :, :8, 0] += 60 * (place == 0)[:, None, None]
    images[:, :, 8:, 0] += 60 * (place == 1)[:, None, None]
    ids = np.array([f"{seed}-{i}" for i in range(n)])
    known = Annotations(ids, LABEL, truth, (PLACE,), {"place": place})
    return LabelledImages(images.clip(0, 255).astype(np.uint8), known)


@pytest.fixture(scope="session")
def small() -> Callable[[], Dataset]:
    """Makes the data set."""

    def make() -> Dataset:
        splits = {"train": pictures(120, 1), "test": pictures(160, 2)}
        return Dataset("pictures in memory", "", splits, (0.4, 0.4, 0.4), (0.2, 0.2, 0.2))

    return make
