"""What a data set file gives: a `SPEC` that lists, checks and loads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.config import DataConfig, Preset
from debias_cl.errors import DataError
from debias_cl.records import Annotations, Codes, Column, Exclusion

SPLITS = ("train", "validation", "test")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Channel statistics of ImageNet, in [0, 1]: those of a data set or an encoder that has no own."""


@dataclass(frozen=True)
class LabelledImages:
    """One split: pictures and what is known of them.

    Attributes:
        images: (n, height, width, 3) uint8, RGB; a memory map when large.
        annotations: of the same n rows.
    """

    images: npt.NDArray[np.uint8]
    annotations: Annotations

    def __len__(self) -> int:
        return len(self.annotations)


@dataclass(frozen=True)
class Recolour:
    """How the value of an attribute can be changed in the picture itself.

    Attributes:
        attribute: its name.
        paint: ((n, height, width, 3) uint8 pictures, (n,) their codes, the new code for all) ->
            the same pictures with the new value.
    """

    attribute: str
    paint: Callable[[npt.NDArray[np.uint8], Codes, int], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Dataset:
    """A loaded data set under one protocol.

    Attributes:
        name, protocol: as in `DataConfig`, resolved.
        splits: "train", "validation", "test" -> pictures; a split may be absent, never empty.
        test_split: the split whose predictions are reported ("test"; "validation" for biascon).
        mean, std: (3,) channel statistics in [0, 1] for normalisation.
        exclusions: every example left out, with the reason.
        notes: sentences that the report prints (coding of levels, known damage, deviations).
        noun: plural word for the examples in sentences ("images", "digits", "faces").
        recolour: where an attribute can be changed in the pictures; None elsewhere.
    """

    name: str
    protocol: str
    splits: Mapping[str, LabelledImages]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    test_split: str = "test"
    exclusions: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()
    noun: str = "images"
    recolour: Recolour | None = None

    def split(self, name: str) -> LabelledImages:
        """Return a split.

        Raises:
            DataError: there is no such split, so nothing in it could be used.
        """
        if name not in self.splits:
            raise DataError(
                f"the data have no example in the split '{name}'",
                where=f"splits: {', '.join(f'{k} ({len(v)})' for k, v in self.splits.items())}",
                expected="'train' to learn from, and a split to report on",
                remedy="name the splits train, validation and test, or leave the column out",
            )
        return self.splits[name]

    @property
    def label(self) -> Column:
        """The label column."""
        label = next(iter(self.splits.values())).annotations.label
        assert label is not None
        return label


@dataclass(frozen=True)
class CountLine:
    """One line of `data check`: a cell's count beside the published one.

    Attributes:
        what: the cell in words ("train, conflicting, rho 0.99").
        found: count here.
        published: count of the protocol; None where none is published.
        note: why they may differ; "" where they must not.
    """

    what: str
    found: int
    published: int | None = None
    note: str = ""


@dataclass(frozen=True)
class DatasetSpec:
    """The registry entry of a data set (file `debias_cl/data/<name>.py`).

    Attributes:
        title: name for people ("CelebA").
        card: one sentence: what, how many, licence.
        licence: licence or terms.
        obtain: how to get it legally, with the file layout under the data root.
        labels: label names that may be asked for; () where the user's columns decide.
        default_attr, default_bias_attr: used where the user gives none.
        protocols: names; the first is the default.
        presets: name -> settings.
        load: reads, filters, splits, decodes (cached); `DataError` where it cannot.
        check: counts beside the published ones, for `data check`.
        fetch: downloads what may be downloaded into the data root; None where nothing may.
    """

    title: str
    card: str
    licence: str
    obtain: str
    labels: tuple[str, ...]
    default_attr: str
    default_bias_attr: tuple[str, ...]
    protocols: tuple[str, ...]
    presets: Mapping[str, Preset]
    load: Callable[[DataConfig], Dataset]
    check: Callable[[DataConfig], list[CountLine]]
    fetch: Callable[[DataConfig], str] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
