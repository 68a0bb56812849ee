"""A checkpoint's own classifier: which of its columns are which label levels, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import nn

from debias_cl.encoders import Encoder
from debias_cl.errors import UsageError, did_you_mean
from debias_cl.probe import predictions, training_cells
from debias_cl.records import Column, Features, Floats, Predictions

CHUNK = 8192
"""Rows that go through the head at once."""

OTHER_ORDER = 0.2
"""Gain in accuracy by naming the columns otherwise, from which the report asks about their
order."""


@dataclass(frozen=True)
class OwnHead:
    """A classifier on an encoder's features.

    Attributes:
        layer: features -> logits; None where it cannot be used.
        width: its outputs; 0 where the checkpoint has none.
        columns: which output belongs to each label level, in their order; a single output is the
            score of the second of two.
        said: which order was taken, or why it is not used.
        raw: whether the features are the outputs: they may be probabilities already.
    """

    layer: nn.Module | None
    width: int
    columns: tuple[int, ...]
    said: str
    raw: bool = False

    def to_dict(self, label: Column) -> dict[str, Any]:
        """Return the JSON form."""
        used = self.layer is not None
        order = [""] * len(label.levels)
        for level, column in zip(label.levels, self.columns, strict=False):
            order[column] = level
        return {
            "width": self.width,
            "used": used,
            "classes": order if used else [],
            "said": self.said,
        }


def own_head(encoder: Encoder, label: Column, classes: Sequence[str] = ()) -> OwnHead:
    """Return the checkpoint's classifier, if its outputs can be told to be the label's levels.

    Args:
        encoder: whose `classifier` is looked at.
        label: what is predicted.
        classes: level of each output, in their order; () is the order of the label's levels.

    Raises:
        UsageError: `classes` are not the label's levels, or there is no classifier to name.
    """
    layer, levels = encoder.classifier, label.levels
    width = classes_of(encoder)
    if classes:
        _check_classes(classes, label, 2 if width == 1 else width)
        columns = tuple(classes.index(level) for level in levels)
        said = f"outputs are {', '.join(classes)}, as --classes says"
        return OwnHead(layer, width, columns, said, _raw(encoder))
    if width == len(levels) or (width == 1 and len(levels) == 2):
        columns = tuple(range(len(levels)))
        said = f"its {width} outputs are taken in the order of the label's levels: "
        said += ", ".join(levels) if width > 1 else f"the score of {levels[-1]}"
        return OwnHead(layer, width, columns, f"{said} (--classes names another)", _raw(encoder))
    if not width:
        return OwnHead(None, 0, (), "the checkpoint has no classifier on its features")
    told = f"{width} outputs and {label.name} has {len(levels)} levels"
    if _raw(encoder):
        return OwnHead(None, 0, (), f"it has {told}, so its outputs are taken as features")
    return OwnHead(None, width, (), f"its classifier has {told}, so it is not used")


def classes_of(encoder: Encoder) -> int:
    """Return the number of outputs of an encoder's classifier; 0 without one."""
    layer = encoder.classifier
    if layer is None:
        return 0
    return layer.out_features if isinstance(layer, nn.Linear) else encoder.feature_dim


def _raw(encoder: Encoder) -> bool:
    return isinstance(encoder.classifier, nn.Identity)


def _check_classes(classes: Sequence[str], label: Column, width: int) -> None:
    if not width:
        raise UsageError("--classes names the outputs of a classifier, and there is none")
    if len(classes) != width:
        raise UsageError(f"--classes names {len(classes)} classes, and the classifier has {width}")
    unknown = [name for name in classes if name not in label.levels]
    if unknown or len(set(classes)) != len(label.levels):
        first = unknown[0] if unknown else ", ".join(set(label.levels) - set(classes))
        raise UsageError(
            f"--classes does not name each level of {label.name} once: {first}",
            expected=", ".join(label.levels),
            remedy=did_you_mean(first, label.levels),
        )


def head_predictions(
    features: Features, head: OwnHead, test_split: str, positive: str, positive_source: str
) -> Predictions:
    """Return what a checkpoint's own classifier says of a split.

    A second naming of its columns that would be far better is told in the notes: the order of the
    classes may be another one.
    """
    test = features.part(test_split)
    probability, how = probabilities(test.values, head)
    train = features.part("train")
    cells = training_cells(train.annotations) if len(train.values) else {}
    made = predictions(test.annotations, probability, positive, positive_source, cells)
    notes = [f"own classifier: {head.said}", *how, *_order(made, head)]
    return replace(made, notes=tuple(notes))


def probabilities(values: Any, head: OwnHead) -> tuple[Floats, tuple[str, ...]]:
    """Return (n, K) probabilities in the order of the label's levels, and how they were made."""
    assert head.layer is not None
    device = next((p.device for p in head.layer.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        parts = [
            head.layer.eval()(torch.from_numpy(values[start : start + CHUNK]).to(device)).cpu()
            for start in range(0, len(values), CHUNK)
        ]
    logits = torch.cat(parts).double()
    inside = bool(((logits >= 0) & (logits <= 1)).all()) and head.raw
    if head.width == 1:
        one, already = (logits, True) if inside else (logits.sigmoid(), False)
        shares = torch.cat([1 - one, one], dim=1)
    else:
        already = inside and bool(((logits.sum(dim=1) - 1).abs() < 1e-3).all())
        shares = logits if already else logits.softmax(dim=1)
    found: Floats = shares[:, list(head.columns)].numpy()
    return found, (ALREADY,) if already else ()


ALREADY = "its outputs are probabilities already: taken as they are"


def _order(made: Predictions, head: OwnHead) -> tuple[str, ...]:
    """Say so where the classes seem to stand in another order."""
    truth, levels = made.annotations.truth, made.levels
    if truth is None or not (truth >= 0).any():
        return ()
    known = truth >= 0
    table = np.zeros((len(levels), len(levels)), np.int64)
    np.add.at(table, (made.predicted[known], truth[known]), 1)
    rows, best = linear_sum_assignment(-table)
    now, then = np.trace(table) / table.sum(), table[rows, best].sum() / table.sum()
    if then - now <= OTHER_ORDER:
        return ()
    names = [levels[best[level]] for level in np.argsort(head.columns)]
    return (
        f"own classifier: right in {now:.0%} of the rows, and in {then:.0%} if its outputs were "
        f"named {','.join(names)}: their order may be another one (--classes)",
    )
