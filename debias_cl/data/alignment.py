"""Which cells follow the training correlation, where no protocol says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from debias_cl.records import Alignment, Annotations

MAJORITY = "majority label of each level in training"


def majority_alignment(train: Annotations, attribute: str) -> Alignment:
    """Return the alignment by the most frequent label of each attribute level in training.

    Args:
        train: the training annotations, with a label.
        attribute: name of one of its attributes.

    Returns:
        One aligned pair for each level that occurs in training (of equal counts the first label
        in natural order). A level that does not occur there has no aligned cell.
    """
    counts = train.cell_counts(attribute)
    assert train.label is not None
    levels = train.attribute(attribute).levels
    pairs = {
        (train.label.levels[int(np.argmax(counts[:, a]))], level)
        for a, level in enumerate(levels)
        if counts[:, a].any()
    }
    return Alignment(frozenset(pairs), MAJORITY)


def with_alignment(
    splits: Mapping[str, Annotations],
) -> tuple[dict[str, Annotations], tuple[str, ...]]:
    """Give every attribute without an alignment the one of the training majority, in all splits.

    Args:
        splits: split -> annotations; without "train" nothing can be derived.

    Returns:
        The splits with alignments, and notes that say where they come from.
    """
    first = next(iter(splits.values()))
    open_names = [c.name for c in first.attributes if c.name not in first.alignment]
    if not open_names:
        return dict(splits), ()
    named = ", ".join(open_names)
    if "train" not in splits:
        return dict(splits), (
            f"aligned and conflicting are not defined for {named}: no training split",
        )
    derived = {name: majority_alignment(splits["train"], name) for name in open_names}
    completed = {
        split: replace(rows, alignment={**rows.alignment, **derived})
        for split, rows in splits.items()
    }
    return completed, (f"aligned and conflicting for {named}: by the {MAJORITY}",)
