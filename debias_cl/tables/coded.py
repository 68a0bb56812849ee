"""From counted text cells to Predictions: every reader's levels are coded here, by one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from debias_cl.data.bins import ranges
from debias_cl.data.cells import Cells
from debias_cl.data.coding import canonical, find_level, levels_of, numeric, only_predicted
from debias_cl.errors import DataError, UsageError, did_you_mean
from debias_cl.records import (
    MISSING,
    Annotations,
    Codes,
    Column,
    Mass,
    Predictions,
    default_positive,
    natural_order,
)
from debias_cl.tables.counted import Counted
from debias_cl.tables.merge import merged
from debias_cl.tables.roles import Model, Roles

MOST_LEVELS = 1_000
"""More levels are no groups or classes: numbers, or names of persons."""

OPPOSITE: Mapping[str, str] = {"0": "1", "1": "0", "True": "False", "False": "True"}


@dataclass(frozen=True)
class Coding:
    """How the texts of a table become codes; learned once, applied to each model's count.

    Attributes:
        levels: of the label and of every prediction.
        positive: the favourable level.
        positive_source: who chose it.
        columns: attribute or stratum -> its column.
        codes: key column -> text -> code.
        notes: what was unified, and what looks odd.
    """

    levels: tuple[str, ...]
    positive: str
    positive_source: str
    columns: Mapping[str, Column]
    codes: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]

    def of(self, name: str, cells: Cells) -> Codes:
        """Return the (n,) codes of a column; an empty cell is `(missing)`, or -1 for outcomes."""
        known = self.codes[name]
        column = self.columns.get(name)
        void = column.levels.index(MISSING) if column and MISSING in column.levels else -1
        table = [known.get(text, void) for text in cells.texts]
        return np.array([*table, void], np.int64)[cells.index]


def learn(counted: Counted, roles: Roles) -> Coding:
    """Return the coding of a table that holds every model's predictions.

    Raises:
        DataError: a label or prediction column without a single value.
        UsageError: the positive level is none, or a score alone must choose among many levels.
    """
    outcomes = [name for name in (roles.label, *(m.prediction for m in roles.models)) if name]
    counts = {name: counted.keys[name].counts() for name in outcomes}
    for name in outcomes:
        if not counts[name]:
            raise DataError(f"the column '{name}' is empty in all rows", where=counted.source)
    texts: dict[str, int] = {}
    for found in counts.values():
        for text, n in found.items():
            texts[text] = texts.get(text, 0) + n
    levels, mapping, notes = levels_of(outcomes, texts)
    _refuse_many(outcomes, levels, "name a column of scores with --score, not --prediction")
    if roles.label:
        notes += only_predicted(roles.label, mapping, counts)
    levels, positive, source = _favourable(levels, roles)
    place = {level: code for code, level in enumerate(levels)}
    codes = {name: {text: place[mapping[text]] for text in mapping} for name in outcomes}
    columns: dict[str, Column] = {}
    for name in (*roles.attributes, *roles.strata):
        made = _ranges if name in roles.bins else _column
        columns[name], codes[name], more = made(name, counted.keys[name], roles)
        notes += more
    return Coding(levels, positive, source, columns, codes, notes)


def _refuse_many(names: Sequence[str], levels: Sequence[str], remedy: str) -> None:
    """Refuse columns of numbers or names where levels are expected.

    Raises:
        DataError: more levels than can be compared one by one.
    """
    if len(levels) > MOST_LEVELS:
        named = " and ".join(f"'{name}'" for name in names)
        holds = f"columns {named} hold" if len(names) > 1 else f"column {named} holds"
        raise DataError(
            f"the {holds} {len(levels):,} levels",
            where=f"such as {', '.join(levels[:3])}",
            expected=f"at most {MOST_LEVELS:,} levels",
            remedy=remedy,
        )


def _column(
    name: str, cells: Cells, roles: Roles
) -> tuple[Column, dict[str, int], tuple[str, ...]]:
    levels, mapping, notes = levels_of((name,), cells.counts())
    _refuse_many((name,), levels, f"read its numbers into ranges with --bins {name}=...")
    if not cells.filled().all():
        levels = natural_order({*levels, MISSING})
    place = {level: code for code, level in enumerate(levels)}
    return Column(name, levels), {text: place[mapping[text]] for text in mapping}, notes


def _ranges(
    name: str, cells: Cells, roles: Roles
) -> tuple[Column, dict[str, int], tuple[str, ...]]:
    """Return a column of ranges of numbers, and which of them each text lies in."""
    counts = cells.counts()
    kinds = Cells((*counts,), np.arange(len(counts), dtype=np.int32))
    values, notes = numeric(name, kinds)
    rows = np.array(list(counts.values()), np.int64)
    empty = not cells.filled().all()
    if empty:
        values, rows = np.append(values, np.nan), np.append(rows, 0)
    column, found = ranges(name, values, rows, roles.bins[name])
    return column, dict(zip(counts, found.tolist(), strict=False)), notes


def _favourable(levels: tuple[str, ...], roles: Roles) -> tuple[tuple[str, ...], str, str]:
    """Return all levels, the positive one and who chose it.

    A score selects the positive level or the other one, so there must be two.
    """
    by_score = any(not model.prediction for model in roles.models)
    if by_score and len(levels) > 2:
        raise UsageError(
            f"a score cannot choose among {len(levels)} levels",
            where=f"levels: {', '.join(levels)}",
            remedy="name the column of predicted levels with --prediction",
        )
    if by_score and len(levels) < 2:
        one = levels[0] if levels else roles.positive or "1"
        levels = natural_order({one, OPPOSITE.get(one, f"not {one}")})
    if not roles.positive:
        return levels, *default_positive(levels)
    found = find_level(levels, roles.positive)
    if found is None:
        raise UsageError(
            f"'{roles.positive}' is no level of {roles.label or 'the predictions'}",
            where="--positive",
            remedy=did_you_mean(roles.positive, levels),
        )
    return levels, found, "--positive"


def predictions_of(coding: Coding, counted: Counted, roles: Roles, model: Model) -> Predictions:
    """Return one model's predictions, alike entries counted together.

    Args:
        coding: as learned from the whole table.
        counted: the table, with scores where they are wanted.
        roles: which column is what. Where it names several models and no scores were asked for,
            entries are told apart by all of them, so that each model has the same entries.
        model: whose predictions.
    """
    counted = _persons_apart(counted, roles.cluster)
    scores = counted.scores.get(model.score)
    told = [model] if scores is not None else list(roles.models)
    said = {one: _said(coding, counted, one) for one in told}
    selected = [] if scores is None else [counted.selected[model.score]]
    groups = {name: coding.of(name, counted.keys[name]) for name in coding.columns}
    persons = _persons(counted, roles.cluster)
    truth = coding.of(roles.label, counted.keys[roles.label]) if roles.label else None
    columns = [truth, *groups.values(), persons, *said.values(), *selected]
    one = merged([column for column in columns if column is not None], counted.mass, scores)
    annotations = Annotations(
        ids=np.array([f"entry {place}" for place in range(1, len(one.first) + 1)], np.str_),
        label=Column(roles.label, coding.levels) if roles.label else None,
        truth=None if truth is None else truth[one.first],
        attributes=tuple(coding.columns[name] for name in roles.attributes),
        groups={name: codes[one.first] for name, codes in groups.items()},
        mass=one.mass,
        persons=None if persons is None else persons[one.first],
        strata=tuple(coding.columns[name] for name in roles.strata),
    )
    return Predictions(
        annotations,
        said[model][one.first],
        coding.levels,
        one.scores,
        coding.positive,
        coding.positive_source,
        notes=(*coding.notes, *_by_threshold(model, roles)),
    )


def _said(coding: Coding, counted: Counted, model: Model) -> Codes:
    """Return what a model says of each entry: its prediction, else what its score selects."""
    if model.prediction:
        return coding.of(model.prediction, counted.keys[model.prediction])
    positive = coding.levels.index(coding.positive)
    return np.array([1 - positive, positive, -1])[counted.selected[model.score]]


def _by_threshold(model: Model, roles: Roles) -> tuple[str, ...]:
    if model.prediction:
        return ()
    return (f"column '{model.score}': a score of {roles.threshold:g} or more is selected",)


def _persons(counted: Counted, cluster: str) -> Codes | None:
    """Return (n,) codes of persons; those who are not named are all different."""
    if not cluster:
        return None
    cells = counted.keys[cluster]
    levels = {text: canonical(text) for text in cells.texts}
    place = {level: code for code, level in enumerate(dict.fromkeys(sorted(levels.values())))}
    codes = np.array([*(place[levels[text]] for text in cells.texts), -1], np.int64)[cells.index]
    unnamed = np.flatnonzero(codes < 0)
    codes[unnamed] = len(place) + np.arange(len(unnamed))
    return codes


def _persons_apart(counted: Counted, cluster: str) -> Counted:
    """Return the table with one entry for each row whose person is not named."""
    if not cluster or counted.keys[cluster].filled().all():
        return counted
    unnamed = ~counted.keys[cluster].filled()
    rows = counted.mass.rows
    times = np.where(unnamed, rows, 1)
    index = np.repeat(np.arange(len(rows)), times)
    share = np.repeat(np.where(unnamed, rows, 1), times)
    mass = counted.mass.take(index)
    weight = None if mass.weight is None else mass.weight / share
    square = None if mass.square is None else mass.square / share
    said = f"column '{cluster}': {int(rows[unnamed].sum())} rows name no person; each is its own"
    return replace(
        counted,
        keys={name: cells.take(index) for name, cells in counted.keys.items()},
        selected={name: codes[index] for name, codes in counted.selected.items()},
        scores={name: scores[index] for name, scores in counted.scores.items()},
        mass=Mass(mass.rows // share, weight, square),
        notes=(*counted.notes, said),
    )


def all_predictions(coding: Coding, counted: Counted, roles: Roles) -> Sequence[Predictions]:
    """Return the predictions of every model on the same entries, without scores."""
    plain = replace(counted, scores={})
    return [predictions_of(coding, plain, roles, model) for model in roles.models]
