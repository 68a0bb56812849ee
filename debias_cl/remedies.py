"""What could help, measured: remedies that need no new encoder, tried on the features. No torch.

Each is fitted on the training or validation rows and judged on the test rows, like the probe that
it stands beside. What cannot be tried says why; nothing is advised that was not measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from debias_cl.config import ProbeConfig
from debias_cl.dfr import balancing_split
from debias_cl.errors import DebiasError
from debias_cl.logistic import moments
from debias_cl.probe import predict, predict_each, predictions
from debias_cl.records import Annotations, Codes, Features, Floats, Predictions

REDUCED_ROWS = 2000
"""Most training rows of the reductions approach, which fits a classifier many times over."""
REDUCTIONS = 20
"""Most rounds of exponentiated gradient."""


@dataclass(frozen=True)
class Task:
    """What a remedy is given.

    Attributes:
        features: all splits.
        test_split: the split that is judged; nothing is fitted on it.
        positive: favourable level, and who chose it.
        seed: of whatever is drawn.
    """

    features: Features
    test_split: str
    positive: tuple[str, str]
    seed: int

    def part(self, name: str) -> Features:
        """Return the labelled rows of a split."""
        part = self.features.part(name)
        truth = part.annotations.truth
        assert truth is not None
        known = truth >= 0
        rows = part.annotations.take(known)
        return replace(part, values=part.values[known], split=part.split[known], annotations=rows)

    @property
    def fitted_on(self) -> str:
        """The split to fit on where the encoder's own training rows would flatter: validation."""
        return balancing_split(self.features, self.test_split)


@dataclass(frozen=True)
class Remedy:
    """One thing to try.

    Attributes:
        title: name for people.
        says: one sentence: what it changes.
        uses: where it needs the attribute: "when fitted", or "when fitted and for every answer".
        tries: the remedy itself; `UntriedError` where it cannot be.
        binary: whether it is defined for two label levels alone.
    """

    title: str
    says: str
    uses: str
    tries: Callable[[Task], Predictions]
    binary: bool = False


@dataclass(frozen=True)
class Tried:
    """What came of a remedy: predictions of the test split, or why there are none."""

    remedy: Remedy
    predictions: Predictions | None
    reason: str = ""


class UntriedError(Exception):
    """A remedy cannot be tried on these rows; the message says why."""


def try_all(
    features: Features, test_split: str, positive: tuple[str, str], seed: int
) -> Iterator[Tried]:
    """Yield what came of every remedy, in the order of `REMEDIES`.

    Args:
        features: all splits; "train" and `test_split` must be there.
        test_split: split that is judged.
        positive: favourable level and who chose it.
        seed: of whatever is drawn.
    """
    task = Task(features, test_split, positive, seed)
    for remedy in REMEDIES:
        reason = _hindered(task, remedy)
        if reason:
            yield Tried(remedy, None, reason)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a solver's advice is not the reader's
                yield Tried(remedy, remedy.tries(task))
        except (UntriedError, DebiasError, ImportError) as error:
            yield Tried(remedy, None, str(error))


def _hindered(task: Task, remedy: Remedy) -> str:
    """Return why a remedy is not even tried; "" where nothing is in its way."""
    about = task.features.annotations
    if not about.attributes:
        return "no attribute is known, so nothing could be made equal"
    if remedy.binary and about.label is not None and len(about.label.levels) != 2:
        return f"defined for two label levels; '{about.label.name}' has {len(about.label.levels)}"
    return ""


def _group(rows: Annotations) -> Codes:
    return rows.groups[rows.attributes[0].name]


def _probe(config: ProbeConfig) -> Callable[[Task], Predictions]:
    """Return a remedy that is another probe."""

    def tries(task: Task) -> Predictions:
        return predict(task.features, config, task.test_split, *task.positive, task.seed)

    return tries


def _as_answers(task: Task, selected: Codes) -> Predictions:
    """Return hard answers for the two label levels: 1 is the positive one; they have no scores."""
    test = task.features.part(task.test_split).annotations
    assert test.label is not None
    code = test.label.levels.index(task.positive[0])
    chosen = np.where(np.asarray(selected) > 0.5, code, 1 - code).astype(np.int64)
    made = predictions(test, np.eye(2)[chosen], *task.positive, {})
    return replace(made, scores=None)


def _thresholds(task: Task) -> Predictions:
    """Give each group its own threshold so that its error rates equal the others'.

    Source: Hardt, Price and Srebro (2016), fairlearn's ThresholdOptimizer.
    """
    from fairlearn.postprocessing import ThresholdOptimizer

    split = task.fitted_on
    held, test = task.part(split), task.features.part(task.test_split)
    code = _positive_code(task)
    truth = np.asarray(held.annotations.truth == code, np.int64)
    for group in np.unique(_group(held.annotations)):
        if len(set(truth[_group(held.annotations) == group])) < 2:
            level = held.annotations.attributes[0].levels[group]
            raise UntriedError(f"the {split} rows of '{level}' have one label level alone")
    seen = set(_group(held.annotations).tolist())
    if unseen := set(_group(test.annotations).tolist()) - seen:
        levels = [test.annotations.attributes[0].levels[code] for code in sorted(unseen)]
        raise UntriedError(f"no {split} rows of {', '.join(levels)}")
    held_scores, test_scores = _scores(task, split)
    rule = ThresholdOptimizer(
        estimator=_given(), constraints="equalized_odds", prefit=True, predict_method="predict"
    )
    rule.fit(held_scores[:, None], truth, sensitive_features=_group(held.annotations))
    chosen = rule.predict(
        test_scores[:, None],
        sensitive_features=_group(test.annotations),
        random_state=task.seed,
    )
    return _as_answers(task, chosen)


