"""Section 12: protocol, splits, exclusions, augmentation, versions, and what this cannot say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from debias_cl.checks.names import Names
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import capital, clean, count, share
from debias_cl.sections.contract import Document, SectionSpec
from debias_cl.sections.reading import attributes, both, min_group, runs
from debias_cl.sections.table import Head, Table, count_cell, number, row_head, words

Facts = list[tuple[str, str]]
LISTED = 200


def context(document: Document) -> Mapping[str, Any]:
    """Return what the method section is told; a document always has some of it."""
    return {
        "protocol": _protocol(document),
        "notes": _notes(document),
        "views": views(document),
        "tables": [table for table in (_splits(document), *_cells(document)) if table],
        "exclusions": _exclusions(document),
        "thresholds": _thresholds(document),
        "command": clean(str(_provenance(document).get("command") or "")),
        "provenance": _machine(document),
        "limits": limits(document),
        "data_sheet": _data_sheet(document),
        "model_card": _model_card(document),
    }


def _dataset(document: Document) -> Mapping[str, Any]:
    return document.get("dataset") or {}


def _provenance(document: Document) -> Mapping[str, Any]:
    return document.get("provenance") or {}


def _of_table(document: Document) -> bool:
    """Return whether a table of predictions was audited: nothing is known of any training."""
    return _dataset(document).get("kind") == "table"


def _notes(document: Document) -> list[str]:
    """Return what was said of reading the data, and of each run's predictions; each once."""
    said = [str(note) for note in _dataset(document).get("notes") or ()]
    said += [str(note) for note in document.get("notes") or ()]
    for run in runs(document)[1:]:
        said += [
            f"{run.name}: {note}" for note in (run.node / "notes").value or () if note not in said
        ]
    return [f"{capital(clean(note)).rstrip('.')}." for note in dict.fromkeys(said)]


def _text(value: object, empty: str = "not given") -> str:
    return clean(str(value)) if value not in (None, "") else empty


def _protocol(document: Document) -> Facts:
    dataset, encoder = _dataset(document), document.get("encoder") or {}
    settings = document.get("settings") or {}
    interval = {"wilson": "Wilson", "exact": "Clopper-Pearson"}.get(
        str(settings.get("interval") or "wilson"), "Wilson"
    )
    least = min_group(document)
    made: Facts = [
        ("Protocol", _text(dataset.get("protocol"), "none named")),
        ("Judged on", _text(dataset.get("test_split"))),
        ("Judge", _text(encoder.get("judge"), "the predictions as given")),
        ("Preset", _text(encoder.get("preset"), "none")),
    ]
    given: Facts = [("Predictions", _text(encoder.get("source"), "as given"))]
    return [
        ("Data", _text(dataset.get("title") or dataset.get("name"))),
        *(given if _of_table(document) else made),
        ("Seed", _text(_provenance(document).get("seed"), "none")),
        ("Intervals", f"95%, {interval} for one rate; score intervals for differences and means"),
        ("Judged groups", f"{least} rows or more in the denominator; smaller ones are shown"),
        ("Chance", "the attribute shuffled within what the measure conditions on"),
        ("Several gaps", "p-values adjusted by Benjamini-Hochberg; intervals are not adjusted"),
        *_sampling(document),
    ]


def _sampling(document: Document) -> Facts:
    """Return what weights and persons do to every number; nothing where every row counts once."""
    found = document.get("sampling") or {}
    told = [clean(str(text)) for text in found.get("says") or ()]
    facts: Facts = [("Effective rows", " ".join(told))] if told else []
    persons, most = found.get("persons"), found.get("most_rows_of_one")
    if persons is not None and most is not None:
        facts.append(("Persons", f"{count(persons)}, with {count(most)} rows of one at most"))
    if found.get("kish_n") is not None:
        facts.append(("Effective rows by weight alone", count(round(found["kish_n"]))))
    return facts


