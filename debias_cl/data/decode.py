"""Pictures decoded once, in parallel, into a cached uint8 array.

The cache's key is the hash of all names, sizes, times of change and the rule, so a changed picture
or another size is decoded anew. What cannot be read becomes an `Exclusion`, never a crash.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.data.picture import MODES, TURNED, Rule, read_picture
from debias_cl.errors import DataError
from debias_cl.records import Exclusion

IN_MEMORY_BYTES = 256 * 2**20
"""Arrays above this are memory-mapped, copy-on-write, instead of read."""

BATCH = 64


@dataclass(frozen=True)
class Picture:
    """One picture to decode.

    Attributes:
        item: file name or id for the user.
        where: what named it ("people.csv, line 4", or the file itself).
        source: its path, or a function that gives its bytes (None: the cell is empty).
        stamp: with a function, text that changes when the bytes do.
    """

    item: str
    where: str
    source: Path | Callable[[], bytes | None]
    stamp: str = ""


@dataclass(frozen=True)
class Decoded:
    """What came out.

    Attributes:
        images: (k, side, side, 3) uint8 RGB, the readable pictures in the order asked for.
        kept: (k,) their places among the pictures asked for.
        exclusions: one for each of the others.
        notes: conversions, with counts.
    """

    images: npt.NDArray[np.uint8]
    kept: npt.NDArray[np.int64]
    exclusions: tuple[Exclusion, ...]
    notes: tuple[str, ...]


def cache_folder(data_root: Path, dataset: str) -> Path:
    """Return where decoded pictures go.

    `$DEBIAS_CL_CACHE/<dataset>` where set; else `<data_root>/<dataset>/.cache` where that data
    set's folder is there and writable; else `~/.cache/debias_cl/<dataset>`.
    """
    chosen = os.environ.get("DEBIAS_CL_CACHE")
    if chosen:
        return Path(chosen).expanduser() / dataset
    folder = data_root / dataset
    # The permission bits count too: for the superuser everything is "accessible".
    if folder.is_dir() and os.access(folder, os.W_OK) and folder.stat().st_mode & 0o222:
        return folder / ".cache"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "debias_cl" / dataset


def decode(pictures: Sequence[Picture], rule: Rule, cache: Path, title: str = "") -> Decoded:
    """Return the pictures as one array, from the cache where they were decoded before.

    Args:
        pictures: n >= 1 pictures.
        rule: how each becomes side x side.
        cache: folder of the cache; made where absent.
        title: words for the progress bar.

    Raises:
        DataError: no picture can be read, or the cache cannot be written.
    """
    stamps = [_stamp(picture) for picture in pictures]
    target = cache / f"{_key(pictures, stamps, rule)}"
    if not (target / "about.json").is_file():
        try:
            _fill(pictures, stamps, rule, target, title)
        except OSError as error:
            raise DataError(
                f"decoded pictures cannot be stored: {error}",
                where=str(cache),
                remedy="set DEBIAS_CL_CACHE to a folder with free space",
            ) from error
    return _load(pictures, target)


def _stamp(picture: Picture) -> str | None:
    """Return what changes when the picture does; None where there is no file."""
    if not isinstance(picture.source, Path):
        return picture.stamp
    try:
        status = picture.source.stat()
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return None
    return f"{status.st_size} {status.st_mtime_ns}"


def _key(pictures: Sequence[Picture], stamps: Sequence[str | None], rule: Rule) -> str:
    digest = hashlib.sha256(f"1 {rule.name}".encode())
    for picture, stamp in zip(pictures, stamps, strict=True):
        place = picture.source.absolute() if isinstance(picture.source, Path) else ""
        line = f"\n{picture.item}\0{place}\0{stamp}"
        digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def _fill(
    pictures: Sequence[Picture],
    stamps: Sequence[str | None],
    rule: Rule,
    target: Path,
    title: str,
) -> None:
    """Decode everything into a folder of another name, then give it its own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        shape = (len(pictures), rule.side, rule.side, 3)
        images = np.lib.format.open_memmap(
            made / "images.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        reasons, modes = _decode_into(images, pictures, stamps, rule, title)
        kept = [row for row in range(len(pictures)) if row not in reasons]
        if len(kept) < len(pictures):
            for place, row in enumerate(kept):
                images[place] = images[row]
        images.flush()
        del images
        about = {"kept": kept, "reasons": reasons, "modes": modes, "rule": rule.name}
        (made / "about.json").write_text(json.dumps(about), encoding="utf-8")
        try:
            made.rename(target)
        except OSError:
            if not (target / "about.json").is_file():  # else another process was faster
                raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _decode_into(
    images: npt.NDArray[np.uint8],
    pictures: Sequence[Picture],
    stamps: Sequence[str | None],
    rule: Rule,
    title: str,
) -> tuple[dict[int, str], Counter[str]]:
    """Fill `images` by threads (PIL decodes without the interpreter lock)."""
    reasons: dict[int, str] = {}
    modes: Counter[str] = Counter()

    def work(start: int) -> tuple[int, dict[int, str], Counter[str]]:
        failed: dict[int, str] = {}
        seen: Counter[str] = Counter()
        rows = range(start, min(start + BATCH, len(pictures)))
        for row in rows:
            try:
                images[row], traits = read_picture(_bytes(pictures[row], stamps[row]), rule)
                seen.update(traits)
            except ValueError as error:
                failed[row] = str(error)
        return len(rows), failed, seen

    starts = range(0, len(pictures), BATCH)
    with progress(title, len(pictures)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        for done, failed, seen in pool.map(work, starts):
            reasons |= failed
            modes += seen
            advance(done)
    return reasons, modes


def _bytes(picture: Picture, stamp: str | None) -> bytes:
    if stamp is None:
        raise ValueError("the picture is not there")
    try:
        data = picture.source.read_bytes() if isinstance(picture.source, Path) else picture.source()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror})") from error
    return data or b""


def _load(pictures: Sequence[Picture], target: Path) -> Decoded:
    about = json.loads((target / "about.json").read_text(encoding="utf-8"))
    reasons = {int(row): reason for row, reason in about["reasons"].items()}
    exclusions = tuple(
        Exclusion(pictures[row].item, pictures[row].where, reason)
        for row, reason in sorted(reasons.items())
    )
    kept = np.array(about["kept"], dtype=np.int64)
    large = (target / "images.npy").stat().st_size > IN_MEMORY_BYTES
    # "c": writes go to memory alone; a read-only array would make torch warn.
    images = np.load(target / "images.npy", mmap_mode="c" if large else None)[: len(kept)]
    notes = _trait_notes(about["modes"])
    return Decoded(images, kept, exclusions, notes)


def _trait_notes(traits: dict[str, int]) -> tuple[str, ...]:
    """Say how many pictures were no plain RGB, or were turned."""
    counts: Counter[str] = Counter()
    for trait, n in sorted(traits.items()):
        if trait not in {"RGB", "P", TURNED}:
            counts[MODES.get(trait, trait)] += n
    notes = [
        f"{n} {words} picture{'s were' if n > 1 else ' was'} turned into RGB"
        for words, n in counts.items()
    ]
    if traits.get(TURNED):
        notes.append(f"{traits[TURNED]} pictures were turned upright, as their EXIF data say")
    return tuple(notes)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], Any]]:
    """Show a bar with rate and time left on a terminal; say nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeLeft(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        task = shown.add_task(title or "decoding pictures", total=total, rate="")

        def advance(steps: int) -> None:
            shown.advance(task, steps)
            speed = shown.tasks[0].speed
            shown.update(task, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance
