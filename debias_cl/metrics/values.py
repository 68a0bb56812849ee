"""Value objects from arrays of counts: the only place where a metric becomes JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics.proportions import METHODS, Array, Interval, limits, share
from debias_cl.metrics.tally import ONE_PERSON, Tally, plain
from debias_cl.records import MetricValue

Value = dict[str, Any]
"""A value object of metrics.json."""

NO_LABEL = "not applicable: no labels given"


def finite(x: Any) -> float | None:
    """Return a plain float, None for NaN and infinity."""
    return float(x) if x is not None and np.isfinite(x) else None


def rows(n: Any) -> int | float:
    """Return a count as int, or as float where it is weighted."""
    return int(n) if float(n).is_integer() else float(n)


def undefined(reason: str, n: Any = None, **extra: Any) -> Value:
    """Return a value object without a value: never 0, always with the reason."""
    size = None if n is None else int(n)
    return MetricValue(None, n=size, reason=reason, extra=extra).to_dict()


def defined(value: Any, low: Any, high: Any, n: Any, method: str | None, **extra: Any) -> Value:
    """Return a value object; an end that is not finite becomes None."""
    size = None if n is None else int(n)
    reason = extra.pop("reason", None)
    return MetricValue(
        finite(value), finite(low), finite(high), size, reason, method, extra
    ).to_dict()


def proportions(
    x: npt.NDArray[Any],
    n: npt.NDArray[Any],
    interval: Interval,
    reason: str | Sequence[str],
) -> list[Value]:
    """Return one value object a group for x right of n.

    Args:
        x, n: (groups,) counts.
        interval: method of the 95 % interval.
        reason: why a value is undefined where n = 0; one for all, or one a group.
    """
    return rated(plain(x, n), interval, reason)


def rated(
    tally: Tally,
    interval: Interval,
    reason: str | Sequence[str],
    carry: Callable[[Array], Array] | None = None,
    of: str = "",
) -> list[Value]:
    """Return one value object a group for the rates of a (groups,) tally.

    Args:
        tally: successes and sizes; `n` of a value object is its rows.
        interval: method of the 95 % interval.
        reason: why a value is undefined where n = 0; one for all, or one a group.
        carry: from the rate to the metric.
        of: what the interval is of, where it is carried.
    """
    ends = (share(tally.x, tally.n), *limits(tally.x, tally.n, interval))
    value, low, high = ends if carry is None else (carry(v) for v in ends)
    method = tally.method(f"{METHODS[interval]}{of}")
    why = [reason] * len(value) if isinstance(reason, str) else reason
    out = []
    for i, rows in enumerate(tally.rows):
        if not tally.n[i] > 0:
            out.append(undefined(why[i], 0))
        elif tally.lonely[i]:
            out.append(defined(value[i], None, None, rows, None, reason=ONE_PERSON))
        else:
            beside = tally.beside(tally.n[i])
            out.append(defined(value[i], low[i], high[i], rows, method, **beside))
    return out


def described(columns: Mapping[str, str]) -> str:
    """Return a group in words: `Male = 1, Young = 0`."""
    return ", ".join(f"{name} = {level}" for name, level in columns.items())
