"""Files of weights, read without running their code: one row of a table a format.

A pickle can run any program while it is read. So torch files are read with `weights_only=True` and
a short list of inert types besides; what needs more is refused, with the safe way said.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import safetensors
import safetensors.torch
import torch

from debias_cl.errors import CheckpointError, first_line
from debias_cl.programs import load_export, load_onnx, load_torchscript, quiet

HEAD_BYTES = 512
"""How much of a file is looked at to tell what it is."""

SAFE_WAY = (
    "in the environment that made it: torch.save(model.state_dict(), 'weights.pt'), "
    "or safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
)


@dataclass(frozen=True)
class Contents:
    """What a file holds.

    Attributes:
        tree: nested mappings with tensors, or a `programs.Program`.
        metadata: what the file says of itself, JSON-able.
        format: name of the format.
    """

    tree: Any
    format: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Attributes:
        name: for people.
        recognises: looks at the path and the first bytes.
        read: returns tree and metadata; `CheckpointError` where it must refuse.
        needs_trust: why a file of this kind is opened only where the user trusts it; "" is always.
    """

    name: str
    recognises: Callable[[Path, bytes], bool]
    read: Callable[[Path], tuple[Any, Mapping[str, Any]]]
    needs_trust: str = ""


def read(path: Path, trust: bool = False) -> Contents:
    """Read a file of weights without running code that is in it.

    Args:
        path: the file.
        trust: whether programs (TorchScript, torch.export) may be opened.

    Raises:
        CheckpointError: absent, damaged, of an unknown kind, or in need of code; the message
            says which, and the safe way.
    """
    if not path.is_file():
        raise CheckpointError(
            "there is no such file of weights",
            where=str(path),
            expected="a .pt, .pth, .th, .safetensors or .onnx file, a run folder, or hf:org/name",
        )
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
    for row in FORMATS:
        if row.recognises(path, head):
            if row.needs_trust and not trust:
                raise CheckpointError(
                    f"this is a {row.name} archive: {row.needs_trust}",
                    where=str(path),
                    remedy=f"--trust, if you know who made it; else, {SAFE_WAY}",
                )
            tree, metadata = row.read(path)
            return Contents(tree, row.name, metadata)
    raise CheckpointError(
        "this file is of no kind that is known here",
        where=f"{path}, which begins with {head[:16]!r}",
        expected="weights that torch.save or safetensors wrote",
        remedy=SAFE_WAY,
    )


def inert_types() -> list[Any]:
    """Return the types that may stand in a checkpoint besides torch's own: they hold data only."""
    from numpy._core import multiarray  # where numpy 2 keeps what its pickles name

    dtypes = {type(np.dtype(code)) for code in "?bhilqpBHILQPefdgFDGSUmM"}
    functions = [
        (function, f"{module}.multiarray.{name}")
        for module in ("numpy.core", "numpy._core")
        for name, function in (
            ("scalar", multiarray.scalar),
            ("_reconstruct", multiarray._reconstruct),
        )
    ]
    return [argparse.Namespace, np.ndarray, np.dtype, *sorted(dtypes, key=str), *functions]


def _read_safetensors(path: Path) -> tuple[Any, Mapping[str, Any]]:
    try:
        with safetensors.safe_open(path, "pt") as handle:
            metadata = dict(handle.metadata() or {})
        tree = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        _damaged(path, error)
    try:
        return tree, json.loads(metadata.get("debias_cl", "{}"))
    except json.JSONDecodeError as error:
        _damaged(path, error)


def _read_torch(path: Path) -> tuple[Any, Mapping[str, Any]]:
    try:
        with torch.serialization.safe_globals(inert_types()), quiet():
            return torch.load(path, map_location="cpu", weights_only=True), {}
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            _damaged(path, error)
        raise CheckpointError(
            f"this file needs '{named[1]}' to be read, and reading it could run any code",
            where=str(path),
            expected="weights alone (tensors, numbers, texts, argparse.Namespace, numpy values)",
            remedy=SAFE_WAY,
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError) as error:
        _damaged(path, error)
    except (AttributeError, IndexError, AssertionError, UnicodeDecodeError) as error:
        _damaged(path, error)


