"""What the sets with a class and no attribute share: columns, splits, counts, and the download."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data.asked import choose
from debias_cl.data.assemble import Rows
from debias_cl.data.contract import CountLine
from debias_cl.data.decode import Picture
from debias_cl.data.splits import ranked
from debias_cl.errors import DataError, UsageError
from debias_cl.records import Annotations, Bools, Column, Exclusion, Texts, natural_order

LABEL = "class"
HOLDOUT = "holdout"
PROTOCOLS = (HOLDOUT, "full")


@dataclass(frozen=True)
class Examples:
    """The examples of a set as its files name them.

    Attributes:
        ids: n texts, each once; the splits by hash hang on them.
        classes: n class names.
        split: n texts, "train" or "test".
        pictures: n pictures.
        exclusions: what was left out already.
        notes: sentences for the report.
    """

    ids: Sequence[str]
    classes: Sequence[str]
    split: Sequence[str]
    pictures: Sequence[Picture]
    exclusions: tuple[Exclusion, ...] = ()
    notes: tuple[str, ...] = ()

    def count(self, split: str) -> int:
        """Return how many examples a split has."""
        return Counter(self.split)[split]

    def per_class(self, split: str) -> Counter[str]:
        """Return class -> number of its examples in a split."""
        pairs = zip(self.classes, self.split, strict=True)
        return Counter(name for name, place in pairs if place == split)


def joined(several: Iterable[Examples]) -> Examples:
    """Return several parts as one."""
    parts = list(several)
    return Examples(
        [name for part in parts for name in part.ids],
        [name for part in parts for name in part.classes],
        [name for part in parts for name in part.split],
        [picture for part in parts for picture in part.pictures],
        tuple(one for part in parts for one in part.exclusions),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def asked_protocol(title: str, config: DataConfig) -> str:
    """Return the protocol, and refuse labels and attributes that such a set does not have.

    Raises:
        UsageError: another label than the class, or a bias attribute.
    """
    choose(title, "label", config.attr, (LABEL,))
    if config.bias_attr:
        raise UsageError(
            f"{title} has a class and no attribute, so not '{config.bias_attr[0]}'",
            remedy="leave --bias-attr out: accuracy is shown by class; or write your own columns "
            "into a CSV and name it with --dataset manifest --manifest",
        )
    return choose(title, "protocol", config.protocol, PROTOCOLS)


def class_column(names: Sequence[str], said: Callable[[str], str] | None = None) -> Column:
    """Return the label column of these classes, in natural order.

    Args:
        names: class names, repeated or not.
        said: name -> words for sentences; None reads "_" as a space.
    """
    levels = natural_order(set(names))
    words = said or (lambda name: name.replace("_", " "))
    return Column(LABEL, levels, {name: words(name) for name in levels})


def rows_of(examples: Examples, label: Column, protocol: str, share: int) -> Rows:
    """Return annotated rows; under `holdout` one training picture in `share` validates.

    Args:
        examples: with the splits "train" and "test".
        label: whose levels hold every class.
        protocol: one of `PROTOCOLS`.
        share: how many training pictures there are for each that is held out.
    """
    ids = np.array(examples.ids)
    split = np.array(examples.split).astype("<U10")
    notes = list(examples.notes)
    if protocol == HOLDOUT:
        mask = held_out(ids, split, share)
        split[mask] = "validation"
        notes.append(
            f"{int(mask.sum()):,} training pictures, one in {share} by a hash of the name, are "
            "held out for validation (protocol `full` trains on all)"
        )
    else:
        notes.append("no validation split: protocol `full` trains on all training pictures")
    place = {name: code for code, name in enumerate(label.levels)}
    truth = np.array([place[name] for name in examples.classes], dtype=np.int64)
    annotations = Annotations(ids, label, truth, (), {})
    return Rows(annotations, split, examples.pictures, examples.exclusions, tuple(notes))


def held_out(ids: Texts, split: Texts, share: int) -> Bools:
    """Return the (n,) mask of the training pictures that validate."""
    train = np.flatnonzero(split == "train")
    mask: Bools = np.zeros(len(ids), np.bool_)
    mask[train[ranked(ids[train], len(train) // share, salt="validation")]] = True
    return mask


def part_of(found: int, published: int) -> str:
    """Return the note for a set that is there in part; "" where it is whole."""
    return "" if found == published else f"{found:,} of {published:,} pictures are here"


def class_lines(
    examples: Examples, split: str, levels: Sequence[str], each: int | None, note: str
) -> list[CountLine]:
    """Return a line a class for `data check`, or one line on all where they are many and alike.

    Args:
        examples: all of them.
        split: whose counts.
        levels: the classes.
        each: published count of every class; None where they differ.
        note: why counts may differ.
    """
    counts = examples.per_class(split)
    if len(levels) <= 10:
        return [CountLine(f"{split}, {name}", counts[name], each, note) for name in levels]
    sizes = [counts[name] for name in levels]
    return [
        CountLine(f"{split}, smallest class", min(sizes), each, note),
        CountLine(f"{split}, largest class", max(sizes), each, note),
    ]


def download(title: str, made: Callable[[], Any], folder: Path, by_hand: str) -> str:
    """Let torchvision download a set, and return a sentence on it.

    Args:
        title: of the set.
        made: constructs torchvision's data set with download=True.
        folder: where the files then are.
        by_hand: how to get them without this command.

    Raises:
        DataError: the download failed.
    """
    if folder.exists():
        return f"{title} is in {folder} already"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made()
    except (OSError, RuntimeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(
            f"{title} cannot be fetched: {reason}", where=str(folder.parent), remedy=by_hand
        ) from error
    return f"{title} fetched into {folder}"
