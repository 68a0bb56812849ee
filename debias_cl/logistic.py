"""Logistic regression on features that do not fit in memory twice. No torch.

The objective is scikit-learn's: the weighted mean of the log loss plus |W|^2 / (2 C n) on features
standardised by their training moments, intercept free. Rows are read in chunks (a memory-mapped
array stays on the disk), centred in a buffer of a few megabytes, and the division by the standard
deviation is folded into the weights: no standardised copy ever exists. Every core works through
rows of its own with single-threaded products: threads inside products this small would only wait
for each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.records import Bools, Codes, Floats

CHUNK_BYTES = 4 * 2**20
"""Size of the float64 buffer that holds the rows at work: what a core's caches hold."""

LEAST_ROWS = 64
"""Rows of a chunk where the features are very wide."""

NUMBERS_A_WORKER = 4 * 2**20
"""Numbers (rows x features) that make one more worker worth its start."""

CONSTANT = 1e-12
"""Spread relative to its mean below which a feature is constant (float32 resolves 6e-8)."""

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Logistic:
    """A fitted model.

    Attributes:
        weights: (D, k) for features as they are; k is K, or 1 where K = 2.
        intercept: (k,) for centred features.
        mean: (D,) subtracted before the product, which keeps its digits.
        scale: (D,) standard deviations; `weights * scale` are those of standardised features.
        iterations: of L-BFGS; the limit where it did not converge.
    """

    weights: Floats
    intercept: Floats
    mean: Floats
    scale: Floats
    iterations: int

    def probabilities(self, rows: Values) -> Floats:
        """Return (m, K) probabilities of (m, D) features, chunk by chunk."""
        found = [
            _softmax(_padded(centred @ self.weights + self.intercept))
            for _, centred in centred_chunks(rows, self.mean)
        ]
        return np.concatenate(found) if found else np.empty((0, max(2, len(self.intercept))))


@dataclass(frozen=True)
class Problem:
    """What is minimised, as L-BFGS calls it."""

    rows: Values
    truth: Codes
    weight: Floats
    mean: Floats
    scale: Floats
    outputs: int
    penalty: float
    """1 / (C n), n the sum of the weights."""
    pool: Executor
    workers: int

    def __call__(self, flat: Floats) -> tuple[float, Floats]:
        """Return the objective and its gradient at ((D + 1) * k,) parameters."""
        table = flat.reshape(-1, self.outputs)
        weights = table[:-1] / self.scale[:, None]
        ends = np.linspace(0, len(self.rows), self.workers + 1).astype(int)
        work = partial(self._over, weights, table[-1])
        parts = list(self.pool.map(work, ends[:-1], ends[1:]))
        loss = sum(part[0] for part in parts) / self.weight.sum()
        slope = np.sum([part[1] for part in parts], axis=0) / self.weight.sum()
        slope[:-1] = slope[:-1] / self.scale[:, None] + self.penalty * table[:-1]
        return loss + 0.5 * self.penalty * float((table[:-1] ** 2).sum()), slope.ravel()

    def _over(
        self, weights: Floats, intercept: Floats, start: int, stop: int
    ) -> tuple[float, Floats]:
        """Sum of the loss, and of its slope, over some rows."""
        slope, loss = np.zeros((len(weights) + 1, self.outputs)), 0.0
        truth, weight = self.truth[start:stop], self.weight[start:stop]
        for part, centred in centred_chunks(self.rows[start:stop], self.mean):
            lost, residual = _loss(centred @ weights + intercept, truth[part], weight[part])
            loss += lost
            slope[:-1] += centred.T @ residual
            slope[-1] += residual.sum(axis=0)
        return loss, slope


