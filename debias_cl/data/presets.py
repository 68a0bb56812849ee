"""Building blocks of the presets: views and schedules that several data sets share."""

from __future__ import annotations

from dataclasses import replace

from debias_cl.config import (
    EncoderConfig,
    FitConfig,
    ObjectiveConfig,
    OptimizerConfig,
    Preset,
    ViewsConfig,
)

BESIDE = ("supcon", "cross_entropy")
"""What `evaluate` trains beside the audited objective in a quick preset."""

SLIM = EncoderConfig("slim")
FAST = OptimizerConfig("adam", 3e-3, weight_decay=1e-4, schedule="cosine")

GEOMETRY = ViewsConfig(rotation=20.0, crop_scale=(0.4, 1.0), noise=0.1)
"""Views of digits that touch no colour; digits are never flipped."""

PERMUTED = replace(GEOMETRY, permute_channels=True, touches_bias="permutes the colours")

JITTERED = ViewsConfig(
    rotation=20.0,
    jitter=(0.4, 0.4, 0.4, 0.1),
    touches_bias="jitters the colours, which partly removes the bias itself",
)
"""BiasCon's views of digits."""

POLICIES = {
    "geo": GEOMETRY,
    "perm": PERMUTED,
    "jitter": replace(
        GEOMETRY,
        jitter=(0.4, 0.4, 0.4, 0.1),
        grey_p=0.2,
        touches_bias="jitters the colours and makes a fifth of the views grey",
    ),
}
"""Views of digits by name: colours left alone, permuted, jittered."""

FACES = ViewsConfig(
    crop_scale=(0.5, 1.0),
    flip=0.5,
    jitter=(0.2, 0.2, 0.2, 0.02),
    touches_bias="changes brightness and saturation a little",
)
"""Mild views of faces: hair and skin keep their colour."""

STRONG = ViewsConfig(crop_scale=(0.2, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), grey_p=0.2)
"""The usual views of contrastive learning (also BiasCon's on faces)."""

FACE_COLOURS = "changes the colours of hair and skin, on which label or attribute may depend"


def quick_faces(what: str) -> Preset:
    """Return the preset that two cores finish in about a minute and a half.

    Args:
        what: what it changes against the published protocol.
    """
    return Preset(
        says=f"{what}; 48 px, at most 6,000 training pictures, 16 epochs of the small encoder "
        "`slim`: 60-90 s of one core a run, once the pictures are decoded.",
        image_size=48,
        views=FACES,
        encoder=SLIM,
        optimizer=FAST,
        fit=FitConfig(epochs=16, batch_size=128),
        train_limit=6000,
        beside=BESIDE,
    )


def stepped(learning_rate: float, *milestones: float) -> OptimizerConfig:
    """Return Adam with weight decay 1e-4 and x0.1 after these shares of the epochs."""
    return OptimizerConfig(
        "adam", learning_rate, weight_decay=1e-4, schedule="step", milestones=milestones
    )


CONTEX = Preset(
    says="The settings of the ConTeX paper's code: ResNet-50, batch 1,024, 1,000 epochs; needs "
    "several GPUs.",
    image_size=224,
    views=replace(STRONG, touches_bias="changes colours"),
    encoder=EncoderConfig("torchvision:resnet50"),
    optimizer=OptimizerConfig(
        "sgd", 0.5, weight_decay=1e-4, schedule="cosine", warmup_epochs=10, warmup_from=0.01
    ),
    fit=FitConfig(epochs=1000, batch_size=1024, amp=True, channels_last=True),
    objective=ObjectiveConfig(projection=(2048, 128)),
)