def views(document: Document) -> list[str]:
    """Say the augmentation policy of the audited run and what it does to the bias itself."""
    found = (document.get("encoder") or {}).get("views")
    if _of_table(document):
        return []
    if not found:
        return ["How the encoder was trained is not known, so its augmentation is not either."]
    parts = [text for text in (_view(found, key) for key in VIEWS) if text]
    policy = ", ".join(parts) if parts else "none"
    touches = clean(str(found.get("touches_bias") or ""))
    said = [f"{found.get('count', 1)} views an image. Augmentation: {policy}."]
    if touches:
        said.append(
            f"What it does to the bias itself: {touches}. Part of a small gap may come from these "
            "views and not from the objective."
        )
    else:
        said.append("By its preset it does nothing to the bias itself.")
    return said


def _view(found: Mapping[str, Any], key: str) -> str:
    value = found.get(key)
    return VIEWS[key](value) if value else ""


def _jitter(value: Sequence[float]) -> str:
    if not any(value):
        return ""
    return "colour jitter " + ", ".join(f"{part:g}" for part in value)


def _crop(value: Sequence[float]) -> str:
    if tuple(value) == (1.0, 1.0):
        return ""
    return f"crop of {share(value[0])} to {share(value[1])} of the area"


VIEWS: Mapping[str, Any] = {
    "rotation": lambda value: f"rotation up to {value:g} degrees either way",
    "crop_scale": _crop,
    "flip": lambda value: f"horizontal flip with probability {value:g}",
    "jitter": _jitter,
    "grey_p": lambda value: f"greyscale with probability {value:g}",
    "permute_channels": lambda value: "a random permutation of the colour channels",
    "noise": lambda value: f"Gaussian noise with standard deviation {value:g}",
}


def _splits(document: Document) -> Table | None:
    splits = Node(document) / "dataset" / "splits"
    rows = [[row_head(node.key), count_cell(node / "n")] for node in splits]
    if not rows:
        return None
    heads = [Head("Split"), Head(capital(Names(document).noun), True)]
    return Table("12a", "Splits", heads, rows, sort=False)


def _cells(document: Document) -> Iterator[Table]:
    """Yield the counts of each cell in training and test, folded."""
    splits, names = Node(document) / "dataset" / "splits", Names(document)
    parts = [node for node in splits if (node / "cells").value]
    if not parts:
        return
    found: dict[tuple[Any, ...], dict[str, Node]] = {}
    for part in parts:
        for cell in part / "cells":
            key = (cell / "attribute").value, tuple(sorted((cell / "group").value.items()))
            found.setdefault(key, {})[part.key] = cell / "n"
    one = all(attribute == "" for attribute, _ in found)
    heads = [Head("Class" if one else "Cell"), *(Head(part.key, True) for part in parts)]
    rows = [
        [
            row_head(names.cell(dict(group))),
            *(count_cell(by[part.key]) if part.key in by else words("—") for part in parts),
        ]
        for (_, group), by in found.items()
    ]
    fold = "Counts of every class" if one else "Counts of every cell"
    yield Table("12b", fold, heads, rows, wide=True, folded=fold, minimum=420)


def _exclusions(document: Document) -> Mapping[str, Any]:
    left_out = _dataset(document).get("exclusions")
    if left_out is None:
        told = "What was left out before the predictions were made is not known."
        return {"text": told, "table": None}
    noun, n = Names(document).noun, int(left_out["count"])
    listed = list(left_out.get("listed") or ())[:LISTED]
    if not n:
        return {"text": f"No {noun} were left out.", "table": None}
    rows = [
        [row_head(str(row["item"])), words(str(row["where"])), words(str(row["reason"]))]
        for row in listed
    ]
    heads = [Head("Item"), Head("Where"), Head("Reason")]
    more = f" The first {len(listed)} are listed." if n > len(listed) else ""
    fold = f"The {noun} left out"
    table = Table("12c", fold, heads, rows, wide=True, folded=fold, minimum=420)
    return {"text": f"{count(n)} {noun} were left out.{more}", "table": table if rows else None}


