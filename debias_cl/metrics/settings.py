"""How the numbers are made: the one place where a knob of the metrics is declared."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from debias_cl.data.bins import Bins
from debias_cl.errors import UsageError
from debias_cl.metrics.proportions import METHODS, Interval

TRAINING: Mapping[str, Mapping[tuple[str, str], float]] = {"": {}}
"""The value of `Settings.reweight` that takes the training set's shares."""


@dataclass(frozen=True)
class Settings:
    """How the numbers are made.

    Attributes:
        min_group: rows that a group's denominator must have to be judged.
        interval: "wilson" or "exact" (Clopper-Pearson) for single rates.
        permutations: draws of the null distribution of a gap.
        seed: of those draws and of simulated intervals; equal input gives equal output.
        thresholds: check code -> threshold, where the user differs from the default.
        threshold: a score of at least this is a prediction of the positive level, where
            predictions are made from scores.
        reference: attribute -> level that its groups are compared with.
        against: what else every group is compared with, "overall" and "rest".
        bins: bins of equal mass that calibration is measured in.
        within: column whose levels are strata; "" is none.
        tolerance: disparity -> largest gap (smallest ratio) that is still within.
        reweight: attribute -> {(label level, group level): share of another population}; empty is
            none. The key "" holds shares of whichever attribute has these levels; none of them
            (`TRAINING`) takes the training set's.
        ranges: numeric attribute -> its ranges, where a table's column is read into them.
    """

    min_group: int = 30
    interval: Interval = "wilson"
    permutations: int = 10_000
    seed: int = 0
    thresholds: Mapping[str, float] = field(default_factory=dict)
    threshold: float = 0.5
    reference: Mapping[str, str] = field(default_factory=dict)
    against: tuple[str, ...] = ()
    bins: int = 10
    within: str = ""
    tolerance: Mapping[str, float] = field(default_factory=dict)
    reweight: Mapping[str, Mapping[tuple[str, str], float]] = field(default_factory=dict)
    ranges: Mapping[str, Bins] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            UsageError: an interval or number that cannot be.
        """
        if self.interval not in METHODS:
            raise UsageError(
                f"there is no interval '{self.interval}'", expected=" or ".join(METHODS)
            )
        if min(self.min_group, self.permutations, self.bins) < 1:
            raise UsageError("min_group, permutations and bins must be at least 1")

    def seeds(self, *names: str) -> list[int]:
        """Return a seed of its own for a use, so that one more attribute changes no other."""
        return [self.seed, zlib.crc32("\0".join(names).encode())]

    def to_dict(self) -> dict[str, Any]:
        """Return the `settings` object of the document."""
        return {
            **self.__dict__,
            "thresholds": dict(self.thresholds),
            "reference": dict(self.reference),
            "against": list(self.against),
            "tolerance": dict(self.tolerance),
            "reweight": {
                name: [{"label": y, "group": a, "share": s} for (y, a), s in shares.items()]
                for name, shares in self.reweight.items()
            },
            "ranges": {
                name: {"edges": list(one.edges), "quantiles": one.quantiles}
                for name, one in self.ranges.items()
            },
        }
