"""Encoders: widths, receptive field, stems, names, and what happens without a network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from debias_cl import encoders
from debias_cl.config import EncoderConfig
from debias_cl.encoders import build
from debias_cl.errors import UsageError


@pytest.mark.parametrize(
    ("architecture", "width", "parameters"),
    [
        # simple_conv_net: 7*7*(3*16+16*32+32*64+64*128) + 240 biases + 2*240 of batch norm
        ("simple_conv_net", 128, 49 * (48 + 512 + 2048 + 8192) + 240 + 480),
        # slim: 25*3*8 + 9*(8*16+16*32+32*128) + 184 biases + 2*184 of batch norm
        ("slim", 128, 600 + 9 * (128 + 512 + 4096) + 184 + 368),
        # He et al. 2016, table 6: 0.27 M with the 650 values of the classifier
        ("cifar_resnet20", 64, 269_722 - 650),
        # torchvision's documented counts without the classifier, stem 3x3 instead of 7x7
        ("torchvision:resnet18", 512, 11_689_512 - 513_000 - 64 * 3 * (49 - 9)),
    ],
)
def test_width_and_size(architecture: str, width: int, parameters: int) -> None:
    encoder = build(EncoderConfig(architecture), 28)
    assert encoder.feature_dim == width
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert encoder.eval()(torch.zeros(2, 3, 28, 28)).shape == (2, width)


def test_slim_sees_33_pixels() -> None:
    encoder = build(EncoderConfig("slim"), 64).eval()
    image = torch.randn(1, 3, 64, 64, requires_grad=True)
    layers = encoder.body.get_submodule("extracter")
    seen = torch.autograd.grad(layers(image)[0, :, 4, 4].sum(), image)[0].abs().sum((0, 1)) > 0
    rows = seen.any(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 <= 33
    assert int(rows.max() - rows.min()) + 1 >= 31  # a dead ReLU may hide an edge


@pytest.mark.parametrize("architecture", ["resnet18", "timm:resnet18", "torchvision:resnet50"])
def test_resnets_get_the_cifar_stem_for_small_pictures(architecture: str) -> None:
    small, large = (build(EncoderConfig(architecture), size) for size in (32, 128))
    assert small.body.get_submodule("conv1").kernel_size == (3, 3)
    assert isinstance(small.body.get_submodule("maxpool"), nn.Identity)
    assert "CIFAR stem" in small.note
    assert large.body.get_submodule("conv1").kernel_size == (7, 7)
    assert large.note == ""
    with torch.no_grad():
        assert small.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, small.feature_dim)


@pytest.mark.parametrize(
    "architecture",
    ["mobilenet_v3_small", "vit_b_32", "timm:vit_tiny_patch16_224", "timm:mobilenetv3_small_050"],
)
def test_other_families_give_features_before_their_classifier(architecture: str) -> None:
    encoder = build(EncoderConfig(architecture), 64).eval()
    with torch.no_grad():
        assert encoder(torch.zeros(1, 3, 64, 64)).shape == (1, encoder.feature_dim)


@pytest.mark.parametrize(
    ("architecture", "hint"),
    [
        ("slimm", "did you mean 'slim'"),
        ("torchvision:resnet81", "did you mean 'resnet"),
        ("torchvison:resnet18", "did you mean 'torchvision'"),
        ("qqqq", "timm:NAME"),
        ("squeezenet1_0", "another architecture"),
    ],
)
def test_unknown_names_get_the_nearest(architecture: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        build(EncoderConfig(architecture), 32)


def test_without_a_network_pretrained_falls_back_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*args: Any, **kwargs: Any) -> Any:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    encoder = build(EncoderConfig("resnet18", pretrained=True), 64)
    assert "no route to host" in encoder.note and "from scratch" in encoder.note
    assert encoder.body.get_submodule("conv1").kernel_size == (7, 7)
    assert "no ImageNet weights exist" in build(EncoderConfig("slim", pretrained=True), 28).note


def test_pretrained_weights_are_used_where_they_are_had(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import models

    given = {k: v.clone() for k, v in models.resnet18(weights=None).state_dict().items()}
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *a, **k: given)
    encoder = build(EncoderConfig("resnet18", pretrained=True), 64)
    assert "IMAGENET1K_V1" in encoder.note
    assert torch.equal(encoder.body.state_dict()["conv1.weight"], given["conv1.weight"])


def test_every_own_name_builds() -> None:
    for name in encoders.OWN:
        encoder = build(EncoderConfig(name), 32).eval()
        with torch.no_grad():
            assert encoder(torch.zeros(1, 3, 32, 32)).shape == (1, encoder.feature_dim)
