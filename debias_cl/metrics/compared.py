"""What two groups can be compared on, who is left out, and the form of a disparity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics import null
from debias_cl.metrics.counts import CountTable
from debias_cl.metrics.proportions import Counts, share
from debias_cl.metrics.tally import Tally
from debias_cl.metrics.values import NO_LABEL, Value, rows, undefined
from debias_cl.metrics.views import View

Mask = npt.NDArray[np.bool_]
ONE_GROUP = "not applicable: one group only"


@dataclass(frozen=True)
class Compared:
    """One rate of one class over the groups, and which of them are compared.

    Attributes:
        pick: which rate.
        tally: successes and sizes of the groups, effective where rows are not all alike.
        mask: (groups,) who is compared: enough rows, and not all of them of one person.
        empty: why a group without rows in the denominator has no value.
    """

    pick: null.Pick
    tally: Tally
    mask: Mask
    empty: str

    @property
    def x(self) -> Counts:
        """(groups,) successes."""
        return self.tally.x

    @property
    def n(self) -> Counts:
        """(groups,) sizes of the denominators as formulas take them."""
        return self.tally.n

    @property
    def rows(self) -> Counts:
        """(groups,) rows in the denominators."""
        return self.tally.rows

    @property
    def rates(self) -> npt.NDArray[np.float64]:
        """(groups,) rates, NaN for those that are not compared."""
        return np.where(self.mask, share(self.x, self.n), np.nan)

    @property
    def counts(self) -> tuple[Counts, Counts]:
        """Successes and sizes of the compared groups."""
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
        found = view.tally(pick)
        enough = (found.rows >= max(least, 1)) & ~found.lonely
        out.append(Compared(pick, found, enough, empty))
    return out


def left_out(table: CountTable, parts: Sequence[Compared], least: int) -> list[Value]:
    """Return the groups that a comparison leaves out, with the reason."""
    out: dict[tuple[int, str], Value] = {}
    for part in parts:
        about = f", {part.pick.rate}" if len(parts) > 1 else ""
        for i in np.flatnonzero(~part.mask):
            reason = _why(part, int(i), least) + about
            group = {"group": dict(table.groups[i]), "n": rows(part.rows[i]), "reason": reason}
            out.setdefault((int(i), reason), group)
    return list(out.values())


def _why(part: Compared, place: int, least: int) -> str:
    """Return why a group is not compared."""
    if part.rows[place] == 0:
        return part.empty
    enough = part.rows[place] >= max(least, 1)
    return "all rows are of one person" if enough else few(part.rows[place], least)


def end(table: CountTable, part: Compared, place: int) -> Value:
    """Return the group at one end of a gap: who, on how many rows, at what rate."""
    size, value = rows(part.rows[place]), float(part.rates[place])
    return {"group": dict(table.groups[place]), "n": size, "value": value}


def two_ends(rates: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return where the lowest and the highest known rate stand: two places, even of equal ones.

    Args:
        rates: (groups,) of which two or more are no NaN.
    """
    order = np.argsort(rates, kind="stable")  # NaN comes last
    return int(order[0]), int(order[np.count_nonzero(~np.isnan(rates)) - 1])


def not_comparable(table: CountTable, truth: bool = True) -> str | None:
    """Return why nothing can be compared at all: one group, or no labels where they are needed."""
    if len(table.groups) < 2:
        return ONE_GROUP
    return NO_LABEL if truth and table.label is None else None


def few(n: Any, least: int) -> str:
    """Return why a group of n rows is left out."""
    return "no rows" if n == 0 else f"{rows(n)} of the {least} rows needed"
