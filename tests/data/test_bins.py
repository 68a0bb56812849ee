"""Ranges of a numeric column: every number has one, and rows are shared out evenly."""

from __future__ import annotations

import numpy as np
import pytest

from debias_cl.data.bins import Bins, ranges, read_bins
from debias_cl.errors import UsageError
from debias_cl.records import MISSING

ONES = np.ones(100, np.int64)


def test_a_range_holds_its_lower_edge_and_the_last_one_both() -> None:
    values = np.array([0, 17.9, 18, 29, 30, 50])
    column, codes = ranges("age", values, ONES[:6], Bins((0, 18, 30, 50)))
    assert column.levels == ("0 to under 18", "18 to under 30", "30 to 50")
    assert codes.tolist() == [0, 0, 1, 1, 2, 2]
    assert column.numbers == {
        "0 to under 18": pytest.approx(8.95),
        "18 to under 30": 23.5,
        "30 to 50": 40,
    }


def test_what_lies_outside_and_what_is_missing_is_kept() -> None:
    values = np.array([-1, 5, np.nan, 99, 200])
    column, codes = ranges("age", values, np.array([1, 1, 1, 1, 3]), Bins((0, 10, 20)))
    assert column.levels == ("under 0", "0 to under 10", "10 to 20", "over 20", MISSING)
    assert codes.tolist() == [0, 1, 4, 3, 3]
    assert column.numbers["over 20"] == pytest.approx((99 + 3 * 200) / 4)
    assert "10 to 20" not in column.numbers
    assert MISSING not in column.numbers


@pytest.mark.parametrize("many", [2, 3, 4, 7])
def test_quantiles_share_the_rows_out_and_counted_rows_are_the_same(many: int) -> None:
    rng = np.random.default_rng(many)
    values = rng.integers(0, 1000, 5000).astype(float)
    column, codes = ranges("x", values, np.ones(5000, np.int64), Bins(quantiles=many))
    sizes = np.bincount(codes)
    assert len(sizes) == len(column.levels) == many
    assert abs(sizes - 5000 / many).max() < 25
    kinds, rows = np.unique(values, return_counts=True)
    counted, places = ranges("x", kinds, rows.astype(np.int64), Bins(quantiles=many))
    assert counted.levels == column.levels
    assert (np.bincount(places, rows) == sizes).all()
    assert counted.numbers == pytest.approx(dict(column.numbers))


def test_few_distinct_values_give_fewer_ranges_and_lose_nothing() -> None:
    column, codes = ranges("x", np.array([1.0, 1, 1, 2]), ONES[:4], Bins(quantiles=4))
    assert column.levels == ("1 to 2",)
    assert codes.tolist() == [0, 0, 0, 0]
    column, codes = ranges("x", np.array([3.0, 3]), ONES[:2], Bins(quantiles=2))
    assert column.levels == ("3",)
    assert codes.tolist() == [0, 0]
    column, codes = ranges("x", np.array([np.nan]), ONES[:1], Bins(quantiles=2))
    assert column.levels[codes[0]] == MISSING


def test_the_flag_is_read() -> None:
    found = read_bins(["age=0,18, 30", "income = quantiles:4"])
    assert found == {"age": Bins((0, 18, 30)), "income": Bins(quantiles=4)}


@pytest.mark.parametrize(
    "text", ["age", "=1,2", "age=", "age=1", "age=2,1", "age=1,1", "age=a,b", "age=quantiles:1"]
)
def test_a_flag_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--bins"):
        read_bins([text])
