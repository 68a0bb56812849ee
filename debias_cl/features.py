"""Frozen encoder in, `Features` out; the own classifier's predictions; and the kNN monitor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from debias_cl.data.batches import plain_batches
from debias_cl.data.contract import Dataset, LabelledImages
from debias_cl.data.views import Views
from debias_cl.distributed import ALONE, Ranks
from debias_cl.encoders import Encoder
from debias_cl.errors import UsageError
from debias_cl.knn import knn_shares
from debias_cl.losses.contract import TrainingObjective
from debias_cl.probe import predictions, training_cells
from debias_cl.records import Annotations, Features, Predictions

BATCH = {"cpu": 128}
BATCH_ELSEWHERE = 512
"""Pictures at once: on a CPU what its caches hold, elsewhere what keeps the device busy."""

NEIGHBOURS = 20
"""Neighbours that the monitor asks."""

MOST = {"train": 5000, "validation": 2000}
"""Examples that the monitor looks at: a seeded subsample where there are more."""


def extract(
    encoder: Encoder,
    dataset: Dataset,
    views: Views,
    device: str | torch.device = "cpu",
    batch_size: int = 0,
    about: Mapping[str, Any] | None = None,
    ranks: Ranks = ALONE,
) -> Features:
    """Return the encoder's features of all splits, without augmentation, in evaluation mode.

    Args:
        encoder: any encoder; its mode is left as it was.
        dataset: all of its splits are used.
        views: whose statistics and size are used.
        device: where the encoder is.
        batch_size: pictures at once; 0 takes what the device likes.
        about: JSON-able facts for `Features.encoder` beside the architecture.
        ranks: processes that share the rows; every one gets the features of all.
    """
    parts = {
        name: features_of(encoder, split.images, views, device, batch_size, ranks)
        for name, split in dataset.splits.items()
    }
    split = np.concatenate([np.full(len(values), name) for name, values in parts.items()])
    annotations = joined([part.annotations for part in dataset.splits.values()])
    facts = {
        "architecture": encoder.architecture,
        "feature_dim": encoder.feature_dim,
        "dataset": dataset.name,
        "note": encoder.note,
        **(about or {}),
    }
    return Features(np.concatenate(list(parts.values())), split, annotations, facts)


def features_of(
    encoder: nn.Module,
    images: npt.NDArray[np.uint8],
    views: Views,
    device: str | torch.device = "cpu",
    batch_size: int = 0,
    ranks: Ranks = ALONE,
) -> npt.NDArray[np.float32]:
    """Return (n, D) float32 features of (n, H, W, 3) uint8 pictures, in evaluation mode.

    Several processes each take an even share of the pictures, and all return all features; fewer
    pictures than processes are looked at by each.
    """
    n, ranks = len(images), ranks if len(images) >= ranks.size else ALONE
    own = images[slice(*ranks.share(n))]
    size = batch_size or BATCH.get(torch.device(device).type, BATCH_ELSEWHERE)
    with evaluating(encoder), torch.inference_mode():
        found, done = torch.empty(0), 0
        for batch in plain_batches(own, views, size, device):
            part = encoder(batch)
            if not done:  # now the width is known
                found = torch.empty(len(own), part.shape[1], device=part.device)
            # On the device: a copy a batch to the host would stop an accelerator's queue.
            found[done : done + len(part)] = part
            done += len(part)
        values: npt.NDArray[np.float32] = ranks.rows_of_all(found, n).cpu().numpy()
    return values


def own_classifier_predictions(
    objective: TrainingObjective,
    features: Features,
    test_split: str,
    positive: str,
    positive_source: str,
) -> Predictions:
    """Return what the objective's own classifier says of a split, without a refitted probe.

    Raises:
        UsageError: the objective has no classifier.
    """
    if not objective.has_classifier:
        raise UsageError("this objective has no classifier of its own", remedy="use a probe")
    test = features.part(test_split)
    device = next(objective.parameters()).device
    with evaluating(objective), torch.inference_mode():
        logits = objective.predict(torch.from_numpy(test.values).to(device))
        probability = logits.double().softmax(dim=1).cpu().numpy()
    cells = training_cells(features.part("train").annotations)
    return predictions(test.annotations, probability, positive, positive_source, cells)


class KnnMonitor:
    """kNN accuracy of validation examples among training features, for the log.

    Aligned and conflicting examples are told apart by the first attribute that has an alignment.
    The test split is never looked at.

    Args:
        dataset: with "train" and "validation"; without the latter nothing is reported.
        views: whose statistics and size are used.
        device: where the encoder is.
        seed: of the subsamples.
        ranks: processes that share the pictures; all must call it, the first gets the answer.
    """

    def __init__(
        self,
        dataset: Dataset,
        views: Views,
        device: str | torch.device = "cpu",
        seed: int = 0,
        ranks: Ranks = ALONE,
    ) -> None:
        self.views, self.device, self.ranks = views, device, ranks
        self.classes = len(dataset.label.levels)
        rng = np.random.default_rng(seed)
        self.parts = {
            name: _some(dataset.splits[name], MOST[name], rng)
            for name in MOST
            if name in dataset.splits
        }

    def __call__(self, encoder: nn.Module) -> dict[str, float | None]:
        """Return accuracies as fractions; None where no example of that kind was looked at."""
        if len(self.parts) < len(MOST):
            return {}
        train, validation = self.parts["train"], self.parts["validation"]
        ours, theirs = (
            features_of(encoder, part.images, self.views, self.device, ranks=self.ranks)
            for part in (train, validation)
        )
        if not self.ranks.first:
            return {}
        truth = train.annotations.truth
        assert truth is not None
        shares = knn_shares(ours, truth, theirs, NEIGHBOURS, self.classes)
        right = shares.argmax(axis=1) == validation.annotations.truth
        named = [name for name in validation.annotations.groups if name in _alignment(validation)]
        if not named:
            return {"knn_accuracy": _share(right)}
        aligned = validation.annotations.aligned(named[0])
        assert aligned is not None
        return {
            "knn_aligned_accuracy": _share(right[aligned]),
            "knn_conflict_accuracy": _share(right[~aligned]),
        }


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and back as it was."""
    before = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(before)


def joined(parts: list[Annotations]) -> Annotations:
    """Return the rows of several annotations of one data set as one."""
    first, stand = parts[0], [part.standing() for part in parts]
    truths = [part.truth for part in parts if part.truth is not None]
    whole = replace(
        first,
        ids=np.concatenate([part.ids for part in parts]),
        truth=np.concatenate(truths) if len(truths) == len(parts) else None,
        groups={
            name: np.concatenate([part.groups[name] for part in parts]) for name in first.groups
        },
    )
    everywhere = [name for name in stand[0] if all(name in found for found in stand)]
    return whole.stand_for(
        {name: np.concatenate([found[name] for found in stand]) for name in everywhere}
    )


def _some(split: LabelledImages, most: int, rng: np.random.Generator) -> LabelledImages:
    """A random subsample of the labelled rows, in order."""
    truth = split.annotations.truth
    known = np.arange(len(split)) if truth is None else np.flatnonzero(truth >= 0)
    rows = np.sort(rng.choice(known, most, replace=False)) if len(known) > most else known
    return LabelledImages(split.images[rows], split.annotations.take(rows))


def _alignment(split: LabelledImages) -> Mapping[str, Any]:
    return split.annotations.alignment


def _share(right: npt.NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if len(right) else None