def _damaged(path: Path, error: Exception) -> NoReturn:
    raise CheckpointError(
        f"this file of weights is damaged or cut off: {first_line(error, 200)}",
        where=f"{path} ({path.stat().st_size:,} bytes)",
        remedy="copy or download it again and compare its size and checksum",
    ) from error


def _refuse(found: str, remedy: str) -> Callable[[Path], NoReturn]:
    def refuse(path: Path) -> NoReturn:
        raise CheckpointError(found, where=str(path), remedy=remedy)

    return refuse


def _starts(*beginnings: bytes) -> Callable[[Path, bytes], bool]:
    return lambda path, head: head.lstrip(b"\xef\xbb\xbf").startswith(beginnings)


def _zip_with(*parts: str) -> Callable[[Path, bytes], bool]:
    """Recognise a zip file that has an entry with one of these path parts; "" is any zip."""

    def recognises(path: Path, head: bytes) -> bool:
        if not head.startswith(b"PK"):
            return False
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except zipfile.BadZipFile:
            return "" in parts
        return any(part in f"/{name}" for name in names for part in parts)

    return recognises


def _is_safetensors(path: Path, head: bytes) -> bool:
    """8 bytes of length, then JSON."""
    if path.suffix == ".safetensors":
        return not head.startswith(b"version https://git-lfs")
    return head[8:10] in (b'{"', b"{ ") and int.from_bytes(head[:8], "little") < 2**30


def _is_onnx(path: Path, head: bytes) -> bool:
    """A protobuf whose first field is a small version, followed by one of ONNX's next fields."""
    if path.suffix == ".onnx":
        return head[:1] == b"\x08"
    return head[:1] == b"\x08" and head[1:2] < b"\x20" and head[2:3] in b"\x12\x1a\x22\x3a\x42"


def _is_text(path: Path, head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c.isspace() for c in text)


FORMATS: tuple[Format, ...] = (
    Format(
        "an empty file",
        lambda path, head: not head,
        _refuse("this file is empty", "copy or download it again"),
    ),
    Format(
        "Git LFS pointer",
        _starts(b"version https://git-lfs"),
        _refuse("this is a Git LFS pointer, not the file itself", "git lfs pull"),
    ),
    Format("safetensors", _is_safetensors, _read_safetensors),
    Format(
        "TorchScript",
        _zip_with("/constants.pkl", "/code/"),
        lambda path: (load_torchscript(path), {}),
        "it holds code, and torch would run it with all that torch may do, such as reading files",
    ),
    Format(
        "torch.export",
        _zip_with("serialized_exported_program.json", "/models/model.json"),
        lambda path: (load_export(path), {}),
        "it holds a program and pickled data, and loading them could run any code",
    ),
    Format(
        "ONNX",
        _is_onnx,
        lambda path: (load_onnx(path), {}),
    ),
    Format("torch zip", _zip_with("/data.pkl", ""), _read_torch),
    Format("torch pickle", _starts(b"\x80"), _read_torch),
    Format(
        "HDF5",
        _starts(b"\x89HDF"),
        _refuse("this is an HDF5 file (Keras?), not torch weights", "convert it to safetensors"),
    ),
    Format(
        "compressed file",
        _starts(b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf"),
        _refuse("this file is compressed", "unpack it first"),
    ),
    Format(
        "web page",
        _starts(b"<!DOCTYPE", b"<!doctype", b"<html", b"<HTML"),
        _refuse("this is a web page, saved under the name of the weights", "download it again"),
    ),
    Format(
        "text",
        _is_text,
        _refuse("this is a text file, not weights", "give the path of the weights"),
    ),
)
"""The first row that recognises a file reads it, or says why it is refused."""
