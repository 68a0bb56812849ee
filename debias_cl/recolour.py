"""The same pictures with every level of an attribute painted in, as the encoder sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from debias_cl.data.contract import Dataset
from debias_cl.data.splits import ranked
from debias_cl.data.views import Views
from debias_cl.distributed import ALONE, Ranks
from debias_cl.features import features_of, joined
from debias_cl.records import Annotations, Codes, Features, Predictions

MOST = 1_000
"""Pictures of the reported split that are painted, at most; chosen by their names."""


@dataclass(frozen=True)
class Repainted:
    """The features of n pictures in each of A levels of an attribute.

    Attributes:
        attribute: the one that was changed.
        known: of the n pictures, as they were.
        values: (A, n, D) float32.
        of: pictures that there were to choose from.
    """

    attribute: str
    known: Annotations
    values: npt.NDArray[np.float32]
    of: int

    def behind(self, features: Features, test_split: str) -> Features:
        """Return the features with the painted pictures as further rows of the reported split.

        So one probe, fitted once, judges the pictures as they are and as they were painted.
        """
        levels, n, width = self.values.shape
        painted = self.known.take(np.tile(np.arange(n), levels))
        return replace(
            features,
            values=np.concatenate([features.values, self.values.reshape(-1, width)]),
            split=np.concatenate([features.split, np.full(levels * n, test_split)]),
            annotations=joined([features.annotations, painted]),
        )

    def parted(self, predictions: Predictions) -> tuple[Predictions, Codes]:
        """Return the predictions of the split itself, and (n, A) codes of the painted pictures."""
        levels, n, _ = self.values.shape
        own = len(predictions) - levels * n
        return predictions.take(np.arange(own)), predictions.predicted[own:].reshape(levels, n).T


def repainted(
    encoder: nn.Module,
    dataset: Dataset,
    views: Views,
    device: str | torch.device = "cpu",
    ranks: Ranks = ALONE,
) -> Repainted | None:
    """Return the features of pictures of the reported split in every level of an attribute.

    Args:
        encoder: any encoder; its mode is left as it was.
        dataset: None comes back where it cannot change an attribute in its pictures.
        views: whose statistics and size are used.
        device: where the encoder is.
        ranks: processes that share the pictures; every one gets the features of all.
    """
    paint, split = dataset.recolour, dataset.split(dataset.test_split)
    known = split.annotations
    if paint is None or known.truth is None or paint.attribute not in known.groups:
        return None
    rows = np.flatnonzero(known.truth >= 0)
    total = len(rows)
    if total > MOST:
        rows = rows[ranked(known.ids[rows], MOST, salt="recolour")]
    chosen = known.take(rows)
    images, codes = split.images[rows], chosen.groups[paint.attribute]
    levels = len(known.attribute(paint.attribute).levels)
    values = [
        features_of(encoder, paint.paint(images, codes, level), views, device, ranks=ranks)
        for level in range(levels)
    ]
    return Repainted(paint.attribute, chosen, np.stack(values), total)
