"""The names that wrappers and methods give to weights: each gives the plain network's features."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision import models

from debias_cl.checkpoint import load_encoder
from debias_cl.config import EncoderConfig
from debias_cl.encoders import build
from debias_cl.errors import CheckpointError, UsageError
from debias_cl.fitting import expected_weights
from debias_cl.guess import nearest, outlines
from debias_cl.loaded import LoadReport

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def network() -> models.ResNet:
    torch.manual_seed(5)
    made: models.ResNet = models.resnet18(num_classes=7)
    with torch.no_grad():  # batch norm that has seen something
        made.train()(torch.randn(4, 3, 48, 48))
    return made.eval()


@pytest.fixture(scope="module")
def expected(network: models.ResNet) -> Tensor:
    body = nn.Sequential(*list(network.children())[:-1], nn.Flatten())
    with torch.no_grad():
        features: Tensor = body(pictures())
    return features


def pictures() -> Tensor:
    return torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


def features(path: Path, **options: Any) -> tuple[Tensor, LoadReport]:
    """Features and report, without naming the architecture."""
    encoder, report = load_encoder(path, **options)
    assert report.architecture == "torchvision:resnet18" and report.guessed
    assert (report.matched, report.expected) == (100, 100)
    with torch.no_grad():
        found: Tensor = encoder(pictures())
    return found, report


def doubled(state: State) -> State:
    """Another network of the same shape."""
    return {key: value * 2 for key, value in state.items()}


def averaged(network: nn.Module) -> dict[str, Any]:
    model = torch.optim.swa_utils.AveragedModel(network)
    return {"model": doubled(dict(network.state_dict())), "module_averaged": model.state_dict()}


NINE: dict[str, Callable[[models.ResNet, Path], None]] = {
    "plain": lambda net, path: torch.save(net.state_dict(), path),
    "module.": lambda net, path: torch.save(prefixed(net.state_dict(), "module."), path),
    "_orig_mod.": lambda net, path: torch.save(torch.compile(net).state_dict(), path),
    "encoder_q.": lambda net, path: torch.save(prefixed(net.state_dict(), "encoder_q."), path),
    "state_dict": lambda net, path: torch.save({"state_dict": net.state_dict()}, path),
    "Namespace": lambda net, path: torch.save(
        {
            "opt": argparse.Namespace(lr=0.5),
            "model": net.state_dict(),
            "best": np.float64(0.91),
            "epoch": 3,
        },
        path,
    ),
    "averaged": lambda net, path: torch.save(averaged(net), path),
    "safetensors": lambda net, path: safetensors.torch.save_file(net.state_dict(), path),
    "TorchScript": lambda net, path: torch.jit.save(torch.jit.script(net), str(path)),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script.:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit.save.:FutureWarning")
@pytest.mark.parametrize("way", NINE)
def test_nine_ways_to_save_give_the_same_features(
    tmp_path: Path, network: models.ResNet, expected: Tensor, way: str
) -> None:
    path = tmp_path / "weights.pt"
    NINE[way](network, path)
    trust = way == "TorchScript"
    found, report = features(path, trust=trust)
    assert torch.equal(found, expected)
    if way == "Namespace":
        assert report.ignored == ("opt (argparse.Namespace)", "best (numpy.float64)", "epoch (int)")
    if way == "averaged":
        assert (report.wrapper, report.others) == ("module_averaged", ("model",))
    assert report.classes == (0 if way == "encoder_q." else 7)
    if trust:
        with pytest.raises(CheckpointError, match="TorchScript archive: it holds code") as caught:
            load_encoder(path)
        assert "--trust" in caught.value.remedy


PREFIXES = ["_orig_mod.", "module._orig_mod.", "_orig_mod.module."]


@pytest.mark.parametrize("wrapper", ["", "state_dict"])
@pytest.mark.parametrize("prefix", PREFIXES)
def test_compiled_models_need_no_flag(
    tmp_path: Path, network: models.ResNet, expected: Tensor, prefix: str, wrapper: str
) -> None:
    state = prefixed(network.state_dict(), prefix)
    torch.save({wrapper: state} if wrapper else state, tmp_path / "w.pt")
    found, report = features(tmp_path / "w.pt")
    assert torch.equal(found, expected)
    assert (report.stripped, report.wrapper) == (prefix, wrapper)
    assert any(f"prefix '{prefix}' taken off" in line for line in report.sentences())


def test_compiled_parts_inside_names(
    tmp_path: Path, network: models.ResNet, expected: Tensor
) -> None:
    state = {k.replace("layer2.", "layer2._orig_mod."): v for k, v in network.state_dict().items()}
    torch.save(state, tmp_path / "w.pt")
    found, report = features(tmp_path / "w.pt")
    assert torch.equal(found, expected) and "torch.compile" in report.naming


def lightly_backbone(state: State) -> State:
    """`nn.Sequential(*list(resnet.children())[:-1])`: children by number."""
    order = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    found = {}
    for key, value in state.items():
        child, _, rest = key.partition(".")
        if child != "fc":
            found[f"backbone.{order.index(child)}.{rest}"] = value
    return found


HEAD = {"weight": torch.ones(7, 512), "bias": torch.zeros(7)}
METHODS: dict[str, tuple[Callable[[State], dict[str, Any]], str, str, int]] = {
    # file -> (what it holds, prefix, another network, outputs of its classifier)
    "MoCo": (
        lambda own: {
            "arch": "resnet18",
            "state_dict": prefixed(own, "module.encoder_q.")
            | prefixed(doubled(own), "module.encoder_k.")
            | {"module.queue": torch.zeros(128, 64)},
        },
        "module.encoder_q.",
        "encoder_k",
        0,
    ),
    "MoCo v3": (
        lambda own: {
            "state_dict": prefixed(doubled(own), "module.momentum_encoder.")
            | prefixed(own, "module.base_encoder.")
        },
        "module.base_encoder.",
        "momentum_encoder",
        0,
    ),
    "BYOL": (
        lambda own: (
            prefixed(doubled(own), "target_encoder.net.") | prefixed(own, "online_encoder.net.")
        ),
        "online_encoder.net.",
        "target_encoder",
        7,
    ),
    "BYOL in lightly": (
        lambda own: {
            "state_dict": lightly_backbone(own)
            | {
                k.replace("backbone.", "backbone_momentum."): v
                for k, v in lightly_backbone(doubled(own)).items()
            }
        },
        "backbone.",
        "backbone_momentum",
        0,
    ),
    "solo-learn": (
        lambda own: {
            "state_dict": {f"backbone.{k}": v for k, v in own.items() if not k.startswith("fc.")}
            | prefixed(HEAD, "classifier.")
            | {"projector.0.weight": torch.zeros(64, 512)}
        },
        "backbone.",
        "",
        7,
    ),
    "DINO": (
        lambda own: {
            "student": prefixed(doubled(own), "module.backbone."),
            "teacher": prefixed(own, "backbone.") | {"head.mlp.0.weight": torch.zeros(64, 512)},
            "dino_loss": {"center": torch.zeros(1, 64)},
        },
        "backbone.",
        "student",
        7,
    ),
    "timm": (
        lambda own: {"state_dict": doubled(own), "state_dict_ema": own, "arch": "resnet18"},
        "",
        "state_dict",
        7,
    ),
    "Lightning": (lambda own: {"state_dict": prefixed(own, "model.")}, "model.", "", 7),
    "net_state_dict": (lambda own: {"net_state_dict": prefixed(own, "module.")}, "module.", "", 7),
    "averaged names": (
        lambda own: prefixed(doubled(own), "model.") | prefixed(own, "ema_model."),
        "ema_model.",
        "model",
        7,
    ),
}


@pytest.mark.parametrize("method", METHODS)
def test_methods_files_load_without_a_flag(
    tmp_path: Path, network: models.ResNet, expected: Tensor, method: str
) -> None:
    make, prefix, other, classes = METHODS[method]
    path = tmp_path / "w.ckpt"
    torch.save(make(dict(network.state_dict())), path)
    found, report = features(path)
    assert torch.equal(found, expected)
    assert report.stripped == prefix and report.classes == classes
    assert report.others == ((other,) if other else ())
    assert not any(name.startswith("conv1") for name in report.missing)
    if other:
        assert any(f"other networks in the file: {other}" in s for s in report.sentences())
        encoder, report = load_encoder(path, network=other)
        weight = encoder.body.state_dict()["conv1.weight"]
        assert torch.equal(weight, 2 * network.state_dict()["conv1.weight"])
    else:
        with pytest.raises(UsageError, match="there is no network 'nobody'"):
            load_encoder(path, network="nobody")


def test_a_contrastive_projection_is_no_classifier(tmp_path: Path, network: models.ResNet) -> None:
    torch.save(prefixed(network.state_dict(), "module.encoder_q."), tmp_path / "w.pt")
    encoder, report = load_encoder(tmp_path / "w.pt")
    assert encoder.classifier is None and report.projection == "fc"
    assert any("is a projection for a contrast" in line for line in report.sentences())


def test_the_resnet_of_supcontrast(tmp_path: Path) -> None:
    small = build(EncoderConfig("resnet18"), 32).eval()
    state = {
        "encoder.module." + key.replace(".downsample.", ".shortcut."): value
        for key, value in small.body.state_dict().items()
    }
    state["head.0.weight"], state["head.2.weight"] = torch.ones(512, 512), torch.ones(128, 512)
    held = {"opt": argparse.Namespace(), "model": state, "optimizer": {}, "epoch": 9}
    torch.save(held, tmp_path / "ckpt_epoch_9.pth")
    encoder, report = load_encoder(tmp_path / "ckpt_epoch_9.pth")
    assert report.architecture == "torchvision:resnet18" and "SupContrast" in report.naming
    assert report.matched == report.expected and report.classes == 0
    assert report.unexpected == ("head.0.weight", "head.2.weight")
    with torch.no_grad():
        assert torch.equal(encoder(pictures()), small(pictures()))


def test_the_older_names_of_a_densenet() -> None:
    with outlines():
        state = expected_weights(build(EncoderConfig("densenet121"), 0))
    older = {re.sub(r"(denselayer\d+\.(norm|conv))(\d)", r"\1.\3", k): v for k, v in state.items()}
    assert older.keys() != state.keys()
    guess = nearest(older)
    assert guess is not None and guess.architecture == "torchvision:densenet121"
    assert guess.fit.share == 1 and "DenseNet" in guess.fit.reading.naming


def test_a_visual_tower_of_openclip(tmp_path: Path) -> None:
    import timm

    model = timm.create_model("vit_xsmall_patch16_clip_224", num_classes=0).eval()
    usual = {
        "patch_embed.proj.": "conv1.",
        "norm_pre.": "ln_pre.",
        "blocks.": "transformer.resblocks.",
        ".norm1.": ".ln_1.",
        ".norm2.": ".ln_2.",
        ".attn.qkv.": ".attn.in_proj_",
        ".attn.proj.": ".attn.out_proj.",
        ".mlp.fc1.": ".mlp.c_fc.",
        ".mlp.fc2.": ".mlp.c_proj.",
    }
    state = {}
    for key, value in model.state_dict().items():
        for ours, theirs in usual.items():
            key = key.replace(ours, theirs)
        key = f"ln_post.{key.removeprefix('norm.')}" if key.startswith("norm.") else key
        state[f"visual.{key}"] = value
    state["visual.class_embedding"] = state.pop("visual.cls_token")[0, 0]
    state["visual.positional_embedding"] = state.pop("visual.pos_embed")[0]
    state |= {"visual.proj": torch.zeros(256, 512), "logit_scale": torch.zeros(())}
    torch.save({"state_dict": prefixed(state, "module.")}, tmp_path / "openclip.pt")
    _, report = load_encoder(tmp_path / "openclip.pt")
    assert report.architecture == "timm:vit_xsmall_patch16_clip_224"
    assert report.naming == "a visual tower of OpenCLIP" and report.side == 224
    assert {"proj", "module.logit_scale"} <= set(report.unexpected)
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        named, _ = load_encoder(tmp_path / "openclip.pt", "timm:vit_xsmall_patch16_clip_224")
        assert torch.equal(named(x), model(x))


def test_what_the_weights_cannot_tell_is_named() -> None:
    """CLIP of OpenAI has another activation, which has no weights."""
    with outlines():
        state = expected_weights(build(EncoderConfig("timm:vit_base_patch32_clip_224"), 0))
    guess = nearest(state)
    assert guess is not None and guess.architecture == "timm:vit_base_patch32_clip_224"
    assert "timm:vit_base_patch32_clip_quickgelu_224" in guess.alike
