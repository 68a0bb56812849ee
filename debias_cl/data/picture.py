"""One picture: bytes in, a square of uint8 RGB out, or plain words on why it cannot be read."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

ORIENTATION = 0x0112
LONGEST = 50
"""Longest side by shortest side that is resized whole."""

MODES = {
    "L": "greyscale",
    "1": "black-and-white",
    "LA": "greyscale with transparency (dropped)",
    "I;16": "16-bit greyscale",
    "I": "16-bit greyscale",
    "CMYK": "CMYK",
    "RGBA": "RGBA, transparency dropped,",
}
"""Mode in the file -> words for the note that it was turned into RGB."""


@dataclass(frozen=True)
class Rule:
    """Resize so that the shorter side has `shorter` pixels, then cut `side` x `side` in the middle.

    `Rule(72, 64)` is UTKFace's resize 72, centre crop 64. `Rule(s, s)` is the largest centred
    square at s pixels: on CelebA, centre crop 178 then resize, at any size of its pictures.
    """

    shorter: int
    side: int

    @property
    def name(self) -> str:
        """Text for notes and the cache's key."""
        return f"resize {self.shorter}, centre crop {self.side}, bilinear"


def read_picture(data: bytes, rule: Rule) -> tuple[npt.NDArray[np.uint8], tuple[str, ...]]:
    """Return one picture as (side, side, 3) uint8 RGB, and what was special about it.

    Args:
        data: the file's bytes.
        rule: resize and crop.

    Returns:
        The picture, and its traits: the mode in the file, and `TURNED` where EXIF says so.

    Raises:
        ValueError: why it cannot be read, in plain words.
    """
    if not data:
        raise ValueError("empty file")
    try:
        with Image.open(io.BytesIO(data)) as opened:
            # A JPEG of over four times the size is decoded at half of it or less: faster, and
            # what the resizing then sees is still twice as fine as its result.
            opened.draft("RGB", (2 * rule.shorter, 2 * rule.shorter))
            opened.load()
            turn = TURNS.get(_orientation(opened))
            traits = (opened.mode,) if turn is None else (opened.mode, TURNED)
            picture = _rgb(opened)
            picture = picture if turn is None else picture.transpose(turn)
    except UnidentifiedImageError as error:
        start = data[:12].decode("ascii", "replace")
        raise ValueError(f"not a picture (the file starts with {start!r})") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError("too many pixels to decode safely") from error
    except Exception as error:  # decoders of damaged files raise whatever their format needs
        raise ValueError(f"damaged picture ({error})") from error
    return _fit(picture, rule), traits


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # convert("RGB") would clip 16-bit values at 255
        wide = np.asarray(picture).astype(np.float64)
        picture = Image.fromarray((wide / 257).clip(0, 255).astype(np.uint8))
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except (OSError, ValueError, SyntaxError, TypeError, UserWarning):  # damaged EXIF is no damage
        return 1


TURNED = "turned"
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what makes the picture upright, as every viewer shows it."""


def _fit(picture: Image.Image, rule: Rule) -> npt.NDArray[np.uint8]:
    short = min(picture.size)
    if max(picture.size) > LONGEST * short:  # a strip: resizing it whole could fill the memory
        excess = [max(0, side - LONGEST * short) // 2 for side in picture.size]
        width, height = picture.size
        picture = picture.crop((excess[0], excess[1], width - excess[0], height - excess[1]))
    # int, not round: the long side of torchvision's Resize
    width, height = (int(rule.shorter * side / short) for side in picture.size)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - rule.side) / 2), round((height - rule.side) / 2)
    return np.asarray(picture.crop((left, top, left + rule.side, top + rule.side)))
