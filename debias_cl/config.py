"""The whole configuration as frozen dataclasses, one a component; no torch.

A new knob goes here, not into a flag of its own. `to_dict` and `from_dict` carry a configuration
through `runs/<name>/config.json` unchanged.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

C = TypeVar("C")


@dataclass(frozen=True)
class DataConfig:
    """Which examples, from where, under which protocol."""

    dataset: str = "biased_mnist_mini"
    data_root: str = "datasets"
    attr: str = ""
    """Label to predict; "" is the data set's default."""
    bias_attr: tuple[str, ...] = ()
    """Attributes whose groups are compared; () is the data set's default."""
    protocol: str = ""
    """Protocol of the data set; "" is its default."""
    image_size: int = 0
    """Side in pixels after decoding; 0 is the preset's, else the data set's default."""
    rho: float | None = None
    """Share of aligned training pictures where the bias is made; None is the default."""
    variant: str = ""
    """Variant of the made bias (Biased MNIST: "", "fairkl", "foreground", "fb")."""
    manifest: str = ""
    """CSV, Parquet or folder of the user's own data (`--dataset manifest`)."""
    allow_outside: bool = False
    """Whether paths in a manifest may leave its folder."""
    missing: tuple[str, ...] = ()
    """Texts that mean "missing" besides the empty cell."""
    train_limit: int = 0
    """Most training pictures, chosen by a hash of their names; 0 is the preset's, else all."""
    positive: str = ""
    """The favourable label level; "" is the default rule."""
    label_noise: float = 0.0
    """Share of training labels that are replaced by another level at random, in [0, 1]."""
    seed: int = 0
    """Seed of the data set's own randomness (colours, wrong labels; hash splits use none)."""


@dataclass(frozen=True)
class ViewsConfig:
    """Augmentation policy; parameters are drawn per sample, operations run on the batch."""

    count: int = 2
    """Views an image."""
    rotation: float = 0.0
    """Largest rotation in degrees, uniform in +-rotation."""
    crop_scale: tuple[float, float] = (1.0, 1.0)
    """Area share of RandomResizedCrop; (1, 1) is no crop."""
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0
    """Probability of a horizontal flip."""
    jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """ColorJitter brightness, contrast, saturation, hue."""
    jitter_p: float = 0.8
    grey_p: float = 0.0
    """Probability of greyscale."""
    permute_channels: bool = False
    """A random permutation of the colour channels for each view."""
    noise: float = 0.0
    """Standard deviation of Gaussian noise, added before normalisation, in units of [0, 1]."""
    touches_bias: str = ""
    """What this policy does to the bias itself ("permutes the colours"); "" is nothing."""


@dataclass(frozen=True)
class EncoderConfig:
    """`slim`, `simple_conv_net`, or `torchvision:NAME`, `timm:NAME`, a bare name of either."""

    architecture: str = "slim"
    pretrained: bool = False
    """ImageNet weights where they can be had; said in the report."""


@dataclass(frozen=True)
class ObjectiveConfig:
    """An objective and its settings; its SPEC says which of them it uses."""

    name: str = "contex"
    temperature: float = 0.1
    base_temperature: float = 0.07
    """The loss is scaled by temperature / base_temperature where the source does."""
    weight: float = 0.5
    """ConTeX: weight of the label contrast; the self contrast has 1 - weight."""
    projection: tuple[int, ...] = (128, 64)
    """Widths of the projection head after the encoder's features: hidden ..., output."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Settings of this objective alone (`--set objective.options.epsilon=0.3`): its SPEC's."""


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimiser and learning-rate schedule."""

    name: Literal["adam", "sgd", "adamw"] = "adam"
    learning_rate: float = 3e-3
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    milestones: tuple[float, ...] = (1 / 3, 2 / 3)
    """`step`: shares of the epochs after which the rate falls by `decay`."""
    decay: float = 0.1
    warmup_epochs: int = 0
    warmup_from: float = 0.01


@dataclass(frozen=True)
class FitConfig:
    """How long and how: only `epochs`, `batch_size` and `sampling` change what is learnt."""

    epochs: int = 30
    batch_size: int = 128
    """Source images a step (each gives `views.count` rows)."""
    sampling: Literal["shuffle", "group_balanced"] = "shuffle"
    """`group_balanced`: every label x bias cell equally often an epoch; needs the bias label."""
    chunk_size: int = 0
    """Gradient caching: images whose encoder graph is held at once; 0 is the whole batch."""
    amp: bool = False
    """bf16 autocast of the encoder."""
    channels_last: bool = False
    compile: bool = False
    drop_last: bool = True
    sync_batch_norm: bool = False
    """With several GPUs: batch norm sees the whole batch, not its process's share (slower)."""
    monitor_every: int = 1
    """Epochs between kNN accuracies on aligned and conflicting validation examples; 0 is never."""


