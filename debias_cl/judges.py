"""What turns an encoder's features into predictions: probes, and classifiers of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from debias_cl.config import ProbeConfig
from debias_cl.data.contract import Dataset
from debias_cl.features import own_classifier_predictions
from debias_cl.own_head import head_predictions, own_head
from debias_cl.probe import predict
from debias_cl.records import Features, Predictions
from debias_cl.sources import Source

OWN = "own classifier"

PROBES = {
    "logistic": "linear probe",
    "sgd": "linear probe (SGD)",
    "knn": "20 nearest neighbours",
    "dfr": "DFR",
}


@dataclass(frozen=True)
class Judge:
    """One way from features to predictions.

    Attributes:
        name: for people ("linear probe").
        predict: features of all splits -> predictions of the test split.
        control: whether it stands beside the others as a control only.
        facts: further entries of the document's `encoder` object.
    """

    name: str
    predict: Callable[[Features], Predictions]
    control: bool = False
    facts: Mapping[str, Any] | None = None


def judges(
    source: Source, dataset: Dataset, probe: ProbeConfig, positive: tuple[str, str], seed: int
) -> Iterator[Judge]:
    """Yield the judges of an encoder, the leading one first.

    A checkpoint's own classifier leads where its outputs are the label's levels; the probe stands
    beside it where there is a training split with two label levels to fit it on.
    """
    test = dataset.test_split
    head = own_head(source.encoder, dataset.label, source.classes)
    facts = {} if source.objective else {"own_classifier": head.to_dict(dataset.label)}
    if head.layer is not None:
        own = lambda features: head_predictions(features, head, test, *positive)  # noqa: E731
        yield Judge(OWN, own, facts=facts)
        if not _can_fit(dataset):
            return

    def by(config: ProbeConfig) -> Callable[[Features], Predictions]:
        return lambda features: predict(features, config, test, *positive, seed)

    yield Judge(PROBES[probe.kind], by(probe), facts=facts)
    objective = source.objective
    if objective is not None and objective.has_classifier:
        yield Judge(
            OWN, lambda features: own_classifier_predictions(objective, features, test, *positive)
        )
    if probe.kind == "logistic" and dataset.split("train").annotations.attributes:
        balanced = by(replace(probe, balanced=True))
        yield Judge("balanced linear probe", balanced, control=True, facts=facts)


def _can_fit(dataset: Dataset) -> bool:
    """Whether the training split has at least two label levels."""
    train = dataset.splits.get("train")
    truth = None if train is None else train.annotations.truth
    return truth is not None and len(np.unique(truth[truth >= 0])) > 1
