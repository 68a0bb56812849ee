"""How often each interval holds the truth, and how often each p-value cries wolf.

python benchmarks/coverage.py [--replicates 4000] [--only differences,extremes]

Two rates at a time are exact: every table is weighed by its probability. The rest is simulated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import coverage_designs
import numpy as np
import numpy.typing as npt
from harness import origin, parser, save
from scipy import stats

from debias_cl.metrics import combinations, extremes, null, proportions, ratios

Array = npt.NDArray[Any]
Setting = dict[str, Any]
"""{"setting": words, "coverage": share, "width": mean width, "replicates": 0 where exact, ...}"""

Study = Callable[[int, np.random.Generator], Iterator[Setting]]
"""(replicates, generator) -> settings with what was covered."""

RATES = (0.02, 0.1, 0.3, 0.5, 0.9, 0.98)
SIZES = ((20, 20), (50, 50), (200, 200), (20, 200), (20, 2000), (50, 500))
TINY = 1e-9


def one_rate(limits: Callable[[Array, Array], tuple[Array, Array]]) -> Study:
    """Return the study of an interval of one rate: the mean over all rates, exactly."""

    def study(_: int, __: np.random.Generator) -> Iterator[Setting]:
        p = (np.arange(2000) + 0.5) / 2000
        for n in (6, 9, 20, 50, 200, 2000):
            x = np.arange(n + 1)
            low, high = limits(x, np.full(n + 1, n))
            held = (low[:, None] <= p) & (p <= high[:, None])
            covered = (stats.binom.pmf(x[:, None], n, p) * held).sum(0)
            yield {
                "setting": f"n {n}, mean over all rates",
                "coverage": float(covered.mean()),
                "at_the_worst_rate": float(covered.min()),
                "width": float(np.mean(high - low)),
                "replicates": 0,
            }

    return study


Limits = Callable[[Array, Array, Array, Array], tuple[Array, Array, Array]]


def _two_rates(limits: Limits, truth: Callable[[float, float], float]) -> Iterator[Setting]:
    """Every pair of rates and sizes, by all tables; undefined tables are left out."""
    for n1, n2 in dict.fromkeys((*SIZES, *((b, a) for a, b in SIZES))):
        x1, x2 = (grid.ravel() for grid in np.mgrid[0 : n1 + 1, 0 : n2 + 1])
        _, low, high = limits(x1, np.full_like(x1, n1), x2, np.full_like(x2, n2))
        known = ~np.isnan(low)
        for p1, p2 in product(RATES, RATES):
            weight = stats.binom.pmf(x1, n1, p1) * stats.binom.pmf(x2, n2, p2) * known
            at = truth(p1, p2)
            held = (low <= at + TINY) & (at - TINY <= high)
            width = np.where(known & np.isfinite(high), high - low, 0)
            expected = min(n * q for n, p in ((n1, p1), (n2, p2)) for q in (p, 1 - p))
            yield {
                "setting": f"{p1:g} of {n1} against {p2:g} of {n2}",
                "coverage": float((weight * held).sum() / weight.sum()),
                "width": float((weight * width).sum() / weight.sum()),
                "least_expected": expected,
                "replicates": 0,
            }


def differences(_: int, __: np.random.Generator) -> Iterator[Setting]:
    """The score interval of a difference of two groups."""
    yield from _two_rates(combinations.difference, lambda p1, p2: p1 - p2)


def ratios_of_two(_: int, __: np.random.Generator) -> Iterator[Setting]:
    """The score interval of a ratio of two groups."""
    yield from _two_rates(ratios.ratio, lambda p1, p2: p1 / p2)


def _linear(
    name: str, rates: Array, sizes: Array, weights: Array, replicates: int, rng: np.random.Generator
) -> Setting:
    x = rng.binomial(sizes, rates, (replicates, len(sizes)))
    _, low, high = combinations.linear(x, sizes, weights)
    truth = float((weights * rates).sum())
    return {
        "setting": name,
        "coverage": float(((low <= truth + TINY) & (truth - TINY <= high)).mean()),
        "width": float((high - low).mean()),
        "least_expected": float(np.minimum(sizes * rates, sizes * (1 - rates)).min()),
        "replicates": replicates,
    }


def _cells(least: int, most: int, cells: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Random rates and sizes; one cell of 6 to 9 rows where `least` is below 20."""
    sizes = np.round(np.exp(rng.uniform(np.log(20), np.log(most), cells))).astype(np.int64)
    if least < 20:
        sizes[0] = rng.integers(least, 10)
    return rng.choice(RATES, cells), sizes


