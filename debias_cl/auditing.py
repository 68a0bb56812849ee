"""The verb `audit`: from a table of predictions to a report, without torch.

table -> counted (where the data is) -> coded once -> Predictions -> document -> report.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debias_cl.document import LISTED_EXCLUSIONS, Judged, assemble, cell_counts, write_report
from debias_cl.errors import UsageError
from debias_cl.gates import NO_RULES, Rules
from debias_cl.metrics import Settings
from debias_cl.records import Predictions
from debias_cl.runs import provenance
from debias_cl.tables.coded import all_predictions, learn, predictions_of
from debias_cl.tables.counted import Counted, Source
from debias_cl.tables.files import IN_MEMORY, counted_in_place, found_files, open_files
from debias_cl.tables.roles import Model, Roles, models_of

if TYPE_CHECKING:
    from debias_cl.tables.backend import BackendSource

SPLIT = "table"
"""Name of the only split of a table: all of its rows."""


@dataclass(frozen=True)
class TableRequest:
    """What `audit` was asked for; "" and () mean none, or the default."""

    predictions: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    count_column: str = "n"
    connect: str = ""
    """Ibis URL of an engine that holds the table; "" is files."""
    table: str = ""
    labels: tuple[str, ...] = ()
    prediction: tuple[str, ...] = ()
    score: tuple[str, ...] = ()
    bias_attr: tuple[str, ...] = ()
    positive: str = ""
    missing: tuple[str, ...] = ()
    weight: str = ""
    cluster_by: str = ""
    out: str = "reports"
    name: str = ""
    in_memory: int = IN_MEMORY
    """Bytes of files that are read into memory; more are counted by DuckDB where they lie."""
    settings: Settings = field(default_factory=Settings)
    rules: Rules = NO_RULES


@dataclass(frozen=True)
class Audited:
    """One finished report.

    Attributes:
        document: content of metrics.json.
        report: path of report.html.
    """

    document: Mapping[str, Any]
    report: Path


def roles_of(request: TableRequest) -> list[Roles]:
    """Return which column is what: one entry a label, one without any.

    Raises:
        UsageError: nothing to judge, or a column in two roles.
    """
    first = Roles(
        models=models_of(request.prediction, request.score),
        attributes=tuple(dict.fromkeys(request.bias_attr)),
        weight=request.weight,
        cluster=request.cluster_by,
        within=request.settings.within,
        missing=request.missing,
        positive=request.positive,
        threshold=request.settings.threshold,
        bins=request.settings.ranges,
    )
    return [replace(first, label=label) for label in request.labels or ("",)]


def audit(request: TableRequest) -> list[Audited]:
    """Audit a table: one report a label.

    Raises:
        UsageError, DataError: with what to do.
    """
    asked = roles_of(request)
    source = opened(request)
    done = []
    for roles in asked:
        document = audited(source, roles, request.settings, request.rules)
        folder = Path(request.out) / report_name(request, roles)
        done.append(Audited(document, write_report(document, folder)))
    return done


def audited(
    source: Source, roles: Roles, settings: Settings, rules: Rules = NO_RULES
) -> dict[str, Any]:
    """Return the metrics document of a table.

    Args:
        source: the table, in memory or where it lies.
        roles: which column is what.
        settings: how the numbers are made.
        rules: what must hold to pass.

    Raises:
        UsageError, DataError: with what to do.
    """
    started = time.monotonic()
    judged, counted = judge(source, roles)
    document = assemble(
        judged[0],
        judged[1:],
        dataset=describe_table(counted, judged[0].predictions, source.name),
        provenance=provenance() | {"seed": settings.seed},
        settings=settings,
        rules=rules,
    )
    document["provenance"]["wall_seconds"] = round(time.monotonic() - started, 2)
    return document


def opened(request: TableRequest) -> Source:
    """Return the table asked for.

    Raises:
        UsageError: no table, or more than one kind of it.
        DataError: it cannot be read.
    """
    if request.connect:
        from debias_cl.tables.connect import connected

        return connected(request.connect, request.table, request.predictions)
    if bool(request.predictions) == bool(request.counts):
        raise UsageError(
            "which table?" if not request.predictions else "rows and counts cannot be mixed",
            expected="--predictions FILES, --counts FILE, or --connect URL --table NAME",
        )
    files = request.predictions or request.counts
    column = request.count_column if request.counts else ""
    return open_files(files, request.missing, column, request.in_memory)


def printed_sql(request: TableRequest, dialect: str) -> str:
    """Return the SQL that counts the table, a statement a label; its result is a --counts file.

    The table is looked at where it can be (few distinct scores are kept, many are binned); where
    only its name is known, scores are taken to lie in [0, 1] and are binned.

    Raises:
        UsageError, DataError: with what to do.
    """
    from debias_cl.tables.connect import sql, sql_unseen

    source = _source_of_sql(request)
    said = []
    for roles in roles_of(request):
        if roles.scores and len(roles.models) > 1:
            raise UsageError(
                "the scores of several models cannot be counted in one table",
                where="--print-sql",
                remedy="print the SQL of one model at a time",
            )
        if source is None:
            text, count = sql_unseen(roles, request.table, dialect)
        else:
            plan = source.plan(roles)
            text, count = sql(plan.expression, dialect), plan.count_name
        back = f"--counts FILE --count-column {count}"
        said.append(f"-- save the result as CSV, then audit it with {back}\n{text};")
    return "\n".join(said)


def _source_of_sql(request: TableRequest) -> BackendSource | None:
    """Return the table where an engine can look at it; None where only its name is known."""
    from debias_cl.tables.connect import connected

    if request.connect:
        return connected(request.connect, request.table, request.predictions)
    if not request.predictions:
        if not request.table:
            raise UsageError(
                "which table?", where="--print-sql", expected="--table NAME, or --predictions FILES"
            )
        return None
    files = found_files(request.predictions)
    source = counted_in_place(files, request.table or files[0].stem)
    if source is None:
        raise UsageError(
            "this file is too odd to be read by SQL alone",
            where=str(files[0]),
            remedy="audit it with --predictions, or name a table with --table",
        )
    return source


def judge(source: Source, roles: Roles) -> tuple[list[Judged], Counted]:
    """Count and code the table for every model; the first one leads.

    Returns:
        One `Judged` a model, and the count that holds all of them.
    """
    several = len(roles.models) > 1
    whole = source.count(roles, scored=not several)
    coding = learn(whole, roles)
    paired: Sequence[Predictions | None] = (
        all_predictions(coding, whole, roles) if several else [None]
    )
    judged = []
    for model, beside in zip(roles.models, paired, strict=True):
        alone = roles.only(model)
        counted = source.count(alone) if several else whole
        predictions = predictions_of(coding, counted, alone, model)
        judged.append(Judged(_about(model, roles), predictions, paired=beside))
    return judged, whole


def _about(model: Model, roles: Roles) -> dict[str, Any]:
    """Return the `encoder` object of a column of predictions."""
    selected = f"scores of {roles.threshold:g} or more are selected"
    return {
        "name": model.name,
        "source": "predictions as given" if model.prediction else selected,
        "control": False,
        "prediction": model.prediction or None,
        "score": model.score or None,
        "threshold": None if model.prediction else roles.threshold,
    }


def describe_table(counted: Counted, predictions: Predictions, title: str) -> dict[str, Any]:
    """Return the `dataset` object of a table: rows, every cell's count, exclusions, notes."""
    known = predictions.annotations
    return {
        "name": title,
        "kind": "table",
        "title": title,
        "card": "",
        "licence": "",
        "protocol": "",
        "noun": "rows",
        "test_split": SPLIT,
        "has_attributes": True,
        "splits": {SPLIT: {"n": int(known.rows.sum()), "cells": cell_counts(known)}},
        "exclusions": {
            "count": counted.left_out,
            "listed": [vars(one) for one in counted.exclusions[:LISTED_EXCLUSIONS]],
        },
        "notes": list(counted.notes),
    }


def report_name(request: TableRequest, roles: Roles) -> str:
    """Return the report's folder: the name asked for, else the file's or table's; and the label."""
    files = request.predictions or request.counts
    stem = request.name or re.sub(
        r"[*?\[\]]+", "_", Path(files[0]).stem if files else request.table
    )
    parts = [stem] if request.name and len(request.labels) < 2 else [stem, roles.label]
    return re.sub(r'[\\/:"<>|\x00-\x1f]+', "_", "-".join(part for part in parts if part))
