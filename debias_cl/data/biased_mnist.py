"""Biased MNIST: MNIST digits on coloured backgrounds that nearly give the digit away.

What: 60,000 training and 10,000 test digits of 28 x 28 pixels; each digit has a colour of its own,
and a share rho of its training pictures has it. At test time (rho 0.1) the colour says nothing.
Source: Bahng et al. 2020 (rebias), on MNIST (LeCun et al.). Licence of MNIST: commonly given as
CC BY-SA 3.0.

Protocols:
- `holdout` (default): a tenth of the training digits, chosen by hash, is never trained on; coloured
  at rho 0.1 it is the validation split. The other 54,000 are coloured at rho. Honest: nothing that
  chooses a checkpoint has been trained on, at the price of a tenth of the training digits.
- `full`: the published one. All 60,000 training digits are coloured at rho, and there is no
  validation split. The published counts of conflicting pictures (606 at rho 0.99) are of this one.
- `legacy`: all 60,000 train, and the same tenth of them, coloured again at rho 0.1, validates:
  the habit of BiasCon's code. It leaks the digits, not the colours.

Counts: conflicting of 60,000 at rho .999/.997/.995/.99/.98/.95/.9: 63/184/305/606/1,205/3,006/
6,006; test 996 aligned, 9,004 conflicting. Known damage: none.
Colours of the training split follow `seed`; those of validation and test are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from debias_cl.config import DataConfig, EncoderConfig, FitConfig, Preset
from debias_cl.data import idx
from debias_cl.data.asked import choose
from debias_cl.data.coloured_digits import FIXED, UNBIASED, Part, checked_rho, dataset_of
from debias_cl.data.contract import CountLine, Dataset, DatasetSpec
from debias_cl.data.idx import Digits
from debias_cl.data.paint import colours_for
from debias_cl.data.presets import BESIDE, FAST, GEOMETRY, JITTERED, PERMUTED, SLIM, stepped
from debias_cl.data.splits import ranked
from debias_cl.records import Texts

TITLE = "Biased MNIST"
PROTOCOLS = ("holdout", "full", "legacy")
DEFAULT_RHO = 0.99
PUBLISHED: Mapping[float, int] = {
    0.999: 63,
    0.997: 184,
    0.995: 305,
    0.99: 606,
    0.98: 1205,
    0.95: 3006,
    0.9: 6006,
}
"""rho -> conflicting pictures among all 60,000 training digits."""


def load(config: DataConfig) -> Dataset:
    """Return the coloured splits; `DataError` where MNIST is absent or damaged."""
    protocol = choose(TITLE, "protocol", config.protocol, PROTOCOLS)
    rho = checked_rho(config, DEFAULT_RHO)
    train, labels, test, test_labels, notes = idx.read_digits(Path(config.data_root))
    ids = _ids("train", len(labels))
    held_out = ranked(ids, len(labels) // 10, salt="validation")
    trained = ~held_out if protocol == "holdout" else np.ones(len(labels), np.bool_)
    everything = Part(train, labels, ids, rho, (config.seed, 0))
    parts = {"train": everything.take(trained)}
    if protocol != "full":
        validation = Part(train, labels, ids, UNBIASED, (FIXED, 1)).take(held_out)
        if protocol == "legacy":  # the same digits stand in the training split
            validation = _renamed(validation, "again")
        parts["validation"] = validation
    parts["test"] = Part(test, test_labels, _ids("test", len(test_labels)), UNBIASED, (FIXED, 2))
    return dataset_of(config, TITLE, protocol, parts, (*notes, *NOTES[protocol]))


NOTES = {
    "holdout": (
        "a tenth of the training digits is held out for validation, so the conflicting pictures "
        "are about a tenth fewer than the published count (protocol `full` has exactly those)",
    ),
    "full": ("no validation split: the published protocol trains on all 60,000 digits",),
    "legacy": ("the validation digits are training digits in other colours",),
}


def _ids(split: str, n: int) -> Texts:
    return np.array([f"{split}/{row:05d}" for row in range(n)])


def _renamed(part: Part, suffix: str) -> Part:
    ids = np.array([f"{name}/{suffix}" for name in part.ids])
    return Part(part.digits, part.labels, ids, part.rho, part.seed)


def check(config: DataConfig) -> list[CountLine]:
    """Return the counts of aligned and conflicting pictures beside the published ones."""
    root = Path(config.data_root)
    _, labels, _, test_labels, _ = idx.read_digits(root)
    lines = [
        CountLine(f"{name}: bytes as published (1 is yes)", int(same), 1, NOT_PUBLISHED)
        for name, same in idx.same_as_published(root).items()
    ]
    lines += [
        CountLine("training digits", len(labels), 60_000),
        CountLine("test digits", len(test_labels), 10_000),
    ]
    lines += [
        CountLine(
            f"train, conflicting, rho {rho:g} (protocol full)",
            conflicting(labels, rho, config.seed),
            published,
        )
        for rho, published in PUBLISHED.items()
    ]
    wrong = conflicting(test_labels, UNBIASED, FIXED)
    lines += [
        CountLine("test, aligned, rho 0.1", len(test_labels) - wrong, 996),
        CountLine("test, conflicting, rho 0.1", wrong, 9_004),
    ]
    held_out = ranked(_ids("train", len(labels)), len(labels) // 10, salt="validation")
    lines.append(CountLine("validation digits (protocol holdout)", int(held_out.sum())))
    rho = checked_rho(config, DEFAULT_RHO)
    left = conflicting(labels[~held_out], rho, config.seed)
    lines.append(CountLine(f"train, conflicting, rho {rho:g} (protocol holdout)", left))
    return lines


NOT_PUBLISHED = "the same digits may have been compressed again"


def conflicting(labels: Digits, rho: float, seed: int) -> int:
    """Return how many digits get another colour than their own."""
    return int((colours_for(labels, rho, (seed, 0, 0)) != labels).sum())


def fetch(config: DataConfig) -> str:
    """Download MNIST from torchvision's mirrors into the data root."""
    return idx.fetch(Path(config.data_root))


