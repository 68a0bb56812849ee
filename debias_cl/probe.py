"""Probes: frozen features in, one prediction an example out. No torch.

Each probe is fitted on the training split's features and label and judges the test split.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from debias_cl.config import ProbeConfig
from debias_cl.dfr import balancing_rows, balancing_split, reweighted
from debias_cl.errors import DataError, UsageError, did_you_mean
from debias_cl.knn import Values, knn_shares
from debias_cl.logistic import finite_rows
from debias_cl.logistic import fit as fit_streamed
from debias_cl.records import Annotations, Codes, Column, Features, Floats, Predictions

MOST_ITERATIONS = 2000
"""Iterations after which the logistic probe says that it did not converge."""

TOLERANCE = 1e-6
"""Largest gradient of the mean loss at which the logistic probe counts as converged."""

STREAMED_BYTES = 64 * 2**20
"""Size of the standardised features above which they are never made, and rows come in chunks."""


@dataclass(frozen=True)
class Task:
    """What a probe is given."""

    train: Values
    """(n, D) training features."""
    truth: Codes
    """(n,) codes of the label, none missing."""
    weight: Floats
    """(n,) weights with mean 1."""
    test: Values
    """(m, D) features to judge."""
    classes: int
    """Number of label levels K."""
    seed: int
    features: Features
    """All splits, as given."""
    test_split: str
    """The split that is judged: nothing may be fitted on it."""


Judgement = tuple[Floats, tuple[str, ...]]
"""What a probe gives: (m, K) probabilities (or shares of votes), and notes for the report."""


def predict(
    features: Features,
    probe: ProbeConfig,
    test_split: str,
    positive: str,
    positive_source: str,
    seed: int,
) -> Predictions:
    """Fit a probe on the training split and predict the label of the test split.

    `probe.balanced` lets every cell (label level x level of the first attribute) weigh the same.

    Args:
        features: all splits; "train" and `test_split` must be there.
        probe: kind and settings.
        test_split: split to predict.
        positive: favourable level, whose probability becomes the score of a two-level label.
        positive_source: who chose it.
        seed: of the SGD probe's order and start.

    Returns:
        Predictions of all rows of the test split; no scores for more than two label levels.

    Raises:
        DataError: a split is absent, a feature is not finite, or the training label is constant.
        UsageError: `positive` is no level of the label.
    """
    train, test = (_split(features, name) for name in ("train", test_split))
    label = _label(train.annotations)
    if positive not in label.levels:
        raise UsageError(
            f"the label '{label.name}' has no level '{positive}'",
            remedy=did_you_mean(positive, label.levels),
        )
    train, notes = _labelled(train, label)
    assert train.annotations.truth is not None
    weight = _weights(train.annotations, probe.balanced)
    codes, classes = train.annotations.truth, len(label.levels)
    task = Task(train.values, codes, weight, test.values, classes, seed, features, test_split)
    probability, more = PROBES[probe.kind](task, probe)
    cells = training_cells(train.annotations)
    return predictions(
        test.annotations, probability, positive, positive_source, cells, (*notes, *more)
    )


def predict_each(
    features: Features,
    probe: ProbeConfig,
    splits: Sequence[str],
    positive: str,
    positive_source: str,
    seed: int,
) -> dict[str, Predictions]:
    """Fit a probe once and predict the label of several splits: as one split to the probe.

    Args:
        splits: to predict; nothing is fitted on them. For the others see `predict`.

    Returns:
        split -> predictions of its rows.
    """
    held = np.isin(features.split, splits)
    both = replace(features, split=np.where(held, "held out", features.split))
    made = predict(both, probe, "held out", positive, positive_source, seed)
    rows = features.split[held]
    return {name: made.take(rows == name) for name in splits}


def predictions(
    annotations: Annotations,
    probability: Floats,
    positive: str,
    positive_source: str,
    cells: Mapping[str, Codes],
    notes: tuple[str, ...] = (),
) -> Predictions:
    """Make `Predictions` of (m, K) class probabilities: the most probable level, and its score.

    A probability of exactly one half goes to the positive level, as a score at the threshold does.
    """
    levels = _label(annotations).levels
    predicted = probability.argmax(axis=1).astype(np.int64)
    scores = None
    if len(levels) == 2:
        code = levels.index(positive)
        scores = np.ascontiguousarray(probability[:, code], dtype=np.float64)
        predicted = np.where(scores >= 0.5, code, 1 - code).astype(np.int64)
    return Predictions(
        annotations, predicted, levels, scores, positive, positive_source, dict(cells), notes
    )


def training_cells(annotations: Annotations) -> dict[str, Codes]:
    """Return attribute name -> (label levels, attribute levels) counts of labelled rows."""
    if annotations.truth is None:
        return {}
    known = annotations.take(annotations.truth >= 0)
    return {column.name: known.cell_counts(column.name) for column in known.attributes}


def _split(features: Features, name: str) -> Features:
    part = features.part(name)
    if len(part.values) == 0:
        raise DataError(
            f"the features have no split '{name}'",
            expected=f"one of: {', '.join(sorted(set(features.split.tolist())))}",
        )
    bad = ~finite_rows(part.values)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of {len(bad)} feature rows hold NaN or infinity",
            where=f"split '{name}', first {part.annotations.ids[bad.argmax()]}",
            remedy="train again with a lower learning rate, or check the checkpoint",
        )
    return part


def _label(annotations: Annotations) -> Column:
    if annotations.label is None or annotations.truth is None:
        raise DataError("these features have no label to fit a probe on")
    return annotations.label


def _labelled(train: Features, label: Column) -> tuple[Features, tuple[str, ...]]:
    """Leave training rows without a label out, and refuse a label that is constant."""
    truth = train.annotations.truth
    assert truth is not None
    known = truth >= 0
    notes: tuple[str, ...] = ()
    if not known.all():
        notes = (f"{int((~known).sum())} training rows have no label: not used by the probe",)
        train = Features(
            train.values[known], train.split[known], train.annotations.take(known), train.encoder
        )
    levels = np.unique(truth[known])
    if len(levels) < 2:
        only = f" (only '{label.levels[levels[0]]}')" if len(levels) else ""
        raise DataError(
            f"the label '{label.name}' has fewer than two levels in the training split{only}",
            expected="at least two label levels, to fit a probe",
            remedy="another --attr, another split, or more data",
        )
    return train, notes


def _weights(annotations: Annotations, balanced: bool) -> Floats:
    """(n,) weights with mean 1; balanced: every cell that has rows weighs the same."""
    if not balanced:
        return np.ones(len(annotations))
    if not annotations.attributes:
        raise UsageError("a balanced probe needs an attribute", remedy="name a --bias-attr")
    name = annotations.attributes[0].name
    counts = annotations.cell_counts(name)
    own = counts[annotations.truth, annotations.groups[name]]
    weights: Floats = len(annotations) / (np.count_nonzero(counts) * own.astype(np.float64))
    return weights


def _logistic(task: Task, probe: ProbeConfig) -> Judgement:
    """Multinomial logistic regression with an L2 penalty on standardised features (lbfgs).

    The same objective, tolerance and limit either way: scikit-learn on a standardised float64 copy
    while that is at most `STREAMED_BYTES`, else `debias_cl.logistic` on the rows where they are.
    """
    streamed = task.train.size * np.dtype(np.float64).itemsize > STREAMED_BYTES
    found, classes, steps = (_by_chunks if streamed else _by_scikit_learn)(task, probe)
    probability = np.zeros((len(task.test), task.classes))
    probability[:, classes] = found
    stopped = f"the logistic probe did not converge in {MOST_ITERATIONS} iterations"
    return probability, (stopped,) if steps >= MOST_ITERATIONS else ()


def _by_chunks(task: Task, probe: ProbeConfig) -> tuple[Floats, Codes, int]:
    """Probabilities of the test rows, the classes that training has, and the iterations."""
    classes, truth = np.unique(task.truth, return_inverse=True)
    model = fit_streamed(
        task.train,
        truth,
        task.weight,
        c=probe.c,
        tolerance=TOLERANCE,
        most_iterations=MOST_ITERATIONS,
    )
    return model.probabilities(task.test), classes, model.iterations


def _by_scikit_learn(task: Task, probe: ProbeConfig) -> tuple[Floats, Codes, int]:
    """The same from scikit-learn."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    train = task.train.astype(np.float64)
    mean, sd = train.mean(axis=0), train.std(axis=0)
    sd[sd == 0] = 1.0  # a constant feature stays constant
    model = LogisticRegression(C=probe.c, max_iter=MOST_ITERATIONS, tol=TOLERANCE)
    # Small products only wait for each other on several threads; on a busy machine 40 times longer.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # said in the notes instead
        model.fit((train - mean) / sd, task.truth, sample_weight=task.weight)
    return model.predict_proba((task.test - mean) / sd), model.classes_, int(np.max(model.n_iter_))


def _sgd(task: Task, probe: ProbeConfig) -> Judgement:
    """Linear classifier by SGD on the features as they are, as the paper evaluates.

    Momentum 0.9, no weight decay, the rate falls by 0.2 after 60, 75 and 90 % of the epochs.

    Source: the linear evaluation of SupContrast and of the ConTeX code (batch 512, rate 5, 100
    epochs). Deviation: the features are computed once, without augmentation.
    """
    rng = np.random.default_rng(task.seed)
    n, width = task.train.shape
    bound = 1 / np.sqrt(width)
    table = rng.uniform(-bound, bound, (width + 1, task.classes)).astype(np.float32)
    speed = np.zeros_like(table)
    rows = np.hstack([task.train, np.ones((n, 1))]).astype(np.float32)
    truth = np.eye(task.classes, dtype=np.float32)[task.truth]
    weight = task.weight.astype(np.float32)
    for epoch in range(probe.epochs):
        rate = probe.learning_rate * 0.2 ** sum(
            epoch >= int(share * probe.epochs) for share in (0.6, 0.75, 0.9)
        )
        for batch in np.array_split(rng.permutation(n), max(1, round(n / probe.batch_size))):
            x = rows[batch]
            error = (_softmax(x @ table) - truth[batch]) * weight[batch, None]
            speed = 0.9 * speed + x.T @ error / len(batch)
            table -= np.float32(rate) * speed
    if not np.isfinite(table).all():
        lower = f"a lower rate than {probe.learning_rate} for features of this size"
        raise DataError("the SGD probe diverged", expected=lower, remedy="--probe logistic")
    test = np.hstack([task.test, np.ones((len(task.test), 1))]).astype(np.float32)
    logits = (test @ table).astype(np.float64)
    logits[:, np.setdiff1d(np.arange(task.classes), task.truth)] = -np.inf  # never seen
    return _softmax(logits), ()


def _softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _knn(task: Task, probe: ProbeConfig) -> Judgement:
    """Votes of the nearest training rows by cosine."""
    votes = (task.train, task.truth, task.test, probe.neighbours, task.classes, task.weight)
    return knn_shares(*votes), ()


def _dfr(task: Task, probe: ProbeConfig) -> Judgement:
    """Deep feature reweighting on group-balanced subsets of the validation (or training) split."""
    source = balancing_split(task.features, task.test_split)
    rows = balancing_rows(_split(task.features, source), source)
    return reweighted(task.train, rows, task.test, task.classes, probe, task.seed)


PROBES: Mapping[str, Callable[[Task, ProbeConfig], Judgement]] = {
    "logistic": _logistic,
    "sgd": _sgd,
    "knn": _knn,
    "dfr": _dfr,
}
