"""What a suite or one of its parts asks: who is compared with whom, by which number. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from debias_cl.errors import DataError, did_you_mean

MEASURES = (
    "accuracy",
    "unbiased_accuracy",
    "aligned_accuracy",
    "conflict_accuracy",
    "worst_group_accuracy",
)
SPLITS = ("test", "validation")
KEYS = ("baseline", "judge", "measure", "split", "baseline_from")


@dataclass(frozen=True)
class Question:
    """How the results of a part are read; it changes nothing in how they are made.

    Attributes:
        baselines: methods that the others are compared with, a column each.
        judge: whose predictions come first ("linear probe").
        measure: the number that orders the rows.
        split: "test", or "validation" where the test split is not to be looked at.
        baseline_from: part that baselines are taken from which the part itself does not run; "" for
            none.
    """

    baselines: tuple[str, ...] = ("supcon",)
    judge: str = "linear probe"
    measure: str = "conflict_accuracy"
    split: str = "test"
    baseline_from: str = ""


def read_question(found: Mapping[str, Any], usual: Question, path: Path) -> Question:
    """Return the question in a table of a suite; keys that it does not have are as usual.

    Raises:
        DataError: a measure or a split that there is not.
    """
    own = {key: found[key] for key in KEYS if key in found}
    baseline = own.pop("baseline", usual.baselines)
    question = replace(
        usual, baselines=(baseline,) if isinstance(baseline, str) else tuple(baseline), **own
    )
    for what, value, known in (
        ("measure", question.measure, MEASURES),
        ("split", question.split, SPLITS),
    ):
        if value not in known:
            raise DataError(
                f"there is no {what} '{value}'", where=str(path), remedy=did_you_mean(value, known)
            )
    return question
