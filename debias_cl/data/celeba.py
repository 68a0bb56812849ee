"""CelebA: 202,599 faces of celebrities with 40 attributes that annotators saw.

What: aligned faces of 178 x 218 pixels of 10,177 persons. The reader takes the official text files
with LF or CRLF, pictures of half the size, and subsets, and names what is missing.
Source: Liu et al. 2015. Terms: non-commercial research only, no redistribution.
Levels: "1" where the file says 1, "0" where it says -1.

Protocols (splits are the partition file's: 162,770 / 19,867 / 19,962 in the full set):
- `worst_group` (default; group_DRO, JTT, DFR, SubpopBench): reported on test.
- `biascon` (Hong and Yang 2021): label Blond_Hair or Heavy_Makeup, attribute Male, reported on the
  official VALIDATION split. For Blond_Hair only 2,000 training pictures of (not blond, women) are
  kept (162,770 -> 93,141); theirs are a shuffle's, ours a hash's. Their code squeezes pictures to a
  square and flips them at random in evaluation; here the centred square is cut, nothing is flipped.
- `fscl` (Park et al. 2022): label Attractive (`--attr Attractive`), attribute Male or Young.

Aligned: (blond, women), (not blond, men), likewise for makeup, by the protocol; for every other
pair the majority label of each level in training.
Known traps: the (makeup, men) cell has 9 validation pictures; published balanced tests for it rest
on 36 pictures.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data import celeba_files as files
from debias_cl.data.asked import choose, distinct_attributes, missing_files
from debias_cl.data.assemble import Rows, assemble
from debias_cl.data.celeba_presets import PRESETS
from debias_cl.data.celeba_words import NAMES, SYNONYMS, WORDS
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.data.decode import Picture
from debias_cl.data.picture import Rule
from debias_cl.data.splits import ranked
from debias_cl.records import Alignment, Annotations, Bools, Column, Exclusion, Texts

TITLE = "CelebA"
SPLIT_OF = {"0": "train", "1": "validation", "2": "test"}
AGAINST = frozenset({("1", "0"), ("0", "1")})
ALIGNED = {("Blond_Hair", "Male"): AGAINST, ("Heavy_Makeup", "Male"): AGAINST}
KEPT_NOT_BLOND_WOMEN = 2_000

PROTOCOLS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "worst_group": (NAMES, NAMES),
    "biascon": (("Blond_Hair", "Heavy_Makeup"), ("Male",)),
    "fscl": (("Attractive",), ("Male", "Young")),
}
"""Protocol -> labels and attributes that it may have."""


def load(config: DataConfig) -> Dataset:
    """Return the decoded splits of one protocol."""
    protocol = choose(TITLE, "protocol", config.protocol, tuple(PROTOCOLS))
    rows = _rows(config, protocol)
    size = config.image_size or 64
    reported = "validation" if protocol == "biascon" else "test"
    return assemble(config, protocol, rows, Rule(size, size), noun="faces", test_split=reported)


def _asked(config: DataConfig, protocol: str) -> tuple[str, tuple[str, ...]]:
    """Return label and attributes, checked."""
    labels, attributes = PROTOCOLS[protocol]
    wanted = config.attr or {"fscl": "Attractive"}.get(protocol, "Blond_Hair")
    label = choose(TITLE, "attribute", wanted, NAMES, SYNONYMS)
    title = TITLE if labels == NAMES else f"{TITLE}'s protocol {protocol}"
    choose(title, "label", label, labels)
    chosen = [
        choose(title, "attribute", choose(TITLE, "attribute", name, NAMES, SYNONYMS), attributes)
        for name in config.bias_attr or ("Male",)
    ]
    return label, distinct_attributes(TITLE, label, chosen)


def _rows(config: DataConfig, protocol: str) -> Rows:
    label, attributes = _asked(config, protocol)
    root = Path(config.data_root)
    folder = files.require_files(root)
    table = files.read_attributes(root / files.FOLDER / files.ATTRIBUTES, (label, *attributes))
    partition = files.read_pairs(root / files.FOLDER / files.PARTITION)
    names = np.array(table.names)
    present = _present(folder, names)
    split = np.array([SPLIT_OF.get(partition.get(name, ""), "") for name in table.names])
    exclusions = _exclusions(names, split, present, str(folder))
    keep = present & (split != "")
    if not keep.any():
        raise missing_files(TITLE, [folder / names[0], folder / names[-1]], files.OBTAIN)
    everything = Annotations(
        ids=names,
        label=_column(label),
        truth=table.values[label],
        attributes=tuple(_column(name) for name in attributes),
        groups={name: table.values[name] for name in attributes},
        alignment={
            name: Alignment(ALIGNED[label, name], "the protocol of Hong and Yang (2021)")
            for name in attributes
            if (label, name) in ALIGNED
        },
    )
    annotations, split = everything.take(keep), split[keep]
    notes = list(table.notes)
    if len(exclusions):
        notes.append(f"{len(exclusions):,} of {len(names):,} rows have no picture or no split here")
    if protocol == "biascon" and label == "Blond_Hair":
        notes.append(_thin_not_blond_women(annotations, split))
    annotations = _with_persons(annotations, root / files.FOLDER / files.IDENTITY)
    notes += _in_two_splits(annotations, split)
    where = str(folder)
    pictures = [Picture(str(name), where, folder / str(name)) for name in annotations.ids]
    return Rows(annotations, split, pictures, exclusions, tuple(notes))


def _column(name: str) -> Column:
    return Column(
        name, ("0", "1"), dict(zip("01", WORDS[name], strict=True)) if name in WORDS else {}
    )


def _present(folder: Path, names: Texts) -> Bools:
    """Return the mask of names that have a file (one listing, not 200,000 questions)."""
    with os.scandir(folder) as entries:
        there = {entry.name for entry in entries}
    return np.array([name in there for name in names])


def _exclusions(
    names: Texts,
    split: Texts,
    present: Bools,
    folder: str,
) -> tuple[Exclusion, ...]:
    absent = [Exclusion(str(name), folder, "the picture is not there") for name in names[~present]]
    unsplit = names[present & (split == "")]
    where = files.PARTITION
    return (*absent, *(Exclusion(str(name), where, "no split 0, 1 or 2") for name in unsplit))


def _thin_not_blond_women(annotations: Annotations, split: Texts) -> str:
    """Keep 2,000 training pictures of women who are not blond; changes `split` in place."""
    rows = np.flatnonzero(
        (split == "train") & (annotations.truth == 0) & (annotations.groups["Male"] == 0)
    )
    leave = rows[~ranked(annotations.ids[rows], KEPT_NOT_BLOND_WOMEN, salt="celeba biascon")]
    split[leave] = ""
    return (
        f"{len(leave):,} training pictures of women who are not blond are left out, "
        f"{len(rows) - len(leave):,} are kept (the protocol)"
    )


def _with_persons(annotations: Annotations, path: Path) -> Annotations:
    """Add whom each picture shows, where the identities are known.

    A picture that the file does not name is of a person of its own.
    """
    if not path.is_file():
        return annotations
    person_of = files.read_pairs(path)
    names = [person_of.get(str(name), f"unknown: {name}") for name in annotations.ids]
    _, codes = np.unique(np.array(names), return_inverse=True)
    return replace(annotations, persons=codes.astype(np.int64))


def _in_two_splits(annotations: Annotations, split: Texts) -> list[str]:
    """Say whether one person stands in several splits, where the identities are known."""
    if annotations.persons is None:
        return []
    persons = {place: set(annotations.persons[split == place]) for place in SPLIT_OF.values()}
    both = persons["train"] & (persons["validation"] | persons["test"])
    total = len(set().union(*persons.values()))
    return [f"{len(both):,} of {total:,} persons stand in the training split and in another one"]


PUBLISHED_SPLITS = {"train": 162_770, "validation": 19_867, "test": 19_962}
PUBLISHED_CELLS = {
    "train": ((71_629, 66_874), (22_880, 1_387)),
    "validation": ((8_535, 8_276), (2_874, 182)),
    "test": ((9_767, 7_535), (2_480, 180)),
}
"""(not blond, blond) x (women, men)."""


def check(config: DataConfig) -> list[CountLine]:
    """Return the counts of the splits and of the Blond_Hair x Male cells; pictures are counted."""
    root = Path(config.data_root)
    rows = _rows(DataConfig(dataset="celeba", data_root=config.data_root), "worst_group")
    here, published = len(rows.annotations), files.PUBLISHED_ROWS
    part = "" if here == published else f"{here:,} of {published:,} pictures are here"
    lines = [CountLine("rows with picture and split", here, published, part)]
    for split, size in PUBLISHED_SPLITS.items():
        annotations = rows.annotations.take(rows.split == split)
        lines.append(CountLine(split, len(annotations), size, part))
        counts = annotations.cell_counts("Male")
        for y, hair in enumerate(WORDS["Blond_Hair"]):
            for a, who in enumerate(WORDS["Male"]):
                cell = PUBLISHED_CELLS[split][y][a]
                lines.append(CountLine(f"{split}, ({hair}, {who})", int(counts[y, a]), cell, part))
    thinned = _rows(DataConfig(dataset="celeba", data_root=config.data_root), "biascon")
    kept = int((thinned.split == "train").sum())
    lines.append(CountLine("train, protocol biascon, Blond_Hair", kept, 93_141, part))
    for name, md5 in files.MD5.items():
        path = root / files.FOLDER / name
        if path.is_file():
            same = hashlib.md5(path.read_bytes()).hexdigest() == md5
            why = "other line ends or a subset give another md5"
            lines.append(CountLine(f"{name}: bytes as published (1 is yes)", int(same), 1, why))
    return lines


SPEC = DatasetSpec(
    title=TITLE,
    card="202,599 faces with 40 binary attributes (non-commercial research only).",
    licence="non-commercial research only, no redistribution",
    obtain=files.OBTAIN,
    labels=NAMES,
    default_attr="Blond_Hair",
    default_bias_attr=("Male",),
    protocols=tuple(PROTOCOLS),
    presets=PRESETS,
    load=load,
    check=check,
    extra={
        "looks_for": tuple(
            str(files.FOLDER / name) for name in (files.ATTRIBUTES, files.PARTITION, files.PICTURES)
        )
    },
)
