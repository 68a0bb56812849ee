"""Your own pictures: a CSV or Parquet manifest, or class folders.

What: `--manifest people.csv --attr smiling --bias-attr gender,age_group`. Columns: `path` (relative
to the manifest; `file` as in FairFace works too) or `image` (bytes, in Parquet), the label, the
attributes, and optionally `split` and `id`. Or a folder: `split/class/*.jpg` or `class/*.jpg`.
Splits: the `split` column or folder, else 60 / 20 / 20 by a hash of the path.
Licence: yours. Counts: none published.

What is odd is said, counted and listed: unreadable pictures, empty labels, levels that look like
missing values. A path that leaves the manifest's folder is refused (`--allow-outside`), and so are
ranges that a spreadsheet turned into dates (03-Sep).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from debias_cl.config import DataConfig, EncoderConfig, FitConfig, ObjectiveConfig, Preset
from debias_cl.data.asked import choose
from debias_cl.data.assemble import Rows, assemble
from debias_cl.data.contract import SPLITS, CountLine, Dataset, DatasetSpec
from debias_cl.data.decode import Picture
from debias_cl.data.folders import list_folder
from debias_cl.data.manifest_table import resolver, rows_of_table, settled
from debias_cl.data.picture import Rule
from debias_cl.data.presets import CONTEX, FACE_COLOURS, STRONG, quick_faces, stepped
from debias_cl.errors import DataError, UsageError, did_you_mean
from debias_cl.records import Annotations, Column

TITLE = "the manifest"
OBTAIN = (
    "write a CSV with a column `path` (relative to the file), the label and the attributes, or "
    "sort the pictures into class folders, and name it with --manifest"
)


def load(config: DataConfig) -> Dataset:
    """Return the decoded splits of the user's own data."""
    protocol = choose(TITLE, "protocol", config.protocol, PROTOCOLS)
    rows = _rows(config)
    size = config.image_size or 64
    reported = "test" if "test" in rows.split else "validation"
    return assemble(config, protocol, rows, Rule(size, size), test_split=reported)


def _rows(config: DataConfig) -> Rows:
    if not config.manifest:
        raise UsageError("no manifest was named", remedy=OBTAIN)
    path = Path(config.manifest)
    if not path.exists():
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(
            f"the manifest {path} is not there",
            remedy=did_you_mean(path.name, near) if near else "",
        )
    return _rows_of_folder(path, config) if path.is_dir() else rows_of_table(path, config)


def _rows_of_folder(folder: Path, config: DataConfig) -> Rows:
    if config.bias_attr:
        raise DataError(
            f"class folders hold no attribute '{config.bias_attr[0]}'",
            where=str(folder),
            remedy="write a CSV manifest with a column for each attribute",
        )
    listing = list_folder(folder, follow_links=config.allow_outside)
    label = Column(config.attr or "class", listing.classes)
    if len(listing.classes) < 2:
        raise DataError(
            f"only the class '{listing.classes[0]}' has pictures under {folder}",
            expected="at least two class folders with pictures",
        )
    ids = np.array([path.as_posix() for path, _, _ in listing.files])
    truth = np.array([label.code(name) for _, _, name in listing.files], dtype=np.int64)
    split, notes = settled(np.array([split or "train" for _, split, _ in listing.files]), ids)
    inside = resolver(folder, config.allow_outside)
    pictures = [Picture(name, str(folder), inside(name, str(folder))) for name in ids.tolist()]
    annotations = Annotations(ids, label, truth, (), {})
    return Rows(annotations, split, pictures, listing.exclusions, (*listing.notes, *notes))


def check(config: DataConfig) -> list[CountLine]:
    """Return the counts of rows, splits and cells; nothing is published, so they stand alone."""
    rows = _rows(config)
    absent = [p for p in rows.pictures if isinstance(p.source, Path) and not p.source.is_file()]
    lines = [
        CountLine("rows", len(rows.annotations)),
        CountLine("rows left out", len(rows.exclusions)),
        CountLine("pictures that are not there", len(absent)),
    ]
    for split in SPLITS:
        here = rows.annotations.take(rows.split == split)
        lines.append(CountLine(split, len(here)))
        for column in here.attributes:
            counts = here.cell_counts(column.name)
            label = here.label
            assert label is not None
            lines += [
                CountLine(f"{split}, ({label.name} {y}, {column.name} {a})", int(counts[i, j]))
                for i, y in enumerate(label.levels)
                for j, a in enumerate(column.levels)
            ]
    return lines


PROTOCOLS = ("own",)
PRESETS = {
    "quick": quick_faces("No published protocol"),
    "short": Preset(
        says="ResNet-18 with ImageNet weights at 128 px, 20 epochs; minutes to an hour on a GPU.",
        image_size=128,
        views=replace(STRONG, touches_bias=FACE_COLOURS),
        encoder=EncoderConfig("torchvision:resnet18", pretrained=True),
        optimizer=stepped(1e-3, 0.5, 0.75),
        fit=FitConfig(epochs=20, batch_size=128, amp=True, channels_last=True),
        objective=ObjectiveConfig(projection=(512, 128)),
    ),
    "paper": CONTEX,
}

SPEC = DatasetSpec(
    title="Your own pictures",
    card="A CSV or Parquet manifest, or class folders, of your own.",
    licence="yours",
    obtain=OBTAIN,
    labels=(),
    default_attr="",
    default_bias_attr=(),
    protocols=PROTOCOLS,
    presets=PRESETS,
    load=load,
    check=check,
    extra={"looks_for": ()},
)
