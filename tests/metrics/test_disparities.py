"""Gaps and ratios: odd inputs with known answers, fairlearn as second path, planted bias."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fairness
from scipy import stats

from debias_cl.metrics import Settings, combinations, disparities, measure, ratios
from debias_cl.records import Predictions

Build = Callable[..., Predictions]
KEYS = {
    "value", "low", "high", "n", "reason", "method", "lowest", "highest", "left_out", "null95", "p",
    "p_adjusted", "detectable", "at_least", "at_most", "adjusted", "class", "groups_compared",
}  # fmt: skip


def found(predictions: Predictions, attribute: str = "g", **options: Any) -> dict[str, Any]:
    options = {"permutations": 199, **options}
    return dict(measure(predictions, Settings(**options))["disparities"][attribute])


def texts(values: np.ndarray) -> list[str]:
    return [str(v) for v in values]


@pytest.fixture
def loans(table: Build) -> Predictions:
    """Approved or denied: m 5, 1, 1, 3 and f 2, 2, 0, 6 (cell by cell)."""
    return table(
        {
            ("m", "approved", "approved"): 5, ("m", "approved", "denied"): 1,
            ("m", "denied", "approved"): 1, ("m", "denied", "denied"): 3,
            ("f", "approved", "approved"): 2, ("f", "approved", "denied"): 2,
            ("f", "denied", "denied"): 6,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "positive, parity, ratio, opportunity, odds",
    [("approved", 0.4, 1 / 3, 1 / 3, 1 / 3), ("denied", 0.4, 1 / 2, 0.25, 1 / 3)],
)
def test_the_positive_level_decides(
    loans: Predictions, positive: str, parity: float, ratio: float, opportunity: float, odds: float
) -> None:
    predictions = replace(loans, positive=positive, positive_source="--positive")
    document = measure(predictions, Settings(permutations=99))
    gaps = document["disparities"]["g"]
    assert gaps["demographic_parity_difference"]["value"] == pytest.approx(parity)
    assert gaps["demographic_parity_ratio"]["value"] == pytest.approx(ratio)
    assert gaps["equal_opportunity_difference"]["value"] == pytest.approx(opportunity)
    assert gaps["equalized_odds_difference"]["value"] == pytest.approx(odds)
    assert document["label"]["positive"] == positive
    assert document["label"]["positive_source"] == "--positive"
    best = "m" if positive == "approved" else "f"
    assert gaps["demographic_parity_difference"]["highest"]["group"] == {"g": best}


def test_without_labels_selection_is_audited_and_the_rest_says_why(make: Build) -> None:
    predictions = make(None, list("11010001"), {"gender": list("aaaabbbb")})
    document = measure(predictions, Settings(permutations=99))
    gaps = document["disparities"]["gender"]
    assert gaps["demographic_parity_difference"]["value"] == pytest.approx(0.5)
    assert gaps["demographic_parity_ratio"]["value"] == pytest.approx(1 / 3)
    assert gaps["demographic_parity_difference"]["low"] == 0
    assert 0.5 < gaps["demographic_parity_difference"]["high"] < 1
    assert gaps["missing_prediction_difference"]["value"] == 0
    for name in ("equalized_odds_difference", "accuracy_ratio", "mean_pair_equalized_odds",
                 "bias_amplification", "predictive_parity_difference"):  # fmt: skip
        assert gaps[name]["value"] is None
        assert gaps[name]["reason"] == "not applicable: no labels given"
    values = {e["group"]["gender"]: e["selection_rate"] for e in document["groups"]}
    assert (values["a"]["value"], values["b"]["value"]) == (0.75, 0.25)
    for name in ("accuracy", "true_positive_rate", "precision", "f1", "prevalence"):
        assert document["groups"][0][name]["reason"] == "not applicable: no labels given"
    for name in ("accuracy", "unbiased_accuracy", "worst_group_accuracy"):
        assert document["overall"][name]["reason"] == "not applicable: no labels given"
    assert document["cells"] == []
    assert document["label"]["name"] is None


@pytest.fixture
def undefined_group(table: Build) -> Predictions:
    """Groups a and b have both classes; c has 40 negatives, none wrong, and no positives."""
    return table(
        {
            ("a", "1", "1"): 450, ("a", "1", "0"): 50, ("a", "0", "1"): 100, ("a", "0", "0"): 400,
            ("b", "1", "1"): 250, ("b", "1", "0"): 250, ("b", "0", "1"): 100, ("b", "0", "0"): 400,
            ("c", "0", "0"): 40,
        }
    )  # fmt: skip


def test_an_undefined_group_is_left_out_and_named(undefined_group: Predictions) -> None:
    gaps = found(undefined_group)
    opportunity = gaps["equal_opportunity_difference"]
    assert opportunity["value"] == pytest.approx(0.4)
    assert opportunity["groups_compared"] == 2
    assert opportunity["left_out"] == [
        {"group": {"g": "c"}, "n": 0, "reason": "no rows with y = 1"}
    ]
    assert gaps["equalized_odds_difference"]["value"] == pytest.approx(0.4)
    assert gaps["equalized_odds_difference"]["rate"] == "true_positive_rate"
    assert gaps["demographic_parity_difference"]["value"] == pytest.approx(0.55)
    theirs = fairness.equal_opportunity_difference(
        *rows(undefined_group)[:2], sensitive_features=rows(undefined_group)[2]
    )
    assert theirs == pytest.approx(0.9)  # fairlearn fills a rate of 0: we differ on purpose


def test_two_groups_of_which_one_is_undefined(table: Build) -> None:
    gaps = found(table({("a", "1", "1"): 5, ("a", "0", "1"): 3, ("c", "0", "0"): 4}))
    value = gaps["equal_opportunity_difference"]
    assert value["value"] is None
    assert value["reason"] == "true_positive_rate is defined in g = a alone"
    assert value["left_out"][0]["group"] == {"g": "c"}
    assert gaps["equalized_odds_difference"]["value"] == pytest.approx(1.0)  # FPR 1 against 0
    assert set(value) >= KEYS


def test_one_group_only(make: Build) -> None:
    for value in found(make(list("0110"), list("0101"), {"g": list("aaaa")})).values():
        assert value["value"] is None
        assert value["reason"] == "not applicable: one group only"


def rows(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    known = predictions.annotations
    assert known.truth is not None
    return known.truth, predictions.predicted, known.groups["g"]


@pytest.mark.parametrize("seed", range(25))
def test_against_fairlearn(seed: int, make: Build) -> None:
    """Equal wherever every group has all four outcomes."""
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(2, 6))
    base = np.array(np.meshgrid([0, 1], [0, 1], range(groups))).reshape(3, -1)
    n = int(rng.integers(0, 100))
    more = np.stack([rng.integers(0, 2, n), rng.integers(0, 2, n), rng.integers(0, groups, n)])
    y, p, g = np.concatenate([base, more], 1)
    gaps = found(make(texts(y), texts(p), {"g": texts(g)}), permutations=19)
    for name in ("demographic_parity", "equalized_odds", "equal_opportunity"):
        for form in ("difference", "ratio"):
            theirs = getattr(fairness, f"{name}_{form}")(y, p, sensitive_features=g)
            assert gaps[f"{name}_{form}"]["value"] == pytest.approx(theirs), (name, form)
    frame = fairness.MetricFrame(
        metrics={"a": lambda y, p: (y == p).mean(), "v": lambda y, p: y[p == 1].mean()},
        y_true=y, y_pred=p, sensitive_features=g,
    )  # fmt: skip
    for name, key in (("accuracy", "a"), ("predictive_parity", "v")):
        assert gaps[f"{name}_difference"]["value"] == pytest.approx(frame.difference()[key])
        assert gaps[f"{name}_ratio"]["value"] == pytest.approx(frame.ratio()[key])


@pytest.mark.parametrize("name", ["groups", "two_by_two", "documentation"])
def test_golden_disparities_of_fairlearn(
    name: str, golden: dict[str, Any], golden_predictions: Build
) -> None:
    theirs = golden["cases"]["fairlearn"][name]
    gaps = found(golden_predictions(name))
    for family in ("demographic_parity", "equalized_odds", "equal_opportunity"):
        value = gaps[f"{family}_difference"]["value"]
        if name == "groups" and family != "demographic_parity":
            assert theirs[f"{family}_difference"] == 1.0  # six rows without a positive one
            assert gaps["equal_opportunity_difference"]["value"] == pytest.approx(0.25)
        else:
            assert value == pytest.approx(theirs[f"{family}_difference"])
    assert gaps["demographic_parity_ratio"]["value"] == pytest.approx(
        theirs["demographic_parity_ratio"]
    )


def test_two_groups_have_the_folded_score_interval(loans: Predictions) -> None:
    gaps = found(replace(loans, positive="approved"), seed=3)
    value = gaps["accuracy_difference"]
    _, low, high = combinations.difference(8, 10, 8, 10)
    assert (value["low"], value["high"]) == pytest.approx((0.0, float(max(-low, high))))
    _, low, high = ratios.ratio(8, 10, 8, 10)
    assert gaps["accuracy_ratio"]["low"] == pytest.approx(min(float(low), 1 / float(high)))
    assert gaps["accuracy_ratio"]["high"] == 1
    assert "F4" in value["method"]
    assert value["p"] == 1.0
    assert value["permutations"] == 0


def test_p_of_two_groups_is_the_hypergeometric_tail(table: Build) -> None:
    gaps = found(
        table({("a", "1", "1"): 9, ("a", "1", "0"): 11, ("b", "1", "1"): 18, ("b", "1", "0"): 2})
    )
    fisher = stats.fisher_exact([[9, 11], [18, 2]])[1]  # equal sizes: the same two tails
    assert gaps["equal_opportunity_difference"]["p"] == pytest.approx(fisher)


def test_small_groups_do_not_hide_the_gap_of_the_others(table: Build) -> None:
    counts = {
        ("a", "1", "1"): 180, ("a", "1", "0"): 20, ("b", "1", "1"): 140, ("b", "1", "0"): 60,
        ("tiny", "1", "1"): 3, ("tiny", "1", "0"): 4,
    }  # fmt: skip
    gaps = found(table(counts), permutations=999)
    plain = gaps["equal_opportunity_difference"]
    judged = gaps["equal_opportunity_difference_min_group"]
    assert plain["value"] == pytest.approx(0.9 - 3 / 7)
    assert plain["lowest"] == {"group": {"g": "tiny"}, "n": 7, "value": pytest.approx(3 / 7)}
    assert plain["low"] is None
    assert plain["at_least"] < plain["value"] < plain["at_most"]
    assert judged["value"] == pytest.approx(0.2)
    assert judged["left_out"] == [
        {"group": {"g": "tiny"}, "n": 7, "reason": "7 of the 30 rows needed"}
    ]
    assert judged["null95"] < 0.1 < plain["null95"]
    assert judged["low"] > 0.1
    none = found(table(counts), min_group=190)["equal_opportunity_difference_min_group"]
    assert none["groups_compared"] == 2
    none = found(table(counts), min_group=900)["equal_opportunity_difference_min_group"]
    assert none["reason"].startswith("true_positive_rate is based on at least 900 rows in no group")


def test_a_rate_of_0_everywhere_has_no_ratio(table: Build) -> None:
    counts = {("a", "1", "1"): 4, ("a", "0", "0"): 4, ("b", "1", "1"): 2, ("b", "1", "0"): 2}
    gaps = found(table({**counts, ("b", "0", "0"): 4}))
    odds = gaps["equalized_odds_ratio"]
    assert odds["value"] == pytest.approx(0.5)
    assert odds["left_out"][0]["reason"] == "false_positive_rate of 1 is 0 in every group"
    silent = found(table({("a", "1", "0"): 4, ("b", "1", "0"): 4, ("b", "0", "0"): 1}))
    assert silent["demographic_parity_ratio"]["value"] is None
    assert silent["demographic_parity_ratio"]["reason"] == "the rate is 0 in every group"
    assert silent["demographic_parity_difference"]["value"] == 0


def test_p_adjusted_is_benjamini_hochberg(undefined_group: Predictions) -> None:
    gaps = found(undefined_group)
    tested = [v for v in gaps.values() if v["p"] is not None]
    p, adjusted = (np.array([v[key] for v in tested]) for key in ("p", "p_adjusted"))
    order = np.argsort(p)
    steps = p[order] * len(p) / np.arange(1, len(p) + 1)
    expected = np.minimum.accumulate(steps[::-1])[::-1]
    np.testing.assert_allclose(adjusted[order], np.minimum(expected, 1))
    assert all(v["p_adjusted"] is None for v in gaps.values() if v["p"] is None)


def simulated(make: Build, rates: list[float], n: int, seed: int, classes: int = 2) -> Predictions:
    """Predictions that are right with a rate of each group's own."""
    rng = np.random.default_rng(seed)
    g = rng.integers(0, len(rates), n)
    y = rng.integers(0, classes, n)
    right = rng.random(n) < np.array(rates)[g]
    p = np.where(right, y, (y + rng.integers(1, classes, n)) % classes)
    return make(texts(y), texts(p), {"g": texts(g)})


