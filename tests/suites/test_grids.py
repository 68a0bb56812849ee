"""The grids: every suite can be made, chosen from, shared out and listed, without any data."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from debias_cl.benchmark import main, numbers
from debias_cl.errors import DataError, UsageError
from debias_cl.losses import OBJECTIVES
from debias_cl.suites.grid import Cell, Choice, cells_of, named, read_suite, share, suites


@cache
def every_cell(name: str) -> tuple[Cell, ...]:
    """All cells of a suite; made once, because there are a thousand."""
    return tuple(cells_of(read_suite(name)))


def test_every_suite_of_the_package_can_be_read_and_made() -> None:
    assert set(suites()) == {"quick", "evidence", "distortion", "standard"}
    for name in suites():
        suite = read_suite(name)
        cells = every_cell(name)
        assert len({cell.name for cell in cells}) == len(cells)
        made = {(cell.part, cell.method) for cell in cells}
        for part in suite.parts:
            asked = suite.asks(part["name"])
            places = {part["name"], asked.baseline_from}
            for baseline in asked.baselines:
                assert any((place, baseline) in made for place in places), part["name"]


def test_the_quick_suite_has_eight_methods_and_two_seeds() -> None:
    cells = every_cell("quick")
    assert len({cell.method for cell in cells}) >= 8
    assert {cell.config.seed for cell in cells} == {0, 1}


SIX = {"cross_entropy", "simclr", "supcon", "contex", "contex_clamped", "supcon_simclr"}


def test_the_distortion_suite_has_the_six_methods_and_every_debiasing_one() -> None:
    debiasing = {name for name, spec in OBJECTIVES if spec.family.startswith("debiasing")}
    found: dict[str, set[str]] = {}
    for cell in every_cell("distortion"):
        found.setdefault(cell.part, set()).add(cell.config.objective.name)
    for part in ("mnist", "utkface-race", "utkface-age", "celeba"):
        assert SIX | debiasing <= found[part]
    digits = [cell.config for cell in every_cell("distortion") if cell.part == "mnist"]
    assert {config.data.rho for config in digits} == {0.99, 0.995, 0.997, 0.999}
    assert {config.encoder.architecture for config in digits} == {"simple_conv_net"}
    assert {(c.fit.epochs, c.fit.batch_size, c.data.protocol) for c in digits} == {
        (80, 256, "legacy")
    }
    assert "group_balanced" in {config.fit.sampling for config in digits}


def test_the_standard_suite_has_sixteen_rivals_on_five_data_sets() -> None:
    cells = every_cell("standard")
    by_data: dict[str, set[str]] = {}
    for cell in cells:
        by_data.setdefault(cell.config.data.dataset, set()).add(cell.config.objective.name)
    assert by_data.keys() == {"cifar10", "cifar100", "caltech101", "caltech256", "imagenet"}
    for methods in by_data.values():
        rivals = {m for m in methods if OBJECTIVES.get(m).family != "ConTeX"}
        assert {"contex", "contex_clamped"} <= methods and len(rivals - {"supcon_simclr"}) >= 16
    assert not any(OBJECTIVES.get(c.config.objective.name).needs_bias for c in cells)
    assert {cell.config.preset for cell in cells} == {"short"}


@pytest.mark.parametrize("name", ["quick", "evidence", "distortion", "standard"])
def test_dry_run_lists_a_suite_without_its_data(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--results", str(tmp_path / "results"), "--data-root", str(tmp_path)]
    assert (
        main(
            [
                "--suite",
                name,
                "--dry-run",
                "--seeds",
                "0",
                "--rho",
                "0.99",
                "--device",
                "cpu",
                *places,
            ]
        )
        == 0
    )
    said = capsys.readouterr().out
    assert " cells to run" in said
    assert "no rate measured yet" in said and not list(tmp_path.iterdir())


def test_the_evidence_pairs_methods_by_seed_and_changes_nothing_else() -> None:
    cells = [cell for cell in every_cell("evidence") if cell.part == "a"]
    assert len(cells) == 60
    for cell in cells:
        assert cell.config.seed == cell.config.data.seed
    first = [c for c in cells if c.config.seed == 3 and c.views == "geo"]
    same = first[0].config
    assert all(replace(c.config, objective=same.objective) == same for c in first)


def test_a_choice_narrows_and_adds() -> None:
    suite = read_suite("quick")
    chosen = cells_of(suite, Choice(methods=("contex", "dcl"), seeds=(5,), rho=(0.95,)))
    assert [(c.method, c.config.seed, c.config.data.rho) for c in chosen] == [
        ("contex", 5, 0.95),
        ("dcl", 5, 0.95),
    ]
    faces = Choice(parts=("utkface-race",), seeds=(0,), methods=("contex",), rho=(0.9,))
    assert [c.config.data.rho for c in cells_of(read_suite("distortion"), faces)] == [None]
    with pytest.raises(UsageError, match="did you mean 'contex'"):
        cells_of(suite, Choice(methods=("contexx",)))
    with pytest.raises(UsageError, match="nothing"):
        cells_of(suite, Choice(datasets=("celeba",)))


def test_shares_part_the_grid() -> None:
    cells = every_cell("evidence")
    parts = [share(cells, f"{k}/7") for k in range(1, 8)]
    assert sorted(c.name for part in parts for c in part) == sorted(c.name for c in cells)
    for wrong in ("0/2", "3/2", "2", "a/b"):
        with pytest.raises(UsageError, match="k/K"):
            share(cells, wrong)


PART = '[[part]]\nname = "x"\ndatasets = ["cifar10"]\nmethods = ["contex"]\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "cannot be read"),
        ("colour = 1", "has no 'colour'"),
        ("[[part]]\nmethod = 1", "has no 'method'"),
        ('[[part]]\nname = "x"', "a part of the suite has no"),
        ('measure = "acuracy"', "did you mean 'accuracy'"),
        ('split = "train"', "there is no split 'train'"),
        (f'{PART}judges = ["DFRR"]', "did you mean 'DFR'"),
        (f'judge = "DFR"\n{PART}', "whom it does not have"),
        (f'{PART}judges = ["DFR"]\njudge = "DFR"\nsplit = "validation"', "fitted on validation"),
    ],
)
def test_a_suite_that_cannot_be_read_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(DataError, match=said):
        read_suite(str(path))


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="quick"):
        read_suite("quik")


def test_numbers() -> None:
    assert numbers("0-2,5") == (0, 1, 2, 5)
    with pytest.raises(UsageError):
        numbers("a-b")


def test_a_cell_is_named_by_its_configuration() -> None:
    first, second = every_cell("quick")[:2]
    assert first.name != second.name
    assert Cell(first.suite, "other", "other", first.views, first.config).name == first.name


def test_a_method_with_a_comma_in_its_name_can_be_asked_for() -> None:
    suite = read_suite("evidence")
    known = suite.methods()
    assert named("mixture, weight 0.25,contex", known) == ("mixture, weight 0.25", "contex")
    assert named("a, b", known) == ("a", "b") and named("", known) == ()
    chosen = Choice(methods=named("gated, no warm-up", known), parts=("b",), seeds=(5,))
    (cell,) = cells_of(suite, chosen)
    assert cell.config.objective.options["warmup"] == 0