def means(replicates: int, rng: np.random.Generator) -> Iterator[Setting]:
    """The mean of the accuracies of 4, 10 and 100 cells."""
    for cells, (least, most), turn in product((4, 10, 100), ((20, 2000), (6, 2000)), range(6)):
        rates, sizes = _cells(least, most, cells, rng)
        name = f"{cells} cells, smallest {sizes.min()}, largest {sizes.max()}, draw {turn}"
        some = replicates if cells < 100 else replicates // 4
        yield _linear(name, rates, sizes, np.full(cells, 1 / cells), some, rng)


def contrasts(replicates: int, rng: np.random.Generator) -> Iterator[Setting]:
    """Aligned minus conflicting cells: 2 against 2, and 10 against 90."""
    for (up, down), (least, most), turn in product(
        ((2, 2), (10, 90)), ((20, 2000), (6, 2000)), range(6)
    ):
        rates, sizes = _cells(least, most, up + down, rng)
        weights = np.r_[np.full(up, 1 / up), np.full(down, -1 / down)]
        name = f"{up} against {down} cells, smallest {sizes.min()}, draw {turn}"
        some = replicates if down < 10 else replicates // 4
        yield _linear(name, rates, sizes, weights, some, rng)


def pairs(replicates: int, rng: np.random.Generator) -> Iterator[Setting]:
    """Two models on the same rows: one cell, and the mean over four, one of them of 6 to 9 rows."""
    for n, (gained, lost) in product((20, 50, 200), ((0.05, 0.05), (0.2, 0.05), (0.02, 0.3))):
        yield _paired(f"{n} rows", np.array([n]), [(gained, lost)], replicates, rng)
    for turn in range(6):
        _, sizes = _cells(6 if turn % 2 else 20, 500, 4, rng)
        shares = [tuple(rng.dirichlet((1, 1, 6))[:2]) for _ in sizes]
        yield _paired(
            f"4 cells, smallest {sizes.min()}, draw {turn}", sizes, shares, replicates, rng
        )


def _paired(
    name: str, sizes: Array, shares: Sequence[Any], replicates: int, rng: np.random.Generator
) -> Setting:
    drawn = np.stack(
        [
            rng.multinomial(n, (b, c, 1 - b - c), replicates)[:, :2]
            for n, (b, c) in zip(sizes, shares, strict=True)
        ],
        1,
    )
    weights = np.full(len(sizes), 1 / len(sizes))
    _, low, high = combinations.paired(drawn[..., 0], drawn[..., 1], sizes, weights)
    truth = float(np.mean([b - c for b, c in shares]))
    discordant = min(n * (b + c) for n, (b, c) in zip(sizes, shares, strict=True))
    told = ", ".join(f"+{b:.2f} -{c:.2f}" for b, c in shares)
    return {
        "setting": f"{name}: {told}",
        "coverage": float(((low <= truth + TINY) & (truth - TINY <= high)).mean()),
        "width": float((high - low).mean()),
        "least_discordant": float(discordant),
        "replicates": replicates,
    }


GROUPS: dict[str, tuple[tuple[float, ...], tuple[int, ...]]] = {
    "3 equal groups, no gap": ((0.7,) * 3, (100,) * 3),
    "5 uneven groups, no gap": ((0.9,) * 5, (30, 60, 200, 500, 2000)),
    "14 equal groups, no gap": ((0.5,) * 14, (60,) * 14),
    "14 uneven groups, rare, no gap": ((0.05,) * 14, (20, 30) * 7),
    "3 groups, a gap of .3": ((0.5, 0.6, 0.8), (100, 200, 100)),
    "5 groups, the small one is worse": ((0.6, 0.9, 0.9, 0.9, 0.9), (30, 200, 200, 500, 2000)),
    "14 groups, spread": (tuple(np.linspace(0.3, 0.7, 14)), (60,) * 14),
    "14 groups, one is better": ((0.5,) * 13 + (0.7,), (80,) * 14),
}
BOUNDS = (
    "gap, at least",
    "gap, at most",
    "ratio, at least",
    "ratio, at most",
    "worst group, at least",
    "worst group, both ends",
)
PERMUTATIONS = 499


def _chance(x: Array, n: Array, seed: int, permutations: int = PERMUTATIONS) -> tuple[Any, Array]:
    """The chance of the gap of one rate, and the chi-square of every shuffle."""
    table = np.stack([n - x, x], -1)[:, None].astype(np.int64)
    keep = np.ones((len(n), 1), np.bool_)
    drawn = null.shuffled(table, keep, permutations, [seed])
    pick = null.Pick("rate", "", (0,), 1)
    found = null.chance(drawn, [pick], [keep[:, 0]], table)
    return found, null.chi_square(pick.successes(drawn), n)