def test_planted_bias_is_found(make: Build) -> None:
    gaps = found(simulated(make, [0.9, 0.9, 0.7], 6_000, 1), permutations=999)
    for name in ("equalized_odds", "equal_opportunity", "accuracy", "predictive_parity"):
        value = gaps[f"{name}_difference"]
        assert value["value"] == pytest.approx(0.2, abs=0.05), name
        assert value["p"] == pytest.approx(0.001)
        assert value["p_adjusted"] <= 0.01
        assert 0.1 < value["at_least"] < 0.2 < value["at_most"]
        assert value["null95"] < 0.07
        assert value["adjusted"] == pytest.approx(value["value"], abs=0.01)
        assert value["lowest"]["group"] == {"g": "2"}
        assert value["detectable"] < 0.1
    assert gaps["demographic_parity_difference"]["p"] > 0.01


def test_no_planted_bias_no_small_p(make: Build) -> None:
    gaps = found(simulated(make, [0.85, 0.85, 0.85], 3_000, 2), permutations=999)
    for name in ("equalized_odds", "equal_opportunity", "accuracy", "demographic_parity"):
        value = gaps[f"{name}_difference"]
        assert value["p"] > 0.05, name
        assert value["at_least"] == 0
        assert gaps[f"{name}_ratio"]["at_most"] == 1
        assert value["value"] < 0.08


