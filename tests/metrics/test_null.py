"""Chance from counts alone, against shuffling the rows themselves and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from debias_cl.metrics import null

PICK = null.Pick("true_positive_rate", "1", (0,), 1)


def row_shuffles(table: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Shuffle the group of every row within one stratum: gaps and chi-square statistics."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(table)), table.sum(1))
    outcome = np.concatenate([np.repeat(np.arange(table.shape[1]), row) for row in table])
    sizes = table.sum(1)
    gaps, statistics = [], []
    for _ in range(count):
        x = np.bincount(rng.permutation(group), weights=outcome == 1, minlength=len(table))
        gaps.append((x / sizes).max() - (x / sizes).min())
        statistics.append(float(null.chi_square(x, sizes)))
    return np.array(gaps), np.array(statistics)


@pytest.mark.parametrize("outcomes", [2, 3])
def test_counts_alone_give_what_shuffled_rows_give(outcomes: int) -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(3, 40, (4, 1, outcomes))
    drawn = null.shuffled(table, np.ones((4, 1), bool), 4_000, [1])
    x, n = PICK.read(drawn)
    gaps, statistics = row_shuffles(table[:, 0], 4_000, 2)
    ours = (x / n).max(1) - (x / n).min(1)
    assert ours.mean() == pytest.approx(gaps.mean(), abs=0.006)
    assert np.quantile(ours, 0.95) == pytest.approx(np.quantile(gaps, 0.95), abs=0.02)
    assert stats.ks_2samp(null.chi_square(x, n), statistics).pvalue > 0.001


def test_both_margins_are_kept() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 9, (5, 3, 4))
    drawn = null.shuffled(table, np.ones((5, 3), bool), 200, [0])
    np.testing.assert_array_equal(drawn.sum(3), np.broadcast_to(table.sum(2), (200, 5, 3)))
    np.testing.assert_array_equal(drawn.sum(1), np.broadcast_to(table.sum(0), (200, 3, 4)))
    assert (drawn >= 0).all()
    assert drawn.std(0).sum() > 0


def test_groups_that_do_not_take_part_stay() -> None:
    table = np.array([[[5, 5]], [[9, 1]], [[2, 3]]])
    drawn = null.shuffled(table, np.array([[True], [True], [False]]), 50, [0])
    assert (drawn[:, 2] == table[2]).all()
    assert (drawn[:, :2].sum(1) == table[:2].sum(0)).all()


def test_equal_seeds_give_equal_draws() -> None:
    table = np.array([[[5, 5]], [[9, 1]], [[2, 3]]])
    keep = np.ones((3, 1), bool)
    np.testing.assert_array_equal(
        null.shuffled(table, keep, 20, [4]), null.shuffled(table, keep, 20, [4])
    )


def test_two_groups_are_exact() -> None:
    """The two-sided p by distance of the rates; scipy's hypergeometric is the second path."""
    x, n = np.array([9, 30]), np.array([20, 41])
    found = null.exact_two_groups(x, n)
    assert found is not None
    k = np.arange(0, 21)
    weights = stats.hypergeom.pmf(k, n.sum(), n[0], x.sum())
    gaps = np.abs(k / n[0] - (x.sum() - k) / n[1])
    inside = weights > 0
    assert found.p == pytest.approx(weights[inside & (gaps >= abs(9 / 20 - 30 / 41) - 1e-12)].sum())
    assert found.square == pytest.approx((weights * gaps**2)[inside].sum())
    assert weights[inside & (gaps <= found.gap95)].sum() >= 0.95
    assert weights[inside & (gaps < found.gap95)].sum() < 0.95


def test_two_groups_exact_and_drawn_agree() -> None:
    table = np.array([[[30, 20]], [[25, 45]]])
    keep = np.ones((2, 1), bool)
    drawn = null.shuffled(table, keep, 20_000, [7])
    found = null.chance(drawn, [PICK], [keep[:, 0]], table)
    exact = null.exact_two_groups(*PICK.read(table))
    assert found is not None
    assert exact is not None
    assert found.p == pytest.approx(exact.p, abs=0.004)
    assert found.gap95 == pytest.approx(exact.gap95, abs=0.02)
    assert found.square == pytest.approx(exact.square, rel=0.05)
    assert found.ratio05 == pytest.approx(exact.ratio05, abs=0.03)


def test_two_large_groups_stay_exact_and_quick() -> None:
    found = null.exact_two_groups(np.array([40_000_000, 39_990_000]), np.array([50_000_000] * 2))
    assert found is not None
    z = 10_000 / np.sqrt(100_000_000 * 0.7999 * (1 - 0.7999))
    assert found.p == pytest.approx(2 * stats.norm.sf(z), rel=0.05)


def test_p_value_counts_itself_and_ties() -> None:
    assert null.p_value(2.0, np.array([1.0, 2.0, 3.0])) == pytest.approx(3 / 4)
    assert null.p_value(9.0, np.zeros(99)) == pytest.approx(0.01)


def test_constant_outcomes_give_p_1() -> None:
    table = np.array([[[0, 5]], [[0, 9]], [[0, 3]]])
    keep = np.ones((3, 1), bool)
    drawn = null.shuffled(table, keep, 99, [0])
    found = null.chance(drawn, [PICK], [keep[:, 0]], table)
    assert found is not None
    assert (found.p, found.gap95, found.ratio05) == (1.0, 0.0, 1.0)


def test_size_of_the_test_is_near_its_level() -> None:
    """Without any gap, p <= .05 in about five of a hundred tables."""
    rng = np.random.default_rng(9)
    n, small = np.array([40, 60, 90]), 0
    for i in range(300):
        x = rng.binomial(n, 0.6)
        table = np.stack([n - x, x], 1)[:, None]
        drawn = null.shuffled(table, np.ones((3, 1), bool), 199, [i])
        found = null.chance(drawn, [PICK], [np.ones(3, bool)], table)
        assert found is not None
        small += found.p <= 0.05
    assert 4 <= small <= 27
