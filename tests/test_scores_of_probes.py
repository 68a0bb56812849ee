"""A probe's predictions of a two-level label carry scores, so that a report shows them."""

from __future__ import annotations

import numpy as np
import pytest

from debias_cl.config import ProbeConfig
from debias_cl.metrics import Settings, measure
from debias_cl.probe import predict
from debias_cl.records import Annotations, Column, Features
from debias_cl.sections import SECTIONS


def features(levels: tuple[str, ...]) -> Features:
    """Noisy directions, one a label level, in two groups; half training, half test."""
    rng = np.random.default_rng(0)
    n = 240
    truth, group = rng.integers(0, len(levels), n), rng.integers(0, 2, n)
    values = rng.normal(0, 1, (n, 4)).astype(np.float32)
    values[np.arange(n), truth] += np.where(group == 0, 2.5, 1.0)
    annotations = Annotations(
        ids=np.arange(n).astype(str),
        label=Column("y", levels),
        truth=truth,
        attributes=(Column("g", ("a", "b")),),
        groups={"g": group},
    )
    return Features(values, np.repeat(["train", "test"], n // 2), annotations)


@pytest.mark.parametrize("levels", [("0", "1"), ("0", "1", "2")])
def test_the_report_of_a_probe_has_scores_of_two_levels(levels: tuple[str, ...]) -> None:
    made = predict(features(levels), ProbeConfig(), "test", "1", "default", 0)
    document = measure(made, Settings(permutations=99))
    told = SECTIONS.get("scores").context(document)
    if len(levels) > 2:
        assert isinstance(told, str) and "There are no scores" in told
        return
    assert not isinstance(told, str)
    assert [figure.title for figure in told["figures"]] == ["ROC curves by g", "Calibration by g"]
    first, second = (group["auc"]["value"] for group in document["groups"])
    assert first > second > 0.6
    selected = np.asarray(made.scores) >= 0.5
    assert document["overall"]["selection_rate"]["value"] == pytest.approx(selected.mean())
