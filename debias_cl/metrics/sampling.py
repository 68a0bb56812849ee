"""What the document says of weights and persons: that sizes are effective, and of how many."""

from __future__ import annotations

from typing import Any

import numpy as np

from debias_cl.metrics.design import uneven, weights_of
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.values import Value
from debias_cl.records import Annotations, Predictions

WEIGHTS = (
    "Values are weighted; intervals, p-values and power rest on an effective number of rows, the "
    "smaller of Kish's and the linearised one"
)
PERSONS = (
    "Rows of one person are not independent; intervals, p-values and power rest on an effective "
    "number of rows, and whole persons are shuffled where every person has one group"
)
ROWS = "Whether a group is large enough is judged by its rows, not by the effective number"


def add(document: Value, predictions: Predictions, settings: Settings) -> None:
    """Add `sampling` where rows carry different weights or belong to persons, else nothing."""
    found = sampling(predictions.annotations)
    if found:
        document["sampling"] = found


def sampling(known: Annotations) -> dict[str, Any] | None:
    """Return what makes sizes effective; None where every row counts once.

    Returns:
        weighted; kish_n (the effective number of all rows by their weights alone, None without);
        persons (entries of nobody known count as one each) and the most rows of one of them, None
        without; says, the sentences for a reader.
    """
    weighted = known.mass is not None and uneven(known.mass)
    if not weighted and known.persons is None:
        return None
    told = [
        text for text, used in ((WEIGHTS, weighted), (PERSONS, known.persons is not None)) if used
    ]
    kish, persons, most = None, None, None
    if known.mass is not None and weighted:
        weight, square = weights_of(known.mass)
        kish = float(weight.sum() ** 2 / square.sum())
    if known.persons is not None:
        named = known.persons >= 0
        codes, place = np.unique(known.persons[named], return_inverse=True)
        rows = np.bincount(place, known.rows[named], 1)
        persons = len(codes) + int((~named).sum())
        most = int(max(rows.max(initial=0), known.rows[~named].max(initial=0)))
    return {
        "weighted": weighted,
        "kish_n": kish,
        "persons": persons,
        "most_rows_of_one": most,
        "says": [f"{text}." for text in (*told, ROWS)],
    }
