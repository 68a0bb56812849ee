"""Which training pictures an epoch shows, and in which order: drawn by (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.records import Annotations

LISTED = 8
"""Empty cells that the note names."""


class Sampling(Protocol):
    """How an epoch's pictures are drawn.

    Attributes:
        note: what the log must say of it; "" where nothing.
    """

    note: str

    def order(self, generator: torch.Generator) -> Tensor:
        """Return (n,) int64 rows of the training split, n its size, by this generator alone."""


class Shuffled:
    """Every picture once, in random order.

    Args:
        n: pictures.
    """

    note = ""

    def __init__(self, n: int) -> None:
        self.n = n

    def order(self, generator: torch.Generator) -> Tensor:
        """Return a permutation."""
        return torch.randperm(self.n, generator=generator)


class GroupBalanced:
    """Every label x bias cell equally often, in random order; an epoch has n pictures as ever.

    The counts of the cells are fixed, not drawn: with C cells that have pictures each gives n // C
    of them, and n % C cells, others in each epoch, one more. Within a cell every picture comes
    equally often, give or take one: small cells are gone through several times, of large ones a
    random part is shown. Drawing each picture with weights instead (a multinomial) has the same
    mean, but shows rare cells by chance more or less often, and some of their pictures never: with
    few conflicting pictures that is noise without use.

    Cells without a training picture are left out. Missing attribute values are a level like any
    other. Batches are cut from the shuffled whole, so a batch is balanced on average.

    Args:
        train: the training split; its label, and its first attribute as the bias.

    Raises:
        UsageError: it has no label or no attribute.

    Source: the usual remedy for unequal groups (group_DRO's `reweight_groups`, which draws with
    weights); Idrissi et al., 'Simple data balancing achieves competitive worst-group-accuracy',
    CLeaR 2022, arXiv 2110.14503 (RWG). Deviation: fixed counts, see above.
    """

    def __init__(self, train: Annotations) -> None:
        if train.truth is None or not train.attributes:
            raise UsageError(
                "group-balanced sampling needs to know the bias attribute of each training picture",
                where="fit.sampling",
                expected="a data set with a bias attribute (--bias-attr)",
                remedy="--set fit.sampling=shuffle",
            )
        bias = train.attributes[0]
        levels = len(bias.levels)
        cell = torch.tensor(train.truth, dtype=torch.int64) * levels
        cell += torch.tensor(train.groups[bias.name], dtype=torch.int64)
        counts = train.cell_counts(bias.name).ravel().tolist()
        parts = torch.split(cell.argsort(stable=True), counts)
        self._rows = [rows for rows in parts if len(rows)]
        self.n = len(train)
        self.note = self._note(train, counts)

    def order(self, generator: torch.Generator) -> Tensor:
        """Return n rows, all cells equally often; a row may stand in it several times."""
        least, rest = divmod(self.n, len(self._rows))
        turn = torch.randperm(len(self._rows), generator=generator).tolist()
        drawn = [
            _drawn(rows, least + (place < rest), generator)
            for rows, place in zip(self._rows, turn, strict=True)
        ]
        return torch.cat(drawn)[torch.randperm(self.n, generator=generator)]

    def _note(self, train: Annotations, counts: list[int]) -> str:
        label, bias, smallest = train.label, train.attributes[0], min(map(len, self._rows))
        assert label is not None
        names = [f"{label.say(y)}, {bias.say(b)}" for y in label.levels for b in bias.levels]
        empty = [name for name, number in zip(names, counts, strict=True) if not number]
        often = -(-self.n // len(self._rows) // smallest)
        text = (
            f"group-balanced sampling: {len(self._rows)} of {len(counts)} cells of {label.name} x "
            f"{bias.name}, each equally often; a picture of the smallest cell ({smallest}) comes "
            f"about {often} times an epoch"
        )
        if not empty:
            return text
        more = f" and {len(empty) - LISTED} more" if len(empty) > LISTED else ""
        return f"{text}; without a picture and left out: {' | '.join(empty[:LISTED])}{more}"


def _drawn(rows: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Return so many of the rows, each as often as any other, give or take one."""
    passes, rest = divmod(number, len(rows))
    some = torch.randperm(len(rows), generator=generator)[:rest]
    return torch.cat([rows.repeat(passes), rows[some]])


SAMPLINGS: Mapping[str, Callable[[Annotations], Sampling]] = {
    "shuffle": lambda train: Shuffled(len(train)),
    "group_balanced": GroupBalanced,
}
"""`fit.sampling` -> what draws the epochs."""


def make_sampling(name: str, train: Annotations) -> Sampling:
    """Return what draws the epochs of a training split.

    Raises:
        UsageError: no such sampling (with the nearest), or it cannot be with these data.
    """
    if name not in SAMPLINGS:
        raise UsageError(
            f"there is no sampling '{name}'",
            where="fit.sampling",
            remedy=did_you_mean(name, SAMPLINGS),
        )
    return SAMPLINGS[name](train)
