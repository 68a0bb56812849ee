"""What single sections tell their templates."""

from __future__ import annotations

from typing import Any

import pytest

from debias_cl.sections import SECTIONS, alignment, fairness, groups, method, training, verdict
from debias_cl.sections.confusions import CONFUSIONS
from debias_cl.sections.reading import runs
from debias_cl.sections.table import Table

Document = dict[str, Any]


def texts(table: Table, column: int) -> list[str]:
    """The plain text of one column."""
    return [str(row[column].inner.striptags()) for row in table.rows]


@pytest.mark.parametrize("name", SECTIONS.names())
def test_every_section_gives_a_context_or_says_why(faces_base: Document, name: str) -> None:
    told = SECTIONS.get(name).context(faces_base)
    assert told


def test_section_numbers_are_their_own() -> None:
    numbers = [spec.number for _, spec in SECTIONS]
    assert len(numbers) == len(set(numbers))
    assert set(numbers) <= set(range(1, 13))


def test_runs_of_one_name_are_told_apart_by_their_judge(digits_base: Document) -> None:
    names = [run.name for run in runs(digits_base)]
    assert names == [
        "ConTeX, linear probe",
        "SupCon",
        "Cross-entropy, own classifier",
        "ConTeX, balanced linear probe",
    ]


def test_groups_stand_lowest_first_and_undefined_last(faces_base: Document) -> None:
    told = groups.context(faces_base)
    assert not isinstance(told, str)
    single, joint = told["tables"]
    assert texts(single, 0)[0].startswith("men")
    assert texts(joint, 1)[-1].startswith("—")
    values = [float(text.split("%")[0]) for text in texts(single, 1)]
    assert values == sorted(values)


def test_several_runs_get_a_panel_each(digits_base: Document) -> None:
    told = groups.context(digits_base)
    assert not isinstance(told, str)
    titles = [figure.title for figure in told["figures"]]
    assert titles == ["Beside SupCon", "Beside Cross-entropy (own)", "Beside ConTeX (balanced)"]


def test_the_table_of_encoders_has_the_paired_difference(digits_base: Document) -> None:
    told = alignment.context(digits_base)
    assert not isinstance(told, str)
    table = told["encoders"]
    assert len(table.rows) == 4
    paired = digits_base["beside"][0]["paired"]["conflict_accuracy"]
    assert texts(table, 6)[1].startswith(f"{paired['value'] * 100:.1f}")
    assert texts(table, 6)[0] == "audited"


def test_large_tables_of_cells_fold_and_errors_are_the_commonest(digits_base: Document) -> None:
    told = alignment.context(digits_base)
    assert not isinstance(told, str)
    cells, errors = told["parts"][0]["tables"]
    assert cells.folded and len(cells.rows) == 100
    counts = [int(text) for text in texts(errors, 2)]
    assert len(counts) == CONFUSIONS
    assert counts == sorted(counts, reverse=True)
    assert any("usual for" in text for text in texts(errors, 1))


def test_every_gap_is_shown_with_ratio_chance_and_p(faces_base: Document) -> None:
    told = fairness.context(faces_base)
    assert not isinstance(told, str)
    table = told["tables"][0]
    gap = faces_base["disparities"]["Male"]["equal_opportunity_difference_min_group"]
    assert texts(table, 1)[0].startswith(f"{gap['value'] * 100:.1f}")
    assert texts(table, 2)[0] == f"{gap['null95'] * 100:.1f}"
    assert len(table.rows) == 9
    assert any("all groups" in text for text in texts(told["tables"][2], 1))
    assert any("Young missing" in line for line in told["left_out"])
    assert len(told["four_fifths"]) == 3


def test_two_judges_of_one_run_share_its_training(digits_document: Document) -> None:
    twin = digits_document["beside"][2]
    twin["training"] = digits_document["training"]
    told = training.context(digits_document)
    assert not isinstance(told, str)
    assert told["compared"] == ["ConTeX", "SupCon", "Cross-entropy"]
    assert len(told["figures"]) == 1 + 2 + 2


def test_a_log_without_neighbours_shows_the_loss_alone(faces_document: Document) -> None:
    for line in faces_document["training"]:
        del line["knn_aligned_accuracy"], line["knn_conflict_accuracy"]
    faces_document["beside"] = []
    told = training.context(faces_document)
    assert not isinstance(told, str)
    assert [figure.title for figure in told["figures"]] == ["Loss"]


def test_the_views_say_what_they_do_to_the_bias(faces_document: Document) -> None:
    said = " ".join(method.views(faces_document))
    assert "rotation up to 20 degrees" in said
    assert "permutes the colour channels" in said
    faces_document["encoder"]["views"]["touches_bias"] = ""
    assert "does nothing to the bias itself" in " ".join(method.views(faces_document))
    faces_document["encoder"]["views"] = None
    assert "not known" in " ".join(method.views(faces_document))


def test_five_tiles_and_all_five_counts(faces_base: Document) -> None:
    told = verdict.context(faces_base)
    assert len(told["tiles"]) == 5
    assert [outcome for outcome, _ in told["counts"]] == [
        "issue",
        "note",
        "skipped",
        "not applicable",
        "passed",
    ]
    assert sum(n for _, n in told["counts"]) == len(faces_base["findings"])
