"""What CIFAR-10 and CIFAR-100 share: which form is there, splits, counts, the download."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from debias_cl.config import DataConfig
from debias_cl.data.asked import missing_files
from debias_cl.data.assemble import assemble
from debias_cl.data.cifar_layouts import READERS, Kind
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
from debias_cl.data.picture import Rule
from debias_cl.data.standard_presets import small

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

TRAIN, TEST, TENTH = 50_000, 10_000, 10
ONE_FORM = "one of the three forms whole: torchvision's folder, both tables, or both class folders"

Statistics = tuple[float, float, float]


def by_hand(kind: Kind) -> str:
    """Return how to get the files without this package."""
    return (
        f"put torchvision's folder {kind.folder} (from "
        "https://www.cs.toronto.edu/~kriz/cifar.html), train.parquet and test.parquet, or "
        f"train/<class>/*.png and test/<class>/*.png into <data root>/{kind.name}/"
    )


def obtain(kind: Kind) -> str:
    """Return how to get the files."""
    return f"{by_hand(kind)}, or run `python -m debias_cl.data fetch --dataset {kind.name}`"


def looks_for(kind: Kind) -> tuple[str, ...]:
    """Return the places that tell which form is there."""
    places = [f"{kind.folder}", "train.parquet", "test.parquet", "train", "test"]
    return tuple(f"{kind.name}/{place}" for place in places)


def layouts(kind: Kind) -> tuple[tuple[str, ...], ...]:
    """Return the forms as the places of `looks_for` that each needs."""
    torchvision, train, test, *folders = looks_for(kind)
    return ((torchvision,), (train, test), tuple(folders))


def read(kind: Kind, data_root: Path) -> Examples:
    """Return all examples of the first form that is whole.

    Raises:
        DataError: none is, or a file is damaged.
    """
    there = [
        form
        for form, paths in kind.layouts().items()
        if all((data_root / path).exists() for path in paths)
    ]
    if not there:
        begun = [
            data_root / path
            for path in kind.layouts()["torchvision"]
            if (data_root / kind.name / kind.folder).exists()
        ]
        places = [data_root / path for path in looks_for(kind)]
        raise missing_files(kind.title, [*places, *begun], obtain(kind), ONE_FORM)
    found = READERS[there[0]](kind, data_root / kind.name)
    notes = [*found.notes]
    if there[1:]:
        notes.append(f"read from the {there[0]} form; also there, not read: {', '.join(there[1:])}")
    if (found.count("train"), found.count("test")) != (TRAIN, TEST):
        notes.append(
            f"a part of {kind.title}: {found.count('train'):,} of {TRAIN:,} training and "
            f"{found.count('test'):,} of {TEST:,} test pictures are here"
        )
    return Examples(
        found.ids, found.classes, found.split, found.pictures, found.exclusions, tuple(notes)
    )


def load(kind: Kind, config: DataConfig, mean: Statistics, std: Statistics) -> Dataset:
    """Return the decoded splits of one protocol."""
    protocol = asked_protocol(kind.title, config)
    examples = read(kind, Path(config.data_root))
    rows = rows_of(examples, class_column(kind.classes), protocol, TENTH)
    size = config.image_size or 32
    return assemble(config, protocol, rows, Rule(size, size), mean=mean, std=std)


def check(kind: Kind, config: DataConfig) -> list[CountLine]:
    """Return the counts of splits and classes beside the published ones."""
    root = Path(config.data_root)
    examples = read(kind, root)
    lines = []
    for split, size in (("train", TRAIN), ("test", TEST)):
        note = part_of(examples.count(split), size)
        lines.append(CountLine(f"{split} pictures", examples.count(split), size, note))
        each = size // len(kind.classes)
        lines += class_lines(examples, split, kind.classes, each, note)
    held = examples.count("train") // TENTH
    lines.append(CountLine("validation pictures (protocol holdout)", held))
    lines.append(CountLine("rows left out", len(examples.exclusions)))
    return lines + _checksums(kind, root)


def _checksums(kind: Kind, root: Path) -> list[CountLine]:
    """Return whether torchvision's files have their published bytes, where they are there."""
    folder = root / kind.name / kind.folder
    if not folder.is_dir():
        return []
    source = _torchvision(kind)
    why = "another version of the same batches"
    return [
        CountLine(f"{name}: bytes as published (1 is yes)", int(_md5(folder / name) == md5), 1, why)
        for name, md5 in (*source.train_list, *source.test_list)
    ]


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _torchvision(kind: Kind) -> type[CIFAR10]:
    from torchvision import datasets

    known: dict[str, type[CIFAR10]] = {
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
    }
    return known[kind.name]


def fetch(kind: Kind, config: DataConfig) -> str:
    """Let torchvision download the published archive, and return a sentence on it."""
    root = Path(config.data_root) / kind.name
    made = _torchvision(kind)
    return download(
        kind.title, lambda: made(root, download=True), root / kind.folder, by_hand(kind)
    )


def spec(kind: Kind, card: str, mean: Statistics, std: Statistics) -> DatasetSpec:
    """Return the registry entry."""
    return DatasetSpec(
        title=kind.title,
        card=card,
        licence="none stated; cite Krizhevsky 2009",
        obtain=obtain(kind),
        labels=(LABEL,),
        default_attr=LABEL,
        default_bias_attr=(),
        protocols=PROTOCOLS,
        presets=small(epochs=8),
        load=partial(load, kind, mean=mean, std=std),
        check=partial(check, kind),
        fetch=partial(fetch, kind),
        extra={"looks_for": looks_for(kind), "layouts": layouts(kind)},
    )
