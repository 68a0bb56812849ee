"""Atomic writing: a file stands under its final name whole, or not at all. No torch."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it to `path` when the block ends well.

    For writers that want a path of their own (`torch.save`, Parquet). A block that fails leaves
    what stood under `path` as it was. Missing parent folders are made.

    Args:
        path: the final name.

    Returns:
        A context manager that yields a path in the same folder with the same ending.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write bytes, or text as UTF-8 with `\\n` line ends, atomically; parent folders are made.

    Args:
        path: the final name.
        content: the whole content.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(data)
