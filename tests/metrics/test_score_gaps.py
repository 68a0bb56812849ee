"""Gaps in scores, calibration, ROC curves and the threshold sweep, each by a second path."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn import metrics as sk

from debias_cl.metrics import Settings, calibration, measure, roc
from debias_cl.metrics.auc import areas
from debias_cl.metrics.compared import blank
from debias_cl.metrics.extremes import tukey_z
from debias_cl.metrics.score_chance import binned_areas, histogram
from debias_cl.metrics.score_gaps import gaps
from debias_cl.metrics.scored import Parted, part, scored
from debias_cl.records import Predictions

Document = dict[str, Any]
Build = Callable[..., Predictions]
Floats = npt.NDArray[np.float64]
QUICK = Settings(permutations=199, min_group=5)


def simulated(make: Build, seed: int, n: int, shift: dict[str, float], digits: int = 2) -> Any:
    """Rows in groups whose positives score higher by `shift`; predicted at one half."""
    rng = np.random.default_rng(seed)
    g = rng.choice(list(shift), n)
    y = rng.integers(0, 2, n)
    raw = rng.normal(y * np.array([shift[name] for name in g]), 1.0) - 0.5
    s = np.round(1 / (1 + np.exp(-raw)), digits)
    rows = make(list(y.astype(str)), ["1" if v >= 0.5 else "0" for v in s], {"g": list(g)})
    return replace(rows, scores=s)


@pytest.fixture(scope="session")
def three(make: Build) -> Predictions:
    found: Predictions = simulated(make, 2, 900, {"a": 0.4, "b": 1.6, "c": 1.5})
    return found


@pytest.fixture(scope="session")
def measured(three: Predictions) -> Document:
    return measure(three, QUICK)


def arrays(rows: Predictions) -> tuple[Any, Floats, Any]:
    assert rows.annotations.truth is not None and rows.scores is not None
    return rows.annotations.truth, rows.scores, rows.annotations.groups["g"]


def parted_of(rows: Predictions) -> Parted:
    """The scored entries by g."""
    entries = scored(rows)
    assert entries is not None
    codes = rows.annotations.groups["g"]
    return part(entries, codes[entries.entry], int(codes.max()) + 1)


def mover(one: Document, other: Document, wide: float = 1.0) -> tuple[float, float]:
    """Limits of a difference from the limits of two numbers, by hand."""
    gap = one["value"] - other["value"]
    down = [one["value"] - one["low"], other["high"] - other["value"]]
    up = [one["high"] - one["value"], other["value"] - other["low"]]
    return gap - wide * math.hypot(*down), gap + wide * math.hypot(*up)


@pytest.mark.parametrize("name", ["auc", "mean_score"])
def test_two_groups_have_the_folded_mover_interval(make: Build, name: str) -> None:
    for shift in ({"a": 0.3, "b": 2.0}, {"a": 1.0, "b": 1.0}):
        document = measure(simulated(make, 4, 400, shift), QUICK)
        one, other = (group[name] for group in document["groups"])
        gap = document["disparities"]["g"][f"{name}_difference"]
        low, high = mover(one, other)
        assert gap["value"] == pytest.approx(abs(one["value"] - other["value"]))
        folded = 0 if low <= 0 <= high else min(abs(low), abs(high))
        assert gap["low"] == pytest.approx(folded)
        assert gap["high"] == pytest.approx(max(abs(low), abs(high)))
        assert (gap["at_least"], gap["at_most"]) == (gap["low"], gap["high"])


def test_three_groups_have_at_least_and_at_most(measured: Document) -> None:
    values = [group["auc"] for group in measured["groups"]]
    gap = measured["disparities"]["g"]["auc_difference"]
    found = [v["value"] for v in values]
    assert gap["value"] == pytest.approx(max(found) - min(found))
    most = max(max(map(abs, mover(a, b))) for a, b in combinations(values, 2))
    assert gap["at_most"] == pytest.approx(most)
    assert gap["low"] is None and gap["p"] <= 0.02
    assert 0 < gap["at_least"] < gap["value"] < gap["at_most"]
    means = [group["mean_score"] for group in measured["groups"]]
    gap = measured["disparities"]["g"]["mean_score_difference"]
    wide = tukey_z(3) / stats.norm.ppf(0.975)
    least = max(mover(a, b, wide)[0] for a in means for b in means if a is not b)
    assert gap["at_least"] == pytest.approx(max(least, 0) if gap["p"] <= 0.05 else 0)


def test_every_gap_in_scores_has_the_keys_of_a_disparity(measured: Document) -> None:
    gaps = measured["disparities"]["g"]
    usual = set(blank("none"))
    for name in ("auc", "mean_score", "ece"):
        for ending in ("", "_min_group"):
            found = gaps[f"{name}_difference{ending}"]
            assert usual <= set(found), name
            assert 0 < found["p"] <= found["p_adjusted"] <= 1
            assert found["null95"] > 0
    assert gaps["ece_difference"]["low"] is None and "by chance" in gaps["ece_difference"]["reason"]


def test_the_area_between_curves_by_fine_steps(three: Predictions, measured: Document) -> None:
    y, s, g = arrays(three)
    at = (np.arange(400_000) + 0.5) / 400_000
    lines = [np.interp(at, *sk.roc_curve(y[g == k], s[g == k])[:2]) for k in range(3)]
    best = max(np.abs(a - b).mean() for a, b in combinations(lines, 2))
    gap = measured["disparities"]["g"]["area_between_roc_curves"]
    assert gap["value"] == pytest.approx(best, abs=2e-5)
    assert gap["value"] >= measured["disparities"]["g"]["auc_difference"]["value"] - 1e-9
    assert gap["p"] <= 0.02 and gap["null95"] < gap["value"]
    ends = {gap["lowest"]["group"]["g"], gap["highest"]["group"]["g"]}
    assert "a" in ends and gap["lowest"]["value"] <= gap["highest"]["value"]


def test_of_many_groups_the_widest_pair_is_found(make: Build) -> None:
    shift = {f"{place:02d}": 1.0 for place in range(30)} | {"low": -1.5, "top": 3.0}
    rows = simulated(make, 6, 3_000, shift)
    curves = [curve for curve in roc.curves(parted_of(rows)) if curve is not None]
    assert len(curves) == 32 > roc.MANY
    found = roc.widest(curves, range(32))
    lines = [roc.steps(curve) for curve in curves]
    every = [roc.area_between(a, b) for a, b in combinations(lines, 2)]
    assert found.area == pytest.approx(max(every))
    assert {found.one, found.other} == {30, 31}


def test_curves_that_cross_have_an_area_though_their_auc_agree(make: Build) -> None:
    label = list("1100" * 2)
    rows = make(label, label, {"g": list("aaaabbbb")})
    rows = replace(rows, scores=np.array([0.9, 0.1, 0.5, 0.4, 0.6, 0.5, 0.9, 0.1]))
    gaps = measure(rows, QUICK)["disparities"]["g"]
    assert gaps["auc_difference"]["value"] == 0
    # a is .5 throughout, b steps from 0 to 1 at .5
    assert gaps["area_between_roc_curves"]["value"] == pytest.approx(0.5)


def test_the_histogram_of_few_scores_is_exact(three: Predictions) -> None:
    few = replace(three, scores=np.round(arrays(three)[1], 1))
    parted = parted_of(few)
    found = histogram(parted, np.ones(3, np.bool_))
    area, variance = binned_areas(found.table)
    exact = areas(parted)
    assert area == pytest.approx(exact.value)
    assert variance == pytest.approx(exact.larger)


def test_chance_of_equal_groups_is_kept(make: Build) -> None:
    """Groups that are alike: p below .05 in about one of twenty."""
    names = ("auc_difference", "mean_score_difference", "area_between_roc_curves", "ece_difference")
    low: dict[str, int] = dict.fromkeys(names, 0)
    settings = Settings(permutations=199)
    for seed in range(40):
        rows = simulated(make, 100 + seed, 200, {"a": 1.0, "b": 1.0, "c": 1.0})
        found = gaps(parted_of(rows), [{"g": name} for name in "abc"], "g", "y = 1", settings)
        for name in names:
            low[name] += found[name]["p"] <= 0.05
    assert all(times <= 7 for times in low.values()), low  # 40 x .05 = 2; 8 or more: p .0006


def equal_mass(s: Floats, y: Any, most: int) -> list[tuple[float, float, int]]:
    """Mean score, share of positives and rows of bins, tie by tie."""
    order = np.argsort(s, kind="stable")
    s, y = s[order], y[order]
    found: dict[int, list[int]] = {}
    for value in np.unique(s):
        rows = np.flatnonzero(s == value)
        middle = (rows[0] + (rows[-1] + 1)) / 2 / len(s)
        found.setdefault(min(int(middle * most + 1e-9), most - 1), []).extend(rows)
    return [(s[rows].mean(), y[rows].mean(), len(rows)) for rows in found.values()]


def test_calibration_errors_by_hand(three: Predictions, measured: Document) -> None:
    y, s, g = arrays(three)
    for place, entry in enumerate(measured["groups"]):
        bins = equal_mass(s[g == place], y[g == place], 10)
        total = sum(n for *_, n in bins)
        plain = sum(n / total * abs(m - r) for m, r, n in bins)
        assert entry["ece"]["value"] == pytest.approx(plain)
        assert entry["ece"]["bins"] == len(bins)
        middle, spread = 0.0, 0.0
        for m, r, n in bins:
            rate = (r * n + 0.5) / (n + 1)
            noise = rate * (1 - rate) / n
            square = (m - r) ** 2 - noise
            middle += n / total * square
            spread += (n / total) ** 2 * (4 * max(square, 0) * noise + 2 * noise**2)
        half = stats.norm.ppf(0.975) * math.sqrt(spread)
        ends = [math.sqrt(max(v, 0)) for v in (middle, middle - half, middle + half)]
        found = entry["rms_calibration_error"]
        assert [found["value"], found["low"], found["high"]] == pytest.approx(ends)


def test_the_chance_of_one_score_is_binomial(make: Build) -> None:
    label = list("1" * 12 + "0" * 28)
    rows = replace(make(label, label, {"g": list("ab" * 20)}), scores=np.full(40, 0.4))
    found = measure(rows, Settings(permutations=1000))["overall"]["ece"]
    x = np.arange(41)
    far, chance = np.abs(x / 40 - 0.4), stats.binom.pmf(x, 40, 0.4)
    order = np.argsort(far, kind="stable")
    null95 = far[order][np.searchsorted(np.cumsum(chance[order]), 0.95)]
    assert found["null95"] == pytest.approx(null95, abs=0.026)
    assert found["p"] == pytest.approx(chance[far >= 0.1 - 1e-12].sum(), abs=0.05)


def test_scores_that_say_what_happens_pass_their_chance(make: Build) -> None:
    rng = np.random.default_rng(8)
    s, label, name = rng.beta(0.7, 0.7, 4_800), [], []
    for place, chance in enumerate(s):  # 40 groups of 120 calibrated rows
        label.append("1" if rng.random() < chance else "0")
        name.append(f"{place // 120:02d}")
    rows = replace(make(label, label, {"g": name}), scores=s)
    found = calibration.chance(calibration.bins(parted_of(rows), 10), 500, [1])
    assert len(found.p) == 40 and (found.p <= 0.05).sum() <= 7
    assert 0.3 < found.p.mean() < 0.7


def test_roc_points_are_those_of_scikit_learn(three: Predictions, measured: Document) -> None:
    y, s, g = arrays(three)
    for curve in measured["scores"]["roc"]:
        mine = (
            np.ones(len(y), bool) if not curve["group"] else g == "abc".index(curve["group"]["g"])
        )
        false, true = curve["false_positive_rate"], curve["true_positive_rate"]
        assert (
            len(false) <= 200 and (false[0], true[0]) == (0, 0) and (false[-1], true[-1]) == (1, 1)
        )
        assert curve["threshold"][0] is None
        for at, fpr, tpr in zip(curve["threshold"][1:], false[1:], true[1:], strict=True):
            chosen = s[mine] >= at
            assert fpr == pytest.approx(chosen[y[mine] == 0].mean())
            assert tpr == pytest.approx(chosen[y[mine] == 1].mean())


def test_the_sweep_by_hand(three: Predictions, measured: Document) -> None:
    y, s, g = arrays(three)
    sweep = measured["threshold_sweep"]
    at = sweep["thresholds"]
    assert len(at) <= 101 and at == sorted(set(at)) and 0.5 in at
    assert at[0] == s.min() and at[-1] == s.max()
    for place, threshold in enumerate(at):
        rates = {"selection_rate": [], "true_positive_rate": [], "false_positive_rate": []}
        for k in range(3):
            chosen, label = s[g == k] >= threshold, y[g == k]
            group = sweep["groups"][k]
            rates["selection_rate"].append(chosen.mean())
            rates["true_positive_rate"].append(chosen[label == 1].mean())
            rates["false_positive_rate"].append(chosen[label == 0].mean())
            for name, found in rates.items():
                assert group[name]["value"][place] == pytest.approx(found[k])
            right = (chosen == label).mean()
            assert group["accuracy"]["value"][place] == pytest.approx(right)
        wide = {name: max(found) - min(found) for name, found in rates.items()}
        gaps = {name: found["value"][place] for name, found in sweep["gaps"]["g"].items()}
        assert gaps["demographic_parity_difference"] == pytest.approx(wide["selection_rate"])
        assert gaps["equal_opportunity_difference"] == pytest.approx(wide["true_positive_rate"])
        odds = max(wide["true_positive_rate"], wide["false_positive_rate"])
        assert gaps["equalized_odds_difference"] == pytest.approx(odds)


def test_at_the_threshold_in_use_the_sweep_gives_the_rates(measured: Document) -> None:
    sweep = measured["threshold_sweep"]
    place = sweep["thresholds"].index(0.5)
    for swept, entry in zip(sweep["groups"], measured["groups"], strict=True):
        for name in ("accuracy", "selection_rate", "true_positive_rate", "false_positive_rate"):
            for key in ("value", "low", "high"):
                assert swept[name][key][place] == pytest.approx(entry[name][key]), name
    gap = measured["disparities"]["g"]["equalized_odds_difference"]["value"]
    found = sweep["gaps"]["g"]["equalized_odds_difference"]["value"][place]
    assert found == pytest.approx(gap)


def test_small_groups_are_out_of_the_swept_gaps(three: Predictions) -> None:
    document = measure(three, Settings(permutations=9, min_group=10_000))
    for gap in document["threshold_sweep"]["gaps"]["g"].values():
        assert set(gap["value"]) == {None} and "10000 rows" in gap["reason"]


def test_intersections_have_scores_and_no_curves(make: Build) -> None:
    rng = np.random.default_rng(1)
    columns = {
        name: list(rng.choice(list(levels), 200)) for name, levels in (("g", "ab"), ("h", "xyz"))
    }
    label = list(rng.choice(["0", "1"], 200))
    rows = replace(make(label, label, columns), scores=rng.random(200))
    document = measure(rows, QUICK)
    codes = rows.annotations.groups
    both = [e for e in document["groups"] if e["attribute"] == "g & h"]
    assert len(both) == 6
    for entry in both:
        mine = (codes["g"] == "ab".index(entry["group"]["g"])) & (
            codes["h"] == "xyz".index(entry["group"]["h"])
        )
        y, s = np.array(label)[mine] == "1", rows.scores[mine]
        assert entry["auc"]["value"] == pytest.approx(sk.roc_auc_score(y, s))
    assert {c["attribute"] for c in document["scores"]["roc"]} == {"", "g", "h"}
    assert "auc_difference" in document["disparities"]["g & h"]
