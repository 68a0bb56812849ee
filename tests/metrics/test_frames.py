"""fairlearn's MetricFrame of the same predictions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sklearn.metrics import accuracy_score

from debias_cl.errors import UsageError
from debias_cl.metrics import Settings, measure
from debias_cl.metrics.frames import metric_frame
from debias_cl.records import Predictions

Build = Callable[..., Predictions]


def test_binary_frame_has_the_measured_values(make: Build) -> None:
    predictions = make(
        ["yes", "no", "yes", "no", "yes", "no", "yes"],
        ["yes", "yes", "no", "no", "yes", "no", None],
        {"g": list("aaabbbb")},
        positive="yes",
    )
    frame = metric_frame(predictions)
    assert frame.by_group["count"].tolist() == [3, 3]
    for entry in measure(predictions, Settings(permutations=9))["groups"]:
        for name in ("selection_rate", "true_positive_rate", "false_positive_rate"):
            theirs = frame.by_group[name][entry["group"]["g"]]
            assert theirs == pytest.approx(entry[name]["value"])


def test_own_metrics_over_several_classes_and_attributes(make: Build) -> None:
    predictions = make(list("0120"), list("0121"), {"g": list("aabb"), "h": list("xyxy")})
    frame = metric_frame(predictions, {"accuracy": accuracy_score})
    assert frame.overall["accuracy"] == 0.75
    assert list(frame.by_group.index.names) == ["g", "h"]
    assert metric_frame(predictions, {"accuracy": accuracy_score}, ["h"]).by_group.shape == (2, 1)


def test_without_labels_there_is_no_frame(make: Build) -> None:
    with pytest.raises(UsageError, match="needs labels"):
        metric_frame(make(None, list("01"), {"g": list("ab")}))
