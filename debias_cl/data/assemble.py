"""From annotated rows and their pictures to a `Dataset`: decode, leave out, align, count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data.alignment import with_alignment
from debias_cl.data.contract import IMAGENET_MEAN, IMAGENET_STD, SPLITS, Dataset, LabelledImages
from debias_cl.data.decode import Decoded, Picture, cache_folder, decode
from debias_cl.data.picture import Rule
from debias_cl.data.splits import ranked
from debias_cl.errors import DataError
from debias_cl.records import Annotations, Exclusion, Texts


@dataclass(frozen=True)
class Rows:
    """All examples of a data set before their pictures are decoded.

    Attributes:
        annotations: of n rows.
        split: (n,) text; "" is in no split (the protocol leaves the row out).
        pictures: n pictures.
        exclusions: rows that were left out already.
        notes: sentences for the report.
    """

    annotations: Annotations
    split: Texts
    pictures: Sequence[Picture]
    exclusions: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()


def assemble(
    config: DataConfig,
    protocol: str,
    rows: Rows,
    rule: Rule,
    *,
    noun: str = "images",
    test_split: str = "test",
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
) -> Dataset:
    """Decode all splits and return the data set.

    Args:
        config: as asked for (data root, data set, cap on training pictures).
        protocol: resolved.
        rows: all examples.
        rule: how a picture becomes a square.
        noun, test_split, mean, std: see `Dataset`.

    Raises:
        DataError: no picture can be read, or a split lost all of its pictures.
    """
    split, notes = limited(rows, config.train_limit)
    decoded: dict[str, Decoded] = {}
    annotations: dict[str, Annotations] = {}
    cache = cache_folder(Path(config.data_root), config.dataset)
    for name in SPLITS:
        index = np.flatnonzero(split == name)
        if len(index):
            chosen = [rows.pictures[int(i)] for i in index]
            decoded[name] = decode(chosen, rule, cache, f"{config.dataset}, {name}")
            annotations[name] = rows.annotations.take(index[decoded[name].kept])
    _refuse_empty(config.dataset, annotations, decoded)
    aligned, alignment_notes = with_alignment(annotations)
    left_out = tuple(e for part in decoded.values() for e in part.exclusions)
    notes += tuple(f"{name}: {note}" for name, part in decoded.items() for note in part.notes)
    if left_out:
        notes += (f"{len(left_out)} {noun} cannot be read and are left out",)
    return Dataset(
        name=config.dataset,
        protocol=protocol,
        splits={n: LabelledImages(decoded[n].images, aligned[n]) for n in aligned},
        mean=mean,
        std=std,
        test_split=test_split,
        exclusions=(*rows.exclusions, *left_out),
        notes=(*rows.notes, *notes, *alignment_notes),
        noun=noun,
    )


def limited(rows: Rows, limit: int) -> tuple[Texts, tuple[str, ...]]:
    """Return the splits with at most `limit` training rows, chosen by hash, and a note."""
    train = np.flatnonzero(rows.split == "train")
    if not limit or len(train) <= limit:
        return rows.split, ()
    split = rows.split.copy()
    split[train[~ranked(rows.annotations.ids[train], limit, salt="train limit")]] = ""
    return split, (f"{limit:,} of {len(train):,} training pictures are used (chosen by hash)",)


def _refuse_empty(
    dataset: str, annotations: dict[str, Annotations], decoded: dict[str, Decoded]
) -> None:
    empty = [name for name, rows in annotations.items() if not len(rows)]
    if not annotations:
        raise DataError(f"{dataset} has no pictures in any split")
    if empty:
        reasons = decoded[empty[0]].exclusions
        shown = "; ".join(f"{e.item}: {e.reason}" for e in reasons[:3])
        raise DataError(
            f"no picture of the {empty[0]} split of {dataset} can be read",
            where=f"{shown}{' ...' if len(reasons) > 3 else ''} ({len(reasons)} left out)",
            remedy="look at these files",
        )
