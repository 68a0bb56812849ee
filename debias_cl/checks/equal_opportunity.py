"""Equal opportunity: of those who are positive, are equally many found in each group?"""

from __future__ import annotations

from debias_cl.checks.contract import CheckSpec
from debias_cl.checks.gaps import GapCheck, balance
from debias_cl.checks.text import capital

CHECK = GapCheck(
    "equal-opportunity",
    "equal_opportunity_difference",
    lambda names: f"{capital(names.positive)} found" if names.binary else "Each level found",
    balance,
)

SPEC = CheckSpec(
    title="Equal opportunity",
    question="Of those who are positive, are equally many found in each group?",
    threshold=0.10,
    unit="fraction",
    run=CHECK.run,
)
