"""How often intervals of scores hold the truth: many samples at once, each as one group."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from debias_cl.metrics import calibration
from debias_cl.metrics.auc import areas
from debias_cl.metrics.score_means import excess
from debias_cl.metrics.scored import Parted, part, scored, spread
from debias_cl.records import Annotations, Column, Mass, Predictions

SAMPLES = 600
"""Standard error of a coverage of 95 %: 0.9 points."""
Codes = npt.NDArray[np.int64]


def samples(y: Codes, s: Any, sample: Codes, **more: Any) -> Parted:
    """Rows of many samples, each a group."""
    known = Annotations(np.arange(len(y)).astype(str), Column("y", ("0", "1")), y, (), {}, **more)
    found = scored(Predictions(known, y, ("0", "1"), s, "1", ""))
    assert found is not None
    return part(found, sample[found.entry], SAMPLES)


def held(low: Any, high: Any, truth: float) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


@pytest.mark.parametrize("area", [0.5, 0.75, 0.95])
@pytest.mark.parametrize("sizes", [(20, 20), (20, 200), (100, 100)])
def test_the_interval_of_an_auc(area: float, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng([1, *sizes])
    y = np.tile(np.repeat([1, 0], sizes), SAMPLES)
    s = rng.normal(y * stats.norm.ppf(area) * 2**0.5, 1)
    low, high = areas(samples(y, s, np.repeat(np.arange(SAMPLES), sum(sizes)))).limits()
    assert 0.925 <= held(low, high, area) <= 0.995


def test_the_interval_of_an_auc_of_persons() -> None:
    """Sixty persons with one to eight rows each, whose scores go together."""
    rng = np.random.default_rng(2)
    persons = SAMPLES * 60
    times = rng.integers(1, 9, persons)
    person = np.repeat(np.arange(persons), times)
    y = rng.integers(0, 2, persons)[person]
    s = y * 1.2 + rng.normal(0, 0.9, persons)[person] + rng.normal(0, 0.44, len(person))
    truth = float(stats.norm.cdf(1.2 / (2 * (0.81 + 0.44**2)) ** 0.5))
    sample = person // 60
    honest = areas(samples(y, s, sample, persons=person)).limits()
    naive = areas(samples(y, s, sample)).limits()
    # wide: of twenty persons a label the formula for few misranked rows takes persons for rows
    assert 0.93 <= held(*honest, truth) <= 0.995
    assert held(*naive, truth) < 0.85


def test_the_interval_of_a_weighted_auc() -> None:
    rng = np.random.default_rng(3)
    n = SAMPLES * 150
    y = rng.integers(0, 2, n)
    s, w = rng.normal(y * 1.0, 1), rng.choice([0.2, 1.0, 6.0], n)
    mass = Mass(np.ones(n, np.int64), w, w**2)
    low, high = areas(samples(y, s, np.arange(n) // 150, mass=mass)).limits()
    assert 0.92 <= held(low, high, float(stats.norm.cdf(1 / 2**0.5))) <= 0.985


@pytest.mark.parametrize("off", [0.0, 0.1])
def test_the_intervals_of_calibration(off: float) -> None:
    rng = np.random.default_rng(4)
    n = SAMPLES * 200
    s = rng.choice(np.linspace(0.1, 0.8, 10), n)  # ten bins of one score: the error is known
    y = (rng.random(n) < s + off).astype(np.int64)
    parted = samples(y, s, np.arange(n) // 200)
    each = excess(parted.of)
    mean = parted.mean(each)
    half = spread(parted, each - mean[parted.group]).half
    assert 0.93 <= held(mean - half, mean + half, -off) <= 0.97
    _, low, high = calibration.rms_error(calibration.bins(parted, 10))
    assert 0.92 <= held(low, high, off) <= 1
