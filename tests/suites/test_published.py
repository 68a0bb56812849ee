"""Published figures stand beside a table of the same protocol, and nowhere else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from debias_cl.data import DATASETS
from debias_cl.suites.board import boards_of
from debias_cl.suites.grid import Suite
from debias_cl.suites.leaderboard import to_csv, to_latex, to_markdown, write_leaderboard
from debias_cl.suites.published import published
from debias_cl.suites.published_table import CAPTION, NONE, RULE
from debias_cl.suites.question import MEASURES, Question
from debias_cl.suites.results import Result

Make = Callable[..., Result]
SUITE = Suite("s", "A suite", "", Question(("cross_entropy",)), ())
PAPER = {
    "fit": {"epochs": 80},
    "encoder": {"architecture": "simple_conv_net"},
    "data": {"train_limit": 0},
}
REBIAS = {
    "vanilla": 89.1,
    "biased (1x1)": 10.0,
    "HEX": 24.7,
    "LearnedMixin": 88.3,
    "RUBi": 93.6,
    "ReBias": 88.1,
}
"""Accuracy at rho 0.99, percent: the table in resources/Table1.png of clovaai/rebias."""


def made(result: Make, **fields: Any) -> list[Result]:
    """Two methods under the published protocol of Biased MNIST, but for `fields`."""
    plain = {"config": PAPER, "protocol": "full", "preset": "paper", **fields}
    return [result(m, seed, 0.5, **plain) for m in ("cross_entropy", "contex") for seed in (0, 1)]


def test_every_figure_can_be_read_and_names_what_the_package_knows() -> None:
    assert len(published()) == 79
    for figure in published():
        assert 0 <= figure.value <= 1 and figure.source and figure.method
        assert figure.measure in ("", *MEASURES)
        spec = DATASETS.get(figure.dataset)
        assert set(figure.protocols) <= set(spec.protocols)
        assert figure.attr in spec.labels
        encoders = {preset.encoder.architecture for preset in spec.presets.values()}
        assert figure.encoder in ("", *encoders)


def test_figures_of_the_same_protocol_stand_beside_the_table(result: Make) -> None:
    (board,) = boards_of(made(result), SUITE)
    found = {f.method: round(f.value * 100, 3) for f in board.published if "rebias" in f.source}
    assert found == REBIAS
    assert {f.rho for f in board.published} == {0.99}
    assert {row.method for row in board.rows} == {"cross_entropy", "contex"}


@pytest.mark.parametrize(
    "other",
    [
        {"protocol": "holdout"},
        {"rho": 0.98},
        {"attr": "colour"},
        {"dataset": "biased_mnist_mini"},
        {"config": {**PAPER, "fit": {"epochs": 10}}},
        {"config": {**PAPER, "encoder": {"architecture": "slim"}}},
        {"config": {**PAPER, "data": {"train_limit": 5000}}},
    ],
)
def test_another_protocol_has_none_and_the_page_says_so(
    result: Make, other: dict[str, Any], tmp_path: Path
) -> None:
    results = made(result, **other)
    (board,) = boards_of(results, SUITE)
    assert board.published == ()
    page = write_leaderboard(results, SUITE, tmp_path).read_text(encoding="utf-8")
    assert page.count(NONE) == 1 and "rebias" not in page and CAPTION not in page
    assert "rebias" not in (tmp_path / "leaderboard.csv").read_text(encoding="utf-8")


def test_two_encoders_in_one_table_have_no_published_protocol(result: Make) -> None:
    slim = {**PAPER, "encoder": {"architecture": "slim"}}
    results = [*made(result), result("other", 0, 0.5, config=slim, protocol="full", preset="paper")]
    assert not boards_of(results, SUITE)[0].published


def test_a_table_on_validation_has_none(result: Make) -> None:
    suite = Suite("s", "", "", Question(("cross_entropy",), split="validation"), ())
    values = {"linear probe": {"validation": {"accuracy": {"value": 0.5}}}}
    assert not boards_of(made(result, values=values), suite)[0].published


def test_all_four_forms_show_them_apart_and_unchecked_ones_grey(
    result: Make, tmp_path: Path
) -> None:
    found = {"value": 0.5}
    values = {"linear probe": {"test": {"accuracy": found, "unbiased_accuracy": found}}}
    results = made(result, values=values)
    boards = boards_of(results, SUITE)
    page = write_leaderboard(results, SUITE, tmp_path).read_text(encoding="utf-8")
    assert CAPTION in page and RULE in page and NONE not in page
    grey = page.index("BiasCon+BiasBal</th>")
    assert page[:grey].endswith('<th scope="row" class="un">')
    assert '<th scope="row" class="">vanilla</th>' in page
    assert page.index("vanilla</th>") > page.index("contex<span")
    text = to_markdown(boards, SUITE, results)
    assert "| vanilla | accuracy | 89.1 | 3 |" in text
    assert "| *CE* | *mean of cells* | *90.8 ± 0.3* | *not stated* |" in text
    latex = to_latex(boards, SUITE)
    assert "vanilla & accuracy & 89.1 & 3" in latex and r"\textcolor{gray}{CE}" in latex
    lines = list(csv.DictReader(io.StringIO(to_csv(boards))))
    ours = [line for line in lines if line["origin"] == "run"]
    theirs = {line["method"]: line for line in lines if line["origin"] == "published"}
    assert {line["method"] for line in ours} == {"cross_entropy", "contex"}
    assert float(theirs["RUBi"]["mean"]) == pytest.approx(0.936)
    assert theirs["RUBi"]["checked"] == "yes" and theirs["CE"]["checked"] == "no"
    assert theirs["EnD"]["reason"] == "best 3 of 70 sweep runs" and theirs["EnD"]["n"] == ""
    assert theirs["RUBi"]["part"] == "p" and theirs["RUBi"]["protocol"] == "full"
