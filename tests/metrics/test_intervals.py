"""Intervals against published examples, direct optimisation and exact enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from debias_cl.metrics import combinations, extremes, proportions, ratios

Z = proportions.Z
ONE_ROW = np.array([1.0])


def test_wilson_solves_its_quadratic() -> None:
    x, n = np.array([1, 7, 19, 33]), np.array([20, 20, 20, 40])
    for limit in proportions.wilson(x, n):
        np.testing.assert_allclose((x / n - limit) ** 2, Z**2 * limit * (1 - limit) / n, rtol=1e-9)


def test_wilson_against_scipy() -> None:
    for x, n in [(0, 5), (5, 5), (3, 17), (999, 1000)]:
        published = stats.binomtest(x, n).proportion_ci(method="wilson")
        low, high = proportions.wilson(np.array(x), np.array(n))
        np.testing.assert_allclose([low, high], [published.low, published.high], atol=1e-12)


def test_clopper_pearson_against_scipy() -> None:
    for x, n in [(0, 5), (5, 5), (3, 17), (999, 1000), (1, 1)]:
        published = stats.binomtest(x, n).proportion_ci(method="exact")
        low, high = proportions.clopper_pearson(np.array(x), np.array(n))
        np.testing.assert_allclose([low, high], [published.low, published.high], atol=1e-7)


def test_ends_are_exact_and_nothing_is_claimed_of_no_rows() -> None:
    for method in ("wilson", "exact"):
        low, high = proportions.limits(np.array([0, 9, 0]), np.array([9, 9, 0]), method)  # type: ignore[arg-type]
        assert low[0] == 0.0
        assert high[1] == 1.0
        assert np.isnan([low[2], high[2]]).all()


def test_newcombe_published() -> None:
    """Newcombe (1998), example (a): 56/70 - 48/80."""
    low, high = extremes.newcombe(np.array([56, 48]), np.array([70, 80]), Z)
    assert (round(float(low[0, 1]), 4), round(float(high[0, 1]), 4)) == (0.0524, 0.3339)
    np.testing.assert_allclose(low, -high.T, atol=1e-12)


def test_miettinen_nurminen_published() -> None:
    """The same example by the score method: .0528 to .3382."""
    estimate, low, high = combinations.difference(56, 70, 48, 80)
    assert estimate == pytest.approx(0.2)
    assert (round(float(low), 4), round(float(high), 4)) == (0.0528, 0.3382)
    _, low, high = combinations.linear(np.array([56, 48]), np.array([70, 80]), np.array([1.0, -1]))
    assert (round(float(low), 4), round(float(high), 4)) == (0.0528, 0.3382)


def test_koopman_published() -> None:
    """Koopman (1984), 36/40 : 16/80 = 4.5 (2.94 to 7.15); he has no factor N/(N-1)."""
    plain = Z * (119 / 120) ** 0.5
    estimate, low, high = ratios.ratio(36, 40, 16, 80, z=plain)
    assert float(estimate) == pytest.approx(4.5)
    assert (round(float(low), 2), round(float(high), 2)) == (2.94, 7.15)


def test_tango_without_discordant_rows_has_width() -> None:
    n = 20.0
    value, low, high = combinations.paired(0 * ONE_ROW, 0 * ONE_ROW, n * ONE_ROW, ONE_ROW)
    assert float(value) == 0
    end = Z**2 / (n + Z**2)
    np.testing.assert_allclose([low, high], [-end, end], atol=1e-9)


@pytest.mark.parametrize("b, c, n", [(9, 5, 43), (0, 7, 30), (3, 3, 12), (10, 0, 10), (1, 0, 200)])
def test_tango_solves_its_equation(b: int, c: int, n: int) -> None:
    """Tango (1998): both ends satisfy (b - c - nd)^2 = z^2 n (2q + d(1-d))."""
    _, low, high = combinations.paired(b * ONE_ROW, c * ONE_ROW, n * ONE_ROW, ONE_ROW)
    for d in (float(low), float(high)):
        if abs(d) > 1 - 1e-9:
            continue
        middle = -b - c + (2 * n - b + c) * d
        q = (np.sqrt(middle**2 + 8 * n * c * d * (1 - d)) - middle) / (4 * n)
        assert (b - c - n * d) ** 2 == pytest.approx(Z**2 * n * (2 * q + d * (1 - d)), rel=1e-6)


def test_paired_of_swapped_models_is_mirrored() -> None:
    gained, lost, n = np.array([4, 0, 9]), np.array([2, 3, 1]), np.array([30, 12, 50])
    weights = np.array([0.5, 0.25, 0.25])
    value, low, high = combinations.paired(gained, lost, n, weights)
    back = combinations.paired(lost, gained, n, weights)
    np.testing.assert_allclose([value, low, high], [-back[0], -back[2], -back[1]], atol=1e-9)


def test_mcnemar_mid_p() -> None:
    """Fagerland, Lydersen and Laake (2013): 59 pairs, 1 against 7 discordant: mid-p .039."""
    assert combinations.mcnemar_mid_p(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert combinations.mcnemar_mid_p(0, 0) == 1.0
    assert combinations.mcnemar_mid_p(5, 5) == 1.0


def test_one_cell_is_wilson() -> None:
    x, n = np.arange(13)[:, None], np.full((13, 1), 12)
    value, low, high = combinations.linear(x, n, np.ones((13, 1)))
    expected = proportions.wilson(x[:, 0], n[:, 0])
    np.testing.assert_allclose(value, x[:, 0] / 12)
    np.testing.assert_allclose([low, high], expected, atol=1e-8)


def constrained(x: np.ndarray, n: np.ndarray, c: np.ndarray, total: float) -> np.ndarray:
    """Maximum-likelihood rates under sum c p = total, by a general optimiser."""

    def loss(p: np.ndarray) -> float:
        return float(-(x * np.log(p) + (n - x) * np.log(1 - p)).sum())

    def slope(p: np.ndarray) -> np.ndarray:
        return -(x / p - (n - x) / (1 - p))

    sums = {"type": "eq", "fun": lambda p: c @ p - total, "jac": lambda p: c}
    inside = [(1e-9, 1 - 1e-9)] * len(x)
    found = optimize.minimize(
        loss, x / n, jac=slope, bounds=inside, constraints=[sums], method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-14},
    )  # fmt: skip
    assert found.success
    return np.asarray(found.x)


@pytest.mark.parametrize(
    "x, n, c",
    [
        ([15, 9, 40, 3], [20, 12, 50, 9], [0.25] * 4),
        ([18, 2, 30, 7], [20, 12, 50, 9], [0.5, 0.5, -0.5, -0.5]),
        ([5, 100, 3, 60], [9, 200, 6, 70], [0.5, -0.25, 0.75, -1.0]),
        ([56, 48], [70, 80], [1.0, -1.0]),
    ],
)
def test_linear_against_direct_optimisation(x: list[int], n: list[int], c: list[float]) -> None:
    xs, ns, cs = np.array(x, float), np.array(n, float), np.array(c)
    estimate, low, high = combinations.linear(xs, ns, cs)
    q = (xs + 1) / (ns + 2)
    part = cs**2 * q * (1 - q) / ns
    s = part / part.sum()
    factor = 1 + (s * (1 - s) / (ns - 1)).sum()
    for limit in (float(low), float(high)):
        p = constrained(xs, ns, cs, limit)
        variance = (cs**2 * p * (1 - p) / ns).sum()
        assert (estimate - limit) ** 2 == pytest.approx(Z**2 * factor * variance, rel=1e-4)


def test_empty_cells_add_nothing() -> None:
    full = combinations.linear(np.array([3, 5]), np.array([9, 8]), np.array([0.5, 0.5]))
    holed = combinations.linear(np.array([3, 0, 5]), np.array([9, 0, 8]), np.array([0.5, 0.0, 0.5]))
    np.testing.assert_allclose(full, holed)
    assert np.isnan(combinations.linear(np.array([0]), np.array([0]), np.array([0.0]))).all()


def random_pairs(seed: int, count: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(1, 80, count), rng.integers(1, 80, count)
    return rng.integers(0, n1 + 1), n1, rng.integers(0, n2 + 1), n2


def test_ratio_holds_1_exactly_when_difference_holds_0() -> None:
    x1, n1, x2, n2 = random_pairs(1, 10_000)
    _, low, high = combinations.difference(x1, n1, x2, n2)
    value, ratio_low, ratio_high = ratios.ratio(x1, n1, x2, n2)
    some = ~np.isnan(value)
    assert some.sum() > 9_000
    np.testing.assert_array_equal(
        ((low <= 0) & (high >= 0))[some], ((ratio_low <= 1) & (ratio_high >= 1))[some]
    )
    assert (ratio_low[some] <= value[some] * (1 + 1e-9)).all()
    assert (value[some] <= ratio_high[some] * (1 + 1e-9)).all()


def test_score_test_agrees_with_the_interval() -> None:
    x1, n1, x2, n2 = random_pairs(2, 2_000)
    x, n, c = np.stack([x1, x2], -1), np.stack([n1, n2], -1), np.array([1.0, -1.0])
    _, low, high = combinations.linear(x, n, c)
    p = combinations.linear_test(x, n, c)
    clear = np.abs(p - 0.05) > 1e-6
    np.testing.assert_array_equal(((low > 0) | (high < 0))[clear], (p < 0.05)[clear])


def test_ratio_edges() -> None:
    value, low, high = ratios.ratio([0, 5, 0, 3], [9, 9, 9, 0], [4, 0, 0, 1], [9, 9, 9, 9])
    assert (value[0], low[0]) == (0, 0)
    assert high[0] > 0
    assert np.isinf([value[1], high[1]]).all()
    assert low[1] > 1
    assert np.isnan([value[2], low[2], high[2], value[3]]).all()


def test_mover_ratio_is_near_the_score_interval() -> None:
    x1, n1, x2, n2 = (np.array(v) for v in ([150, 30], [200, 90], [120, 60], [220, 100]))
    _, low, high = ratios.ratio(x1, n1, x2, n2)
    np.testing.assert_allclose(ratios.mover_ratio(x1, n1, x2, n2), (low, high), rtol=0.02)
    low, high = ratios.mover_ratio(np.array([0, 4]), np.array([9, 9]), np.array([4, 0]), n1[:2])
    assert low[0] == 0
    assert np.isinf(high[1])


def test_mover_ratio_against_the_textbook_form() -> None:
    x1, n1, x2, n2 = 12, 40, 21, 50
    p1, p2 = x1 / n1, x2 / n2
    (l1, u1), (l2, u2) = proportions.wilson(x1, n1), proportions.wilson(x2, n2)
    a, b = u2 * (2 * p2 - u2), l2 * (2 * p2 - l2)
    low = (p1 * p2 - np.sqrt((p1 * p2) ** 2 - l1 * (2 * p1 - l1) * a)) / a
    high = (p1 * p2 + np.sqrt((p1 * p2) ** 2 - u1 * (2 * p1 - u1) * b)) / b
    found = ratios.mover_ratio(np.array(x1), np.array(n1), np.array(x2), np.array(n2))
    np.testing.assert_allclose(found, (low, high), rtol=1e-9)


def weights_of(n: int, p: float) -> np.ndarray:
    return np.asarray(stats.binom.pmf(np.arange(n + 1), n, p))


@pytest.mark.parametrize("n, p, least", [(20, 0.1, 0.92), (50, 0.3, 0.92), (200, 0.98, 0.92)])
def test_coverage_of_wilson_by_enumeration(n: int, p: float, least: float) -> None:
    low, high = proportions.wilson(np.arange(n + 1), np.full(n + 1, n))
    assert least <= weights_of(n, p)[(low <= p) & (p <= high)].sum() <= 0.98
    low, high = proportions.clopper_pearson(np.arange(n + 1), np.full(n + 1, n))
    assert weights_of(n, p)[(low <= p) & (p <= high)].sum() >= 0.95


@pytest.mark.parametrize(
    "n1, p1, n2, p2", [(20, 0.9, 50, 0.5), (20, 0.3, 20, 0.3), (20, 0.98, 200, 0.9)]
)
def test_coverage_of_differences_and_ratios_by_enumeration(
    n1: int, p1: float, n2: int, p2: float
) -> None:
    x1, x2 = (v.ravel() for v in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
    weights = np.outer(weights_of(n1, p1), weights_of(n2, p2)).ravel()
    _, low, high = combinations.difference(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2))
    assert weights[(low <= p1 - p2) & (p1 - p2 <= high)].sum() >= 0.93
    _, low, high = ratios.ratio(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2))
    known = ~np.isnan(low)
    held = weights[known & (low <= p1 / p2) & (p1 / p2 <= high)].sum() / weights[known].sum()
    assert held >= 0.92


def test_coverage_of_a_mean_of_cells_by_enumeration() -> None:
    sizes, rates = (12, 9, 6), (0.9, 0.5, 0.7)
    grid = np.array(list(itertools.product(*(range(n + 1) for n in sizes))))
    weights = np.prod(
        [weights_of(n, p)[grid[:, i]] for i, (n, p) in enumerate(zip(sizes, rates, strict=True))], 0
    )
    _, low, high = combinations.linear(grid, np.array(sizes), np.full(3, 1 / 3))
    assert weights[(low <= 0.7) & (high >= 0.7)].sum() >= 0.93


def test_worst_group_at_least_holds_by_simulation() -> None:
    rng = np.random.default_rng(5)
    n = np.array([9, 30, 100, 400])
    p = np.array([0.7, 0.7, 0.75, 0.72])
    held = sided = 0
    for _ in range(500):
        low, high, least = extremes.worst_group(rng.binomial(n, p), n)
        held += low <= 0.7 <= high
        sided += least <= 0.7
    assert held >= 0.95 * 500
    assert sided >= 0.95 * 500


@pytest.mark.parametrize("groups", [2, 3, 5, 14, 100])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.95**0.25])
def test_the_studentised_range_is_scipys(groups: int, level: float) -> None:
    theirs = stats.studentized_range.ppf(level, groups, np.inf)
    assert extremes.studentised_range(level, groups) == pytest.approx(theirs, abs=1e-6)
    at = extremes.studentised_range(level, groups)
    assert stats.studentized_range.cdf(at, groups, np.inf) == pytest.approx(level, abs=1e-9)


def test_tukey_of_two_groups_is_the_normal_quantile() -> None:
    assert extremes.tukey_z(2) == pytest.approx(Z, abs=1e-4)
    assert extremes.tukey_z(14) > extremes.tukey_z(3) > Z
    assert extremes.tukey_z(3, 2) > extremes.tukey_z(3)


def test_gap_bounds_hold_a_true_gap_by_simulation() -> None:
    rng = np.random.default_rng(6)
    n, p = np.array([60, 200, 500]), np.array([0.5, 0.7, 0.9])
    pairs = [extremes.gap_bounds([(rng.binomial(n, p), n)], 0.001) for _ in range(400)]
    assert np.mean([least <= 0.4 <= most for least, most in pairs]) >= 0.95
    assert extremes.gap_bounds([(np.array([1, 20]), np.array([20, 20]))], 0.2)[0] == 0
    assert extremes.ratio_bounds([(np.array([1, 20]), np.array([20, 20]))], 0.2)[1] == 1


@pytest.mark.parametrize("n1, n2, rate", [(50, 50, 0.9), (50, 200, 0.5), (200, 200, 0.98)])
def test_detectable_gap_is_seen_in_about_80_of_100(n1: int, n2: int, rate: float) -> None:
    gap = extremes.detectable(rate, n1, n2)
    assert gap is not None
    x1, x2 = (v.ravel() for v in np.meshgrid(np.arange(n1 + 1), np.arange(n2 + 1), indexing="ij"))
    weights = np.outer(weights_of(n1, rate - gap), weights_of(n2, rate)).ravel()
    _, low, high = combinations.difference(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2))
    assert 0.76 <= weights[(low > 0) | (high < 0)].sum() <= 0.90


def test_detectable_is_symmetric_and_may_be_none() -> None:
    assert extremes.detectable(0.1, 50, 60) == extremes.detectable(0.9, 50, 60)
    assert extremes.detectable(0.9, 2, 2) is None


def test_folding() -> None:
    assert ratios.fold_difference(-0.4, 0.1) == (0.0, 0.4)
    assert ratios.fold_difference(-0.4, -0.1) == (0.1, 0.4)
    assert ratios.fold_ratio(0.5, 0.8) == (0.5, 0.8)
    assert ratios.fold_ratio(1.25, 2.0) == (0.5, 0.8)
    assert ratios.fold_ratio(0.0, 3.0) == (0.0, 1.0)
