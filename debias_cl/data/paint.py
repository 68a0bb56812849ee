"""Colours for digits: the palettes of the literature, which digit gets which, and the painting.

Source: Bahng et al. 2020 (rebias) for the rule and the first palette; Barbano et al. 2023 for the
tenth colour of `fairkl`; Sarridis et al. (vb-mitigator, FB-Biased-MNIST) for the second palette.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from debias_cl.records import Codes

Pixels = npt.NDArray[np.uint8]
RGB = tuple[int, int, int]

REBIAS: Mapping[str, RGB] = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (225, 225, 0),
    "magenta": (225, 0, 225),
    "cyan": (0, 255, 255),
    "orange": (255, 128, 0),
    "rose": (255, 0, 128),
    "violet": (128, 0, 255),
    "grey": (128, 128, 128),
}
"""Colour of digit k is the k-th; 225 in the fourth and fifth is the authors'."""

FAIRKL: Mapping[str, RGB] = {**dict(list(REBIAS.items())[:9]), "mint": (50, 255, 128)}

PALE: Mapping[str, RGB] = {
    "pale red": (255, 50, 50),
    "pale green": (50, 255, 50),
    "pale blue": (50, 50, 255),
    "pale yellow": (225, 225, 50),
    "pale magenta": (225, 50, 225),
    "pale cyan": (50, 255, 255),
    "pale orange": (255, 128, 50),
    "pale rose": (255, 50, 128),
    "pale violet": (128, 50, 255),
    "dark grey": (50, 50, 50),
}
SHIFTED: Mapping[str, RGB] = {**dict(list(PALE.items())[1:]), "pale red": PALE["pale red"]}
"""vb-mitigator's second map as it is used: digit k is painted with colour k + 1."""


@dataclass(frozen=True)
class Variant:
    """What is painted with which palette; None leaves the digit white or the background black."""

    background: Mapping[str, RGB] | None
    digit: Mapping[str, RGB] | None
    says: str


VARIANTS: Mapping[str, Variant] = {
    "": Variant(REBIAS, None, "the background is coloured, the digit is white"),
    "fairkl": Variant(FAIRKL, None, "as published, with FairKL's tenth colour"),
    "foreground": Variant(None, REBIAS, "the digit is coloured, the background is black"),
    "fb": Variant(REBIAS, SHIFTED, "background and digit are coloured, independently"),
}


def colours_for(labels: npt.NDArray[np.uint8], rho: float, seed: tuple[int, ...]) -> Codes:
    """Return the colour code of each digit: a count for each class, not a coin for each digit.

    Of the n_y digits of class y, after a seeded shuffle, the first int(n_y rho) get colour y; the
    rest go in chunks of ceil(rest / 9) to the other nine colours in random order.

    Args:
        labels: (n,) uint8, 0 to 9.
        rho: share of aligned digits in [0, 1].
        seed: seeds of the shuffle.

    Returns:
        (n,) int64, 0 to 9.
    """
    random = np.random.default_rng(seed)
    colours = np.empty(len(labels), dtype=np.int64)
    for digit in range(10):
        rows = random.permutation(np.flatnonzero(labels == digit))
        aligned = int(len(rows) * rho)
        rest = len(rows) - aligned
        others = random.permutation([colour for colour in range(10) if colour != digit])
        colours[rows[:aligned]] = digit
        chunk = -(-rest // 9)
        if chunk:
            colours[rows[aligned:]] = others[np.arange(rest) // chunk]
    return colours


def paint(
    digits: Pixels, variant: Variant, background: Codes | None, digit: Codes | None
) -> Pixels:
    """Return coloured digits; every pixel that is not 0 is the digit.

    Args:
        digits: (n, 28, 28) uint8.
        variant: the palettes.
        background: (n,) colour codes; None is black.
        digit: (n,) colour codes; None is white.

    Returns:
        (n, 28, 28, 3) uint8.
    """
    black, white = np.zeros((1, 3), np.uint8), np.full((1, 3), 255, np.uint8)
    behind = black if background is None else palette(variant.background)[background]
    front = white if digit is None else palette(variant.digit)[digit]
    mask = (digits != 0)[..., None]  # (n, 28, 28, 1)
    return np.where(mask, front[:, None, None, :], behind[:, None, None, :])


def palette(colours: Mapping[str, RGB] | None) -> Pixels:
    """Return (10, 3) uint8."""
    return np.array(list((colours or {}).values()), dtype=np.uint8).reshape(-1, 3)


def recolour(images: Pixels, current: Codes, wanted: int | Codes, variant: str = "") -> Pixels:
    """Return the same digits with another value of the attribute `colour`.

    Args:
        images: (n, 28, 28, 3) uint8 as `paint` made them.
        current: (n,) their colour codes.
        wanted: the new code, one for all or (n,).
        variant: name of the variant.

    Returns:
        (n, 28, 28, 3) uint8. With `fb` the background changes, the digit keeps its colour.
    """
    chosen = VARIANTS[variant]
    colours = palette(chosen.background or chosen.digit)
    new = colours[np.broadcast_to(np.asarray(wanted), (len(images),))][:, None, None, :]
    old = colours[current][:, None, None, :]
    touched = (images == old).all(axis=-1, keepdims=True)
    return np.where(touched, new, images)
