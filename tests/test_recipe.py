"""Which pictures an encoder is given, and who says so."""

from __future__ import annotations

import pytest
import torch

from debias_cl.config import EncoderConfig
from debias_cl.data.contract import IMAGENET_MEAN, IMAGENET_STD
from debias_cl.encoders import build
from debias_cl.errors import UsageError
from debias_cl.recipe import Recipe, recipe, side_of

HALF = (0.5, 0.5, 0.5)


def of(name: str, asked: dict[str, object] | None = None, **file: object) -> Recipe:
    stem = "cifar" if name.endswith("!") else "imagenet"
    encoder = build(EncoderConfig(name.rstrip("!")), 0, stem)  # type: ignore[arg-type]
    return recipe(encoder, asked or {}, file, 0, "")


@pytest.mark.parametrize(
    ("name", "side", "mean", "by"),
    [
        ("cifar_resnet20", 32, IMAGENET_MEAN, "the CIFAR ResNet's own"),
        ("resnet18!", 32, IMAGENET_MEAN, "the stem for small pictures"),
        ("torchvision:resnet18", 224, IMAGENET_MEAN, "torchvision's record of resnet18"),
        ("torchvision:efficientnet_b1", 240, IMAGENET_MEAN, "torchvision's record"),
        ("timm:vit_tiny_patch16_224", 224, HALF, "timm's record of vit_tiny_patch16_224"),
        ("timm:mobilenetv3_small_050", 224, IMAGENET_MEAN, "timm's record"),
        ("slim", 224, IMAGENET_MEAN, "usual for ImageNet"),
    ],
)
def test_where_the_pictures_size_comes_from(
    name: str, side: int, mean: tuple[float, ...], by: str
) -> None:
    found = of(name)
    assert (found.image_size, found.mean) == (side, mean)
    assert by in found.said_by["image_size"] and by in found.sentence()


def test_flags_go_before_the_file_and_the_file_before_the_library() -> None:
    found = of("timm:vit_tiny_patch16_224", {"mean": (0.1, 0.2, 0.3)}, std=(1, 1, 1), image_size=96)
    assert found.mean == (0.1, 0.2, 0.3) and found.said_by["mean"] == "the flag"
    assert found.std == (1, 1, 1) and found.said_by["std"] == "the file"
    assert found.image_size == 96
    assert of("slim", {"image_size": 40}).image_size == 40
    assert of("slim").std == IMAGENET_STD


@pytest.mark.parametrize("asked", [{"mean": (0.5,)}, {"std": (0.1, 0.2, 0.0)}, {"std": (1, 2)}])
def test_statistics_that_cannot_be(asked: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"--(mean|std) is"):
        of("slim", asked)


@pytest.mark.parametrize("side", [224, 384])
def test_position_embeddings_fix_the_size(side: int) -> None:
    places = (side // 32) ** 2
    state = {"conv_proj.weight": torch.zeros(8, 3, 32, 32)}
    assert side_of(state) == 0
    for extra in (0, 1):
        state["encoder.pos_embedding"] = torch.zeros(1, places + extra, 8)
        assert side_of(state) == side
    encoder = build(EncoderConfig("torchvision:vit_b_32"), side)
    fixed = "the position embeddings are"
    assert recipe(encoder, {}, {}, side, fixed).image_size == side
    with pytest.raises(UsageError, match=f"does not fit: the position embeddings are of {side}"):
        recipe(encoder, {"image_size": 100}, {}, side, fixed)