def _thresholds(document: Document) -> Table | None:
    used = Node(document) / "settings" / "thresholds"
    rows = [
        [row_head(node.key.replace("_", " ")), number(node, lambda value: f"{value:g}")]
        for node in used
    ]
    if not rows:
        return None
    fold = "Thresholds of the checks"
    heads = [Head("Check"), Head("Threshold", True)]
    note = "Gaps and shares as fractions, sizes as rows; change them in the policy or call."
    return Table("12d", fold, heads, rows, note, folded=fold)


def _machine(document: Document) -> Facts:
    found = _provenance(document)
    versions = found.get("versions") or {}
    told = ", ".join(f"{clean(str(k))} {clean(str(v))}" for k, v in versions.items())
    seconds = found.get("wall_seconds")
    return [
        ("Made", _text(document.get("created"))),
        ("Versions", told or "not given"),
        ("Commit", _text(found.get("commit"))),
        ("Device", _text(found.get("device"))),
        ("Platform", _text(found.get("platform"))),
        ("Took", "not given" if seconds is None else f"{count(float(seconds))} seconds"),
    ]


def limits(document: Document) -> list[str]:
    """Return what this audit cannot say."""
    names, least = Names(document), min_group(document)
    across = [names.attribute(entry["name"]) for entry in attributes(document, together=False)]
    who = both(across) if across else "no attribute"
    said = [
        f"It compares groups of {who} only; other groups may differ more.",
        f"It counts these {names.noun}; others (another place, camera, year) may differ.",
        "Labels and attributes are taken as given; errors in them move the gaps either way.",
        f"Groups below {least} rows are shown and not judged; nothing found there is not a pass.",
        "“Passed” means that no gap of the threshold's size was seen, not that there is none.",
        "A gap says that results differ, not why.",
    ]
    if document.get("training"):
        said.append("One training run stands behind each encoder; another seed may move every gap.")
    if not attributes(document, together=True) and len(across) > 1:
        said.append("Intersections of the attributes were not compared.")
    return said


def _data_sheet(document: Document) -> Facts:
    dataset, names = _dataset(document), Names(document)
    across = [clean(entry["name"]) for entry in attributes(document, together=False)]
    levels = ", ".join(clean(str(level)) for level in document["label"]["levels"][:20])
    return [
        ("What it holds", f"{names.noun} of {_text(dataset.get('title') or dataset.get('name'))}"),
        ("Licence", _text(dataset.get("licence"))),
        ("Label", f"{names.label}: {levels}"),
        ("Attributes", both(across) or "none"),
        ("How collected, consent", "not recorded here; see the data set's own documentation"),
    ]


def _model_card(document: Document) -> Facts:
    encoder, names = document.get("encoder") or {}, Names(document)
    checkpoint = encoder.get("checkpoint") or {}
    size = encoder.get("parameters")
    if _of_table(document):
        return [
            ("Model", names.encoder(document)),
            ("Predictions", _text(encoder.get("source"))),
            ("Compared with", both([run.name for run in runs(document)[1:]]) or "nothing"),
            ("How made, intended use", "not recorded here: predictions alone were given"),
        ]
    return [
        ("Model", names.encoder(document)),
        ("Architecture", _text(encoder.get("architecture"))),
        ("Parameters", "not given" if size is None else count(float(size))),
        ("Objective", _text(encoder.get("objective"))),
        ("Epochs", _text(encoder.get("epochs"))),
        ("Training seed", _text(encoder.get("seed"))),
        ("From", _text(encoder.get("run") or checkpoint.get("path") or encoder.get("source"))),
        *(("Of the checkpoint", clean(str(line))) for line in checkpoint.get("said") or ()),
        *_own_classifier(encoder),
        ("Compared with", both([run.name for run in runs(document)[1:]]) or "nothing"),
        ("Intended use", "not stated by its makers here"),
    ]


def _own_classifier(encoder: Mapping[str, Any]) -> Facts:
    said = (encoder.get("own_classifier") or {}).get("said")
    return [("Own classifier", clean(str(said)))] if said else []


SPEC = SectionSpec(number=12, title="Method and limits", template="method.html.j2", context=context)
