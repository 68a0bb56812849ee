"""Gaps inside strata: Berkeley's admissions, planted reversals, and sums by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from debias_cl.errors import UsageError
from debias_cl.metrics import Settings, combinations, measure, refuse_absent
from debias_cl.records import Annotations, Column, Mass, Predictions

QUICK = Settings(permutations=9)

# Admitted and rejected, men and women, in the six largest departments of Berkeley in 1973: Bickel,
# Hammel and O'Connell (1975), Science 187:398-404, as in R's data set UCBAdmissions.
BERKELEY = {
    "A": ((512, 313), (89, 19)),
    "B": ((353, 207), (17, 8)),
    "C": ((120, 205), (202, 391)),
    "D": ((138, 279), (131, 244)),
    "E": ((53, 138), (94, 299)),
    "F": ((22, 351), (24, 317)),
}


def berkeley() -> Predictions:
    """One entry for each department, sex and decision; the decision is the prediction."""
    cells = [
        (place, sex, admitted, by_sex[sex][1 - admitted])
        for place, by_sex in enumerate(BERKELEY.values())
        for sex in (0, 1)
        for admitted in (0, 1)
    ]
    department, sex, admitted, rows = (np.array(v, np.int64) for v in zip(*cells, strict=True))
    known = Annotations(
        ids=np.array([f"cell {i}" for i in range(len(rows))]),
        label=None,
        truth=None,
        attributes=(Column("sex", ("male", "female")),),
        groups={"sex": sex, "department": department},
        mass=Mass(rows),
        strata=(Column("department", tuple(BERKELEY)),),
    )
    return Predictions(known, admitted, ("no", "yes"), None, "yes", "--positive")


def test_berkeley_points_the_other_way_within_departments() -> None:
    document = measure(berkeley(), replace(QUICK, within="department"))
    found = document["within"]
    assert found["column"] == "department"
    assert [one["n"] for one in found["strata"]] == [933, 585, 918, 792, 584, 714]
    (one,) = found["attributes"]["sex"]
    assert (one["measure"], one["rate"]) == ("demographic_parity", "selection_rate")
    # 1,198 of 2,691 men and 557 of 1,835 women were admitted.
    assert one["group"] == {"sex": "male"}
    assert one["against"] == {"sex": "female"}
    assert one["pooled"]["value"] == pytest.approx(1198 / 2691 - 557 / 1835)
    assert one["pooled"]["low"] > 0.11
    gaps, weights = [], []
    for (yes, no), (other_yes, other_no) in BERKELEY.values():
        gaps.append(yes / (yes + no) - other_yes / (other_yes + other_no))
        weights.append(yes + no + other_yes + other_no)
    assert [value["value"] for value in one["strata"]] == pytest.approx(gaps)
    assert [value["level"] for value in one["strata"]] == list(BERKELEY)
    assert one["strata"][0]["value"] == pytest.approx(-0.2035, abs=1e-4)
    # Within departments the mean gap is 4.3 points, in favour of women.
    assert one["within"]["value"] == pytest.approx(np.average(gaps, weights=weights))
    assert one["within"]["value"] == pytest.approx(-0.0426, abs=1e-4)
    assert one["within"]["high"] < 0
    assert one["within"]["n"] == 4526
    assert one["within"]["left_out"] == []
    assert one["reversed"] is True


def test_the_mean_has_the_interval_of_a_sum_over_disjoint_cells() -> None:
    (one,) = measure(berkeley(), replace(QUICK, within="department"))["within"]["attributes"]["sex"]
    x, n, c = [], [], []
    for men, women in BERKELEY.values():
        x += [men[0], women[0]]
        n += [sum(men), sum(women)]
        c += [sum(men) + sum(women), -sum(men) - sum(women)]
    value, low, high = combinations.linear(np.array(x), np.array(n), np.array(c) / 4526)
    assert (one["within"]["value"], one["within"]["low"], one["within"]["high"]) == pytest.approx(
        (float(value), float(low), float(high)), abs=1e-9
    )
    # Wald's interval is close, with so many rows.
    p = np.array(x) / n
    sd = float(((np.array(c) / 4526) ** 2 * p * (1 - p) / n).sum() ** 0.5)
    assert one["within"]["high"] == pytest.approx(float(value) + 1.96 * sd, abs=3e-3)


def test_a_stratum_without_one_of_the_groups_is_left_out_and_named(make: Any) -> None:
    site = ["s"] * 6 + ["t"] * 2
    rows = make(None, list("11001011"), {"g": list("aaabbbaa"), "site": site})
    found = measure(rows, replace(QUICK, within="site"))["within"]["attributes"]["g"]
    (one,) = found
    assert one["within"]["left_out"] == [
        {"level": "t", "reason": "one of the two has no rows here"}
    ]
    assert one["strata"][1]["value"] is None
    assert one["within"]["value"] == pytest.approx(2 / 3 - 1 / 3)
    assert one["within"]["n"] == 6


@pytest.fixture(scope="module")
def three(make: Callable[..., Predictions]) -> Predictions:
    rng = np.random.default_rng(5)
    n = 900
    g, site = rng.choice(["a", "b", "c"], n), rng.choice(["s", "t"], n)
    label = rng.integers(0, 2, n).astype(str)
    answer = np.where(rng.random(n) < 0.7, label, np.where(g == "a", "1", "0"))
    return make(list(label), list(answer), {"g": list(g), "site": list(site)})


def test_three_groups_are_each_held_against_the_rest(three: Predictions) -> None:
    document = measure(three, replace(QUICK, within="site"))
    found = document["within"]["attributes"]
    assert set(found) == {"g"}  # an attribute is not compared within itself
    known = three.annotations
    g = np.array(known.column("g").levels)[known.groups["g"]]
    site, truth, said = known.groups["site"], known.truth, three.predicted
    assert truth is not None
    masks = {
        "selection_rate": (said == 1, np.ones(len(g), bool)),
        "true_positive_rate": (said == 1, truth == 1),
        "false_positive_rate": (said == 1, truth == 0),
        "accuracy": (said == truth, np.ones(len(g), bool)),
    }
    assert len(found["g"]) == 12
    for one in found["g"]:
        right, of = masks[one["rate"]]
        mine = g == one["group"]["g"]
        assert one["against"] == "rest"
        gap = right[mine & of].mean() - right[~mine & of].mean()
        assert one["pooled"]["value"] == pytest.approx(gap)
        gaps = [
            right[mine & of & (site == s)].mean() - right[~mine & of & (site == s)].mean()
            for s in (0, 1)
        ]
        assert [value["value"] for value in one["strata"]] == pytest.approx(gaps)
        mean = np.average(gaps, weights=np.bincount(site))
        assert one["within"]["value"] == pytest.approx(mean)


def test_counted_rows_and_strata_kept_apart_give_the_same(three: Predictions) -> None:
    """Rows, entries that stand for many, and strata as attributes or not: the same numbers."""
    wanted = measure(three, replace(QUICK, within="site"))["within"]
    known = three.annotations
    assert known.truth is not None
    keys = np.stack([known.truth, three.predicted, *known.groups.values()])
    _, first, many = np.unique(keys, axis=1, return_index=True, return_counts=True)
    entries = replace(
        known.take(first),
        mass=Mass(many.astype(np.int64)),
        attributes=(known.column("g"),),
        strata=(known.column("site"),),
    )
    counted = replace(three, annotations=entries, predicted=three.predicted[first])
    found = measure(counted, replace(QUICK, within="site"))["within"]
    assert json.dumps(found) == json.dumps(wanted)


def test_two_groups_are_the_higher_minus_the_lower_in_every_rate(make: Any) -> None:
    rng = np.random.default_rng(8)
    label, answer = rng.integers(0, 2, (2, 400)).astype(str)
    groups = {"g": list(rng.choice(["a", "b"], 400)), "site": list(rng.choice(["s", "t"], 400))}
    rows = make(list(label), list(answer), groups)
    found = measure(rows, replace(QUICK, within="site"))["within"]["attributes"]["g"]
    assert len(found) == 4
    assert all(one["pooled"]["value"] >= 0 for one in found)


def test_a_column_that_is_not_there_is_refused(three: Predictions) -> None:
    with pytest.raises(UsageError, match="'sit' is not among the attributes") as caught:
        measure(three, replace(QUICK, within="sit"))
    assert "site" in str(caught.value)


def test_what_is_absent_is_refused_before_anything_is_computed(three: Predictions) -> None:
    known = three.annotations
    refuse_absent(known, Settings(within="site", reference={"g": "a"}))
    with pytest.raises(UsageError, match="'sit' is not among"):
        refuse_absent(known, Settings(within="sit"))
    with pytest.raises(UsageError, match="'z' is no level of 'g'"):
        refuse_absent(known, Settings(reference={"g": "z"}))


def test_nothing_is_added_without_the_flag(three: Predictions) -> None:
    assert "within" not in measure(three, QUICK)