def fit(
    rows: Values,
    truth: Codes,
    weight: Floats,
    *,
    c: float = 1.0,
    tolerance: float = 1e-6,
    most_iterations: int = 2000,
) -> Logistic:
    """Fit multinomial logistic regression (binary where K = 2) by full-batch L-BFGS.

    Args:
        rows: (n, D) features, any float type; a `numpy.memmap` is read in chunks.
        truth: (n,) codes 0 ... K - 1, each of them present, K >= 2.
        weight: (n,) weights of the rows, not negative.
        c: inverse strength of the L2 penalty on the weights of standardised features.
        tolerance: largest gradient of the mean loss at which it counts as converged.
        most_iterations: after which it stops in any case.

    Source: the objective of scikit-learn's `LogisticRegression(C=c)` after `StandardScaler`.
    """
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    classes = int(truth.max()) + 1
    outputs = 1 if classes == 2 else classes
    workers = _workers(rows.size)
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        mean, scale = moments(rows)
        penalty = 1 / (c * float(weight.sum()))
        problem = Problem(rows, truth, weight, mean, scale, outputs, penalty, pool, workers)
        found = minimize(
            problem,
            np.zeros((rows.shape[1] + 1) * outputs),
            method="L-BFGS-B",
            jac=True,
            options={
                "maxiter": most_iterations,
                "maxfun": 10 * most_iterations,
                "maxls": 50,
                "gtol": tolerance,
                "ftol": 64 * np.finfo(np.float64).eps,
            },
        )
    table = found.x.reshape(-1, outputs)
    weights = table[:-1] / scale[:, None]
    return Logistic(weights, table[-1], mean, scale, int(found.nit))


def _workers(numbers: int) -> int:
    """As many threads as the linear algebra may use (OMP_NUM_THREADS), one where rows are few."""
    from threadpoolctl import threadpool_info

    allowed = max((pool["num_threads"] for pool in threadpool_info()), default=1)
    return max(1, min(allowed, numbers // NUMBERS_A_WORKER))


def moments(rows: Values) -> tuple[Floats, Floats]:
    """Return (D,) means and standard deviations; 1 for a constant feature, which stays so."""
    zero = np.zeros(rows.shape[1])
    mean = sum((chunk.sum(axis=0) for _, chunk in centred_chunks(rows, zero)), zero) / len(rows)
    squares = (np.einsum("nd,nd->d", chunk, chunk) for _, chunk in centred_chunks(rows, mean))
    scale = np.sqrt(sum(squares, zero) / len(rows))
    scale[scale <= CONSTANT * np.abs(mean)] = 1.0
    return mean, scale


def centred_chunks(rows: Values, mean: Floats) -> Iterator[tuple[slice, Floats]]:
    """Yield (where, rows minus mean) in float64; the next chunk overwrites the last one."""
    size = max(LEAST_ROWS, CHUNK_BYTES // (8 * rows.shape[1]))
    buffer = np.empty((min(size, len(rows)), rows.shape[1]))
    for start in range(0, len(rows), size):
        part = slice(start, min(start + size, len(rows)))
        centred = buffer[: part.stop - start]
        np.subtract(rows[part], mean, out=centred)
        yield part, centred


def finite_rows(rows: Values) -> Bools:
    """Return an (n,) mask of the rows without NaN or infinity, chunk by chunk."""
    found = np.empty(len(rows), np.bool_)
    for part, chunk in centred_chunks(rows, np.zeros(rows.shape[1])):
        found[part] = np.isfinite(chunk).all(axis=1)
    return found


def _loss(logits: Floats, truth: Codes, weight: Floats) -> tuple[float, Floats]:
    """Weighted sum of the log losses, and its (r, k) slope by the logits."""
    shifted = _padded(logits)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=1)
    own = (np.arange(len(truth)), truth)
    lost = float(weight @ (np.log(total) - shifted[own]))
    residual = powers * (weight / total)[:, None]
    residual[own] -= weight
    return lost, residual[:, -logits.shape[1] :]


def _padded(logits: Floats) -> Floats:
    """A single logit is that of the second class; the first class has 0."""
    return np.hstack([np.zeros_like(logits), logits]) if logits.shape[1] == 1 else logits


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares
