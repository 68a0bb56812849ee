"""A gap read against a tolerance, by the ends of its interval: within, exceeds, inconclusive.

"Not significant" is no reading: a gap that chance may give is within only where its whole interval
is.
"""

from __future__ import annotations

from debias_cl.metrics.settings import Settings
from debias_cl.metrics.values import Value
from debias_cl.records import Predictions

MIN_GROUP = "_min_group"
ALL = "_all"
WITHIN, EXCEEDS, INCONCLUSIVE = "within", "exceeds", "inconclusive"
READINGS = (WITHIN, EXCEEDS, INCONCLUSIVE)


def add(document: Value, predictions: Predictions, settings: Settings) -> None:
    """Add `tolerance` to every disparity that has one; see `reading`."""
    for found in document["disparities"].values():
        for name, limit in settings.tolerance.items():
            base = name.removesuffix(MIN_GROUP).removesuffix(ALL)
            for key in (base, f"{base}{MIN_GROUP}"):
                if key in found:
                    said = reading(found[key], limit, smallest=base.endswith("_ratio"))
                    found[key]["tolerance"] = {"limit": limit, "reading": said}


def reading(found: Value, limit: float, *, smallest: bool = False) -> str | None:
    """Return how a disparity stands to its tolerance.

    Args:
        found: a disparity. Its ends are those of its interval for two groups, "at least" and "at
            most" for more; one that is missing settles nothing.
        limit: largest gap that is tolerated, or smallest ratio.
        smallest: whether it is a ratio, which must not be below the limit.

    Returns:
        "within" where the whole interval is (its end may equal the limit), "exceeds" where none of
        it is, else "inconclusive"; None for a disparity that is undefined.

    >>> reading({"value": 0.04, "low": 0.01, "high": 0.07}, 0.05)
    'inconclusive'
    """
    if found["value"] is None:
        return None
    low, high = (_end(found, name, end) for name, end in (("at_least", "low"), ("at_most", "high")))
    if smallest:
        limit, low, high = -limit, *(None if v is None else -v for v in (high, low))
    if high is not None and high <= limit:
        return WITHIN
    return EXCEEDS if low is not None and low > limit else INCONCLUSIVE


def _end(found: Value, bound: str, end: str) -> float | None:
    value: float | None = found.get(bound)
    return found[end] if value is None else value
