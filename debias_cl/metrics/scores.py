"""The numbers of scores in the document: AUC, Brier, log loss, calibration, and their gaps.

Scores are of the positive level. With more than two label levels everything here is that level
against the rest. Rows without a score are left out and counted; nothing is scaled or squashed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from debias_cl.metrics import calibration, roc, score_gaps, sweep
from debias_cl.metrics.proportions import wilson
from debias_cl.metrics.score_values import cell_values, group_values
from debias_cl.metrics.scored import Parted, Scored, part, scored
from debias_cl.metrics.settings import Settings
from debias_cl.metrics.values import Value, finite
from debias_cl.records import Codes, Predictions


@dataclass(frozen=True)
class Grouped:
    """The scored entries by one attribute or intersection.

    Attributes:
        name: as in the document.
        single: whether it is one attribute.
        groups: who they are, in the document's order.
        parted: entries by group.
    """

    name: str
    single: bool
    groups: Sequence[Mapping[str, str]]
    parted: Parted


def add(document: Value, predictions: Predictions, settings: Settings) -> None:
    """Add everything that scores tell to the document; nothing where there are none.

    Args:
        document: the measured part, with its groups, cells and disparities.
        predictions: what it was measured on.
        settings: how.

    Adds AUC, Brier score, log loss and calibration to `overall`, `groups` and `cells`, gaps to
    `disparities`, and the objects `scores` (curves) and `threshold_sweep`.
    """
    found = scored(predictions)
    if found is None:
        return
    y = f"{document['label']['name'] or 'prediction'} = {predictions.positive}"
    whole = part(found, np.zeros(len(found), np.int64), 1)
    seed = settings.seeds("", "scores")
    draws, most = settings.permutations, settings.bins
    document["overall"] |= group_values(whole, found, most, draws, seed, y)[0]
    grouped = list(_grouped(document, predictions, found))
    for by in grouped:
        seed = settings.seeds(by.name, "scores")
        values = group_values(by.parted, found, most, draws, seed, y)
        entries = [e for e in document["groups"] if e["attribute"] == by.name]
        for entry, value in zip(entries, values, strict=True):
            entry |= value
        _add_cells(document, found, by, most)
        document["disparities"][by.name] |= _gaps(document, by, y, settings)
    single = [by for by in grouped if by.single]
    document["scores"] = {
        **_about(document, predictions, found),
        "roc": [*_roc("", [{}], whole), *(p for by in single for p in _roc_of(by))],
        "calibration": _calibration(whole, found, single, most),
    }
    document["threshold_sweep"] = sweep.sweep(
        whole,
        [(by.name, by.groups, by.parted) for by in single],
        settings.threshold,
        settings.min_group,
    )


def _grouped(document: Value, predictions: Predictions, found: Scored) -> Iterator[Grouped]:
    """Give the entries by every attribute and intersection of the document."""
    known = predictions.annotations
    for attribute in document["attributes"]:
        name, columns = attribute["name"], attribute.get("of") or [attribute["name"]]
        groups = [e["group"] for e in document["groups"] if e["attribute"] == name]
        flat = np.zeros(len(known), np.int64)
        wanted = np.zeros(len(groups), np.int64)
        for column in columns:
            levels = known.attribute(column).levels
            flat = flat * len(levels) + known.groups[column]
            place = {level: code for code, level in enumerate(levels)}
            wanted = wanted * len(levels) + np.array([place[g[column]] for g in groups], np.int64)
        order = np.argsort(wanted)
        code = order[np.searchsorted(wanted[order], flat[found.entry])]
        yield Grouped(name, not attribute.get("of"), groups, part(found, code, len(groups)))


def _add_cells(document: Value, found: Scored, by: Grouped, most: int) -> None:
    """Add the scores of the label x group cells."""
    entries = [e for e in document["cells"] if e["attribute"] == by.name]
    if not entries or found.truth is None:
        return
    label, levels = document["label"]["name"], list(dict.fromkeys(_levels(document)))
    inner = by.parted
    truth = inner.of.truth
    assert truth is not None
    size = len(by.groups) * len(levels)
    values = cell_values(part(inner.of, inner.group * len(levels) + truth, size), found, most)
    place = {tuple(group.items()): i for i, group in enumerate(by.groups)}
    for entry in entries:
        group = tuple((k, v) for k, v in entry["group"].items() if k in by.groups[0])
        code = place[group] * len(levels) + levels.index(entry["group"][label])
        entry |= values[code]


def _levels(document: Value) -> Sequence[str]:
    levels: Sequence[str] = document["label"]["levels"]
    return levels


def _gaps(document: Value, by: Grouped, y: str, settings: Settings) -> dict[str, Value]:
    found = score_gaps.gaps(by.parted, by.groups, by.name, y, settings)
    if len(document["label"]["levels"]) > 2:
        for value in found.values():
            value["class"] = document["label"]["positive"]
    return found


def _about(document: Value, predictions: Predictions, found: Scored) -> Value:
    """Return what is known of the scores as such."""
    tie = np.bincount(found.tie, found.rows) if len(found) else np.zeros(1)
    total = float(found.rows.sum())
    more = len(document["label"]["levels"]) > 2
    said = f"scores are of {predictions.positive}, which is taken against all other levels"
    return {
        "level": predictions.positive,
        "n": int(total),
        "n_missing_score": found.missing,
        "distinct": found.distinct,
        "commonest_share": float(tie.max()) / total if total else None,
        "lowest": finite(found.score[0]) if total else None,
        "highest": finite(found.score[-1]) if total else None,
        "probabilities": found.probabilities,
        "note": said if more else None,
    }


def _roc_of(by: Grouped) -> list[Value]:
    return _roc(by.name, by.groups, by.parted)


def _roc(name: str, groups: Sequence[Mapping[str, str]], parted: Parted) -> list[Value]:
    """Return the ROC points of every group that has a curve; the first selects nothing."""
    if parted.of.truth is None:
        return []
    out = []
    for group, curve in zip(groups, roc.curves(parted), strict=True):
        if curve is not None:
            thin = curve.thin(roc.MOST_POINTS)
            lists = {
                "threshold": [finite(v) for v in thin.threshold],
                "false_positive_rate": thin.false.tolist(),
                "true_positive_rate": thin.true.tolist(),
            }
            out.append({"attribute": name, "group": dict(group), **lists})
    return out


def _calibration(whole: Parted, found: Scored, single: Sequence[Grouped], most: int) -> list[Value]:
    """Return the bins of all rows and of every group; none where scores are no probabilities."""
    if found.truth is None or not found.probabilities:
        return []
    out = _bins("", [{}], calibration.bins(whole, most), most)
    for by in single:
        out += _bins(by.name, by.groups, calibration.bins(by.parted, most), most)
    return out


def _bins(
    name: str, groups: Sequence[Mapping[str, str]], bins: calibration.Bins, most: int
) -> list[Value]:
    low, high = wilson(bins.rate * bins.effective, bins.effective)
    out = []
    for place, group in enumerate(groups):
        mine: Codes = np.flatnonzero(bins.group == place)
        if len(mine):
            listed = [
                {
                    "low": float(bins.low[i]),
                    "high": float(bins.high[i]),
                    "mean_score": float(bins.score[i]),
                    "positive_rate": {
                        "value": float(bins.rate[i]),
                        "low": finite(low[i]),
                        "high": finite(high[i]),
                    },
                    "n": int(bins.rows[i]),
                }
                for i in mine
            ]
            out.append({"attribute": name, "group": dict(group), "asked": most, "bins": listed})
    return out
