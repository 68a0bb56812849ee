"""What an objective file gives: a `SPEC` that builds one training objective."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from debias_cl.config import ObjectiveConfig
from debias_cl.distributed import gathered
from debias_cl.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class ObjectiveContext:
    """What an objective may know when it is built.

    Attributes:
        config: its settings.
        feature_dim: width D of the encoder's features.
        classes: number of label levels K.
        bias_levels: number of levels of the bias attribute; 0 where there is none.
        cell_counts: (K, bias_levels) training counts, int64; None where there is no bias attribute.
        examples: pictures of the training split: `Targets.index` is below it.
        options: the objective's own settings, defaults filled in.
        make_encoder: builds another encoder of the run's architecture, with weights of its own, for
            objectives with a second network; it takes (b, 3, H, W) views and gives (b, D) features.
    """

    config: ObjectiveConfig
    feature_dim: int
    classes: int
    bias_levels: int = 0
    cell_counts: Tensor | None = None
    examples: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    make_encoder: Callable[[], nn.Module] | None = None

    def second_encoder(self) -> nn.Module:
        """Return an encoder of the run's architecture with weights of its own.

        Raises:
            UsageError: there is nothing to build it with.
        """
        if self.make_encoder is None:
            raise UsageError(f"{self.config.name} needs a second encoder, and cannot build one")
        return self.make_encoder()


@dataclass(frozen=True)
class Targets:
    """What is known of the B source images of a batch.

    Attributes:
        label: (B,) int64.
        bias: (B,) int64 codes of the first bias attribute; None where there is none.
        index: (B,) int64 row numbers in the training split.
        share: (first, total) where these are the rows from `first` on of a batch of `total` images
            that several processes share; None where they are the whole batch.
        views: (B, V, 3, H, W) what the encoder was shown, for objectives with `needs_views`.
    """

    label: Tensor
    bias: Tensor | None
    index: Tensor
    share: tuple[int, int] | None = None
    views: Tensor | None = None


class TrainingObjective(nn.Module):
    """Heads and loss of one objective; the training loop knows nothing else.

    `forward(features (B, V, D), targets)` returns the scalar loss. It owns its heads (projection,
    classifier), so that their parameters are trained beside the encoder's.
    `predict(features (n, D))` returns (n, K) logits where it has a classifier of its own.
    `diagnostics()` returns floats for the log, read and reset once an epoch.

    Where several processes share a batch, every process is given the whole batch's features, and
    computes the whole loss; nothing need be done for that (random numbers are drawn apart in each
    process, though). With `shares`, each is given its own rows with `targets.share`, and returns
    its part of the loss: the parts must add up to the loss.

    An objective with a second network (a momentum encoder, a biased twin) sets `needs_views`,
    builds it with `context.second_encoder()`, so that it is saved and resumed with the heads, and
    runs it on `targets.views`. The loop calls `begin` once before the first step, `set_progress`
    before and `after_step` after every step.
    """

    has_classifier = False
    shares = False
    needs_views = False

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of a batch: features (B, V, D) float, a scalar float32 or float64."""
        raise NotImplementedError

    def predict(self, features: Tensor) -> Tensor:
        """Return (n, K) logits of the objective's own classifier."""
        raise NotImplementedError(f"{type(self).__name__} has no classifier of its own")

    def begin(self, encoder: nn.Module) -> None:
        """Look at the encoder as it is before the first step, as to copy its weights."""

    def set_progress(self, done: float) -> None:
        """Take note of the share of all steps that is done, in [0, 1)."""

    def after_step(self, encoder: nn.Module) -> None:
        """Follow the encoder, which has just been changed, as momentum encoders do."""

    def diagnostics(self) -> dict[str, float]:
        """Return what the log should say of the last epoch; empty where nothing."""
        return {}


