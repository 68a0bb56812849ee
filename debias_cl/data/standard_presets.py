"""Presets of the standard sets: the paper's, a short one for one GPU, a quick one for two cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from debias_cl.config import (
    EncoderConfig,
    FitConfig,
    ObjectiveConfig,
    OptimizerConfig,
    Preset,
    ViewsConfig,
)
from debias_cl.data.presets import BESIDE, CONTEX, FAST, SLIM, STRONG

COLOURS = "changes colours, on which a class may depend; these sets have no bias attribute"
LARGE = replace(STRONG, touches_bias=COLOURS)
MILD = ViewsConfig(
    crop_scale=(0.4, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), touches_bias=COLOURS
)
"""Views for the small encoder, which learns little in a few epochs of stronger ones."""

RESNET18 = EncoderConfig("torchvision:resnet18")
HEAD18 = ObjectiveConfig(projection=(512, 128))
EVALUATION = "evaluate with --probe sgd (batch 512, rate 5, 100 epochs), as the paper does"


def quick(what: str, epochs: int, *, batch_size: int = 256, train_limit: int = 0) -> Preset:
    """Return the preset that two cores finish in minutes.

    Args:
        what: what it changes besides, as the beginning of a sentence.
        epochs, batch_size: of the training.
        train_limit: most training pictures; 0 is all.
    """
    return Preset(
        says=f"{what} of the small encoder `slim` at 32 px, {epochs} epochs, batch {batch_size}: "
        "minutes on two cores; shows that all works, not how well a method does.",
        image_size=32,
        views=MILD,
        encoder=SLIM,
        optimizer=FAST,
        fit=FitConfig(epochs=epochs, batch_size=batch_size),
        train_limit=train_limit,
        beside=BESIDE,
    )


def short(image_size: int, epochs: int, batch_size: int, time: str) -> Preset:
    """Return the preset for one GPU: ResNet-18, fewer epochs, a smaller batch and its rate.

    The rate follows the batch: 0.5 at 1,024.

    Args:
        image_size: side in pixels.
        epochs, batch_size: of the training.
        time: how long it takes, in words.
    """
    return Preset(
        says=f"ResNet-18 instead of ResNet-50, {image_size} px, {epochs} epochs instead of 1,000, "
        f"batch {batch_size} instead of 1,024 at a rate to match; {time} on a GPU.",
        image_size=image_size,
        views=LARGE,
        encoder=RESNET18,
        optimizer=OptimizerConfig(
            "sgd",
            0.5 * batch_size / 1024,
            weight_decay=1e-4,
            schedule="cosine",
            warmup_epochs=min(10, epochs // 10),
        ),
        fit=FitConfig(epochs=epochs, batch_size=batch_size, amp=True, channels_last=True),
        objective=HEAD18,
    )


def small(epochs: int) -> Mapping[str, Preset]:
    """Return the presets of a set of 32 px pictures; `epochs` are those of `quick`."""
    return {
        "quick": quick("Short training", epochs),
        "short": short(32, 100, 512, "under an hour"),
        "paper": replace(
            CONTEX,
            says="The settings of the ConTeX paper's code: ResNet-50 with the stem for 32 px, "
            f"SGD 0.5 with cosine decay, batch 1,024, 1,000 epochs; needs a GPU for days; "
            f"{EVALUATION}.",
            image_size=32,
            views=LARGE,
        ),
    }


def large(
    quick_preset: Preset, short_preset: Preset, paper_size: str = "224 px"
) -> Mapping[str, Preset]:
    """Return the presets of a set of pictures of any size."""
    return {
        "quick": quick_preset,
        "short": short_preset,
        "paper": replace(
            CONTEX,
            says=f"The settings of the ConTeX paper's code at {paper_size}: ResNet-50, SGD 0.5 "
            f"with cosine decay, batch 1,024, 1,000 epochs; needs several GPUs; {EVALUATION}.",
            views=LARGE,
        ),
    }
