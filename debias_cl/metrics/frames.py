"""For those who work with fairlearn: the same predictions as its MetricFrame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from debias_cl.errors import UsageError
from debias_cl.metrics.counts import classes_of
from debias_cl.records import Predictions

METRICS: Mapping[str, str] = {
    "selection_rate": "selection_rate",
    "true_positive_rate": "true_positive_rate",
    "false_positive_rate": "false_positive_rate",
    "count": "count",
}
"""Used where none are asked for: name -> function of fairlearn.metrics."""


def metric_frame(
    predictions: Predictions,
    metrics: Mapping[str, Callable[..., Any]] | None = None,
    attributes: Sequence[str] | None = None,
) -> Any:
    """Return a fairlearn MetricFrame over the rows with a label and a prediction.

    Args:
        predictions: n rows; with two classes labels and predictions become 1 (positive) and 0, with
            more they stay texts.
        metrics: name -> metric(y_true, y_pred); None takes selection rate, TPR, FPR and count,
            which need two classes.
        attributes: sensitive features; None takes all.

    Returns:
        `fairlearn.metrics.MetricFrame`. It fills 0 where a rate is 0/0; `measure` gives None there.

    Raises:
        UsageError: there are no labels or no attributes.
    """
    import pandas as pd
    from fairlearn import metrics as fairness

    known = predictions.annotations
    if known.label is None or known.truth is None or not known.attributes:
        raise UsageError("a MetricFrame needs labels and at least one attribute")
    chosen = metrics or {name: getattr(fairness, path) for name, path in METRICS.items()}
    keep = (known.truth >= 0) & (predictions.predicted >= 0)
    truth = np.array(known.label.levels)[known.truth[keep]]
    predicted = np.array(predictions.levels)[predictions.predicted[keep]]
    if len(classes_of(predictions)) <= 2:
        truth = (truth == predictions.positive).astype(np.int64)
        predicted = (predicted == predictions.positive).astype(np.int64)
    names = attributes or [column.name for column in known.attributes]
    features = {
        name: np.array(known.attribute(name).levels)[known.groups[name][keep]] for name in names
    }
    return fairness.MetricFrame(
        metrics=dict(chosen),
        y_true=truth,
        y_pred=predicted,
        sensitive_features=pd.DataFrame(features),
    )
