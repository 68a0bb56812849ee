"""Simulated intervals: what they cover, and where they are refused."""

from __future__ import annotations

import numpy as np
import pytest

from debias_cl.metrics import combinations, draws
from debias_cl.metrics.amplification import zhao


def test_dirichlet_of_one_rate_is_jeffreys() -> None:
    """tp of tp + fn under Dirichlet(counts + 1/2) is Beta(tp + 1/2, fn + 1/2)."""
    from scipy import stats

    table = np.array([[[30, 12], [5, 19]]])
    found = draws.dirichlet(table, lambda t: t[:, 0, 1, 1] / t[:, 0, 1].sum(-1), [1], 40_000)
    assert found == pytest.approx(stats.beta(19.5, 5.5).ppf([0.025, 0.975]), abs=0.01)


def test_more_than_eight_counts_are_refused() -> None:
    assert draws.dirichlet(np.ones((3, 2, 2)), lambda t: t[:, 0, 0, 0], [0]) is None
    assert draws.dirichlet(np.ones((2, 2, 2)), lambda t: t[:, 0, 0, 0] * np.nan, [0]) is None


def test_draws_keep_the_size_of_each_group() -> None:
    table = np.array([[[9, 1], [2, 8]], [[4, 4], [4, 4]]])
    sizes: list[np.ndarray] = []

    def statistic(drawn: np.ndarray) -> np.ndarray:
        sizes.append(drawn.sum((2, 3)))
        return drawn[:, 0, 0, 0]

    draws.dirichlet(table, statistic, [0], 50)
    np.testing.assert_allclose(sizes[0], np.broadcast_to([20, 16], (50, 2)))


def test_coverage_of_bias_amplification_by_simulation() -> None:
    rng = np.random.default_rng(0)
    chances = np.array([[[0.35, 0.1], [0.1, 0.45]], [[0.55, 0.15], [0.05, 0.25]]])
    sizes = np.array([200, 150])
    truth = float(zhao(chances * sizes[:, None, None]))
    held = 0
    for i in range(200):
        table = np.stack(
            [rng.multinomial(n, c.ravel()) for n, c in zip(sizes, chances, strict=True)]
        )
        found = draws.dirichlet(table.reshape(2, 2, 2), zhao, [i], 1_000)
        assert found is not None
        held += found[0] <= truth <= found[1]
    assert held >= 0.9 * 200


def test_bootstrap_of_macro_f1_covers_by_simulation() -> None:
    from debias_cl.metrics.rates import nonlinear_means

    rng = np.random.default_rng(1)
    chances = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]])
    sizes = np.array([80, 60, 40])
    truth = nonlinear_means((chances * sizes[:, None])[None])[:, 0]
    held = np.zeros(4)
    for i in range(200):
        low, high = draws.bootstrap(rng.multinomial(sizes, chances), nonlinear_means, [i], 200)
        held += (low <= truth) & (truth <= high)
    assert (held >= 0.88 * 200).all()


def test_coverage_of_the_paired_sum_over_cells_by_simulation() -> None:
    rng = np.random.default_rng(2)
    sizes = np.array([20, 60, 200])
    chances = np.array([[0.2, 0.05, 0.75], [0.1, 0.1, 0.8], [0.02, 0.06, 0.92]])
    weights = np.full(3, 1 / 3)
    truth = float((weights * (chances[:, 0] - chances[:, 1])).sum())
    table = np.stack([rng.multinomial(sizes, chances) for _ in range(1_000)])
    n = np.broadcast_to(sizes, (1_000, 3))
    _, low, high = combinations.paired(
        table[..., 0], table[..., 1], n, np.broadcast_to(weights, (1_000, 3))
    )
    assert 0.93 <= np.mean((low <= truth) & (truth <= high)) <= 0.99
