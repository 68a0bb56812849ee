"""Accuracy by group: is it right equally often in each group?"""

from __future__ import annotations

from debias_cl.checks.contract import CheckSpec
from debias_cl.checks.gaps import GapCheck

CHECK = GapCheck(
    "accuracy-gap",
    "accuracy_difference",
    lambda names: "Accuracy",
    lambda names: "a group-balanced probe; more examples of the group that is lowest",
)

SPEC = CheckSpec(
    title="Accuracy by group",
    question="Is it right equally often in each group?",
    threshold=0.10,
    unit="fraction",
    run=CHECK.run,
)
