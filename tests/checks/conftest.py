"""A small document made by hand, so that each test says what it changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

Document = dict[str, Any]
RATES = (
    "accuracy",
    "error_rate",
    "selection_rate",
    "true_positive_rate",
    "false_positive_rate",
    "precision",
    "prevalence",
)


def value(found: float | None, low: float | None, high: float | None, n: int = 200) -> Document:
    """A value object."""
    reason = "no rows" if found is None else None
    return {"value": found, "low": low, "high": high, "n": n, "reason": reason, "method": "x"}


def gap(found: float | None, low: float | None = None, **more: Any) -> Document:
    """A disparity between women (higher) and men (lower)."""
    ends = {
        "lowest": {"group": {"Male": "1"}, "n": 200, "value": 0.5},
        "highest": {"group": {"Male": "0"}, "n": 400, "value": 0.9},
        "left_out": [],
        "null95": 0.03,
        "p": 0.001,
        "p_adjusted": 0.002,
        "detectable": 0.08,
        "at_least": low,
        "at_most": None if found is None else found + 0.05,
        "adjusted": found,
        "class": None,
        "groups_compared": 2,
        "rate": "true_positive_rate",
    }
    high = None if found is None else found + 0.05
    return {**value(found, low, high), **ends, **more}


def cell(label: str, male: str, n: int, right: int, *, aligned: bool) -> Document:
    """A cell of label and attribute with `right` of `n` right."""
    wrong = "0" if label == "1" else "1"
    rate = value(right / n, right / n - 0.02, right / n + 0.02, n) if n else value(None, None, None)
    return {
        "attribute": "Male",
        "group": {"Blond_Hair": label, "Male": male},
        "n": n,
        "share": n / 2000,
        "aligned": aligned,
        "accuracy": rate,
        "predicted": {label: right, wrong: n - right},
        "missing_predictions": 0,
    }


def group(male: str, n: int) -> Document:
    """A group with every rate at 0.8 and 200 rows behind it."""
    rates = {name: value(0.8, 0.75, 0.85) for name in RATES}
    return {"attribute": "Male", "group": {"Male": male}, "n": n, "share": n / 2000, **rates}


NAMES = (
    "demographic_parity_difference",
    "equalized_odds_difference",
    "equal_opportunity_difference",
    "predictive_parity_difference",
    "accuracy_difference",
    "missing_prediction_difference",
    "demographic_parity_ratio",
)


@pytest.fixture(scope="session")
def make_gap() -> Any:
    """The maker of disparities."""
    return gap


@pytest.fixture(scope="session")
def make_value() -> Any:
    """The maker of value objects."""
    return value


@pytest.fixture
def document() -> Document:
    """Two groups, four cells, all gaps small and well seen."""
    calm = {name: gap(0.02, 0.0, p=0.4, p_adjusted=0.5) for name in NAMES}
    calm["demographic_parity_ratio"] = gap(0.95, 0.9, at_most=1.0, high=1.0)
    doubled = {f"{name}{suffix}": v for name, v in calm.items() for suffix in ("", "_min_group")}
    overall = {
        "accuracy": value(0.95, 0.94, 0.96, 2000),
        "worst_group_accuracy": {
            **value(0.93, 0.90, 0.95),
            "cell": {"Blond_Hair": "1", "Male": "1"},
        },
        "aligned_accuracy": value(0.95, 0.94, 0.96),
        "conflict_accuracy": value(0.94, 0.93, 0.95),
        "aligned_minus_conflict": value(0.01, -0.01, 0.03),
    }
    cells = [
        cell("1", "0", 400, 380, aligned=True),
        cell("1", "1", 200, 188, aligned=False),
        cell("0", "0", 700, 665, aligned=False),
        cell("0", "1", 700, 667, aligned=True),
    ]
    splits = {part: {"n": 2000, "cells": cells} for part in ("train", "test")}
    made = {
        "dataset": {
            "noun": "images",
            "test_split": "test",
            "splits": splits,
            "exclusions": {"count": 0, "listed": []},
        },
        "label": {
            "name": "Blond_Hair",
            "levels": ["0", "1"],
            "positive": "1",
            "positive_source": "default",
            "words": {"0": "not blond", "1": "blond"},
        },
        "attributes": [
            {
                "name": "Male",
                "levels": ["0", "1"],
                "words": {"0": "women", "1": "men"},
                "alignment": {"source": "the protocol", "pairs": [["1", "0"], ["0", "1"]]},
            }
        ],
        "n": 2000,
        "n_missing_prediction": 0,
        "overall": overall,
        "attributes_overall": {"Male": {k: v for k, v in overall.items() if k != "accuracy"}},
        "groups": [group("0", 1100), group("1", 900)],
        "cells": cells,
        "disparities": {"Male": doubled},
        "settings": {"min_group": 30},
    }
    return copy.deepcopy(made)