def test_more_than_two_classes_name_the_class_with_the_largest_gap(make: Build) -> None:
    rng = np.random.default_rng(3)
    n = 3_000
    y, g = rng.integers(0, 3, n), rng.integers(0, 2, n)
    p = np.where((y == 2) & (g == 1) & (rng.random(n) < 0.5), 0, y)
    gaps = found(make(texts(y), texts(p), {"g": texts(g)}), permutations=199)
    opportunity = gaps["equal_opportunity_difference"]
    assert opportunity["class"] == "2"
    mine = [(p[(y == 2) & (g == k)] == 2).mean() for k in (0, 1)]
    assert opportunity["value"] == pytest.approx(mine[0] - mine[1])
    assert opportunity["p"] == pytest.approx(1 / 200)
    assert opportunity["low"] == opportunity["at_least"] > 0.4
    odds = gaps["equalized_odds_difference"]
    assert (odds["class"], odds["rate"]) == ("2", "true_positive_rate")
    assert gaps["predictive_parity_difference"]["class"] == "0"
    assert gaps["accuracy_difference"]["class"] is None
    for name in ("equalized_odds", "demographic_parity"):
        none = found(simulated(make, [0.8, 0.8], 3_000, 5, classes=3))[f"{name}_difference"]
        assert none["p"] > 0.05
        assert none["at_least"] == 0


