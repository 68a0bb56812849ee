"""Which names a rule may use: those that the metrics give, asked from the metrics themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.metrics import Settings, measure
from debias_cl.records import Alignment, Annotations, Column, Predictions

MIN_GROUP = "_min_group"
ALL = "_all"
"""Ending of a name that asks for the value over all groups, small ones too."""
OF_SCORES = ("auc", "brier", "log_loss", "ece", "mean_score")
"""Names that a table with scores always has."""


@dataclass(frozen=True)
class Known:
    """The names of the numbers of a document.

    Attributes:
        overall: of all rows.
        group: of one group or cell.
        gaps: of one attribute, without `_min_group`.
    """

    overall: frozenset[str]
    group: frozenset[str]
    gaps: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        """Every name."""
        return self.overall | self.group | self.gaps


@cache
def known() -> Known:
    """Return the names that a table with labels, scores and an attribute gives."""
    label, group = Column("y", ("0", "1")), Column("g", ("a", "b"))
    truth, codes = np.tile([0, 1], 4), np.repeat([0, 1], 4)
    usual = {"g": Alignment(frozenset({("0", "a"), ("1", "b")}), "example")}
    ids = np.array([f"row {place}" for place in range(8)])
    annotations = Annotations(ids, label, truth, (group,), {"g": codes}, usual)
    scores = np.linspace(0.2, 0.8, 8)
    found = measure(
        Predictions(annotations, truth, label.levels, scores, "1", "example"),
        Settings(permutations=1),
    )
    parts = (*found["groups"], *found["cells"])
    rates = {name for part in parts for name, value in part.items() if _number(value)}
    gaps = {name.removesuffix(MIN_GROUP) for name in found["disparities"]["g"]}
    return Known(
        frozenset({*found["overall"], "n", *OF_SCORES}),
        frozenset({*rates, *OF_SCORES}),
        frozenset({*gaps, "auc_difference"}),
    )


def _number(value: object) -> bool:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain or (isinstance(value, dict) and "method" in value)


def base(name: str) -> str:
    """Return a name without the ending that says over which groups."""
    return name.removesuffix(ALL).removesuffix(MIN_GROUP)


def check(name: str, where: str, *, gaps: bool = False) -> None:
    """Refuse a name that no audit gives.

    Args:
        name: as the user wrote it.
        where: option or file, for the message.
        gaps: whether only gaps and ratios between groups are meant.

    Raises:
        UsageError: proposes the nearest name.
    """
    names = known().gaps if gaps else known().all
    if base(name) not in names:
        raise UsageError(
            f"there is no number '{name}' in an audit",
            where=where,
            remedy=did_you_mean(name, sorted(names)),
        )
