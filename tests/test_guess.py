"""The architecture, told from names and shapes; and which one is the nearest where none fits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from debias_cl.checkpoint import load_encoder
from debias_cl.config import EncoderConfig
from debias_cl.encoders import OWN, build
from debias_cl.errors import CheckpointError
from debias_cl.fitting import expected_weights
from debias_cl.guess import index, nearest, outlines, sketch

SOME = (
    *OWN,
    *("torchvision:resnet34", "torchvision:resnet50", "torchvision:resnet101"),
    *("torchvision:wide_resnet50_2", "torchvision:resnext50_32x4d", "torchvision:convnext_tiny"),
    *("torchvision:vit_b_16", "torchvision:swin_t", "torchvision:densenet121"),
    *(
        "torchvision:efficientnet_b0",
        "torchvision:mobilenet_v3_small",
        "torchvision:regnet_y_400mf",
    ),
    *("torchvision:vgg11_bn", "torchvision:shufflenet_v2_x0_5", "timm:vit_tiny_patch16_224"),
    *("timm:convnext_atto", "timm:resnet50d", "timm:vit_small_patch14_dinov2", "timm:resnet26d"),
    *("timm:mobilenetv3_small_050", "timm:deit_tiny_distilled_patch16_224"),
)


def shapes(name: str) -> dict[str, torch.Tensor]:
    """Weights of an architecture, without memory."""
    with outlines():
        return expected_weights(build(EncoderConfig(name), 0, "imagenet"))


@pytest.mark.parametrize("name", SOME)
def test_architectures_are_told_from_their_weights(name: str) -> None:
    state = {f"module.{key}": value for key, value in shapes(name).items()}
    state["module.projection.0.weight"] = torch.zeros(3, 3)
    guess = nearest(state)
    assert guess is not None
    assert name in (guess.architecture, *guess.alike)
    assert guess.fit.share == 1


def test_the_index_is_that_of_the_libraries() -> None:
    names = {name: row for row in index() for name in row.names}
    assert len(names) > 1000
    for name in SOME[::4]:
        weights = shapes(name)
        assert names[name].weights == len(weights)
        assert names[name].sketch == frozenset(sketch(weights))


def test_a_deeper_network_is_not_taken_for_the_one_inside_it() -> None:
    guess = nearest(shapes("torchvision:resnet101"))
    assert guess is not None and guess.architecture == "torchvision:resnet101"


def test_libraries_that_agree_are_all_named() -> None:
    guess = nearest(shapes("timm:resnet18"))
    assert guess is not None
    assert guess.architecture == "torchvision:resnet18" and "timm:resnet18" in guess.alike


def test_weights_of_no_known_architecture_are_refused(tmp_path: Path) -> None:
    state = {key: torch.zeros(v.shape) for key, v in shapes("torchvision:resnet18").items()}
    changed = {k: v[:, :-1] if v.ndim == 4 and "layer3" in k else v for k, v in state.items()}
    changed |= {k.replace("layer4", "tail"): changed.pop(k) for k in state if "layer4" in k}
    torch.save(changed, tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="no architecture that is known") as caught:
        load_encoder(tmp_path / "w.pt")
    assert "nearest known one is torchvision:resnet18 (" in str(caught.value)
    assert caught.value.exit_code == 4
    squeezed = {**state, "layer1.0.se.fc1.weight": torch.zeros(4, 64)}
    torch.save(squeezed, tmp_path / "se.pt")
    with pytest.raises(CheckpointError, match=r"further layers such as layer1\.0\.se\.fc1\.weight"):
        load_encoder(tmp_path / "se.pt")
    assert nearest({"something.else": torch.zeros(2, 2)}) is None
