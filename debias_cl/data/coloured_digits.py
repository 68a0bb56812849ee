"""What the two Biased MNIST sets share: splits of digits become coloured, annotated pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from debias_cl.config import DataConfig
from debias_cl.data.asked import choose
from debias_cl.data.contract import Dataset, LabelledImages, Recolour
from debias_cl.data.idx import Digits
from debias_cl.data.paint import RGB, VARIANTS, colours_for, paint, recolour
from debias_cl.data.splits import ranked
from debias_cl.errors import UsageError
from debias_cl.records import Alignment, Annotations, Bools, Column, Texts

SIDE = 28
UNBIASED = 0.1
"""rho at which every colour is as frequent for each digit."""

FIXED = 20200713
"""Seed of the validation and test colours: every run is judged on the same pictures."""

DIGIT = Column("digit", tuple("0123456789"), {d: f"digit {d}" for d in "0123456789"})
WORDS = {
    "": "on {}",
    "fairkl": "on {}",
    "foreground": "in {}",
    "fb": "on {}",
}


@dataclass(frozen=True)
class Part:
    """One split before it is coloured.

    Attributes:
        digits: (n, 28, 28) uint8.
        labels: (n,) uint8.
        ids: (n,) text.
        rho: share of aligned digits.
        seed: of the colours.
    """

    digits: Digits
    labels: Digits
    ids: Texts
    rho: float
    seed: tuple[int, ...]

    def take(self, index: Bools) -> Part:
        """Return the digits of the mask `index`."""
        return Part(self.digits[index], self.labels[index], self.ids[index], self.rho, self.seed)


def checked_rho(config: DataConfig, default: float) -> float:
    """Return rho.

    Raises:
        UsageError: outside [0, 1].
    """
    rho = default if config.rho is None else config.rho
    if not 0 <= rho <= 1:
        raise UsageError(f"rho is {rho}", expected="a share from 0 to 1", remedy="as --rho 0.99")
    return rho


def dataset_of(
    config: DataConfig,
    title: str,
    protocol: str,
    parts: Mapping[str, Part],
    notes: tuple[str, ...] = (),
) -> Dataset:
    """Colour the splits and return the data set.

    Args:
        config: as asked for (variant, label, attributes, cap, size).
        title: of the data set.
        protocol: resolved.
        parts: split -> digits.
        notes: sentences for the report.

    Raises:
        UsageError: another label, attribute, variant or size than there is.
    """
    variant = choose(title, "variant", config.variant, tuple(VARIANTS))
    attributes = attributes_of(variant)
    choose(title, "label", config.attr, (DIGIT.name,))
    for asked in config.bias_attr:
        choose(title, "attribute", asked, tuple(attributes))
    if config.image_size not in (0, SIDE):
        raise UsageError(
            f"{title} has no pictures of {config.image_size} px", expected=f"--image-size {SIDE}"
        )
    train = parts["train"]
    if 0 < config.train_limit < len(train.labels):
        keep = ranked(train.ids, config.train_limit, salt="train limit")
        parts = {**parts, "train": train.take(keep)}
        notes += (f"{config.train_limit:,} of {len(train.labels):,} training digits are used",)
    rho = parts["train"].rho
    says = f"{VARIANTS[variant].says}; rho {rho:g} in training, {UNBIASED} elsewhere"
    return Dataset(
        name=config.dataset,
        protocol=protocol,
        splits={name: _coloured(part, variant) for name, part in parts.items()},
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        notes=(says, *notes),
        noun="digits",
        recolour=Recolour("colour", partial(recolour, variant=variant)),
    )


def attributes_of(variant: str) -> dict[str, Mapping[str, RGB]]:
    """Return attribute name -> palette: `colour`, and for `fb` the digit's own colour."""
    chosen = VARIANTS[variant]
    if chosen.background and chosen.digit:
        return {"colour": chosen.background, "digit_colour": chosen.digit}
    return {"colour": chosen.background or chosen.digit or {}}


def _coloured(part: Part, variant: str) -> LabelledImages:
    attributes = attributes_of(variant)
    groups = {
        name: colours_for(part.labels, part.rho, (*part.seed, number))
        for number, name in enumerate(attributes)
    }
    chosen = VARIANTS[variant]
    background = groups["colour"] if chosen.background else None
    digit = groups.get("digit_colour", groups["colour"]) if chosen.digit else None
    columns = tuple(
        Column(name, tuple(palette), {level: WORDS[variant].format(level) for level in palette})
        for name, palette in attributes.items()
    )
    annotations = Annotations(
        ids=part.ids,
        label=DIGIT,
        truth=part.labels.astype(np.int64),
        attributes=columns,
        groups=groups,
        alignment={column.name: alignment_of(column) for column in columns},
    )
    return LabelledImages(paint(part.digits, chosen, background, digit), annotations)


def alignment_of(column: Column) -> Alignment:
    """Return the protocol's alignment: digit k and the k-th colour."""
    return Alignment(frozenset(zip(DIGIT.levels, column.levels, strict=True)), "the protocol")
