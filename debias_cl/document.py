"""The metrics document: everything that metrics.json holds and the report is drawn from. No torch.

Schema `debias_cl.metrics/1` (`metrics/schema/metrics-1.json`). Fractions, never percents.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from debias_cl.checks.run import run_checks
from debias_cl.data.contract import Dataset, DatasetSpec
from debias_cl.data.overlap import equal_pictures, shared_persons
from debias_cl.files import write_atomic
from debias_cl.gates import NO_RULES, Rules, judge
from debias_cl.metrics import Settings, compare, measure
from debias_cl.records import Annotations, Predictions, to_json
from debias_cl.remedies import Tried

SCHEMA = "debias_cl.metrics/1"
LISTED_EXCLUSIONS = 200
"""Exclusions listed by name in metrics.json; all of them are counted."""


@dataclass(frozen=True)
class Judged:
    """One encoder under one judge (a probe, or its own classifier).

    Attributes:
        encoder: the `encoder` object of the document (name, objective, judge, seed, ...).
        predictions: one row a test example.
        training: lines of the run's log; empty for a checkpoint.
        remedies: what was tried on its features; empty where nothing was.
        mistakes: the `mistakes` object of the document; empty where none are shown.
        pictures: picture -> `data:` address of those that `mistakes` names.
        paired: the same predictions in entries that every judged model shares, where each model's
            own entries differ (scores counted in bins); None: `predictions` has the same entries.
        inside: `leakage` and `representation`: what its features hold; empty where nobody looked.
    """

    encoder: Mapping[str, Any]
    predictions: Predictions
    training: Sequence[Mapping[str, Any]] = ()
    remedies: Sequence[Tried] = ()
    mistakes: Mapping[str, Any] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
    paired: Predictions | None = None
    inside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def comparable(self) -> Predictions:
        """The predictions that are compared entry by entry."""
        return self.predictions if self.paired is None else self.paired


def describe_dataset(dataset: Dataset, spec: DatasetSpec, title: str = "") -> dict[str, Any]:
    """Return the `dataset` object: splits with every cell's count, exclusions, notes.

    Args:
        dataset: as loaded.
        spec: its registry entry.
        title: name for people where the data are the user's own (the manifest's file name).
    """
    return {
        "name": dataset.name,
        "title": title or spec.title,
        "card": spec.card,
        "licence": spec.licence,
        "protocol": dataset.protocol,
        "noun": dataset.noun,
        "test_split": dataset.test_split,
        "has_attributes": bool(spec.default_bias_attr) or not spec.labels,
        "splits": {
            name: {"n": len(split), "cells": cell_counts(split.annotations)}
            for name, split in dataset.splits.items()
        },
        "exclusions": {
            "count": len(dataset.exclusions),
            "listed": [vars(one) for one in dataset.exclusions[:LISTED_EXCLUSIONS]],
        },
        "notes": list(dataset.notes),
        "duplicates": equal_pictures(dataset),
        "persons": shared_persons(dataset),
    }


def cell_counts(annotations: Annotations) -> list[dict[str, Any]]:
    """Return the count of every label x attribute cell of a split, empty cells included.

    Without an attribute: the count of every label level.
    """
    label, truth = annotations.label, annotations.truth
    if label is None:
        return []
    cells: list[dict[str, Any]] = []
    if truth is not None and not annotations.attributes:
        known = truth >= 0
        counts = np.bincount(truth[known], annotations.rows[known], minlength=len(label.levels))
        cells += [
            {"attribute": "", "group": {label.name: level}, "n": int(n), "aligned": None}
            for level, n in zip(label.levels, counts, strict=True)
        ]
    for attribute in annotations.attributes:
        counts = annotations.cell_counts(attribute.name)
        alignment = annotations.alignment.get(attribute.name)
        aligned = None if alignment is None else alignment.table(label, attribute)
        cells += [
            {
                "attribute": attribute.name,
                "group": {label.name: y, attribute.name: a},
                "n": int(counts[i, j]),
                "aligned": None if aligned is None else bool(aligned[i, j]),
            }
            for i, y in enumerate(label.levels)
            for j, a in enumerate(attribute.levels)
        ]
    return cells


def assemble(
    audited: Judged,
    beside: Sequence[Judged],
    *,
    dataset: Mapping[str, Any],
    provenance: Mapping[str, Any],
    settings: Settings,
    rules: Rules = NO_RULES,
) -> dict[str, Any]:
    """Measure every judged encoder, compare them on the same rows, run the checks and the gates.

    Returns:
        The whole document, ready for `write_report`.
    """
    document = {
        "schema": SCHEMA,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "dataset": dict(dataset),
        **_measured(audited, settings),
        "beside": [
            {
                **_measured(other, settings),
                "paired": compare(audited.comparable, other.comparable),
            }
            for other in beside
        ],
        "verdict": {},
        "provenance": dict(provenance),
        "settings": settings.to_dict(),
    }
    if audited.mistakes:
        document["mistakes"] = dict(audited.mistakes)
    if audited.remedies:
        document["remedies"] = _remedies(audited, settings)
    document["findings"] = [one.to_dict() for one in run_checks(document, settings.thresholds)]
    document["gates"] = [gate.to_dict() for gate in judge(document, rules)]
    return document


def _measured(judged: Judged, settings: Settings) -> dict[str, Any]:
    part = measure(judged.predictions, settings)
    return {
        "encoder": dict(judged.encoder),
        **part,
        "representation": None,
        **judged.inside,
        "notes": list(judged.predictions.notes),
        "training": list(judged.training),
    }


REMEDY_GAPS = ("equal_opportunity", "equalized_odds", "accuracy", "demographic_parity")
REMEDY_PERMUTATIONS = 999


def _remedies(audited: Judged, settings: Settings) -> dict[str, Any]:
    """Return what came of every remedy: its accuracies, and its gaps by the first attribute."""
    attribute = audited.predictions.annotations.attributes[0].name
    few = replace(settings, permutations=min(settings.permutations, REMEDY_PERMUTATIONS))
    tried = []
    for one in audited.remedies:
        entry: dict[str, Any] = {
            "name": one.remedy.title,
            "says": one.remedy.says,
            "uses": one.remedy.uses,
            "reason": one.reason or None,
        }
        if one.predictions is not None:
            found = measure(one.predictions, few)
            gaps = found["disparities"][attribute]
            names = [f"{name}_difference" for name in REMEDY_GAPS]
            kept = {name: gaps[name] for gap in names for name in (gap, f"{gap}_min_group")}
            entry |= {"overall": found["overall"], "disparities": {attribute: kept}}
            entry["paired"] = compare(one.predictions, audited.predictions)
        tried.append(entry)
    return {"attribute": attribute, "tried": tried}


PICTURES = "pictures.json"
"""Beside metrics.json: the pictures of section 9, where a report shows any."""


def write_report(
    document: Mapping[str, Any], folder: Path, pictures: Mapping[str, str] | None = None
) -> Path:
    """Write metrics.json, groups.csv, the pictures and report.html, in this order.

    Args:
        document: as `assemble` returns it.
        folder: made where it is not there.
        pictures: picture -> `data:` address; None takes those that the folder has.

    Returns:
        The report's path.
    """
    from debias_cl.sections.html import render  # with matplotlib: only where a page is drawn

    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "metrics.json", to_json(document))
    write_atomic(folder / "groups.csv", groups_csv(document))
    kept = folder / PICTURES
    if pictures:
        write_atomic(kept, to_json(pictures))
    elif pictures is not None:
        kept.unlink(missing_ok=True)  # those of an earlier report
    elif kept.exists():
        pictures = json.loads(kept.read_text(encoding="utf-8"))
    write_atomic(folder / "report.html", render(document, pictures or {}))
    return folder / "report.html"


def group_rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the group table: a row a group, value and interval of every rate.

    Without an attribute: a row a label level.
    """
    rows = []
    for group in document["groups"] or document.get("classes") or ():
        row: dict[str, Any] = {
            "attribute": group["attribute"] or document["label"]["name"],
            "group": " & ".join(f"{k}={v}" for k, v in group["group"].items()),
            "n": group["n"],
        }
        for name, value in group.items():
            if name == "selection_rate" and not group["attribute"]:
                continue  # within one class it is the share called another one
            if isinstance(value, Mapping) and "method" in value:
                row |= {name: value["value"], f"{name}_low": value["low"]}
                row |= {f"{name}_high": value["high"], f"{name}_n": value["n"]}
                row |= {f"{name}_reason": value["reason"]}
        rows.append(row)
    return rows


def groups_csv(document: Mapping[str, Any]) -> str:
    """Return the group table as CSV."""
    rows = group_rows(document)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