@dataclass(frozen=True)
class ProbeConfig:
    """How features become predictions."""

    kind: Literal["logistic", "sgd", "knn", "dfr"] = "logistic"
    balanced: bool = False
    """Weight every label x attribute cell of the training set equally (needs the bias label)."""
    c: float = 1.0
    """Inverse L2 strength of the logistic probe on standardised features."""
    neighbours: int = 20
    epochs: int = 100
    learning_rate: float = 5.0
    batch_size: int = 512
    l1_c: tuple[float, ...] = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
    """DFR: inverse L1 strengths to choose from; one is taken as it is."""
    retrains: int = 20
    """DFR: fits that are averaged, each on a balanced subset of its own."""


@dataclass(frozen=True)
class CheckpointConfig:
    """How a user's checkpoint is read, besides its architecture and the size of its pictures."""

    network: str = ""
    """Which of several networks in the file ("student"); "" is the rule: averaged, query, teacher.
    """
    trust: bool = False
    """Whether TorchScript and torch.export, which hold programs, may be opened."""
    outputs: Literal["auto", "features", "logits"] = "auto"
    """What the outputs of a program, or of the user's own code, are; "auto" takes them as features,
    and also as logits where their width is the number of label levels."""
    mean: tuple[float, ...] = ()
    """(3,) channel means in [0, 1]; () is the file's, else the architecture's, else ImageNet's."""
    std: tuple[float, ...] = ()
    """(3,) channel deviations, likewise."""
    classes: tuple[str, ...] = ()
    """Label level of each output of the checkpoint's classifier; () is the levels' own order."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything a run needs; written whole to `runs/<name>/config.json`."""

    data: DataConfig = field(default_factory=DataConfig)
    views: ViewsConfig = field(default_factory=ViewsConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    fit: FitConfig = field(default_factory=FitConfig)
    preset: str = ""
    """Name of the preset that this came from; "" where none."""
    seed: int = 0
    device: str = "auto"


@dataclass(frozen=True)
class Preset:
    """A data set's settings under a name: `paper`, `short`, `lite` or `quick`."""

    says: str
    """One sentence: what it is, what it changes against the published protocol, and its cost."""
    image_size: int
    views: ViewsConfig
    encoder: EncoderConfig
    optimizer: OptimizerConfig
    fit: FitConfig
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    rho: float | None = None
    train_limit: int = 0
    """Most training pictures; 0 is all."""
    beside: tuple[str, ...] = ()
    """Objectives that `evaluate` trains beside the audited one when it has nothing yet."""


def to_dict(config: Any) -> dict[str, Any]:
    """Return a dataclass as plain JSON-able values."""
    return dataclasses.asdict(config)


def from_dict(kind: type[C], values: Mapping[str, Any]) -> C:
    """Build a (nested) frozen dataclass from plain values; an unknown key is a `TypeError`."""
    hints = typing.get_type_hints(kind)
    built: dict[str, Any] = {}
    for name, value in values.items():
        hint = hints.get(name)
        if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
            built[name] = from_dict(typing.cast(type[Any], hint), value)
        elif typing.get_origin(hint) is tuple:
            built[name] = tuple(value)
        elif hint is Path:
            built[name] = Path(value)
        else:
            built[name] = value
    return kind(**built)
