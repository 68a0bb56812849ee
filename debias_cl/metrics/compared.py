"""What two groups can be compared on, who is left out, and the form of a disparity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics import null
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.proportions import share
from debias_cl.metrics.values import NO_LABEL, Value, rows, undefined
from debias_cl.metrics.views import View

Mask = npt.NDArray[np.bool_]
ONE_GROUP = "not applicable: one group only"


@dataclass(frozen=True)
class Compared:
    """One rate of one class over the groups, and which of them are compared."""

    pick: null.Pick
    x: null.Ints
    n: null.Ints
    mask: Mask
    empty: str

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """(groups,) rates, NaN for those that are not compared."""
        return np.where(self.mask, share(self.x, self.n), np.nan)

    @property
    def counts(self) -> tuple[null.Ints, null.Ints]:
        """Counts of the compared groups."""
        return self.x[self.mask], self.n[self.mask]


def blank(reason: str, left_out: Sequence[Value] = (), **extra: Any) -> Value:
    """Return a disparity that is undefined, with every key that a disparity has."""
    empty = dict.fromkeys(
        ("null95", "p", "p_adjusted", "detectable", "at_least", "at_most", "adjusted", "class")
    )
    lists: Value = {"lowest": None, "highest": None, "left_out": list(left_out)}
    return undefined(reason, **lists, **empty, groups_compared=0, **extra)


def compared(view: View, least: int) -> list[Compared]:
    """Return every rate of a view with its counts and the groups of at least `least` rows."""
    out = []
    for pick, empty in zip(view.picks, view.empty, strict=True):
        x, n = pick.read(view.table)
        out.append(Compared(pick, x, n, n >= max(least, 1), empty))
    return out


def left_out(table: CountTable, parts: Sequence[Compared], least: int) -> list[Value]:
    """Return the groups that a comparison leaves out, with the reason."""
    out: dict[tuple[int, str], Value] = {}
    for part in parts:
        about = f", {part.pick.rate}" if len(parts) > 1 else ""
        for i in np.flatnonzero(~part.mask):
            reason = (part.empty if part.n[i] == 0 else few(part.n[i], least)) + about
            group = {"group": dict(table.groups[i]), "n": rows(part.n[i]), "reason": reason}
            out.setdefault((int(i), reason), group)
    return list(out.values())


def end(table: CountTable, part: Compared, place: int) -> Value:
    """Return the group at one end of a gap: who, on how many rows, at what rate."""
    size, value = rows(part.n[place]), float(part.rates[place])
    return {"group": dict(table.groups[place]), "n": size, "value": value}


def not_comparable(table: CountTable, truth: bool = True) -> str | None:
    """Return why nothing can be compared at all: one group, or no labels where they are needed."""
    if len(table.groups) < 2:
        return ONE_GROUP
    return NO_LABEL if truth and table.label is None else None


def few(n: Any, least: int) -> str:
    """Return why a group of n rows is left out."""
    return "no rows" if n == 0 else f"{rows(n)} of the {least} rows needed"
