"""Where an encoder comes from: a run of `train`, or a checkpoint of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from debias_cl.checkpoint import load_encoder
from debias_cl.config import ViewsConfig, to_dict
from debias_cl.data.contract import Dataset
from debias_cl.data.views import Views
from debias_cl.encoders import Encoder, build
from debias_cl.errors import UsageError
from debias_cl.fit import load_finished
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.contract import TrainingObjective
from debias_cl.runs import Run
from debias_cl.training import make_objective

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHECKPOINT_SIZE = 224
"""Side in pixels for a checkpoint where the user gives none: that of ImageNet training."""


@dataclass(frozen=True)
class Source:
    """An encoder ready to look at pictures, and what the report says of it.

    Attributes:
        name: file-name part of its outputs (the run's folder, the checkpoint's stem).
        encoder: on `device`, in inference mode.
        objective: with its own classifier, if it has one; None for a checkpoint.
        views: only `views.plain` is used: the normalisation that the encoder wants.
        image_size: side in pixels.
        device: where it stands.
        description: the `encoder` object of the metrics document, without the judge.
        training: lines of the run's log.
    """

    name: str
    encoder: Encoder
    objective: TrainingObjective | None
    views: Views
    image_size: int
    device: str
    description: Mapping[str, Any]
    training: Sequence[Mapping[str, Any]] = ()


def from_run(run: Run, dataset: Dataset, device: str) -> Source:
    """Load the finished weights of a run.

    Raises:
        UsageError: the run is not finished.
    """
    if not run.finished:
        raise UsageError(
            "this run is not finished",
            where=str(run.folder),
            remedy=f"python -m debias_cl.train --run {run.folder}",
        )
    config = run.config
    encoder = build(config.encoder, config.data.image_size)
    objective = None
    if dataset.label.name == config.data.attr:  # else its own classifier answers another question
        objective = make_objective(config, dataset, encoder.feature_dim).to(device).eval()
    load_finished(run, encoder, objective)
    spec = OBJECTIVES.get(config.objective.name)
    return Source(
        name=run.folder.name,
        encoder=_ready(encoder, device),
        objective=objective,
        views=Views(config.views, dataset.mean, dataset.std),
        image_size=config.data.image_size,
        device=device,
        description={
            "name": spec.title,
            "objective": config.objective.name,
            "architecture": config.encoder.architecture,
            "source": "run",
            "run": str(run.folder),
            "checkpoint": None,
            "seed": config.seed,
            "views": to_dict(config.views),
            "epochs": config.fit.epochs,
            "preset": config.preset,
            "parameters": _size(encoder),
            "settings": to_dict(config.objective),
            "note": encoder.note,
        },
        training=run.entries(),
    )


def from_checkpoint(path: Path, arch: str, image_size: int, device: str) -> Source:
    """Load a user's weights, never running code from the file.

    A run's own `encoder.safetensors` says by itself which architecture, picture size and channel
    statistics it was trained with, so it can be judged on any data set.

    Args:
        path: state dict or safetensors, or a run folder.
        arch: torchvision or timm name; "" for a run's own file.
        image_size: side in pixels; 0 is the file's own, else 224.

    Raises:
        CheckpointError: the file cannot be used safely, or its keys fit another architecture.
    """
    encoder, loaded = load_encoder(path, arch, image_size or CHECKPOINT_SIZE)
    about = loaded.metadata
    size = image_size or int(about.get("image_size") or CHECKPOINT_SIZE)
    mean, std = about.get("mean", IMAGENET_MEAN), about.get("std", IMAGENET_STD)
    name, facts = _told(path, about)
    return Source(
        name=name,
        encoder=_ready(encoder, device),
        objective=None,
        views=Views(ViewsConfig(), mean, std),
        image_size=size,
        device=device,
        description={
            "name": path.name,
            "objective": None,
            "architecture": encoder.architecture,
            "source": "checkpoint",
            "run": None,
            "checkpoint": {"file": str(path), "image_size": size, **to_dict(loaded)},
            "seed": None,
            "views": None,
            "epochs": None,
            "preset": None,
            "parameters": _size(encoder),
            "settings": None,
            "note": encoder.note,
            **facts,
        },
    )


def _told(path: Path, about: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the name of the outputs, and what a run's own file says of its training."""
    config = about.get("config")
    if not isinstance(config, Mapping):
        return path.stem, {}
    folder = path if path.is_dir() else path.parent
    name = folder.name if path.is_dir() or path.stem == "encoder" else path.stem
    objective, trained = config["objective"]["name"], config["data"]["dataset"]
    known = OBJECTIVES.get(objective).title if objective in OBJECTIVES.names() else objective
    return name, {
        "name": f"{known}, trained on {trained}",
        "objective": objective,
        "seed": config["seed"],
        "views": config["views"],
        "epochs": config["fit"]["epochs"],
        "preset": config["preset"],
        "settings": config["objective"],
    }


def _ready(encoder: Encoder, device: str) -> Encoder:
    return encoder.to(device).eval()


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