@dataclass(frozen=True)
class ObjectiveSpec:
    """The registry entry of an objective (file `debias_cl/losses/<name>.py`).

    Attributes:
        title: name for people ("ConTeX").
        family: row of the documentation ("ConTeX", "supervised contrastive", "reference", ...).
        source: paper and equation, code followed, deviation.
        uses: the settings of `ObjectiveConfig` that it reads.
        needs_label, needs_bias: what it must be told of each image.
        build: makes the objective; `make` is what others call.
        options: settings of its own and their defaults; `build` finds all in `context.options`.
        extra: the package's extra that it needs installed ("baselines"); "" where none. What
            belongs to it is imported by `build`, not before.
    """

    title: str
    family: str
    source: str
    uses: tuple[str, ...]
    build: Callable[[ObjectiveContext], TrainingObjective]
    needs_label: bool = True
    needs_bias: bool = False
    options: Mapping[str, float | int | bool | str] = field(default_factory=dict)
    extra: str = ""

    def make(self, context: ObjectiveContext) -> TrainingObjective:
        """Build the objective, with the defaults of the options that are not given.

        Raises:
            UsageError: an option that it does not have, no bias attribute where it needs one, or
                its extra is not installed.
        """
        unknown = [name for name in context.config.options if name not in self.options]
        if unknown:
            raise UsageError(
                f"{self.title} has no option '{unknown[0]}'",
                remedy=did_you_mean(unknown[0], self.options),
            )
        if self.needs_bias and not context.bias_levels:
            raise UsageError(
                f"{self.title} needs to know the bias attribute of each training picture",
                expected="a data set with a bias attribute (--bias-attr)",
            )
        context = replace(context, options={**self.options, **context.config.options})
        try:
            return self.build(context)
        except ModuleNotFoundError as error:
            if not self.extra:
                raise
            raise UsageError(
                f"{self.title} needs {error.name}, which is not installed",
                remedy=f'pip install "debias-cl[{self.extra}]"',
            ) from error


class ProjectionHead(nn.Sequential):
    """MLP from (.., D) features to (.., d) projections: Linear, ReLU, ..., Linear.

    Args:
        feature_dim: input width D.
        widths: hidden widths and the output width.
    """

    def __init__(self, feature_dim: int, widths: tuple[int, ...]) -> None:
        dims = (feature_dim, *widths)
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(itertools.pairwise(dims)):
            layers += [nn.Linear(a, b)] + ([nn.ReLU()] if i < len(widths) - 1 else [])
        super().__init__(*layers)


class Contrastive(TrainingObjective):
    """A projection head and a contrastive loss on (B, V, d) projections.

    Args:
        context: settings and sizes.
        loss: called as `loss(projections (B, V, d), label (B,) or None)`.
        use_label: whether the loss is given the labels.
    """

    def __init__(self, context: ObjectiveContext, loss: nn.Module, use_label: bool = True) -> None:
        super().__init__()
        self.head = ProjectionHead(context.feature_dim, context.config.projection)
        self.loss = loss
        self.use_label = use_label
        self.shares = bool(getattr(loss, "shares", False))

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Project and contrast: features (B, V, D)."""
        projections = self.head(features)
        label = targets.label if self.use_label else None
        if targets.share is None:
            loss: Tensor = self.loss(projections, label)
            return loss
        first, total = targets.share
        part: Tensor = self.loss(
            gathered(projections, total),
            None if label is None else gathered(label, total),
            sources=slice(first, first + len(projections)),
        )
        return part

    def diagnostics(self) -> dict[str, float]:
        """Pass on what the loss counted (anchors without negatives, ...)."""
        report = getattr(self.loss, "diagnostics", None)
        return dict(report()) if callable(report) else {}


class LinearClassifier(TrainingObjective):
    """Base of objectives with a linear `classifier` on the encoder's features, which they make."""

    has_classifier = True
    classifier: nn.Linear

    def predict(self, features: Tensor) -> Tensor:
        """Return (n, K) logits of (n, D) features."""
        logits: Tensor = self.classifier(features)
        return logits


class EpochMeans:
    """Means of numbers over the batches of an epoch: kept on the device, read once."""

    def __init__(self) -> None:
        self._seen: dict[str, list[Tensor]] = {}

    def add(self, name: str, value: Tensor) -> None:
        """Take note of a batch's scalar, which has no graph."""
        self._seen.setdefault(name, []).append(value)

    def read(self) -> dict[str, float]:
        """Return the means since the last call; empty where nothing was added."""
        seen, self._seen = self._seen, {}
        return {name: float(torch.stack(values).mean()) for name, values in seen.items()}


def seeded(seed: int) -> torch.Generator:
    """Return a CPU generator with that seed."""
    return torch.Generator().manual_seed(seed)
