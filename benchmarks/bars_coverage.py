"""The bars of coverage: how often intervals hold the truth and p-values cry wolf, by study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Result = Mapping[str, Any]
Reading = tuple[str, bool | None]
"""What was measured, in words; whether it meets the bar, None where there is no bar."""
Read = Callable[[Result], Reading | None]
"""Reads a result; None where the figure asked for is not in it."""


def coverage(*studies: str, ends: tuple[float, float], five: bool = False) -> Read:
    """Return the reading of how often intervals hold the truth: least, mean, most over settings.

    Args:
        studies: names of `coverage.py`.
        ends: the least and the most that the bar allows.
        five: only settings in which five of either outcome are expected.
    """

    def read(result: Result) -> Reading | None:
        if not all(name in result["studies"] for name in studies):
            return None
        settings = [s for name in studies for s in result["studies"][name]["settings"]]
        if five:
            settings = [s for s in settings if s.get("least_expected", 0) >= 5]
        found = [s["coverage"] for s in settings]
        # Three standard errors of what was simulated; exact studies have none.
        slack = [
            3 * (0.05 * 0.95 / s["replicates"]) ** 0.5 if s["replicates"] else 0 for s in settings
        ]
        met = all(ends[0] - e <= c <= ends[1] + e for c, e in zip(found, slack, strict=True))
        mean = sum(found) / len(found)
        text = f"{min(found):.2%} to {max(found):.2%}, mean {mean:.2%}, {len(found)} settings"
        return text, met

    return read


def sizes(study: str, most: Callable[[float], float]) -> Read:
    """Return the reading of how often p falls to .01, .05 and .1 where there is no gap."""

    def read(result: Result) -> Reading | None:
        if study not in result["studies"]:
            return None
        settings = result["studies"][study]["settings"]
        met, told = True, []
        for level in ("0.01", "0.05", "0.1"):
            a = float(level)
            found = [s["size"][level] for s in settings]
            error = [3 * (a * (1 - a) / s["replicates"]) ** 0.5 for s in settings]
            met &= all(size <= most(a) + e for size, e in zip(found, error, strict=True))
            told.append(f"{level}: {min(found):.1%} to {max(found):.1%}")
        return "; ".join(told), met

    return read


TWO = ("differences", "ratios", "means of cells", "contrasts of cells", "two models")
COVERAGE: tuple[tuple[str, str, Read], ...] = (
    (
        "95 % intervals of differences, ratios, means and contrasts of cells, two models",
        ">= 92 %",
        coverage(*TWO, ends=(0.92, 1.0)),
    ),
    (
        "the same, where five of either outcome are expected in every cell",
        "93 to 97 %",
        coverage(*TWO[:4], ends=(0.93, 0.97), five=True),
    ),
    (
        "Wilson's interval, mean over all rates",
        "94.5 to 95.5 %",
        coverage("one rate, Wilson", ends=(0.945, 0.955)),
    ),
    (
        "bounds on the widest gap, smallest ratio, worst group",
        ">= 95 %",
        coverage("extremes", ends=(0.95, 1.0)),
    ),
    ("AUC", "93 to 100 %", coverage("AUC", ends=(0.93, 1.0))),
    (
        "20 to 200 persons with several pictures, and their differences",
        "93 to 97.5 %",
        coverage("persons", "differences of persons", ends=(0.93, 0.975)),
    ),
    ("weights", "94 to 97 %", coverage("weights", ends=(0.94, 0.97))),
    ("how often p <= a without a gap", "a", sizes("p-values", lambda a: a)),
    (
        "the same, persons shuffled",
        "3 to 7 % at 5 %",
        sizes("p-values of persons", lambda a: 1.4 * a),
    ),
)
