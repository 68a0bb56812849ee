"""Class folders: `class/*.jpg`, or `split/class/*.jpg`. What is left out is named."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from debias_cl.errors import DataError
from debias_cl.records import Exclusion, natural_order

SYSTEM = frozenset(
    {"__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found", "Thumbs.db", "desktop.ini", "__pycache__"}
)
"""Names that operating systems leave behind; names that start with a dot count as well."""

PICTURES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".jfif"}
)
SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "trn": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
}
"""Case-folded names of splits as people write them."""


@dataclass(frozen=True)
class Listing:
    """What the folders hold.

    Attributes:
        files: (path below the folder, split or "", class), sorted.
        classes: class names in natural order, without those that have no picture at all.
        exclusions: files that are no pictures.
        notes: folders left out, classes without pictures.
    """

    files: tuple[tuple[Path, str, str], ...]
    classes: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    notes: tuple[str, ...]


def list_folder(folder: Path, follow_links: bool = False) -> Listing:
    """List the pictures of class folders.

    Args:
        folder: holds one folder a class, or one a split (train, val, test, ...) that does.
        follow_links: whether linked folders are entered.

    Raises:
        DataError: no class folder with a picture.
    """
    left_out: list[str] = []
    loose: list[Exclusion] = []
    tops = _subfolders(folder, folder, left_out, loose)
    by_split = bool(tops) and all(top.name.casefold() in SPLIT_NAMES for top in tops)
    classes: list[tuple[str, Path]] = [("", top) for top in tops]
    if by_split:
        classes = [
            (SPLIT_NAMES[top.name.casefold()], sub)
            for top in tops
            for sub in _subfolders(top, folder, left_out, loose)
        ]
    files: list[tuple[Path, str, str]] = []
    empty: list[str] = []
    for split, place in classes:
        found = _pictures(place, folder, follow_links, left_out, loose)
        files += [(path, split, place.name) for path in found]
        if not found:
            empty.append(place.relative_to(folder).as_posix())
    if not files:
        raise DataError(
            f"no pictures in class folders under {folder}",
            expected="class/*.jpg or split/class/*.jpg (split: train, val, test)",
        )
    names = natural_order({name for _, _, name in files})
    return Listing(tuple(sorted(files)), names, tuple(loose), _notes(left_out, empty))


def _notes(left_out: list[str], empty: list[str]) -> tuple[str, ...]:
    notes = []
    if left_out:
        notes.append(f"hidden and system folders and files left out: {', '.join(sorted(left_out))}")
    if empty:
        notes.append(f"class folders without pictures, no classes: {', '.join(sorted(empty))}")
    return tuple(notes)


def _is_system(name: str) -> bool:
    return name.startswith(".") or name in SYSTEM


def _subfolders(place: Path, root: Path, left_out: list[str], loose: list[Exclusion]) -> list[Path]:
    found = []
    for path in sorted(place.iterdir()):
        below = path.relative_to(root).as_posix()
        if _is_system(path.name):
            left_out.append(below)
        elif path.is_dir():
            found.append(path)
        else:
            loose.append(Exclusion(below, str(root), "stands in no class folder"))
    return found


def _pictures(
    place: Path, root: Path, follow_links: bool, left_out: list[str], loose: list[Exclusion]
) -> list[Path]:
    """Return the pictures of one class, paths below the root, at any depth."""
    found = []
    for here, folders, names in os.walk(place, followlinks=follow_links):
        base = Path(here)
        hidden = [name for name in (*folders, *names) if _is_system(name)]
        left_out += [(base / name).relative_to(root).as_posix() for name in hidden]
        linked = [f for f in folders if not follow_links and (base / f).is_symlink()]
        left_out += [f"{(base / f).relative_to(root).as_posix()} (a link)" for f in linked]
        folders[:] = sorted(set(folders) - set(hidden) - set(linked))
        for name in sorted(set(names) - set(hidden)):
            below = (base / name).relative_to(root)
            if below.suffix.casefold() in PICTURES:
                found.append(below)
            else:
                reason = f"'{below.suffix}' is not the ending of a picture"
                loose.append(Exclusion(below.as_posix(), str(root), reason))
    return found
