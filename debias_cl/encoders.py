"""Encoders: a picture in, one feature vector out; own networks, torchvision's and timm's.

A name is `slim`, `simple_conv_net`, `cifar_resnet20` (32, 44, 56, 110), `torchvision:NAME`,
`timm:NAME`, or a bare name, looked for in that order.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

from debias_cl.config import EncoderConfig
from debias_cl.errors import UsageError, did_you_mean
from debias_cl.networks import CifarResNet, ConvNet

CIFAR_STEM_UP_TO = 64
"""Largest image side for which a ResNet gets the CIFAR stem."""

Stem = Literal["auto", "imagenet", "cifar"]

DOWNLOAD_SECONDS = 20.0
"""A download that stays silent for this long is given up."""


class Encoder(nn.Module):
    """A network without its classifier.

    Attributes:
        feature_dim: width D of the features.
        architecture: resolved name ("torchvision:resnet18").
        head: name that the architecture gives its classifier ("fc"), to find it in checkpoints.
        note: a sentence for the report (stem, pretrained weights); "" where nothing is to say.
        classifier: what a user's checkpoint had on these features: a (K, D) linear layer, or an
            identity where its outputs are logits already; None for an encoder of our own.
            `forward` does not use it.
        body: the network; its `state_dict` has the keys of the architecture's own library.
    """

    def __init__(
        self, body: nn.Module, feature_dim: int, architecture: str, head: str, note: str = ""
    ) -> None:
        super().__init__()
        self.body = body
        self.classifier: nn.Module | None = None
        self.feature_dim, self.architecture, self.head, self.note = (
            feature_dim,
            architecture,
            head,
            note,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, D) features of (n, 3, H, W) normalised pictures."""
        features: Tensor = self.body(images)
        return features


@dataclass(frozen=True)
class Built:
    """What a source makes: a body without classifier, its width and how the head was called."""

    body: nn.Module
    feature_dim: int
    head: str
    note: str = ""


OWN: Mapping[str, Callable[[], Built]] = {
    # Bahng et al. 2020 (ReBias): four 7x7 convolutions, no pooling.
    "simple_conv_net": lambda: Built(ConvNet((7,) * 4, (1,) * 4, (16, 32, 64, 128)), 128, "fc"),
    # For CPUs: receptive field 33, so that it still sees a whole digit.
    "slim": lambda: Built(ConvNet((5, 3, 3, 3), (2, 2, 2, 1), (8, 16, 32, 128)), 128, "fc"),
    **{
        f"cifar_resnet{depth}": partial(lambda n: Built(CifarResNet(n), 64, "linear"), depth)
        for depth in (20, 32, 44, 56, 110)
    },
}


def build(config: EncoderConfig, image_size: int, stem: Stem = "auto") -> Encoder:
    """Build an encoder.

    A ResNet from scratch gets the CIFAR stem (3x3, stride 1, no max-pool) at `image_size` <= 64;
    with `pretrained` it keeps the stem that the ImageNet weights were trained with.

    Args:
        config: architecture and whether ImageNet weights are wanted.
        image_size: side of the pictures in pixels; 0 is the architecture's own.
        stem: of a ResNet; "auto" is the rule above, the others are for given weights.

    Returns:
        The encoder; its `note` says what became of the stem and of the pretrained weights.

    Raises:
        UsageError: no such architecture (with the nearest names), or one without a linear head.
    """
    source, name = _resolve(config.architecture)
    made = SOURCES[source].make(name, config.pretrained, image_size)
    notes = [made.note]
    small = 0 < image_size <= CIFAR_STEM_UP_TO and not config.pretrained
    if (small if stem == "auto" else stem == "cifar") and _cifar_stem(made.body):
        notes.append("CIFAR stem (3x3, stride 1, no max-pool)")
    architecture = name if source == "own" else f"{source}:{name}"
    note = "; ".join(text for text in notes if text)
    return Encoder(made.body, made.feature_dim, architecture, made.head, note)


def _make_own(name: str, pretrained: bool, image_size: int) -> Built:
    made = OWN[name]()
    note = f"no ImageNet weights exist for {name}: from scratch" if pretrained else ""
    return Built(made.body, made.feature_dim, made.head, note)


OWN_SIZE = 224
"""Side in pixels of torchvision's transformers where nothing else is said."""

SIZED: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "vit_": lambda size: {"image_size": size or OWN_SIZE},
    "maxvit": lambda size: {"input_size": (size or OWN_SIZE,) * 2},
    "googlenet": lambda size: {"aux_logits": False, "init_weights": True},
    "inception_v3": lambda size: {"aux_logits": False, "init_weights": True},
}
"""torchvision names (by their beginning) that must be told more."""


