"""UTKFace: faces of all ages whose file names give age, gender and race.

What: 23,708 aligned and cropped faces of 200 x 200 pixels, `age_gender_race_date.jpg.chip.jpg`;
gender 0 male, 1 female; race 0 White, 1 Black, 2 Asian, 3 Indian, 4 other. The labels are
estimates checked by people, not what the persons say of themselves.
Source: Zhang, Song and Qi 2017. Terms: non-commercial research only; the pictures belong to their
owners.

Protocols:
- `bias` (default; Hong and Yang 2021): label gender. Attribute race (White or not), or age (20 and
  over, or 10 and under; 11 to 19 left out). Aligned: (male, White), (female, non-White); (male,
  adult), (female, child). 80 % of the names train; there, for each attribute value, all of the
  aligned label are kept and a tenth as many of the other. The other 20 % are not thinned: half
  validates, half tests. Published for race: 4,361 + 533 + 436 + 5,331 = 10,661 train, 4,742 in the
  test pool; their split followed a shuffle that is lost, ours the hash of the name.
- `natural`: nothing thinned, any of gender, race, age_group as label, the others as attributes;
  80 / 10 / 10.

Known damage: five names in the full set are irregular; they are left out and listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data.asked import choose, distinct_attributes, missing_files
from debias_cl.data.assemble import Rows, assemble
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.data.decode import Picture
from debias_cl.data.folders import SYSTEM
from debias_cl.data.picture import Rule
from debias_cl.data.splits import by_hash, ranked
from debias_cl.data.utkface_presets import PRESETS
from debias_cl.errors import UsageError
from debias_cl.records import Alignment, Annotations, Bools, Codes, Column, Exclusion, Texts

TITLE = "UTKFace"
FOLDER = Path("utkface") / "UTKFace"
OBTAIN = (
    "get the aligned and cropped faces (UTKFace.tar.gz) from https://susanqq.github.io/UTKFace/ "
    "for non-commercial research, and unpack them to <data root>/utkface/UTKFace/*.jpg"
)
NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d+\.jpg(?:\.chip\.jpg)?")
OLDEST = 120

GENDER = Column("gender", ("female", "male"), {"female": "female faces", "male": "male faces"})
RACES = ("White", "Black", "Asian", "Indian", "Other")
RACE = Column(
    "race",
    ("Asian", "Black", "Indian", "Other", "White"),
    {race: f"{race} faces" for race in RACES} | {"Other": "faces of other races"},
)
AGE_STARTS = (0, 11, 20, 40, 60)
AGE_GROUP = Column(
    "age_group",
    ("0-10", "11-19", "20-39", "40-59", "60+"),
    {a: f"aged {a}" for a in ("0-10", "11-19", "20-39", "40-59")} | {"60+": "aged 60 and over"},
)
WHITE = Column(
    "race", ("non-White", "White"), {"White": "White faces", "non-White": "non-White faces"}
)
ADULT = Column("age", ("adult", "child"), {"adult": "adults (20+)", "child": "children (to 10)"})

ALIGNED: Mapping[str, frozenset[tuple[str, str]]] = {
    "race": frozenset({("male", "White"), ("female", "non-White")}),
    "age": frozenset({("male", "adult"), ("female", "child")}),
}
POOLS = {"train": 0.8, "test": 0.2}
HALVES = {"validation": 0.5, "test": 0.5}


@dataclass(frozen=True)
class Faces:
    """What the names say.

    Attributes:
        folder: of the pictures.
        names: (n,) text, sorted.
        ages, genders, races: (n,) numbers as in the names.
        exclusions: names that do not parse.
    """

    folder: Path
    names: Texts
    ages: Codes
    genders: Codes
    races: Codes
    exclusions: tuple[Exclusion, ...]


def read_names(data_root: Path) -> Faces:
    """Return what the file names say; a name that does not parse is listed, never guessed.

    Raises:
        DataError: the folder is absent or holds no picture with such a name.
    """
    folder = data_root / FOLDER
    if not folder.is_dir():
        raise missing_files(TITLE, [folder], OBTAIN)
    rows: list[tuple[str, int, int, int]] = []
    exclusions = []
    for name in sorted(path.name for path in folder.iterdir()):
        match = NAME.fullmatch(name)
        if match and int(match[1]) <= OLDEST:
            rows.append((name, int(match[1]), int(match[2]), int(match[3])))
        elif not (name.startswith(".") or name in SYSTEM):
            reason = "name does not parse: age_gender_race_date.jpg.chip.jpg expected"
            exclusions.append(Exclusion(name, str(folder), reason))
    if not rows:
        raise missing_files(TITLE, [folder, folder / "*.jpg.chip.jpg"], OBTAIN)
    names, ages, genders, races = zip(*rows, strict=True)
    return Faces(
        folder,
        np.array(names),
        np.array(ages, dtype=np.int64),
        np.array(genders, dtype=np.int64),
        np.array(races, dtype=np.int64),
        tuple(exclusions),
    )


def load(config: DataConfig) -> Dataset:
    """Return the decoded splits of one protocol."""
    protocol = choose(TITLE, "protocol", config.protocol, tuple(PROTOCOLS))
    faces = read_names(Path(config.data_root))
    size = config.image_size or 64
    rows = PROTOCOLS[protocol](faces, config)
    return assemble(config, protocol, rows, Rule(round(size * 72 / 64), size), noun="faces")


def _biased(faces: Faces, config: DataConfig) -> Rows:
    """Hong and Yang's protocol."""
    choose(TITLE, "label", config.attr, ("gender",))
    if len(config.bias_attr) > 1:
        raise UsageError(
            f"protocol bias has one attribute, not {len(config.bias_attr)}",
            remedy="--bias-attr race, or age; several at once with --protocol natural",
        )
    asked = config.bias_attr[0] if config.bias_attr else "race"
    attribute = choose(TITLE, "attribute", asked.replace("age_group", "age"), ("race", "age"))
    column = {"race": WHITE, "age": ADULT}[attribute]
    coded = {"race": (faces.races == 0).astype(np.int64), "age": _adult_or_child(faces.ages)}
    annotations = Annotations(
        ids=faces.names,
        label=GENDER,
        truth=1 - faces.genders,
        attributes=(column,),
        groups={column.name: coded[attribute]},
        alignment={column.name: Alignment(ALIGNED[attribute], "the protocol")},
    )
    split, notes = _thinned(annotations, column.name)
    return _rows(faces, annotations, split, notes)