def bounds(replicates: int, rng: np.random.Generator) -> Iterator[Setting]:
    """At least and at most of the widest gap, the smallest ratio and the worst group."""
    for name, (rates, sizes) in GROUPS.items():
        p, n = np.array(rates), np.array(sizes)
        gap, ratio = p.max() - p.min(), p.min() / p.max()
        held = np.zeros((max(replicates // 2, 1), len(BOUNDS)), np.bool_)
        for turn in range(len(held)):
            x = rng.binomial(n, p)
            found, _ = _chance(x, n, turn)
            chance = None if found is None else found.p
            least, most = extremes.gap_bounds([(x, n)], chance)
            low, high = extremes.ratio_bounds([(x, n)], chance)
            worst_low, worst_high, one_sided = extremes.worst_group(x, n)
            held[turn] = (
                least <= gap + TINY, gap - TINY <= most,
                low <= ratio + TINY, ratio - TINY <= high,
                one_sided <= p.min() + TINY,
                worst_low - TINY <= p.min() <= worst_high + TINY,
            )  # fmt: skip
        for kind, share in zip(BOUNDS, held.mean(0), strict=True):
            yield {
                "setting": f"{kind}: {name}",
                "coverage": float(share),
                "replicates": len(held),
            }


def p_values(replicates: int, rng: np.random.Generator) -> Iterator[Setting]:
    """How often p falls to a or below where there is no gap; uniform with ties broken at random."""
    for name, (rates, sizes) in list(GROUPS.items())[:4]:
        p, n = np.array(rates), np.array(sizes)
        plain, random = [], []
        for turn in range(replicates):
            x = rng.binomial(n, p)
            if x.sum() in (0, n.sum()):
                continue
            found, drawn = _chance(x, n, turn)
            plain.append(found.p)
            observed = float(null.chi_square(x, n))
            above = (drawn > observed + 1e-9 * max(1, observed)).sum()
            ties = (np.abs(drawn - observed) <= 1e-9 * max(1, observed)).sum()
            random.append((above + rng.random() * (ties + 1)) / (len(drawn) + 1))
        values = np.array(plain)
        yield {
            "setting": name,
            "size": {f"{a:g}": float((values <= a).mean()) for a in (0.01, 0.05, 0.1)},
            "uniform_p": float(stats.kstest(random, "uniform").pvalue),
            "replicates": len(values),
        }


STUDIES: dict[str, Study] = {
    "one rate, Wilson": one_rate(proportions.wilson),
    "one rate, exact": one_rate(proportions.clopper_pearson),
    "differences": differences,
    "ratios": ratios_of_two,
    "means of cells": means,
    "contrasts of cells": contrasts,
    "two models": pairs,
    "extremes": bounds,
    "p-values": p_values,
    "AUC": coverage_designs.areas,
    "persons": coverage_designs.persons,
    "differences of persons": coverage_designs.differences_of_persons,
    "weights": coverage_designs.weights,
    "p-values of persons": coverage_designs.shuffled_persons,
}


def summary(settings: Sequence[Setting]) -> dict[str, float]:
    """Return smallest, mean and largest coverage over settings, where five are expected too."""
    covered = [s["coverage"] for s in settings if "coverage" in s]
    if not covered:
        return {}
    found = {"least": min(covered), "mean": float(np.mean(covered)), "most": max(covered)}
    many = [s["coverage"] for s in settings if s.get("least_expected", 0) >= 5]
    return found | ({"least_of_five": min(many), "most_of_five": max(many)} if many else {})


def main() -> None:
    """Run the studies asked for and write what they gave."""
    options = parser(__doc__, repeats=0)
    options.add_argument("--replicates", type=int, default=4000)
    options.add_argument("--only", default="", help="studies, with commas; default: all")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    started, found = origin(), {}
    for name, study in STUDIES.items():
        if asked.only and name not in asked.only.split(","):
            continue
        begun = time.perf_counter()
        settings = list(study(asked.replicates, np.random.default_rng((asked.seed, len(name)))))
        found[name] = {
            **summary(settings),
            "seconds": round(time.perf_counter() - begun, 1),
            "settings": settings,
        }
        print(name, {k: v for k, v in found[name].items() if k != "settings"}, flush=True)
    save(
        "coverage of the intervals and size of the p-values",
        {"nominal": 0.95, "replicates": asked.replicates, "seed": asked.seed, "studies": found},
        started=started,
        out=asked.out,
        show=False,
    )


if __name__ == "__main__":
    main()
