"""Wrong training labels on request: how many, which, and what stays as it is."""

from __future__ import annotations

import numpy as np
import pytest

from debias_cl.config import DataConfig
from debias_cl.data.contract import Dataset
from debias_cl.data.load import load_dataset
from debias_cl.errors import UsageError
from debias_cl.records import Codes


def load(share: float, seed: int = 0) -> Dataset:
    return load_dataset(DataConfig(attr="digit", rho=0.9, label_noise=share, seed=seed))


def truth(dataset: Dataset, split: str) -> Codes:
    found = dataset.splits[split].annotations.truth
    assert found is not None
    return found


def test_exactly_the_share_of_training_labels_is_wrong_and_nothing_else_changes() -> None:
    plain, noisy = load(0.0), load(0.2)
    changed = truth(plain, "train") != truth(noisy, "train")
    assert changed.sum() == round(0.2 * len(changed))
    for name in plain.splits.keys() - {"train"}:
        assert (truth(plain, name) == truth(noisy, name)).all()
    for name, split in plain.splits.items():
        assert (split.images == noisy.splits[name].images).all()
    assert f"{changed.sum():,} of {len(changed):,} training labels" in noisy.notes[-1]


def test_every_other_level_is_as_likely_and_the_seed_decides() -> None:
    plain, noisy = truth(load(0.0), "train"), truth(load(1.0), "train")
    steps = np.bincount((noisy - plain) % 10, minlength=10)
    assert steps[0] == 0
    assert steps[1:].min() > 0.8 * len(plain) / 9
    assert (noisy == truth(load(1.0), "train")).all()
    few, other = load(0.05, seed=1), load(0.05, seed=2)
    assert (truth(few, "train") != truth(other, "train")).any()


def test_a_share_that_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"label_noise is 1\.5"):
        load(1.5)
