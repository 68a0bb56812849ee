"""Names of weights as wrappers write them -> names as the architecture's own library writes them.

Prefixes come off, and a few known ways of naming the same network are turned into its usual names.
Every way is tried; the one that lets most weights fit is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

State = Mapping[str, Tensor]

PREFIXES = (
    *("module_averaged.", "ema_model.", "model_ema.", "ema.", "averaged_model.", "swa_model."),
    *("averaged.", "encoder_q.", "online_encoder.", "online_network.", "online.", "base_encoder."),
    *("query_encoder.", "teacher_backbone.", "teacher.", "target_backbone."),
    *("module.", "_orig_mod.", "_fsdp_wrapped_module.", "_feature_blocks.", "_forward_module."),
    *("encoder.", "backbone.", "model.", "net.", "network.", "body.", "trunk.", "visual."),
    *("feature_extractor.", "features_extractor.", "image_encoder.", "vision_model."),
    *("base_model.", "resnet.", "convnet.", "classifier_model.", "student_backbone.", "student."),
    *("encoder_k.", "momentum_encoder.", "momentum_backbone.", "backbone_momentum."),
    *("target_encoder.", "target_network.", "key_encoder.", "target."),
)
"""Beginnings of names that wrappers add. Those that let most weights fit are taken; where two fit
alike, the earlier one: averaged weights, the query before the key, the teacher before the
student."""

CONTRASTIVE = frozenset(
    {"encoder_q", "encoder_k", "base_encoder", "momentum_encoder", "query_encoder", "key_encoder"}
)
"""Networks whose last layer is a projection for a contrast, not a classifier."""

DEEPEST = 5
"""How many prefixes may stand before each other."""

INSIDE = re.compile(r"\.(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)")
"""What torch.compile, FSDP and activation checkpointing add in the middle of names."""

Rename = Callable[[str], str]


@dataclass(frozen=True)
class Reading:
    """One way to read a file's names.

    Attributes:
        prefix: what came off ("module._orig_mod.").
        naming: the way of naming that was turned into the usual one; "" is none.
        state: weights under the names that are left.
    """

    prefix: str
    naming: str
    state: State

    @property
    def parts(self) -> tuple[str, ...]:
        """The prefixes that came off, one by one, without their dots."""
        return tuple(self.prefix.removesuffix(".").split("."))


def readings(state: State) -> Iterator[Reading]:
    """Give every way to read the names: the shortest and earliest prefixes first."""
    for prefix, part in strippings(state):
        yield Reading(prefix, "", part)
        for naming, convert in NAMINGS.items():
            if (found := convert(part)) is not None:
                yield Reading(prefix, naming, found)


def strippings(state: State, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, State]]:
    """Give the weights under every chain of known prefixes."""
    yield prefix, state
    for name in PREFIXES if depth < DEEPEST else ():
        inside = {k.removeprefix(name): v for k, v in state.items() if k.startswith(name)}
        if inside:
            yield from strippings(inside, prefix + name, depth + 1)


def _renamed(state: State, rules: Mapping[str, str]) -> State:
    found = {}
    for key, value in state.items():
        for pattern, usual in rules.items():
            new = re.sub(pattern, usual, key)
            if new != key:
                key = new
                break
        found[key] = value
    return found


def _marked(state: State) -> State | None:
    """Parts that were compiled, sharded or checkpointed on their own."""
    found = {INSIDE.sub("", key): value for key, value in state.items()}
    return None if found.keys() == state.keys() else found


def _old_densenet(state: State) -> State | None:
    """DenseNets as torchvision's own files still name them: `norm.1` is `norm1`."""
    found = _renamed(state, {r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.": r"\1\2."})
    return None if found.keys() == state.keys() else found


def _shortcut(state: State) -> State | None:
    """ResNets of SupContrast and kuangliu/pytorch-cifar: `shortcut` is torchvision's downsample."""
    if not any(".shortcut." in key for key in state):
        return None
    return {key.replace(".shortcut.", ".downsample."): value for key, value in state.items()}


def _numbered(places: Mapping[str, str]) -> Callable[[State], State | None]:
    """A ResNet whose children were put into `nn.Sequential`: numbers for names."""
    rules = {rf"^(f\.)?{number}\.": f"{name}." for number, name in places.items()}
    last = max(places)

    def convert(state: State) -> State | None:
        here = {key.removeprefix("f.") for key in state}
        block = any(re.match(rf"{last}\.0\.(conv|bn)1\.", key) for key in here)
        if not block or "0.weight" not in here:
            return None
        return _renamed(state, rules)

    return convert


def _clip_tower(state: State) -> State | None:
    """The visual transformer of CLIP and OpenCLIP, under timm's names.

    Source: timm's `vit_*_clip_*`. The projection to the shared space stays outside, as in the
    linear probes of Radford et al. 2021 (appendix A.3).
    """
    if not {"class_embedding", "positional_embedding", "conv1.weight"} <= state.keys():
        return None
    found = dict(_renamed(state, CLIP))
    found["cls_token"] = state["class_embedding"].reshape(1, 1, -1)
    found["pos_embed"] = state["positional_embedding"][None]
    return found


CLIP = {
    r"^conv1\.": "patch_embed.proj.",
    r"^class_embedding$": "cls_token",
    r"^positional_embedding$": "pos_embed",
    r"^ln_pre\.": "norm_pre.",
    r"^ln_post\.": "norm.",
    r"^transformer\.resblocks\.(\d+)\.ln_(\d)\.": r"blocks.\1.norm\2.",
    r"^transformer\.resblocks\.(\d+)\.attn\.in_proj_(weight|bias)$": r"blocks.\1.attn.qkv.\2",
    r"^transformer\.resblocks\.(\d+)\.attn\.out_proj\.": r"blocks.\1.attn.proj.",
    r"^transformer\.resblocks\.(\d+)\.mlp\.c_fc\.": r"blocks.\1.mlp.fc1.",
    r"^transformer\.resblocks\.(\d+)\.mlp\.c_proj\.": r"blocks.\1.mlp.fc2.",
}

NAMINGS: Mapping[str, Callable[[State], State | None]] = {
    "the same without the marks of torch.compile, FSDP or checkpointing": _marked,
    "the older names of a DenseNet": _old_densenet,
    "shortcut for downsample (SupContrast)": _shortcut,
    "numbers for the children of a ResNet (lightly)": _numbered(
        {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
    ),
    "numbers for the children of a ResNet without pooling (SimCLR)": _numbered(
        {"0": "conv1", "1": "bn1", "3": "layer1", "4": "layer2", "5": "layer3", "6": "layer4"}
    ),
    "a visual tower of OpenCLIP": _clip_tower,
}
"""Ways of naming known networks otherwise: each gives the usual names, or None where it is not."""