def _adult_or_child(ages: Codes) -> Codes:
    """Return 0 for 20 and over, 1 for 10 and under, -1 between."""
    return np.where(ages >= 20, 0, np.where(ages <= 10, 1, -1)).astype(np.int64)


def _thinned(annotations: Annotations, attribute: str) -> tuple[Texts, tuple[str, ...]]:
    """Return the splits, with a tenth as many conflicting as aligned in training."""
    split = _pools(annotations.ids)
    groups = annotations.groups[attribute]
    between = groups < 0
    split[between] = ""
    notes = []
    if between.any():
        notes.append(f"{int(between.sum()):,} faces aged 11 to 19 are in no split (the protocol)")
    # A row of no group (-1) would read the last level: it is in no split, so that does not matter.
    aligned = annotations.aligned(attribute)
    assert aligned is not None
    dropped = 0
    for code in range(len(annotations.attribute(attribute).levels)):
        here = (split == "train") & (groups == code)
        conflicting = np.flatnonzero(here & ~aligned)
        keep = int((here & aligned).sum()) // 10
        leave = conflicting[~ranked(annotations.ids[conflicting], keep, salt="utkface keep")]
        split[leave] = ""
        dropped += len(leave)
    notes.append(
        f"{dropped:,} conflicting training faces are left out, so that a tenth as many "
        "conflicting as aligned remain (the protocol)"
    )
    return split, tuple(notes)


