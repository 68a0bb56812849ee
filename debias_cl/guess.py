"""Which known architecture weights are of: a sketch of every known one, compared with the file.

A sketch holds the smallest hashes of an architecture's weights (name and shape), so the share of it
that a file has estimates the share of all its weights, without building a thousand networks; and
its first weights, where variants differ. The likeliest few are then built, without memory for their
weights, and compared in full.

`python -m debias_cl.guess` writes `architectures.json` anew, from the libraries that are installed.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from debias_cl.config import EncoderConfig
from debias_cl.encoders import SOURCES, Stem, build
from debias_cl.files import write_atomic
from debias_cl.fitting import Fit, best_fit, expected_weights
from debias_cl.prefixes import Reading, State, readings

INDEX = Path(__file__).with_name("architectures.json")
SKETCH = 8
"""Smallest hashes of an architecture that are kept."""

FIRST = 4
"""First weights of an architecture that are kept besides: its stem and its positions."""

BUILT = 8
"""Architectures that are built and compared in full."""

ALIKE = 12
"""Further architectures with one sketch that are compared in full as well."""

WORTH = 0.8
"""Share of the first one's weights from which the others of its row are looked at."""

STEMS: tuple[Stem, ...] = ("imagenet", "cifar")


@dataclass(frozen=True)
class Guess:
    """A known architecture beside the weights of a file.

    Attributes:
        architecture: resolved name ("torchvision:resnet18").
        fit: how the weights fit it.
        alike: other architectures whose weights have the same names and shapes.
    """

    architecture: str
    fit: Fit
    alike: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return "torchvision:resnet18 (100 of its 100 weights are in the file)"."""
        found = f"{len(self.fit.matched)} of its {self.fit.expected} weights are in the file"
        further = f", with further layers such as {self.fit.foreign[0]}" if self.fit.foreign else ""
        return f"{self.architecture} ({found}{further})"


@dataclass(frozen=True)
class Known:
    """A row of the index: architectures with one sketch, most of them with the same weights."""

    names: tuple[str, ...]
    weights: int
    sketch: frozenset[int]


def nearest(state: State, ways: Sequence[Reading] | None = None) -> Guess | None:
    """Return the known architecture that the weights are most like; None where none is like them.

    Args:
        state: the weights of a file, with any prefixes.
        ways: the ways to read their names that are allowed; None is all.
    """
    ways = list(readings(state)) if ways is None else ways
    there = [{hash_of(key, value.shape) for key, value in way.state.items()} for way in ways]
    rows = [
        (max(len(row.sketch & have) / len(row.sketch) for have in there), row) for row in index()
    ]
    likely = sorted(
        (pair for pair in rows if pair[0] > 0), key=lambda pair: (-pair[0], -pair[1].weights)
    )
    most = max((len(way.state) for way in ways), default=0)
    fitting = [row for _, row in likely if row.weights <= 1.2 * most] or [row for _, row in likely]
    guesses: list[Guess] = []
    for row in fitting[:BUILT]:
        guesses.append(_compared(row, ways))
        if guesses[-1].fit.fits(1.0):  # the largest of the likeliest: smaller ones may lie in it
            break
    return max(guesses, key=lambda guess: guess.fit.likeness, default=None)


def hash_of(name: str, shape: Iterable[int]) -> int:
    """Return a 32-bit number for a weight's name and shape."""
    return zlib.crc32(f"{name}{tuple(shape)}".encode())


@lru_cache(maxsize=1)
def index() -> tuple[Known, ...]:
    """Return the sketches of all known architectures."""
    rows = json.loads(INDEX.read_text(encoding="utf-8"))["architectures"]
    return tuple(Known(tuple(names), weights, frozenset(row)) for names, weights, row in rows)


def sketch(weights: Mapping[str, Tensor]) -> list[int]:
    """Return the hashes that are kept of an architecture, sorted."""
    hashes = [hash_of(key, value.shape) for key, value in weights.items()]
    return sorted({*hashes[:FIRST], *sorted(hashes)[:SKETCH]})


def _compared(row: Known, ways: Sequence[Reading]) -> Guess:
    """Return the best of a row; those whose weights fit as well are alike."""
    fits = {row.names[0]: _fit(row.names[0], ways)}
    if fits[row.names[0]].share > WORTH:
        fits |= {name: _fit(name, ways) for name in row.names[1 : 1 + ALIKE]}
    best = max(fits, key=lambda name: len(fits[name].matched))
    same = (fits[best].matched.keys(), fits[best].expected)
    alike = [name for name, fit in fits.items() if (fit.matched.keys(), fit.expected) == same]
    return Guess(best, fits[best], tuple(name for name in alike if name != best))


def _fit(name: str, ways: Sequence[Reading]) -> Fit:
    """Compare with one architecture, a ResNet with the stem that the weights have."""
    fits: list[Fit] = []
    for stem in STEMS:
        with outlines():
            encoder = build(EncoderConfig(name), 0, stem)
        fits.append(best_fit(encoder, ways))
        if not fits[-1].other_stem:
            break
    return max(fits, key=lambda fit: len(fit.matched))


class _NoMemory(TorchFunctionMode):
    """Make tensors that are about to be initialised without memory."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.empty and options.get("device") is None:
            options["device"] = "meta"
        return func(*args, **options)


@contextmanager
def outlines() -> Iterator[None]:
    """Build networks whose large tensors have shapes and no memory."""
    with _NoMemory(), torch.no_grad():
        yield


def write_index(path: Path = INDEX) -> int:
    """Sketch every architecture of the installed libraries; return how many there are.

    Those that cannot be built (no linear head, further libraries needed) are left out.
    """
    rows: dict[tuple[int, ...], list[Any]] = {}
    for source, entry in SOURCES.items():
        for name in sorted(entry.names()):
            full = name if source == "own" else f"{source}:{name}"
            try:
                with outlines():
                    weights = expected_weights(build(EncoderConfig(full), 0, "imagenet"))
            except Exception as error:  # whatever a library raises: the others go on
                print(f"{full}: left out ({type(error).__name__}: {str(error)[:80]})")
                continue
            row = sketch(weights)
            rows.setdefault((len(weights), *row), [[], len(weights), row])[0].append(full)
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows.values())
    write_atomic(path, f'{{"architectures":[\n{lines}\n]}}\n')
    return sum(len(row[0]) for row in rows.values())


if __name__ == "__main__":
    print(f"{write_index()} architectures")
