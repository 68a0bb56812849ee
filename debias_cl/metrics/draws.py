"""Fallback intervals by simulation from counts, for what has no closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.metrics.proportions import Array, Z, share

Statistic = Callable[[Array], Array]
"""Tables of shape (draws, ...) -> (draws,) values; NaN where undefined."""

MOST_COUNTS = 8
DRAWS = 10_000
DIRICHLET = "draws from Dirichlet(counts + 1/2) within groups"
BOOTSTRAP = "multinomial bootstrap of the count table, approximate"
TOO_MANY = f"no interval: more than {MOST_COUNTS} counts"


def dirichlet(
    table: npt.NDArray[Any],
    statistic: Statistic,
    seed: Sequence[int],
    draws: int = DRAWS,
    sizes: npt.NDArray[Any] | None = None,
) -> tuple[float, float] | None:
    """Return the 2.5 and 97.5 % points of a statistic under Dirichlet(counts + 1/2).

    Args:
        table: (groups, ...) counts, at most eight in all: in a sum over more cells the prior adds
            up and the draws sit off centre.
        statistic: of tables that keep each group's size.
        seed: seed of the generator.
        draws: number of draws.
        sizes: (groups,) what the groups of a drawn table add up to; None: as in `table`. Where
            rows are weighted, `table` holds effective counts and `sizes` the sums of weights.

    Returns:
        Low and high; None where there are more than eight counts or no finite draw.
    """
    counts = np.asarray(table, np.float64)
    if counts.size > MOST_COUNTS:
        return None
    rng = np.random.default_rng(seed)
    inner = tuple(range(2, counts.ndim + 1))
    drawn = rng.standard_gamma(counts + 0.5, size=(draws, *counts.shape))
    size = counts.sum(tuple(range(1, counts.ndim)), keepdims=True)
    if sizes is not None:
        size = np.asarray(sizes, np.float64).reshape(size.shape)
    values = statistic(drawn / drawn.sum(inner, keepdims=True) * size)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def bootstrap(
    table: npt.NDArray[Any],
    statistic: Callable[[Array], Array],
    seed: Sequence[int],
    draws: int = 1_000,
    observed: npt.NDArray[Any] | None = None,
) -> tuple[Array, Array]:
    """Return approximate limits of nonlinear means over many classes.

    Args:
        table: (classes, predictions) whole counts of one group, effective where rows are weighted
            or of persons.
        statistic: (draws, classes, predictions) -> (k, draws), k statistics at once.
        seed: seed of the generator.
        draws: number of draws.
        observed: the sums of weights that the estimate is of; None: `table` itself.

    Returns:
        (k,) low and high: 2 x estimate - mean of draws +- 1.96 sd, label sizes kept.
    """
    rng = np.random.default_rng(seed)
    real = table if observed is None else observed
    sizes, every = table.sum(1), real.sum(1)
    chances = real / np.where(every > 0, every, 1)[:, None]
    chances[every <= 0, 0] = 1.0
    drawn = rng.multinomial(sizes, chances, size=(draws, len(sizes))).astype(float)
    if observed is not None:  # labels keep the weights that they have in the estimate
        drawn *= share(every, sizes)[:, None]
        drawn = np.nan_to_num(drawn)
    values = statistic(drawn)
    estimate = statistic(np.asarray(real, np.float64)[None])[:, 0]
    centre = 2 * estimate - values.mean(1)
    half = Z * values.std(1, ddof=1)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)
