"""Deep feature reweighting (DFR): a last layer fitted where every group counts the same. No torch.

Source: Kirichenko et al., 'Last layer re-training is sufficient for robustness to spurious
correlations', ICLR 2023, arXiv 2204.02937; PolinaKirichenko/deep_feature_reweighting commit
9d8d5de, dfr_evaluate_spurious.py (DFR on validation, no training rows added): features standardised
by the moments of the training split, C chosen by the worst group of one half of the validation
split after a fit on a balanced subset of the other half, then the mean of 20 L1 fits on balanced
subsets of the whole split (liblinear, which penalises the intercept too).
Deviations: features have the training moments while C is chosen as well (the code takes those of
the half); more than two labels are fitted one against the rest; a label x attribute cell without
rows is left out; up to 1,000 iterations (theirs 100). Without a validation split the subsets are
drawn from the training split, as the paper's DFR on training data does, and C is chosen on its
halves.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from debias_cl.config import ProbeConfig
from debias_cl.errors import DataError, UsageError
from debias_cl.knn import Values
from debias_cl.logistic import moments
from debias_cl.records import Codes, Features, Floats

MOST_ITERATIONS = 1000


@dataclass(frozen=True)
class Rows:
    """What balanced subsets are drawn from.

    Attributes:
        values: (n, D) features.
        truth: (n,) codes of the label, none missing.
        cell: (n,) codes of the label x attribute cells that have rows, 0 ... cells - 1.
        split: where they come from.
        empty: cells without rows.
    """

    values: Values
    truth: Codes
    cell: Codes
    split: str
    empty: int

    def take(self, index: Codes) -> Rows:
        """Return the rows at `index`."""
        cell = self.cell[index]
        return Rows(self.values[index], self.truth[index], cell, self.split, self.empty)

    def balanced(self, rng: np.random.Generator) -> Rows:
        """Return a random subset with the same number of rows of every cell that has any."""
        cells = [np.flatnonzero(self.cell == cell) for cell in np.unique(self.cell)]
        least = min(len(rows) for rows in cells)
        return self.take(np.concatenate([rng.permutation(rows)[:least] for rows in cells]))


@dataclass(frozen=True)
class LastLayer:
    """A linear classifier, for each label level against the rest (one row where there are two).

    Attributes:
        coefficients: (k, D); intercepts: (k,).
        levels: codes of the label that were seen: (k,), two where k = 1.
        converged: whether all fits behind it were.
    """

    coefficients: Floats
    intercepts: Floats
    levels: Codes
    converged: bool = True

    def probabilities(self, values: Values, classes: int) -> Floats:
        """Return (m, K) logistic probabilities of each level, scaled to the sum 1."""
        logits = values @ self.coefficients.T + self.intercepts
        log = -np.logaddexp(0, -logits)
        if len(self.levels) == 2:
            log = np.hstack([-np.logaddexp(0, logits), log])
        powers = np.exp(log - log.max(axis=1, keepdims=True))
        probability = np.zeros((len(values), classes))
        probability[:, self.levels] = powers / powers.sum(axis=1, keepdims=True)
        return probability


def balancing_split(features: Features, test_split: str) -> str:
    """Return the split to balance: "validation" unless it is absent or judged, else "train"."""
    there = set(features.split.tolist()) - {test_split}
    return "validation" if "validation" in there else "train"


def balancing_rows(part: Features, split: str) -> Rows:
    """Return the rows of a split with their cells of label x first attribute.

    Raises:
        UsageError: there is no attribute.
        DataError: fewer than two label levels.
    """
    about = part.annotations
    if not about.attributes or about.label is None or about.truth is None:
        raise UsageError("DFR needs a label and an attribute to balance", remedy="name --bias-attr")
    column = about.attributes[0]
    known = np.flatnonzero(about.truth >= 0)
    truth = about.truth[known]
    if len(np.unique(truth)) < 2:
        raise DataError(
            f"the label '{about.label.name}' has fewer than two levels in the split '{split}'",
            expected="at least two label levels, to fit DFR",
        )
    codes = truth * len(column.levels) + about.groups[column.name][known]
    found, cell = np.unique(codes, return_inverse=True)
    empty = len(about.label.levels) * len(column.levels) - len(found)
    return Rows(part.values[known], truth, cell.astype(np.int64), split, empty)


def reweighted(
    train: Values, rows: Rows, test: Values, classes: int, probe: ProbeConfig, seed: int
) -> tuple[Floats, tuple[str, ...]]:
    """Fit DFR and judge the test rows.

    Args:
        train: (n, D) training features, for their moments alone.
        rows: what is balanced.
        test: (m, D) features to judge.
        classes: number of label levels K.
        probe: `l1_c` and `retrains` are read.
        seed: of the subsets and of liblinear's order.

    Returns:
        (m, K) probabilities, and notes for the report.

    Raises:
        UsageError: no C to choose from, or no fit to average.
    """
    if not probe.l1_c or min(probe.l1_c) <= 0 or probe.retrains < 1:
        raise UsageError(
            f"DFR has l1_c {probe.l1_c} and {probe.retrains} retrains",
            expected="C above 0, and at least one fit",
        )
    mean, scale = moments(train)
    scaled = Rows((rows.values - mean) / scale, rows.truth, rows.cell, rows.split, rows.empty)
    rng = np.random.default_rng(seed)
    c, notes = choose_c(scaled, probe.l1_c, rng)
    layer = averaged(scaled, c, probe.retrains, rng)
    if not layer.converged:
        notes += (f"DFR: a fit did not converge in {MOST_ITERATIONS} iterations",)
    said = (_described(rows, c, probe.retrains), *notes)
    return layer.probabilities((test - mean) / scale, classes), said


def _described(rows: Rows, c: float, retrains: int) -> str:
    counts = np.bincount(rows.cell)
    text = (
        f"DFR: mean of {retrains} L1 fits (C {c:g}), each on {counts.min()} rows of each of the "
        f"{len(counts)} label x attribute cells of the split '{rows.split}'"
    )
    return text + (f"; {rows.empty} cells have no row there" if rows.empty else "")


def choose_c(
    rows: Rows, choices: tuple[float, ...], rng: np.random.Generator
) -> tuple[float, tuple[str, ...]]:
    """Return the C with the best worst-cell accuracy on a half of the rows, and notes.

    The fit is on a balanced subset of the other half. The first of equally good ones is taken.
    """
    if len(choices) == 1:
        return choices[0], ()
    order = rng.permutation(len(rows.truth))
    judged, fitted = rows.take(order[: len(order) // 2]), rows.take(order[len(order) // 2 :])
    if len(np.unique(fitted.truth)) < len(np.unique(rows.truth)) or not len(judged.truth):
        return choices[0], (f"DFR: too few rows of '{rows.split}' to choose C from halves",)
    subset, seed = fitted.balanced(rng), int(rng.integers(2**31))
    worst = [_worst(fit(subset.values, subset.truth, c, seed), judged) for c in choices]
    return choices[int(np.argmax(worst))], ()


def _worst(layer: LastLayer, judged: Rows) -> float:
    classes = int(max(judged.truth.max(), layer.levels.max())) + 1
    right = layer.probabilities(judged.values, classes).argmax(axis=1) == judged.truth
    return min(float(right[judged.cell == cell].mean()) for cell in np.unique(judged.cell))


def averaged(rows: Rows, c: float, retrains: int, rng: np.random.Generator) -> LastLayer:
    """Return the mean of several fits, each on a balanced subset of standardised rows."""
    layers = []
    for _ in range(retrains):
        subset = rows.balanced(rng)
        layers.append(fit(subset.values, subset.truth, c, int(rng.integers(2**31))))
    return LastLayer(
        np.mean([layer.coefficients for layer in layers], axis=0),
        np.mean([layer.intercepts for layer in layers], axis=0),
        layers[0].levels,
        all(layer.converged for layer in layers),
    )


def fit(
    values: Values, truth: Codes, c: float, seed: int = 0, weight: Floats | None = None
) -> LastLayer:
    """Minimise |w|_1 + |b| + C sum_i weight_i log(1 + exp(-s_i (w x_i + b))) for each level.

    Args:
        values: (n, D) standardised features.
        truth: (n,) codes, at least two different.
        c: above 0; it multiplies the SUM of the losses, as in scikit-learn.
        seed: of the order in which coordinates are visited.
        weight: (n,) weights; None is one each.

    Returns:
        The layer; the intercept b is penalised, as liblinear does.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    levels = np.unique(truth)
    ours = levels[1:] if len(levels) == 2 else levels
    # scikit-learn 1.8 renamed the choice of the penalty.
    renamed = LogisticRegression().penalty == "deprecated"
    l1: dict[str, Any] = {"l1_ratio": 1.0} if renamed else {"penalty": "l1"}
    coefficients, intercepts, converged = [], [], True
    for level in ours:
        model = LogisticRegression(
            C=c, solver="liblinear", max_iter=MOST_ITERATIONS, random_state=seed, **l1
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # said in the notes instead
            model.fit(values, truth == level, sample_weight=weight)
        coefficients.append(model.coef_[0])
        intercepts.append(float(model.intercept_[0]))
        converged &= int(np.max(model.n_iter_)) < MOST_ITERATIONS
    return LastLayer(np.array(coefficients), np.array(intercepts), levels, converged)
