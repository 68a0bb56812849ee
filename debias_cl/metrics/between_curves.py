"""The area between the ROC curves of the two groups that are furthest apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from debias_cl.metrics import roc, score_chance
from debias_cl.metrics.compared import blank, few
from debias_cl.metrics.proportions import Array
from debias_cl.metrics.score_chance import Chance, Shuffles
from debias_cl.metrics.values import Value, described
from debias_cl.records import Bools

METHOD = "area between the curves of two groups, the largest over pairs"
NO_INTERVAL = "no interval: an area between curves is above 0 by chance alone; see null95 and p"


@dataclass(frozen=True)
class Between:
    """The ROC curves of all groups, ready to be compared.

    Attributes:
        shuffles: the entries by group, and their shuffles.
        groups: who they are.
        curves: one a group; None where it has none.
        area: (groups,) AUC.
        rows: (groups,) rows of the smaller class.
        empty: why a group has no curve.
    """

    shuffles: Shuffles
    groups: Sequence[Mapping[str, str]]
    curves: Sequence[roc.Curve | None]
    area: Array
    rows: Array
    empty: Sequence[str]

    def over(self, least: int) -> Value:
        """Return the disparity over the groups with `least` rows of both labels."""
        keep = self.rows >= max(least, 1)
        size = self.shuffles.parted.rows
        outside = [
            {
                "group": dict(self.groups[i]),
                "n": int(size[i]),
                "reason": few(self.rows[i], least) if self.rows[i] > 0 else self.empty[i],
            }
            for i in np.flatnonzero(~keep).tolist()
        ]
        places = [int(i) for i in np.flatnonzero(keep)]
        if len(places) < 2:
            there = described(self.groups[places[0]]) if places else "no group"
            return blank(f"an ROC curve is defined in {there} alone", outside)
        lines = [curve for i in places if (curve := self.curves[i]) is not None]
        found = roc.widest(lines, places)
        ends = sorted((found.one, found.other), key=lambda place: self.area[place])
        return blank("", outside) | {
            "value": found.area,
            "n": int(size[keep].sum()),
            "reason": NO_INTERVAL,
            "method": METHOD,
            "lowest": self._end(ends[0]),
            "highest": self._end(ends[1]),
            "groups_compared": len(places),
            "rate": "auc",
            **score_chance.beside(self._chance(keep), found.area),
        }

    def _end(self, place: int) -> Value:
        size, area = int(self.shuffles.parted.rows[place]), float(self.area[place])
        return {"group": dict(self.groups[place]), "n": size, "value": area}

    def _chance(self, keep: Bools) -> Chance | None:
        few = keep.sum() <= score_chance.MOST_CURVES
        drawn = self.shuffles.of(keep, labels=True) if few else None
        return None if drawn is None else score_chance.of_curves(drawn)


def between_curves(shuffles: Shuffles, groups: Sequence[Mapping[str, str]], y: str) -> Between:
    """Return the curves of all groups.

    Args:
        shuffles: entries by group.
        groups: who they are.
        y: the positive level in words.
    """
    parted, s = shuffles.parted, shuffles.parted.of
    positives, negatives = (parted.only(side).rows for side in (s.positive, ~s.positive))
    curves = roc.curves(parted)
    area = [np.nan if curve is None else curve.area for curve in curves]
    empty = [f"no rows {'with' if n == 0 else 'without'} {y}" for n in positives]
    rows = np.minimum(positives, negatives)
    return Between(shuffles, groups, curves, np.array(area), rows, empty)