def _pools(names: Texts) -> Texts:
    pool = by_hash(names, POOLS, salt="utkface")
    half = by_hash(names, HALVES, salt="utkface halves")
    return np.where(pool == "train", "train", half)


def _natural(faces: Faces, config: DataConfig) -> Rows:
    """Any column as label, others as attributes, nothing thinned."""
    alias = {"age": "age_group"}
    choices = ("gender", "race", "age_group")
    label = choose(TITLE, "label", alias.get(config.attr, config.attr), choices)
    asked = config.bias_attr or ("race",)
    attributes = distinct_attributes(
        TITLE, label, [choose(TITLE, "attribute", alias.get(a, a), choices) for a in asked]
    )
    coded = {
        "gender": (GENDER, 1 - faces.genders),
        "race": (RACE, np.array([RACE.code(race) for race in RACES])[faces.races]),
        "age_group": (AGE_GROUP, np.searchsorted(AGE_STARTS, faces.ages, side="right") - 1),
    }
    annotations = Annotations(
        ids=faces.names,
        label=coded[label][0],
        truth=coded[label][1],
        attributes=tuple(coded[name][0] for name in attributes),
        groups={name: coded[name][1] for name in attributes},
    )
    return _rows(faces, annotations, _pools(faces.names), ())


PROTOCOLS = {"bias": _biased, "natural": _natural}


def _rows(faces: Faces, annotations: Annotations, split: Texts, notes: tuple[str, ...]) -> Rows:
    paths = [faces.folder / str(name) for name in faces.names]
    if faces.exclusions:
        notes += (f"names that do not parse, left out: {len(faces.exclusions)}",)
    notes += (f"splits by a hash of the file name; {len(faces.names):,} names parse",)
    pictures = [Picture(path.name, str(path.parent), path) for path in paths]
    return Rows(annotations, split, pictures, faces.exclusions, notes)


FILES, IRREGULAR = 23_708, 5
LOST = "the published split followed a shuffle that is lost"


def check(config: DataConfig) -> list[CountLine]:
    """Return the counts of names and, for both bias attributes, of the protocol's cells."""
    faces = read_names(Path(config.data_root))
    files = len(faces.names) + len(faces.exclusions)
    part = "" if files == FILES else f"{files:,} of {FILES:,} files are here"
    lines = [
        CountLine("picture files", files, FILES, part),
        CountLine("names that do not parse", len(faces.exclusions), IRREGULAR, part),
    ]
    published = {("male", "White"): 4361, ("male", "non-White"): 533}
    published |= {("female", "White"): 436, ("female", "non-White"): 5331}
    for attribute in ("race", "age"):
        rows = _biased(faces, DataConfig(bias_attr=(attribute,)))
        train = rows.annotations.take(rows.split == "train")
        counts = train.cell_counts(attribute)
        column = train.attribute(attribute)
        for y, label in enumerate(GENDER.levels):
            for a, level in enumerate(column.levels):
                known = published.get((label, level))
                what = f"bias by {attribute}, train, ({label}, {level})"
                lines.append(CountLine(what, int(counts[y, a]), known, part or LOST))
        pool = _held_out(rows.split)
        known = 4742 if attribute == "race" else None
        what = f"bias by {attribute}, validation and test"
        lines.append(CountLine(what, int(pool.sum()), known, part or LOST))
    return lines


def _held_out(split: Texts) -> Bools:
    return np.asarray((split == "validation") | (split == "test"), dtype=np.bool_)


SPEC = DatasetSpec(
    title=TITLE,
    card="23,708 faces with age, gender and race in their names (non-commercial research only).",
    licence="non-commercial research only",
    obtain=OBTAIN,
    labels=("gender", "race", "age_group"),
    default_attr="gender",
    default_bias_attr=("race",),
    protocols=tuple(PROTOCOLS),
    presets=PRESETS,
    load=load,
    check=check,
    extra={"looks_for": (str(FOLDER),)},
)
