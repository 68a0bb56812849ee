"""Scores: every number against a second path, odd inputs, tables against their rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn import metrics as sk

from debias_cl.metrics import Settings, measure
from debias_cl.metrics.schema import schema
from debias_cl.records import Mass, Predictions

Document = dict[str, Any]
Build = Callable[..., Predictions]
QUICK = Settings(permutations=199, min_group=5)


def with_scores(
    make: Build,
    label: Sequence[Any] | None,
    scores: Sequence[float],
    groups: dict[str, Sequence[str]],
    **options: Any,
) -> Predictions:
    """Build predictions that select scores of at least one half."""
    answers = ["1" if s >= 0.5 else "0" for s in scores]
    texts = None if label is None else [str(y) for y in label]
    rows = make(texts, answers, groups, **{"levels": ("0", "1"), **options})
    return replace(rows, scores=np.array(scores, np.float64))


@pytest.fixture(scope="session")
def many(make: Build) -> Predictions:
    """600 rows in three groups of unlike size, with ties, over- and underconfident."""
    rng = np.random.default_rng(5)
    n = 600
    g = rng.choice(["a", "b", "c"], n, p=[0.6, 0.3, 0.1])
    truth = (rng.random(n) < np.where(g == "a", 0.5, 0.3)).astype(int)
    raw = rng.normal(np.where(g == "b", 0.6, 1.5) * truth, 1.0)
    return with_scores(make, truth, list(np.round(1 / (1 + np.exp(-raw)), 2)), {"g": list(g)})


@pytest.fixture(scope="session")
def measured(many: Predictions) -> Document:
    return measure(many, QUICK)


def truth_of(rows: Predictions) -> npt.NDArray[Any]:
    assert rows.annotations.truth is not None
    return rows.annotations.truth


def scores_of(rows: Predictions) -> npt.NDArray[np.float64]:
    assert rows.scores is not None
    return rows.scores


def parts(rows: Predictions, document: Document) -> Any:
    """Give label, scores and entry of all rows and of each group."""
    y, s, g = truth_of(rows), scores_of(rows), rows.annotations.groups["g"]
    yield y, s, document["overall"]
    for place, entry in enumerate(document["groups"]):
        yield y[g == place], s[g == place], entry


def test_point_values_are_those_of_scikit_learn(many: Predictions, measured: Document) -> None:
    for y, s, entry in parts(many, measured):
        assert entry["auc"]["value"] == pytest.approx(sk.roc_auc_score(y, s), abs=1e-12)
        assert entry["brier"]["value"] == pytest.approx(sk.brier_score_loss(y, s), abs=1e-12)
        assert entry["log_loss"]["value"] == pytest.approx(sk.log_loss(y, s), abs=1e-12)
        assert entry["mean_score"]["value"] == pytest.approx(s.mean(), abs=1e-12)
        assert entry["calibration_in_the_large"]["value"] == pytest.approx((s - y).mean())
        assert entry["auc"]["n"] == len(y)


def test_means_have_the_t_interval(many: Predictions, measured: Document) -> None:
    for y, s, entry in parts(many, measured):
        for name, x in (("brier", (s - y) ** 2), ("mean_score", s)):
            low, high = stats.t.interval(0.95, len(x) - 1, x.mean(), stats.sem(x))
            assert (entry[name]["low"], entry[name]["high"]) == pytest.approx((low, high))
        x = s - y
        low, high = stats.t.interval(0.95, len(x) - 1, x.mean(), stats.sem(x))
        found = entry["calibration_in_the_large"]
        assert (found["low"], found["high"]) == pytest.approx((low, high))


def delong(y: npt.NDArray[Any], s: npt.NDArray[Any]) -> tuple[float, float]:
    """AUC and DeLong's variance, pair by pair."""
    one, zero = s[y == 1], s[y == 0]
    pairs = np.array([[1.0 if a > b else 0.5 if a == b else 0.0 for b in zero] for a in one])
    return float(pairs.mean()), float(
        pairs.mean(1).var(ddof=1) / len(one) + pairs.mean(0).var(ddof=1) / len(zero)
    )


def hanley(t: float, n1: int, n0: int) -> float:
    m = (n1 + n0) / 2 - 1
    return t * (1 - t) * (1 + m * (1 - t) / (2 - t) + m * t / (1 + t)) / (n1 * n0)


