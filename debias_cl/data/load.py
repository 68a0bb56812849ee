"""Load a data set as the configuration asks: the one way in, for training, judging and suites."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.data.contract import Dataset
from debias_cl.errors import UsageError


def load_dataset(config: DataConfig) -> Dataset:
    """Return the data set, with wrong training labels where `config.label_noise` asks for them.

    Raises:
        UsageError: an unknown data set, or a share outside [0, 1].
        DataError: its files are not there, or damaged.
    """
    dataset = DATASETS.get(config.dataset).load(config)
    return with_wrong_labels(dataset, config.label_noise, config.seed)


def with_wrong_labels(dataset: Dataset, share: float, seed: int) -> Dataset:
    """Return the data set with a share of its training labels replaced by another level.

    Args:
        dataset: its other splits stay as they are; what is aligned is as before.
        share: in [0, 1], of the labelled training rows; rounded to whole rows.
        seed: which rows, and which of the other levels (each as likely).
    """
    if not 0 <= share <= 1:
        raise UsageError(f"data.label_noise is {share}", expected="a share in [0, 1]")
    train = dataset.splits.get("train")
    if not share or train is None or train.annotations.truth is None:
        return dataset
    truth, levels = train.annotations.truth.copy(), len(dataset.label.levels)
    labelled = np.flatnonzero(truth >= 0)
    rng = np.random.default_rng((seed, len(labelled), levels))
    wrong = rng.choice(labelled, round(share * len(labelled)), replace=False)
    truth[wrong] = (truth[wrong] + rng.integers(1, levels, len(wrong))) % levels
    noisy = replace(train, annotations=replace(train.annotations, truth=truth))
    note = (
        f"{len(wrong):,} of {len(labelled):,} training labels were replaced by another level at "
        f"random (data.label_noise {share:g}, seed {seed})"
    )
    return replace(dataset, splits={**dataset.splits, "train": noisy}, notes=(*dataset.notes, note))
