"""ImageNet (ILSVRC 2012): 1.3 million photographs of a thousand kinds of things.

What: 1,281,167 training and 50,000 validation pictures of any size, in a folder for each WordNet
number (`n01440764`). The published test set has no public labels, so its validation set is the
TEST split here, as everywhere in the literature.
Source: Russakovsky et al. 2015. Licence: non-commercial research and education only, by agreement;
the pictures belong to their owners.

Protocols:
- `holdout` (default): one training picture in 25, chosen by a hash of its name, is never trained on
  and validates (about as many as the test split has).
- `full`: all 1,281,167 train, and there is no validation split.

Counts: 1,000 classes, 732 to 1,300 training pictures each, 50 test pictures each.
Attributes: none, so accuracy is shown by class and no groups are compared.
Known damage: about 6 % of the labels of the 50,000 are wrong (Northcutt et al. 2021); a few
pictures are CMYK or no JPEG (they become RGB, counted).
Decoded pictures are cached and memory-mapped: 3 kB a picture at 32 px (4 GB in all), 12 kB at 64 px
(16 GB), 150 kB at 224 px (200 GB). `--set data.train_limit=N` decodes that many for training.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from debias_cl.config import DataConfig
from debias_cl.data.asked import missing_files
from debias_cl.data.assemble import assemble
from debias_cl.data.class_sets import (
    LABEL,
    PROTOCOLS,
    Examples,
    asked_protocol,
    class_column,
    joined,
    part_of,
    rows_of,
)
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.data.decode import Picture
from debias_cl.data.folders import list_folder
from debias_cl.data.picture import Rule
from debias_cl.data.standard_presets import large, quick, short
from debias_cl.errors import DataError

TITLE = "ImageNet"
FOLDER = "imagenet"
SPLIT_OF = {"train": "train", "val": "test"}
"""Folder -> split."""
PUBLISHED = {"train": 1_281_167, "test": 50_000}
CLASSES, SHARE, SIZE = 1000, 25, 64
OBTAIN = (
    "register at https://image-net.org/download-images, get ILSVRC2012_img_train.tar and "
    "ILSVRC2012_img_val.tar, and unpack them to <data root>/imagenet/train/<class>/*.JPEG and "
    "<data root>/imagenet/val/<class>/*.JPEG (torchvision.datasets.ImageNet sorts them so)"
)
SYNSET = re.compile(r"n\d{8}")


def read(data_root: Path) -> Examples:
    """Return all examples; both folders must have the same classes.

    Raises:
        DataError: a folder is absent, or a class stands in one of them alone.
    """
    folders = {name: data_root / FOLDER / name for name in SPLIT_OF}
    if not all(folder.is_dir() for folder in folders.values()):
        raise missing_files(TITLE, list(folders.values()), OBTAIN)
    parts = {name: _part(folder, SPLIT_OF[name]) for name, folder in folders.items()}
    extra = set(parts["val"].classes) - set(parts["train"].classes)
    if extra:
        raise DataError(
            f"{len(extra)} classes of val have no training picture, first '{min(extra)}'",
            where=str(folders["train"]),
            expected="the same class folders in train and val",
            remedy=OBTAIN,
        )
    return joined(parts.values())


def _part(folder: Path, split: str) -> Examples:
    loose = next((p.name for p in folder.iterdir() if p.suffix.casefold() == ".jpeg"), "")
    if loose:
        raise DataError(
            f"the pictures stand in no class folders (first {loose})",
            where=str(folder),
            expected="a folder a class, as n01440764/",
            remedy="torchvision.datasets.ImageNet, given the archives, sorts them",
        )
    listing = list_folder(folder, follow_links=True)
    ids = [f"{folder.name}/{path.as_posix()}" for path, _, _ in listing.files]
    return Examples(
        ids,
        [name for _, _, name in listing.files],
        [split] * len(ids),
        [Picture(name, str(folder), folder.parent / name) for name in ids],
        listing.exclusions,
        listing.notes,
    )


def load(config: DataConfig) -> Dataset:
    """Return the decoded splits of one protocol."""
    protocol = asked_protocol(TITLE, config)
    examples = read(Path(config.data_root))
    label = class_column(examples.classes, _words(set(examples.classes)))
    if (examples.count("train"), examples.count("test")) != tuple(PUBLISHED.values()):
        examples = joined([examples, Examples([], [], [], [], notes=(_part_note(examples),))])
    rows = rows_of(examples, label, protocol, SHARE)
    size = config.image_size or SIZE
    # The usual evaluation: the shorter side 8 / 7 of the centre that is cut out.
    return assemble(config, protocol, rows, Rule(round(size * 256 / 224), size))


def _part_note(examples: Examples) -> str:
    return (
        f"a part of ImageNet: {examples.count('train'):,} of {PUBLISHED['train']:,} training and "
        f"{examples.count('test'):,} of {PUBLISHED['test']:,} test pictures, "
        f"{len(set(examples.classes)):,} of {CLASSES:,} classes are here"
    )


def _words(classes: set[str]) -> Callable[[str], str] | None:
    """Return WordNet number -> English, where all thousand are there to be numbered."""
    if len(classes) != CLASSES or not all(SYNSET.fullmatch(name) for name in classes):
        return None
    from torchvision.models import ResNet18_Weights

    english = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    known = dict(zip(sorted(classes), english, strict=True))
    twice = {word for word in english if english.count(word) > 1}
    return lambda name: f"{known[name]} ({name})" if known[name] in twice else str(known[name])


def check(config: DataConfig) -> list[CountLine]:
    """Return the counts of classes and splits beside the published ones; nothing is decoded."""
    examples = read(Path(config.data_root))
    lines = []
    for split, published in PUBLISHED.items():
        found = examples.per_class(split)
        note = part_of(examples.count(split), published)
        each = 50 if split == "test" else None
        lines += [
            CountLine(f"{split} pictures", examples.count(split), published, note),
            CountLine(f"{split} classes", len(found), CLASSES, note),
            CountLine(f"{split}, smallest class", min(found.values()), each or 732, note),
            CountLine(f"{split}, largest class", max(found.values()), each or 1300, note),
        ]
    held = examples.count("train") // SHARE
    lines.append(CountLine("validation pictures (protocol holdout)", held))
    lines.append(CountLine("files left out", len(examples.exclusions)))
    return lines


SPEC = DatasetSpec(
    title=TITLE,
    card="1.3 million photographs in a thousand classes (non-commercial research, by agreement).",
    licence="non-commercial research and education only, by agreement",
    obtain=OBTAIN,
    labels=(LABEL,),
    default_attr=LABEL,
    default_bias_attr=(),
    protocols=PROTOCOLS,
    presets=large(
        quick("At most 20,000 training pictures and short training", 10, train_limit=20_000),
        short(64, 50, 512, "about a day"),
    ),
    load=load,
    check=check,
    extra={"looks_for": tuple(f"{FOLDER}/{name}" for name in SPLIT_OF)},
)