def test_auc_has_the_logit_interval_of_delong(many: Predictions, measured: Document) -> None:
    z = stats.norm.ppf(0.975)
    seen = set()
    for y, s, entry in parts(many, measured):
        area, v = delong(y, s)
        n1, n0 = int(y.sum()), int(len(y) - y.sum())
        few = min(n1, n0) * min(area, 1 - area) < 10
        seen.add(few)
        v = max(v, hanley(area, n1, n0)) if few else v
        half = z * math.sqrt(v) / (area * (1 - area))
        ends = [1 / (1 + math.exp(-(math.log(area / (1 - area)) + way * half))) for way in (-1, 1)]
        assert (entry["auc"]["low"], entry["auc"]["high"]) == pytest.approx(ends, abs=1e-9)
        assert ("Hanley" in entry["auc"]["method"]) == few
    assert seen == {False, True}


def test_auc_at_the_edge_has_newcombes_method_5(make: Build) -> None:
    right = [0.9, 0.8, 0.7, 0.2, 0.1]
    rows = with_scores(make, [1, 1, 1, 0, 0], right, {"g": list("aaaaa")})
    found = measure(rows, QUICK)["overall"]["auc"]
    assert found["value"] == 1 and found["high"] == 1 and "method 5" in found["method"]
    t, z = found["low"], stats.norm.ppf(0.975)
    assert (1 - t) ** 2 == pytest.approx(z * z * hanley(t, 3, 2), rel=1e-9)
    wrong = with_scores(make, [0, 0, 0, 1, 1], right, {"g": list("aaaaa")})
    mirrored = measure(wrong, QUICK)["overall"]["auc"]
    assert mirrored["value"] == 0 and mirrored["low"] == 0
    assert mirrored["high"] == pytest.approx(1 - hanley_root(2, 3, z), abs=1e-6)


def hanley_root(n1: int, n0: int, z: float) -> float:
    """The t below 1 with (1 - t)^2 = z^2 v(t), by a fine grid."""
    grid = np.linspace(1e-6, 1 - 1e-6, 2_000_001)
    m = (n1 + n0) / 2 - 1
    v = grid * (1 - grid) * (1 + m * (1 - grid) / (2 - grid) + m * grid / (1 + grid)) / (n1 * n0)
    return float(grid[np.argmax((1 - grid) ** 2 <= z * z * v)])


def test_one_constant_score_is_one_bin(make: Build) -> None:
    rows = with_scores(make, [1, 0] * 10, [0.9] * 20, {"g": list("ab" * 10)})
    document = measure(rows, QUICK)
    found = document["overall"]
    assert found["ece"]["value"] == pytest.approx(0.4)
    assert found["ece"]["bins"] == 1
    assert found["ece"]["p"] < 0.01
    assert found["auc"]["value"] == 0.5
    assert found["auc"]["low"] == pytest.approx(1 - found["auc"]["high"])
    assert found["brier"]["value"] == pytest.approx(0.41)
    assert found["log_loss"]["value"] == pytest.approx(1.2040, abs=5e-5)
    assert found["mean_score"]["low"] is None and "same value" in found["mean_score"]["reason"]
    assert document["scores"]["distinct"] == 1 and document["scores"]["commonest_share"] == 1
    assert [len(c["bins"]) for c in document["scores"]["calibration"]] == [1, 1, 1]
    assert document["threshold_sweep"]["thresholds"] == [0.9]


def test_a_table_with_a_score_alone(make: Build) -> None:
    groups = {"gender": ["F", "F", "M", "M"]}
    rows = with_scores(make, [1, 0, 1, 0], [0.73, 0.20, 0.55, 0.61], groups)
    document = measure(rows, Settings(permutations=99))
    women, men = document["groups"]
    assert (women["auc"]["value"], men["auc"]["value"]) == (1.0, 0.0)
    assert document["overall"]["auc"]["value"] == 0.75
    assert (women["accuracy"]["value"], men["accuracy"]["value"]) == (1.0, 0.5)
    gap = document["disparities"]["gender"]["auc_difference"]
    assert gap["value"] == 1.0 and gap["lowest"]["group"] == {"gender": "M"}
    small = document["disparities"]["gender"]["auc_difference_min_group"]
    assert small["value"] is None and "1 of the 30 rows" in small["left_out"][0]["reason"]


def test_a_certain_and_wrong_score_has_no_log_loss(make: Build) -> None:
    rows = with_scores(make, [1, 1, 0, 0], [1.0, 0.0, 0.0, 0.3], {"g": list("aabb")})
    document = measure(rows, QUICK)
    found = document["overall"]["log_loss"]
    assert found["value"] is None
    assert found["reason"] == "infinite: 1 row has a score of exactly 0 or 1 and the other label"
    assert document["groups"][1]["log_loss"]["value"] == pytest.approx(-math.log(0.7) / 2)
    assert document["overall"]["brier"]["value"] == pytest.approx((1 + 0.09) / 4)


