"""UTKFace's presets."""

from __future__ import annotations

from dataclasses import replace

from debias_cl.config import EncoderConfig, FitConfig, ObjectiveConfig, Preset
from debias_cl.data.presets import FACE_COLOURS, STRONG, quick_faces, stepped

PRESETS = {
    "quick": quick_faces("Not the published encoder (ResNet-18) or size (64 px)"),
    "short": Preset(
        says="ResNet-18 from scratch, 64 px, 5 epochs instead of 20; a few minutes on a GPU.",
        image_size=64,
        views=replace(STRONG, touches_bias=FACE_COLOURS),
        encoder=EncoderConfig("torchvision:resnet18"),
        optimizer=stepped(1e-3, 0.3, 0.65),
        fit=FitConfig(epochs=5, batch_size=128, channels_last=True),
        objective=ObjectiveConfig(projection=(512, 128)),
    ),
    "paper": Preset(
        says="ResNet-18 with ImageNet weights, 64 px, Adam 1e-3, batch 128, 20 epochs, x0.1 at 6 "
        "and 13; needs a GPU.",
        image_size=64,
        views=replace(STRONG, touches_bias=FACE_COLOURS),
        encoder=EncoderConfig("torchvision:resnet18", pretrained=True),
        optimizer=stepped(1e-3, 0.3, 0.65),
        fit=FitConfig(epochs=20, batch_size=128, channels_last=True),
        objective=ObjectiveConfig(projection=(512, 128)),
    ),
}
