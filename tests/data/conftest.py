"""Fixtures of the data tests: a cache of their own, and small real picture files."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def cache_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of decoded pictures for the whole session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBIAS_CL_CACHE", str(cache_root))


@pytest.fixture(scope="session")
def picture_bytes() -> Callable[..., bytes]:
    """Return `make(seed, mode, size, format)`: the bytes of a smooth coloured picture."""

    def make(
        seed: int = 0,
        mode: str = "RGB",
        size: tuple[int, int] = (80, 60),
        kind: str = "JPEG",
    ) -> bytes:
        small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).convert(mode)
        buffer = io.BytesIO()
        picture.save(buffer, kind)
        return buffer.getvalue()

    return make


@pytest.fixture
def write_picture(picture_bytes: Callable[..., bytes]) -> Callable[..., Path]:
    """Return `write(path, **as picture_bytes)`: the picture as a file, folders made."""

    def write(path: Path, **arguments: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture_bytes(**arguments))
        return path

    return write