def test_scores_that_are_no_probabilities_have_an_auc_alone(make: Build) -> None:
    rows = with_scores(make, [1, 0, 1, 0], [3.0, -2.0, 1.5, 0.2], {"g": list("aabb")})
    document = measure(rows, QUICK)
    assert document["overall"]["auc"]["value"] == 1
    assert document["overall"]["mean_score"]["value"] == pytest.approx(0.675)
    for name in ("brier", "log_loss", "ece", "rms_calibration_error", "calibration_in_the_large"):
        assert document["overall"][name]["value"] is None
        assert "outside [0, 1]" in document["overall"][name]["reason"]
    assert document["scores"]["calibration"] == [] and document["scores"]["roc"]
    assert document["disparities"]["g"]["ece_difference"]["value"] is None


def test_without_labels_scores_have_a_mean_alone(make: Build) -> None:
    document = measure(with_scores(make, None, [0.1, 0.9, 0.4, 0.6], {"g": list("aabb")}), QUICK)
    assert document["overall"]["mean_score"]["value"] == pytest.approx(0.5)
    assert document["overall"]["auc"]["reason"].endswith("no labels given")
    assert document["disparities"]["g"]["auc_difference"]["reason"].endswith("no labels given")
    assert document["disparities"]["g"]["mean_score_difference"]["value"] == 0
    assert document["threshold_sweep"]["groups"][0]["selection_rate"]["value"][0] == 1


def test_a_group_of_one_class_has_no_auc_and_everything_else(make: Build) -> None:
    rows = with_scores(make, [1, 1, 1, 0], [0.9, 0.8, 0.6, 0.4], {"g": list("aabb")})
    document = measure(rows, QUICK)
    found = document["groups"][0]
    assert found["auc"]["reason"] == "no rows without y = 1"
    assert found["brier"]["value"] == pytest.approx(0.025)
    assert found["ece"]["value"] == pytest.approx(0.15)
    gap = document["disparities"]["g"]["auc_difference"]
    assert gap["value"] is None and gap["left_out"][0]["reason"] == "no rows without y = 1"


def test_rows_without_a_score_are_left_out_and_counted(make: Build) -> None:
    rows = with_scores(make, [1, 0, 1, 0], [0.9, 0.1, math.nan, math.nan], {"g": list("aabb")})
    document = measure(rows, QUICK)
    assert document["scores"]["n"] == 2 and document["scores"]["n_missing_score"] == 2
    assert document["overall"]["auc"]["n"] == 2
    assert document["groups"][1]["auc"]["reason"] == "no rows"
    assert document["groups"][1]["mean_score"]["reason"] == "no rows"
    nothing = measure(replace(rows, scores=np.full(4, math.nan)), QUICK)
    assert nothing["overall"]["auc"]["reason"] == "no rows"
    assert nothing["threshold_sweep"]["thresholds"] == []


def test_no_scores_no_numbers_of_scores(make: Build) -> None:
    document = measure(make(list("0101"), list("0011"), {"g": list("aabb")}), QUICK)
    assert "scores" not in document and "threshold_sweep" not in document
    assert "auc" not in document["overall"]


def test_more_levels_are_one_against_the_rest(make: Build) -> None:
    label = ["x", "y", "z", "x", "y", "z"]
    rows = make(label, label, {"g": list("aaabbb")}, positive="x", levels=("x", "y", "z"))
    rows = replace(rows, scores=np.array([0.9, 0.2, 0.1, 0.4, 0.5, 0.1]))
    document = measure(rows, QUICK)
    assert [g["auc"]["value"] for g in document["groups"]] == [1.0, 0.5]
    assert document["disparities"]["g"]["auc_difference"]["class"] == "x"
    assert "against all other levels" in document["scores"]["note"]
    cell = next(c for c in document["cells"] if c["group"] == {"y": "y", "g": "b"})
    assert cell["brier"]["value"] == pytest.approx(0.25)


def test_cells_have_what_one_label_allows(many: Predictions, measured: Document) -> None:
    y, s, g = truth_of(many), scores_of(many), many.annotations.groups["g"]
    for cell in measured["cells"]:
        label, group = int(cell["group"]["y"]), "abc".index(cell["group"]["g"])
        mine = s[(y == label) & (g == group)]
        assert cell["mean_score"]["value"] == pytest.approx(mine.mean())
        assert cell["brier"]["value"] == pytest.approx(((mine - label) ** 2).mean())
        assert cell["ece"]["value"] == pytest.approx(abs(mine - label).mean())
        assert cell["auc"]["value"] is None


def counted(rows: Predictions, weight: npt.NDArray[np.float64] | None = None) -> Predictions:
    """Count equal rows together, with sums of their weights."""
    known, scores = rows.annotations, scores_of(rows)
    keys = np.stack([truth_of(rows), rows.predicted, *known.groups.values(), scores])
    _, first, inverse, many = np.unique(
        keys, axis=1, return_index=True, return_inverse=True, return_counts=True
    )
    place = inverse.ravel()
    mass = Mass(many.astype(np.int64))
    if weight is not None:
        sums = [np.bincount(place, weight**power) for power in (1, 2)]
        mass = Mass(many.astype(np.int64), *sums)
    entries = replace(known.take(first), mass=mass)
    return replace(rows, annotations=entries, predicted=rows.predicted[first], scores=scores[first])


def weighted(rows: Predictions, weight: npt.NDArray[np.float64]) -> Predictions:
    mass = Mass(np.ones(len(rows), np.int64), weight, weight**2)
    return replace(rows, annotations=replace(rows.annotations, mass=mass))


SCORED = (
    "auc",
    "brier",
    "log_loss",
    "ece",
    "rms_calibration_error",
    "calibration_in_the_large",
    "mean_score",
)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal up to the order of summation."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and other is not None:
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


@pytest.mark.parametrize("heavy", [False, True])
def test_a_counted_table_gives_the_numbers_of_its_rows(many: Predictions, heavy: bool) -> None:
    weight = np.random.default_rng(0).choice([0.5, 1.0, 3.0], len(many)) if heavy else None
    rows = many if weight is None else weighted(many, weight)
    one, other = measure(counted(many, weight), QUICK), measure(rows, QUICK)
    for name in SCORED:
        assert same(one["overall"][name], other["overall"][name]), name
        for a, b in zip(one["groups"], other["groups"], strict=True):
            assert same(a[name], b[name]), name
    for key in ("scores", "threshold_sweep"):
        assert same(one[key], other[key]), key
    for name, gap in other["disparities"]["g"].items():
        assert same(one["disparities"]["g"][name], gap), name


def test_weighted_values_are_those_of_scikit_learn(many: Predictions) -> None:
    weight = np.random.default_rng(1).uniform(0.2, 4, len(many))
    document = measure(weighted(many, weight), QUICK)
    y, s, g = truth_of(many), scores_of(many), many.annotations.groups["g"]
    for place, entry in enumerate(document["groups"]):
        mine = g == place
        told = {"sample_weight": weight[mine]}
        assert entry["auc"]["value"] == pytest.approx(sk.roc_auc_score(y[mine], s[mine], **told))
        brier = sk.brier_score_loss(y[mine], s[mine], **told)
        assert entry["brier"]["value"] == pytest.approx(brier)
        assert entry["log_loss"]["value"] == pytest.approx(sk.log_loss(y[mine], s[mine], **told))
        assert "(F11)" in entry["auc"]["method"] and "(F11)" in entry["brier"]["method"]
        assert entry["brier"]["n_effective"] < mine.sum()
    gap = document["disparities"]["g"]["auc_difference"]
    assert gap["chance"].startswith("normal") and 0 <= gap["p"] <= 1


def test_weights_that_are_all_alike_change_nothing(many: Predictions, measured: Document) -> None:
    document = measure(weighted(many, np.full(len(many), 2.5)), QUICK)
    for name in SCORED:
        assert same(document["overall"][name], measured["overall"][name]), name


def test_twice_the_same_rows_of_a_person_say_no_more(many: Predictions) -> None:
    twice = np.repeat(np.arange(len(many)), 2)
    doubled = replace(
        many,
        annotations=replace(many.annotations.take(twice), persons=twice),
        predicted=many.predicted[twice],
        scores=scores_of(many)[twice],
    )
    one, two = measure(many, QUICK)["overall"], measure(doubled, QUICK)["overall"]
    for name in ("auc", "brier", "mean_score"):
        wide = one[name]["high"] - one[name]["low"]
        assert two[name]["high"] - two[name]["low"] == pytest.approx(wide, rel=0.03), name
        assert "(F10)" in two[name]["method"]
    assert two["ece"]["p"] is None


def test_the_document_fits_its_schema(measured: Document) -> None:
    import jsonschema

    whole = schema()
    part = {"$ref": "#/$defs/measured", "$defs": whole["$defs"]}
    jsonschema.validate(json.loads(json.dumps(measured)), part)