SIMPLE = EncoderConfig("simple_conv_net")
PRESETS = {
    "quick": Preset(
        says="3 epochs of the small encoder `slim` instead of 80 of SimpleConvNet, batch 256, with "
        "views that permute the colours: about 90 s of one core a run.",
        image_size=28,
        views=PERMUTED,
        encoder=SLIM,
        optimizer=FAST,
        fit=FitConfig(epochs=3, batch_size=256),
        rho=DEFAULT_RHO,
        beside=BESIDE,
    ),
    "lite": Preset(
        says="10 epochs of the small encoder `slim`, batch 256, with views that leave the colours "
        "alone: 260-320 s of one core a run.",
        image_size=28,
        views=GEOMETRY,
        encoder=SLIM,
        optimizer=FAST,
        fit=FitConfig(epochs=10, batch_size=256),
        rho=DEFAULT_RHO,
    ),
    "short": Preset(
        says="SimpleConvNet as published, 10 epochs instead of 80; minutes on a GPU.",
        image_size=28,
        views=JITTERED,
        encoder=SIMPLE,
        optimizer=stepped(1e-3, 1 / 3, 2 / 3),
        fit=FitConfig(epochs=10, batch_size=128, channels_last=True),
        rho=DEFAULT_RHO,
    ),
    "paper": Preset(
        says="SimpleConvNet, Adam 1e-3, 80 epochs, x0.1 at 1/3 and 2/3, batch 128, BiasCon's views "
        "(rotation and colour jitter); needs a GPU.",
        image_size=28,
        views=JITTERED,
        encoder=SIMPLE,
        optimizer=stepped(1e-3, 1 / 3, 2 / 3),
        fit=FitConfig(epochs=80, batch_size=128, channels_last=True),
        rho=DEFAULT_RHO,
    ),
}

SPEC = DatasetSpec(
    title=TITLE,
    card="70,000 MNIST digits on ten background colours, each tied to one digit (CC BY-SA 3.0).",
    licence="MNIST: commonly given as CC BY-SA 3.0",
    obtain=idx.OBTAIN,
    labels=("digit",),
    default_attr="digit",
    default_bias_attr=("colour",),
    protocols=PROTOCOLS,
    presets=PRESETS,
    load=load,
    check=check,
    fetch=fetch,
    extra={
        "looks_for": tuple(str(idx.FOLDER / name) for name in idx.MD5),
        "default_rho": DEFAULT_RHO,
    },
)