def _given() -> Any:
    """Return a fitted scikit-learn estimator whose prediction is the score that it is given."""
    from sklearn.base import BaseEstimator

    class Given(BaseEstimator):  # type: ignore[misc]
        def fit(self, x: Any, y: Any) -> Any:
            return self

        def predict(self, x: Any) -> Any:
            return np.asarray(x)[:, 0]

        def __sklearn_is_fitted__(self) -> bool:
            return True

    return Given()


def _positive_code(task: Task) -> int:
    label = task.features.annotations.label
    assert label is not None
    return label.levels.index(task.positive[0])


def _scores(task: Task, split: str) -> tuple[Floats, Floats]:
    """Return the linear probe's scores of the positive level, from one fit.

    For the labelled rows of a split, and for the rows of the test split.
    """
    features = replace(task.features, split=task.features.split.copy())
    truth = features.annotations.truth
    assert truth is not None
    features.split[(features.split == split) & (truth < 0)] = ""
    if split == "train":  # judged where it was fitted: there is nothing else
        features = _with_copy(features, np.flatnonzero(features.split == "train"))
        split = "copy"
    both = (split, task.test_split)
    made = predict_each(features, ProbeConfig(), both, *task.positive, task.seed)
    held, test = (made[name].scores for name in both)
    assert held is not None and test is not None
    return held, test


def _with_copy(features: Features, rows: Codes) -> Features:
    """Return the features with some rows once more, as a split of their own."""
    index = np.concatenate([np.arange(len(features.split)), rows])
    split = np.concatenate([features.split, np.full(len(rows), "copy")])
    about = features.annotations.take(index)
    return replace(features, values=features.values[index], split=split, annotations=about)


def _uncorrelated(task: Task) -> Predictions:
    """Take out of every feature what is linear in the attribute, then fit the probe again.

    Source: fairlearn's CorrelationRemover, fitted on the training rows.
    """
    from fairlearn.preprocessing import CorrelationRemover

    features = task.features
    levels = len(features.annotations.attributes[0].levels)
    width = features.values.shape[1]
    group = np.eye(levels)[_group(features.annotations)][:, 1:]
    table = np.hstack([features.values.astype(np.float64), group])
    train = features.split == "train"
    remover = CorrelationRemover(sensitive_feature_ids=list(range(width, width + levels - 1)))
    remover.fit(table[train])
    cleaned = np.asarray(remover.transform(table), np.float32)
    return predict(
        replace(features, values=cleaned), ProbeConfig(), task.test_split, *task.positive, task.seed
    )


def _reduced(task: Task) -> Predictions:
    """Fit a mixture of classifiers under equalized odds.

    Source: Agarwal et al. (2018), fairlearn's ExponentiatedGradient over logistic regression on at
    most `REDUCED_ROWS` training rows.
    """
    from fairlearn.reductions import EqualizedOdds, ExponentiatedGradient
    from sklearn.linear_model import LogisticRegression

    train, test = task.part("train"), task.features.part(task.test_split)
    rows = np.random.default_rng(task.seed).permutation(len(train.values))[:REDUCED_ROWS]
    truth = np.asarray(train.annotations.truth == _positive_code(task), np.int64)[rows]
    group = _group(train.annotations)[rows]
    if any(len(set(truth[group == one])) < 2 for one in np.unique(group)):
        raise UntriedError("a group has one label level alone among the training rows")
    mean, scale = moments(train.values)
    model = ExponentiatedGradient(
        LogisticRegression(max_iter=300), constraints=EqualizedOdds(), max_iter=REDUCTIONS
    )
    model.fit((train.values[rows] - mean) / scale, truth, sensitive_features=group)
    chosen = model.predict((test.values - mean) / scale, random_state=task.seed)
    return _as_answers(task, chosen)


FITTED, ALWAYS = "when fitted", "when fitted and for every answer"
REMEDIES: tuple[Remedy, ...] = (
    Remedy(
        "group-balanced probe",
        "The linear probe with every cell of label and attribute weighing the same.",
        FITTED,
        _probe(ProbeConfig(balanced=True)),
    ),
    Remedy(
        "DFR",
        "The last layer fitted on group-balanced validation rows (Kirichenko et al. 2023).",
        FITTED,
        _probe(ProbeConfig(kind="dfr")),
    ),
    Remedy(
        "thresholds by group",
        "A threshold for each group that equalizes the odds (fairlearn's ThresholdOptimizer).",
        ALWAYS,
        _thresholds,
        binary=True,
    ),
    Remedy(
        "correlation removed",
        "Features without what is linear in the attribute (fairlearn's CorrelationRemover).",
        ALWAYS,
        _uncorrelated,
    ),
    Remedy(
        "reductions",
        "A mixture of probes under equalized odds (fairlearn's ExponentiatedGradient).",
        FITTED,
        _reduced,
        binary=True,
    ),
)
"""What is tried, in the order of the report."""

NAMES: Mapping[str, Remedy] = {remedy.title: remedy for remedy in REMEDIES}