@pytest.mark.parametrize("seed", range(20))
def test_multiclass_gaps_against_a_plain_loop(seed: int, make: Build) -> None:
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 3, (2, 60))
    g = rng.integers(0, 3, 60)
    gaps = found(make(texts(y), texts(p), {"g": texts(g)}), permutations=9)

    def widest(top: Any, bottom: Any) -> float:
        out = []
        for c in range(3):
            rates = [
                (top(c) & (g == k)).sum() / (bottom(c) & (g == k)).sum()
                for k in range(3)
                if (bottom(c) & (g == k)).any()
            ]
            out.append(max(rates) - min(rates))
        return float(max(out))

    tpr = widest(lambda c: (y == c) & (p == c), lambda c: y == c)
    fpr = widest(lambda c: (y != c) & (p == c), lambda c: y != c)
    selection = widest(lambda c: p == c, lambda c: p == p)
    assert gaps["equal_opportunity_difference"]["value"] == pytest.approx(tpr)
    assert gaps["equalized_odds_difference"]["value"] == pytest.approx(max(tpr, fpr))
    assert gaps["demographic_parity_difference"]["value"] == pytest.approx(selection)
    precision = widest(lambda c: (y == c) & (p == c), lambda c: p == c)
    assert gaps["predictive_parity_difference"]["value"] == pytest.approx(precision)


def test_benjamini_hochberg_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 40):
        p = np.round(rng.random(count) ** 2, 3)
        ours = disparities.benjamini_hochberg(list(p))
        assert ours == pytest.approx(stats.false_discovery_control(p, method="bh"))
    assert disparities.benjamini_hochberg([]) == []
