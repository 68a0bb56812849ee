"""MNIST's own files: an idx reader on gzip, with the published checksums, and the download."""

from __future__ import annotations

import gzip
import hashlib
import struct
import urllib.error
import urllib.request
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from debias_cl.data.asked import missing_files
from debias_cl.errors import DataError
from debias_cl.files import write_atomic

FOLDER = Path("mnist") / "MNIST" / "raw"
MD5: Mapping[str, str] = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""The four files and their published md5 (those of torchvision)."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
BY_HAND = (
    "put the four official files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
    "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz into <data root>/mnist/MNIST/raw/ (where "
    "torchvision puts them)"
)
OBTAIN = f"{BY_HAND}, or run `python -m debias_cl.data fetch --dataset biased_mnist`"
IMAGES, LABELS = 2051, 2049
"""Magic numbers of the two kinds of file."""

Digits = npt.NDArray[np.uint8]


def read_digits(data_root: Path) -> tuple[Digits, Digits, Digits, Digits, tuple[str, ...]]:
    """Return MNIST.

    Args:
        data_root: folder that holds `mnist/`.

    Returns:
        Training digits (60000, 28, 28) uint8 and labels (60000,), test digits and labels, and
        notes on files that differ from the published ones.

    Raises:
        DataError: a file is absent or damaged.
    """
    paths = [data_root / FOLDER / name for name in MD5]
    if not all(path.is_file() for path in paths):
        raise missing_files("MNIST", paths, OBTAIN)
    train, train_labels, test, test_labels = (read_idx(path) for path in paths)
    for path, digits, labels in ((paths[0], train, train_labels), (paths[2], test, test_labels)):
        if len(digits) != len(labels) or digits.shape[1:] != (28, 28):
            raise DataError(
                f"{path.name} holds {digits.shape} digits and there are {len(labels)} labels",
                where=str(path.parent),
                expected="28 x 28 digits, one label each",
                remedy=OBTAIN,
            )
    odd = [name for name, same in same_as_published(data_root).items() if not same]
    notes = (f"not the published bytes (md5 differs): {', '.join(odd)}",) if odd else ()
    return train, train_labels, test, test_labels, notes


def read_idx(path: Path) -> Digits:
    """Return the array in a gzipped idx file: (n, rows, columns) for images, (n,) for labels.

    Raises:
        DataError: another magic number, or another number of bytes than the head promises.
    """
    try:
        data = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path.name} is damaged: {error}", where=str(path), remedy=OBTAIN
        ) from error
    magic = struct.unpack(">i", data[:4])[0] if len(data) >= 8 else 0
    if magic not in {IMAGES, LABELS}:
        raise DataError(
            f"{path.name} starts with the magic number {magic}",
            where=str(path),
            expected=f"{IMAGES} for images, {LABELS} for labels",
            remedy=OBTAIN,
        )
    dimensions = 3 if magic == IMAGES else 1
    head = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}i", data[4:head].ljust(head - 4, b"\0"))
    if len(data) - head != np.prod(shape):
        raise DataError(
            f"{path.name} promises {shape} bytes of pixels or labels and holds {len(data) - head}",
            where=str(path),
            remedy=OBTAIN,
        )
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)


def same_as_published(data_root: Path) -> dict[str, bool]:
    """Return file name -> whether its md5 is the published one."""
    return {
        name: hashlib.md5((data_root / FOLDER / name).read_bytes()).hexdigest() == md5
        for name, md5 in MD5.items()
    }


def fetch(data_root: Path) -> str:
    """Download the files that are absent, check their md5, and return a sentence on it.

    Raises:
        DataError: no mirror gave the published bytes.
    """
    folder = data_root / FOLDER
    wanted = [name for name in MD5 if not (folder / name).is_file()]
    for name in wanted:
        write_atomic(folder / name, _download(name))
    return f"{len(wanted)} files fetched into {folder}" if wanted else f"all files are in {folder}"


def _download(name: str) -> bytes:
    failures = []
    for mirror in MIRRORS:
        try:
            with urllib.request.urlopen(mirror + name, timeout=60) as answer:
                data: bytes = answer.read()
        except (urllib.error.URLError, OSError) as error:
            failures.append(f"{mirror}: {error}")
            continue
        if hashlib.md5(data).hexdigest() == MD5[name]:
            return data
        failures.append(f"{mirror}: other bytes than published (md5)")
    raise DataError(f"{name} cannot be fetched", where="; ".join(failures), remedy=BY_HAND)
