"""CelebA's presets."""

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
from debias_cl.data.presets import FACE_COLOURS, FACES, STRONG, quick_faces, stepped

PRESETS = {
    "quick": quick_faces("Not the published encoder (ResNet-50) or size (224 px)"),
    "lite": Preset(
        says="As quick with the whole training split and 64 px: 5 epochs of `slim`; about 20 "
        "minutes of one core a run on the full set.",
        image_size=64,
        views=FACES,
        encoder=EncoderConfig("slim"),
        optimizer=OptimizerConfig("adam", 3e-3, weight_decay=1e-4, schedule="cosine"),
        fit=FitConfig(epochs=5, batch_size=256),
    ),
    "short": Preset(
        says="ResNet-18 with ImageNet weights at 128 px, 5 epochs; minutes on a GPU.",
        image_size=128,
        views=replace(STRONG, touches_bias=FACE_COLOURS),
        encoder=EncoderConfig("torchvision:resnet18", pretrained=True),
        optimizer=stepped(1e-3, 0.6),
        fit=FitConfig(epochs=5, batch_size=128, amp=True, channels_last=True),
        objective=ObjectiveConfig(projection=(512, 128)),
    ),
    "paper": Preset(
        says="Protocol worst_group as in group_DRO: ResNet-50 with ImageNet weights, 224 px, SGD "
        "1e-4, batch 128, 50 epochs; needs a GPU for hours. BiasCon's own: --protocol biascon with "
        "--set encoder.architecture=torchvision:resnet18 and 10 epochs (40 for makeup).",
        image_size=224,
        views=ViewsConfig(crop_scale=(0.7, 1.0), crop_ratio=(1.0, 4 / 3), flip=0.5),
        encoder=EncoderConfig("torchvision:resnet50", pretrained=True),
        optimizer=OptimizerConfig("sgd", 1e-4, weight_decay=1e-4, schedule="constant"),
        fit=FitConfig(epochs=50, batch_size=128, amp=True, channels_last=True),
        objective=ObjectiveConfig(projection=(2048, 128)),
    ),
}
