"""CIFAR in the three forms that people keep it in: torchvision's files, Parquet, class folders."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from debias_cl.data.class_sets import Examples, joined
from debias_cl.data.decode import Picture
from debias_cl.data.folders import list_folder
from debias_cl.errors import DataError, did_you_mean
from debias_cl.records import Exclusion

SIDE = 32


@dataclass(frozen=True)
class Kind:
    """What tells CIFAR-10 and CIFAR-100 apart.

    Attributes:
        title: "CIFAR-10".
        name: of the data set, and its folder under the data root.
        classes: in the order of the published label numbers.
        folder: torchvision's folder.
        batches: split -> its files there.
        key: of the labels in these files.
    """

    title: str
    name: str
    classes: tuple[str, ...]
    folder: str
    batches: Mapping[str, tuple[str, ...]]
    key: str

    def layouts(self) -> Mapping[str, tuple[str, ...]]:
        """Return form -> the paths under the data root that it needs."""
        files = [f"{self.folder}/{name}" for part in self.batches.values() for name in part]
        found = {
            "torchvision": files,
            "parquet": ["train.parquet", "test.parquet"],
            "folders": ["train", "test"],
        }
        return {form: tuple(f"{self.name}/{p}" for p in paths) for form, paths in found.items()}


def read_torchvision(kind: Kind, root: Path) -> Examples:
    """Read the published batches without running code that may be in them."""
    parts = [
        _batch(kind, root / kind.folder / name, split)
        for split, names in kind.batches.items()
        for name in names
    ]
    return joined(_with_ids(parts))


class _Inert(pickle.Unpickler):
    """Reads numbers, texts and arrays; refuses everything that could run code."""

    def find_class(self, module: str, name: str) -> Any:
        from numpy._core import multiarray, numeric  # where numpy 2 keeps what its pickles name

        known = {
            "_reconstruct": multiarray._reconstruct,
            "_frombuffer": numeric._frombuffer,  # type: ignore[attr-defined]
            "ndarray": np.ndarray,
            "dtype": np.dtype,
        }
        if module.partition(".")[0] == "numpy" and name in known:
            return known[name]
        if (module, name) == ("_codecs", "encode"):
            return partial(_encode)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _encode(text: str, encoding: str) -> bytes:
    return text.encode(encoding)


def _batch(kind: Kind, path: Path, split: str) -> Examples:
    try:
        with path.open("rb") as handle:
            content = _Inert(handle, encoding="bytes").load()
        entries = {_text(key): value for key, value in content.items()}
        pixels, labels = np.asarray(entries["data"]), [int(y) for y in entries[kind.key]]
        images = pixels.reshape(len(labels), 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    except (pickle.UnpicklingError, EOFError, OSError, AttributeError, IndexError) as error:
        raise _damaged(kind, path, error) from error
    except (KeyError, ValueError, TypeError) as error:
        raise _damaged(kind, path, error) from error
    names = [_text(name) for name in entries.get("filenames", ())]
    status = path.stat()
    stamp = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    places = [f"{path.name}, picture {row}" for row in range(len(labels))]
    known = [_number(kind, y, where) for y, where in zip(labels, places, strict=True)]
    return Examples(
        names if len(names) == len(labels) else [""] * len(labels),
        known,
        [split] * len(labels),
        [
            Picture(place, str(path), partial(_bitmap, images, row), f"{stamp} {row}")
            for row, place in enumerate(places)
        ],
    )


def _damaged(kind: Kind, path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path.name} is no batch of {kind.title} that can be read safely: {error}",
        where=str(path),
        expected=f"a dictionary with data (n x 3072 bytes) and {kind.key}",
        remedy=f"python -m debias_cl.data fetch --dataset {kind.name}, after removing the folder",
    )


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bitmap(images: npt.NDArray[np.uint8], row: int) -> bytes:
    """Return the picture as a file without loss: every form then goes the same way."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(images[row], dtype=np.uint8)).save(buffer, "BMP")
    return buffer.getvalue()


def _number(kind: Kind, label: int, where: str) -> str:
    """Return the class of a published label number."""
    if not 0 <= label < len(kind.classes):
        raise DataError(
            f"the label {label} is none of {kind.title}",
            where=where,
            expected=f"0 to {len(kind.classes) - 1}",
        )
    return kind.classes[label]


