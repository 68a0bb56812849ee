"""Equalized odds: are the right and the wrong finds shared equally between groups?"""

from __future__ import annotations

from debias_cl.checks.contract import CheckSpec
from debias_cl.checks.gaps import GapCheck, balance

CHECK = GapCheck(
    "equalized-odds",
    "equalized_odds_difference",
    lambda names: "Equalized odds",
    balance,
)

SPEC = CheckSpec(
    title="Equalized odds",
    question="Are the right and the wrong finds shared equally between groups?",
    threshold=0.10,
    unit="fraction",
    run=CHECK.run,
)