def _make_torchvision(name: str, pretrained: bool, image_size: int) -> Built:
    from torchvision import models

    options = next((row(image_size) for key, row in SIZED.items() if name.startswith(key)), {})
    body = models.get_model(name, weights=None, **options)
    note = _torchvision_weights(body, name) if pretrained else ""
    heads = [
        (path, module)
        for path, module in body.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == 1000
    ]
    if not heads:
        raise UsageError(
            f"torchvision's {name} has no linear classifier, so features cannot be told from it",
            remedy="another architecture, such as torchvision:resnet18",
        )
    head, linear = heads[-1]
    parent, _, leaf = head.rpartition(".")
    setattr(body.get_submodule(parent), leaf, nn.Identity())
    return Built(body, linear.in_features, head, note)


def _torchvision_weights(body: nn.Module, name: str) -> str:
    from torchvision import models

    choices = models.get_model_weights(name)
    # The first ImageNet weights are those of the literature; later ones only where they are alone.
    weights = getattr(choices, "IMAGENET1K_V1", choices.DEFAULT)
    try:
        with _patience(DOWNLOAD_SECONDS):
            body.load_state_dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        return f"ImageNet weights could not be had ({error}): from scratch"
    return f"ImageNet weights (torchvision {weights})"


def _make_timm(name: str, pretrained: bool, image_size: int) -> Built:
    import timm

    known = timm.get_pretrained_cfg(name)
    options: dict[str, Any] = {"num_classes": 0}
    if known is not None and known.fixed_input_size and image_size:
        options["img_size"] = image_size
    note = ""
    if pretrained:
        try:
            with _patience(DOWNLOAD_SECONDS):
                body = timm.create_model(name, pretrained=True, **options)
            note = f"ImageNet weights (timm {name})"
        except Exception as error:  # whatever the hub's client raises: the run goes on, and says so
            note = f"ImageNet weights could not be had ({error}): from scratch"
    if not note.startswith("ImageNet weights ("):
        body = timm.create_model(name, pretrained=False, **options)
    head = known.classifier if known is not None and isinstance(known.classifier, str) else "fc"
    width: Any = getattr(body, "head_hidden_size", None) or body.num_features
    return Built(body, int(width), head, note)


def _torchvision_names() -> list[str]:
    from torchvision import models

    return list(models.list_models(module=models))


def _timm_names() -> list[str]:
    import timm

    return list(timm.list_models())


@dataclass(frozen=True)
class Source:
    """Where architectures come from: their names, and how one is made."""

    names: Callable[[], Iterable[str]]
    make: Callable[[str, bool, int], Built]


SOURCES: Mapping[str, Source] = {
    "own": Source(lambda: OWN, _make_own),
    "torchvision": Source(_torchvision_names, _make_torchvision),
    "timm": Source(_timm_names, _make_timm),
}
"""In the order in which a bare name is looked for."""


def _resolve(architecture: str) -> tuple[str, str]:
    """Return (source, name); a tag of timm's ("resnet50.a1_in1k") stays part of the name."""
    prefix, colon, rest = architecture.partition(":")
    wanted, name = ((prefix,), rest) if colon else (tuple(SOURCES), architecture)
    if colon and prefix not in SOURCES:
        raise UsageError(
            f"there is no source of architectures '{prefix}'",
            where=f"architecture '{architecture}'",
            remedy=did_you_mean(prefix, ("torchvision", "timm")),
        )
    for source in wanted:
        if name.partition(".")[0] in SOURCES[source].names():
            return source, name
    raise UsageError(
        f"there is no architecture '{architecture}'",
        remedy=_nearest(name, wanted),
    )


def _nearest(name: str, sources: Iterable[str]) -> str:
    names = [known for source in sources for known in SOURCES[source].names()]
    hint = did_you_mean(name, names)
    few = f"slim, simple_conv_net, torchvision:NAME or timm:NAME ({len(names)} names known)"
    return hint if hint.startswith("did") else few


def _cifar_stem(body: nn.Module) -> bool:
    """Give a ResNet the stem for small pictures; False where it is no ResNet with one 7x7 stem."""
    stem = getattr(body, "conv1", None)
    pool = getattr(body, "maxpool", None)
    if not isinstance(stem, nn.Conv2d) or pool is None or stem.kernel_size != (7, 7):
        return False
    small = nn.Conv2d(3, stem.out_channels, 3, 1, 1, bias=False)
    nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
    body.conv1, body.maxpool = small, nn.Identity()
    return True


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Let silent network connections fail instead of hanging for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