def _named(kind: Kind, name: str, where: str) -> str:
    """Return the class of a name, or of a number written as text."""
    folded = name.strip().casefold().replace(" ", "_")
    if folded in kind.classes:
        return folded
    if folded.isdecimal():
        return _number(kind, int(folded), where)
    raise DataError(
        f"'{name}' is no class of {kind.title}",
        where=where,
        remedy=did_you_mean(folded, kind.classes),
    )


IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


def read_parquet(kind: Kind, root: Path) -> Examples:
    """Read `train.parquet` and `test.parquet`: pictures as bytes, labels as numbers or names."""
    parts = [_parquet(kind, root / f"{split}.parquet", split) for split in ("train", "test")]
    return joined(_with_ids(parts))


def _parquet(kind: Kind, path: Path, split: str) -> Examples:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path.name} cannot be read: {error}", where=str(path)) from error
    image = _column(table, IMAGE_COLUMNS, path)
    cells = table.column(image)
    if pa.types.is_struct(cells.type):  # as data set hubs keep pictures: bytes and path
        cells = pa.chunked_array([pc.struct_field(c, "bytes") for c in cells.chunks])
    labels = table.column(_column(table, LABEL_COLUMNS, path)).to_pylist()
    words = table.column("label_name").to_pylist() if "label_name" in table.column_names else None
    names = table.column("name").to_pylist() if "name" in table.column_names else None
    blobs = cells.combine_chunks()
    keep, classes, exclusions = [], [], []
    for row, label in enumerate(labels):
        where = f"{path.name}, row {row}"
        if label is None:
            exclusions.append(Exclusion(where, str(path), "no label"))
            continue
        classes.append(_class_of(kind, label, words[row] if words else None, where))
        keep.append(row)
    status = path.stat()
    stamp = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    pictures = [
        Picture(f"{path.name}, row {row}", str(path), _blob(blobs, row), f"{stamp} {row}")
        for row in keep
    ]
    ids = [str(names[row] or "") if names else "" for row in keep]
    return Examples(ids, classes, [split] * len(keep), pictures, tuple(exclusions))


def _column(table: Any, choices: Sequence[str], path: Path) -> str:
    for name in choices:
        if name in table.column_names:
            return name
    raise DataError(
        f"{path.name} has no column '{choices[0]}'",
        where=f"{path}; columns: {', '.join(table.column_names)}",
        expected="image (the bytes of a picture) and label (0, 1, ...)",
    )


def _class_of(kind: Kind, label: Any, word: Any, where: str) -> str:
    known = _named(kind, label, where) if isinstance(label, str) else _number(kind, label, where)
    if word is not None and _named(kind, str(word), where) != known:
        raise DataError(
            f"the label {label} is named '{word}' here",
            where=where,
            expected=f"'{known}', {kind.title}'s class of that number",
        )
    return known


def _blob(blobs: Any, row: int) -> Callable[[], bytes | None]:
    def read() -> bytes | None:
        value: bytes | None = blobs[row].as_py()
        return value

    return read


def read_folders(kind: Kind, root: Path) -> Examples:
    """Read `train/<class>/*.png` and `test/<class>/*.png`."""
    return joined([_folder(kind, root, split) for split in ("train", "test")])


def _folder(kind: Kind, root: Path, split: str) -> Examples:
    listing = list_folder(root / split)
    paths = [path for path, _, _ in listing.files]
    known = {name: _named(kind, name, str(root / split / name)) for name in listing.classes}
    ids = [f"{split}/{path.as_posix()}" for path in paths]
    pictures = [Picture(name, str(root), root / name) for name in ids]
    classes = [known[name] for _, _, name in listing.files]
    return Examples(ids, classes, [split] * len(ids), pictures, listing.exclusions, listing.notes)


def _with_ids(parts: Sequence[Examples]) -> Iterator[Examples]:
    """Make ids of the pictures' names, or of their places where a name is absent or repeated."""
    seen: set[str] = set()
    place = dict.fromkeys(("train", "test"), 0)
    for part in parts:
        ids = []
        for name, split in zip(part.ids, part.split, strict=True):
            made = f"{split}/{name}" if name else f"{split}/{place[split]:05d}"
            made = f"{made} ({place[split]:05d})" if made in seen else made
            seen.add(made)
            ids.append(made)
            place[split] += 1
        yield Examples(ids, part.classes, part.split, part.pictures, part.exclusions, part.notes)


READERS: Mapping[str, Callable[[Kind, Path], Examples]] = {
    "torchvision": read_torchvision,
    "parquet": read_parquet,
    "folders": read_folders,
}
"""Form -> its reader; where several are there, the first is taken."""
