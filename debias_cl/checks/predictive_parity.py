"""Predictive parity: when it says positive, is it right equally often in each group?"""

from __future__ import annotations

from debias_cl.checks.contract import CheckSpec
from debias_cl.checks.gaps import GapCheck

CHECK = GapCheck(
    "predictive-parity",
    "predictive_parity_difference",
    lambda names: (
        f"Truth of “{names.positive.strip('“”')}”" if names.binary else "Truth of each answer"
    ),
    lambda names: "calibration by group; more negatives that look alike",
)

SPEC = CheckSpec(
    title="Predictive parity",
    question="When it says positive, is it right equally often in each group?",
    threshold=0.10,
    unit="fraction",
    run=CHECK.run,
)
