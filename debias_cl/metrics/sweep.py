"""Rates and gaps against the decision threshold: a score of at least the threshold is selected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from debias_cl.metrics.proportions import Array, share, wilson
from debias_cl.metrics.scored import Parted, Scored
from debias_cl.metrics.values import NO_LABEL, Value, finite

MOST = 71
"""Thresholds at most."""
GAPS: Mapping[str, tuple[str, ...]] = {
    "demographic_parity_difference": ("selection_rate",),
    "equal_opportunity_difference": ("true_positive_rate",),
    "equalized_odds_difference": ("true_positive_rate", "false_positive_rate"),
}
METHOD = "Wilson, at each threshold"


def thresholds(scored: Scored, used: float) -> Array:
    """Return at most `MOST` ascending thresholds: half of them quantiles, half at even steps.

    Scores of a sure classifier lie near its ends, so quantiles alone would leave the middle empty.

    Args:
        scored: the entries.
        used: the threshold in use, which is among them where it lies between the scores.
    """
    if not len(scored):
        return np.zeros(0)
    half = (MOST - 1) // 2
    below = np.cumsum(scored.weight)
    levels = np.linspace(0, 1, half) * below[-1] * (1 - 1e-12)
    place = np.minimum(np.searchsorted(below, levels), len(scored) - 1)
    low, high = scored.score[0], scored.score[-1]
    found = [scored.score[place], np.linspace(low, high, half + 2)[1:-1], [low, high]]
    if low <= used <= high:
        found.append([used])
    return np.unique(np.concatenate(found))


@dataclass(frozen=True)
class Swept:
    """Rates of every group at every threshold.

    Attributes:
        rates: name -> (groups, thresholds) rate, and its (groups,) effective and plain
            denominators; the effective one is 0 where rows belong to persons: no bands.
    """

    rates: Mapping[str, tuple[Array, Array, Array]]

    def listed(self, group: int) -> Value:
        """Return the lists of one group, an undefined rate as None."""
        out: Value = {}
        for name, (rate, n, _) in self.rates.items():
            low, high = wilson(rate[group] * n[group], np.broadcast_to(n[group], rate[group].shape))
            ends = {"value": rate[group], "low": low, "high": high}
            out[name] = {key: [finite(v) for v in values] for key, values in ends.items()}
        return out


def swept(parted: Parted, at: Array) -> Swept:
    """Return the rates of every group.

    Args:
        parted: entries by group.
        at: ascending thresholds.
    """
    s, width = parted.of, len(at) + 1
    over = np.searchsorted(at, s.score, "right")
    code = (parted.group * 2 + s.positive) * width + over
    table = np.bincount(code, s.weight, parted.size * 2 * width).reshape(parted.size, 2, width)
    selected = np.cumsum(table[:, :, ::-1], axis=2)[:, :, ::-1][:, :, 1:]
    total = table.sum(2)
    side = parted.group * 2 + s.positive
    rows = np.bincount(side, s.rows, parted.size * 2).reshape(parted.size, 2)
    square = np.bincount(side, s.square, parted.size * 2).reshape(parted.size, 2)
    chosen = {"selection_rate": (selected.sum(1), total.sum(1), rows.sum(1), square.sum(1))}
    if s.truth is not None:
        right = selected[:, 1] + total[:, :1] - selected[:, 0]
        chosen |= {
            "accuracy": (right, *chosen["selection_rate"][1:]),
            "true_positive_rate": (selected[:, 1], total[:, 1], rows[:, 1], square[:, 1]),
            "false_positive_rate": (selected[:, 0], total[:, 0], rows[:, 0], square[:, 0]),
        }
    alone = 0.0 if s.persons is not None else 1.0
    return Swept(
        {
            name: (share(x, n[:, None]), alone * np.nan_to_num(share(n**2, sq)), plain)
            for name, (x, n, plain, sq) in chosen.items()
        }
    )


def gaps(found: Swept, least: int) -> Value:
    """Return largest gaps between groups at every threshold, an undefined one as None.

    Args:
        found: rates by group.
        least: rows that a group's denominator needs.

    Returns:
        {disparity: (thresholds,) list}, or a reason in place of a list.
    """
    out: Value = {}
    for name, parts in GAPS.items():
        if any(part not in found.rates for part in parts):
            out[name] = {"value": [], "reason": NO_LABEL, "groups_compared": 0}
            continue
        wide = [_gap(*found.rates[part], least) for part in parts]
        value = np.fmax.reduce([gap for gap, _ in wide])
        compared = min(count for _, count in wide)
        none = f"fewer than two groups with {least} rows" if np.isnan(value).all() else None
        out[name] = {
            "value": [finite(v) for v in value],
            "reason": none,
            "groups_compared": compared,
        }
    return out


def _gap(rate: Array, _: Array, rows: Array, least: int) -> tuple[Array, int]:
    keep = rows >= max(least, 1)
    if keep.sum() < 2:
        return np.full(rate.shape[1], np.nan), int(keep.sum())
    part = rate[keep]
    return np.asarray(part.max(0) - part.min(0), np.float64), int(keep.sum())


def sweep(
    everything: Parted,
    by: Sequence[tuple[str, Sequence[Mapping[str, str]], Parted]],
    used: float,
    least: int,
) -> Value:
    """Return the `threshold_sweep` object of the document.

    Args:
        everything: all entries as one group.
        by: attribute, its groups, the entries by them.
        used: the threshold in use.
        least: rows that a denominator needs for its group to be compared.
    """
    at = thresholds(everything.of, used)
    groups: list[Value] = []
    found: dict[str, Any] = {}
    for name, who, parted in by:
        rates = swept(parted, at)
        groups += [
            {"attribute": name, "group": dict(group), **rates.listed(place)}
            for place, group in enumerate(who)
        ]
        found[name] = gaps(rates, least)
    return {
        "thresholds": [float(v) for v in at],
        "threshold": used,
        "min_group": least,
        "method": METHOD if everything.of.persons is None else None,
        "overall": swept(everything, at).listed(0) if len(at) else {},
        "groups": groups,
        "gaps": found,
    }
