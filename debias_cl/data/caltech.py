"""What Caltech-101 and Caltech-256 share: class folders, 30 training pictures a class, counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from debias_cl.config import DataConfig, Preset
from debias_cl.data.asked import missing_files
from debias_cl.data.assemble import assemble
from debias_cl.data.class_sets import (
    LABEL,
    PROTOCOLS,
    Examples,
    asked_protocol,
    class_column,
    class_lines,
    download,
    part_of,
    rows_of,
)
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.data.decode import Picture
from debias_cl.data.folders import list_folder
from debias_cl.data.picture import Rule
from debias_cl.data.splits import ranked
from debias_cl.errors import DataError
from debias_cl.records import Exclusion

PER_CLASS, TENTH = 30, 10
SIZE = 64
"""Side in pixels where neither the user nor a preset gives one."""


@dataclass(frozen=True)
class Kind:
    """What tells the two apart.

    Attributes:
        title: "Caltech-101".
        name: of the data set, and its folder under the data root.
        folder: holds the class folders.
        background: folder of the class that is left out.
        class_name: folder -> class.
        classes, pictures, background_pictures: published counts, without and of the background.
        page: where the set is published.
        archive: what to download there.
    """

    title: str
    name: str
    folder: str
    background: str
    class_name: Callable[[str], str]
    classes: int
    pictures: int
    background_pictures: int
    page: str
    archive: str

    @property
    def place(self) -> str:
        """The class folders' folder under the data root."""
        return f"{self.name}/{self.folder}"


def by_hand(kind: Kind) -> str:
    """Return how to get the pictures without this package."""
    return (
        f"get {kind.archive} from {kind.page} and unpack it to "
        f"<data root>/{kind.place}/<class>/*.jpg"
    )


def obtain(kind: Kind) -> str:
    """Return how to get the pictures."""
    return f"{by_hand(kind)}, or run `python -m debias_cl.data fetch --dataset {kind.name}`"


def read(kind: Kind, data_root: Path) -> tuple[Examples, int]:
    """Return the examples, 30 of each class for training, and the pictures of the background.

    Raises:
        DataError: the folder is absent or has fewer than two classes.
    """
    folder = data_root / kind.place
    if not folder.is_dir():
        raise missing_files(kind.title, [folder], obtain(kind))
    listing = list_folder(folder)
    wanted, background, nested = [], 0, []
    for path, _, name in listing.files:
        if name == kind.background:
            background += 1
        elif len(path.parts) > 2:
            reason = "stands in a folder inside its class folder"
            nested.append(Exclusion(path.as_posix(), str(folder), reason))
        else:
            wanted.append((path.as_posix(), kind.class_name(name)))
    classes = [name for _, name in wanted]
    if len(set(classes)) < 2:
        raise DataError(
            f"{kind.title} has fewer than two classes with pictures",
            where=str(folder),
            expected=f"{kind.classes} class folders",
            remedy=obtain(kind),
        )
    loose = [e for e in listing.exclusions if not e.item.startswith(f"{kind.background}/")]
    ids = [path for path, _ in wanted]
    pictures = [Picture(path, str(folder), folder / path) for path in ids]
    notes = [*listing.notes, f"the background class {kind.background} is left out: {background:,}"]
    notes[-1] += " pictures"
    notes += _short(kind, classes)
    split = _split(ids, classes)
    exclusions = (*loose, *nested)
    return Examples(ids, classes, split, pictures, exclusions, tuple(notes)), background


def _split(ids: list[str], classes: list[str]) -> list[str]:
    """Return "train" for the first 30 of each class in the order of the hash, else "test"."""
    rows = defaultdict(list)
    for row, name in enumerate(classes):
        rows[name].append(row)
    split = np.full(len(ids), "test ")
    names = np.array(ids)
    for found in rows.values():
        here = np.array(found)
        split[here[ranked(names[here], PER_CLASS, salt="caltech")]] = "train"
    return [str(name).strip() for name in split]


def _short(kind: Kind, classes: list[str]) -> list[str]:
    """Say what is not the whole set, and which classes have nothing left to test."""
    notes, counts = [], Counter(classes)
    if len(classes) != kind.pictures:
        notes.append(
            f"not the whole of {kind.title}: {len(classes):,} of {kind.pictures:,} pictures and "
            f"{len(counts)} of {kind.classes} classes are here"
        )
    few = sorted(name for name, n in counts.items() if n <= PER_CLASS)
    if few:
        shown = ", ".join(few[:5]) + (" ..." if len(few) > 5 else "")
        notes.append(
            f"classes of at most {PER_CLASS} pictures, which all train: {len(few)} ({shown})"
        )
    return notes


def load(kind: Kind, config: DataConfig) -> Dataset:
    """Return the decoded splits of one protocol."""
    protocol = asked_protocol(kind.title, config)
    examples, _ = read(kind, Path(config.data_root))
    rows = rows_of(examples, class_column(examples.classes, _words), protocol, TENTH)
    size = config.image_size or SIZE
    return assemble(config, protocol, rows, Rule(size, size))


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def check(kind: Kind, config: DataConfig) -> list[CountLine]:
    """Return the counts of classes, pictures and splits beside the published ones."""
    examples, background = read(kind, Path(config.data_root))
    note = part_of(len(examples.ids), kind.pictures)
    levels = sorted(set(examples.classes))
    trained = kind.classes * PER_CLASS
    back = part_of(background, kind.background_pictures)
    what = f"pictures of {kind.background}, left out"
    return [
        CountLine("classes", len(levels), kind.classes, note),
        CountLine("pictures", len(examples.ids), kind.pictures, note),
        CountLine(what, background, kind.background_pictures, back),
        CountLine("train and validation", examples.count("train"), trained, note),
        CountLine("test", examples.count("test"), kind.pictures - trained, note),
        *class_lines(examples, "train", levels, PER_CLASS, note),
        CountLine("validation (protocol holdout)", examples.count("train") // TENTH),
        CountLine("files left out", len(examples.exclusions)),
    ]


def fetch(kind: Kind, config: DataConfig) -> str:
    """Let torchvision download the set, and return a sentence on it."""
    from torchvision import datasets

    root = Path(config.data_root)
    made = {"caltech101": datasets.Caltech101, "caltech256": datasets.Caltech256}[kind.name]
    return download(kind.title, lambda: made(root, download=True), root / kind.place, by_hand(kind))


def spec(kind: Kind, card: str, presets: Mapping[str, Preset]) -> DatasetSpec:
    """Return the registry entry."""
    return DatasetSpec(
        title=kind.title,
        card=card,
        licence="CC BY 4.0 (CaltechDATA); the pictures come from the web",
        obtain=obtain(kind),
        labels=(LABEL,),
        default_attr=LABEL,
        default_bias_attr=(),
        protocols=PROTOCOLS,
        presets=presets,
        load=partial(load, kind),
        check=partial(check, kind),
        fetch=partial(fetch, kind),
        extra={"looks_for": (kind.place,)},
    )
