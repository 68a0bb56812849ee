"""Which pictures an encoder wants: side, channel means and deviations, and who says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from debias_cl.data.contract import IMAGENET_MEAN, IMAGENET_STD
from debias_cl.encoders import SOURCES, Encoder
from debias_cl.errors import UsageError

USUAL_SIDE = 224
"""Side in pixels where nothing else is known: that of ImageNet training."""

CIFAR_SIDE = 32
"""Side in pixels of networks that are made for CIFAR."""

Statistics = tuple[float, float, float]
PATCHES = ("patch_embed.proj.weight", "conv_proj.weight")
POSITIONS = ("pos_embed", "encoder.pos_embedding")
EXTRA_TOKENS = (1, 0, 2, 5)
"""Tokens of a transformer that are no patches: class, none, class and distillation, registers."""


@dataclass(frozen=True)
class Recipe:
    """The pictures that an encoder is given.

    Attributes:
        image_size: side in pixels.
        mean, std: of the channels, in [0, 1].
        said_by: "image_size", "mean", "std" -> who says so, for the report.
    """

    image_size: int
    mean: Statistics
    std: Statistics
    said_by: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**self.__dict__, "said_by": dict(self.said_by)}

    def sentence(self) -> str:
        """Return what is done to the pictures, in a sentence."""
        numbers = "/".join(f"{value:g}" for value in (*self.mean, *self.std))
        said = self.said_by
        told = said["mean"] if said["mean"] == said["std"] else f"{said['mean']}, {said['std']}"
        return (
            f"pictures of {self.image_size} px ({said['image_size']}), "
            f"mean and deviation {numbers} ({told})"
        )


Record = Mapping[str, Any]


def recipe(encoder: Encoder, asked: Record, file: Record, fixed_side: int, fixed_by: str) -> Recipe:
    """Settle the pictures: the flags, else the file, else the architecture's record, else ImageNet.

    Args:
        encoder: whose architecture is looked up.
        asked: "image_size", "mean", "std" as the user gave them; absent or empty is not given.
        file: the same as the file or the model's card says.
        fixed_side: the one side that the weights or the program allow; 0 is any.
        fixed_by: what fixes it, for messages.

    Raises:
        UsageError: another side than the fixed one is asked for.
    """
    if fixed_side and asked.get("image_size") not in (None, 0, fixed_side):
        raise UsageError(
            f"--image-size {asked['image_size']} does not fit: {fixed_by} of {fixed_side} px",
            remedy="leave --image-size out",
        )
    usual = {"image_size": USUAL_SIDE, "mean": IMAGENET_MEAN, "std": IMAGENET_STD}
    said: tuple[tuple[str, Record], ...] = (
        ("the flag", asked),
        (fixed_by, {"image_size": fixed_side}),
        (str(file.get("said_by") or "the file"), file),
        *_records(encoder),
        ("usual for ImageNet", usual),
    )
    found, by = {}, {}
    for name in usual:
        by[name], found[name] = next((who, says[name]) for who, says in said if says.get(name))
    mean, std = (_statistics(name, found[name]) for name in ("mean", "std"))
    return Recipe(int(found["image_size"]), mean, std, by)


def side_of(state: Mapping[str, Tensor]) -> int:
    """Return the side in pixels that position embeddings fix; 0 where there are none."""
    patch = next((state[name].shape[-1] for name in PATCHES if name in state), 0)
    tokens = next((state[name].shape[1] for name in POSITIONS if _is_table(state, name)), 0)
    for extra in EXTRA_TOKENS if patch else ():
        places = tokens - extra
        if places > 0 and math.isqrt(places) ** 2 == places:
            return int(math.isqrt(places) * patch)
    return 0


def _is_table(state: Mapping[str, Tensor], name: str) -> bool:
    return name in state and state[name].ndim == 3


def _statistics(name: str, value: Any) -> Statistics:
    numbers = [float(part) for part in value]
    if len(numbers) != 3 or (name == "std" and min(numbers) <= 0):
        raise UsageError(
            f"--{name} is {','.join(str(part) for part in value)}",
            expected="three numbers, one a channel, as 0.485,0.456,0.406"
            + (", above 0" if name == "std" else ""),
        )
    return (numbers[0], numbers[1], numbers[2])


def _records(encoder: Encoder) -> Sequence[tuple[str, Record]]:
    """Return what the library of the architecture says of its pictures."""
    source, colon, name = encoder.architecture.partition(":")
    if "CIFAR stem" in encoder.note:
        return (("the stem for small pictures", {"image_size": CIFAR_SIDE}),)
    if not colon:
        return _own(source)
    return RECORDS[source](name) if source in RECORDS else ()


def _own(name: str) -> Sequence[tuple[str, Record]]:
    if not name.startswith("cifar_resnet"):
        return ()
    return (("the CIFAR ResNet's own", {"image_size": CIFAR_SIDE}),)


def _timm(name: str) -> Sequence[tuple[str, Record]]:
    import timm

    known = timm.get_pretrained_cfg(name)
    if known is None:
        return ()
    side = known.input_size[-1]
    return (
        (f"timm's record of {name}", {"image_size": side, "mean": known.mean, "std": known.std}),
    )


def _torchvision(name: str) -> Sequence[tuple[str, Record]]:
    from torchvision import models

    choices = models.get_model_weights(name)
    weights = getattr(choices, "IMAGENET1K_V1", choices.DEFAULT)
    usual = weights.transforms()
    side = usual.crop_size[0]
    record = {"image_size": side, "mean": usual.mean, "std": usual.std}
    return ((f"torchvision's record of {name}", record),)


RECORDS: Mapping[str, Callable[[str], Sequence[tuple[str, Record]]]] = {
    "timm": _timm,
    "torchvision": _torchvision,
}
assert set(RECORDS) <= set(SOURCES)
