"""Where an encoder comes from: a run of `train`, or a checkpoint of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from debias_cl.checkpoint import load_encoder
from debias_cl.config import CheckpointConfig, ViewsConfig, to_dict
from debias_cl.data.contract import Dataset
from debias_cl.data.views import Views
from debias_cl.encoders import Encoder, build
from debias_cl.errors import UsageError
from debias_cl.fit import load_finished
from debias_cl.foreign import encoder_of
from debias_cl.hub import is_hub
from debias_cl.loaded import LoadReport
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.contract import TrainingObjective
from debias_cl.recipe import Recipe, recipe
from debias_cl.runs import Run
from debias_cl.training import make_objective


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
        said: sentences on what was loaded and how the pictures are prepared.
        classes: level of each output of the checkpoint's classifier; () is the levels' own order.
    """

    name: str
    encoder: Encoder
    objective: TrainingObjective | None
    views: Views
    image_size: int
    device: str
    description: Mapping[str, Any]
    training: Sequence[Mapping[str, Any]] = ()
    said: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


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


def from_checkpoint(
    path: Path | str,
    arch: str,
    image_size: int,
    device: str,
    options: CheckpointConfig | None = None,
) -> Source:
    """Load a user's checkpoint, never running code from the file unless it is trusted.

    A run's own `encoder.safetensors` says by itself which architecture, picture size and channel
    statistics it was trained with, so it can be judged on any data set.

    Args:
        path: as in `checkpoint.load_encoder`.
        arch: torchvision or timm name, or `module:callable`; "" is the file's own word or a guess.
        image_size: side in pixels; 0 is the file's own, else the architecture's, else 224.
        device: where the encoder is put.
        options: how the file is read, besides.

    Raises:
        CheckpointError: the file cannot be used safely, or its keys fit another architecture.
    """
    options = options or CheckpointConfig()
    encoder, loaded = load_encoder(
        path, arch, image_size, options.network, trust=options.trust, outputs=options.outputs
    )
    flags = {"image_size": image_size, "mean": options.mean, "std": options.std}
    pictures = recipe(encoder, flags, loaded.metadata, loaded.side, loaded.side_by)
    local = Path(str(path).partition(":")[2].partition("@")[0]) if is_hub(str(path)) else Path(path)
    name, facts = _told(local, loaded.metadata)
    return Source(
        name=name,
        encoder=_ready(encoder, device),
        objective=None,
        views=Views(ViewsConfig(), pictures.mean, pictures.std),
        image_size=pictures.image_size,
        device=device,
        description={**_described(str(path), encoder, loaded, pictures), **facts},
        said=(*loaded.sentences(), pictures.sentence()),
        classes=options.classes,
    )


def from_module(
    network: nn.Module, dataset: Dataset, device: str, options: CheckpointConfig | None = None
) -> Source:
    """Take a network in memory: its outputs are the features, or the logits of the label's levels.

    Its pictures are normalised by the data set's own statistics unless `options` has others.

    Args:
        network: takes (n, 3, H, W) float32 pictures; it is put on `device`, in evaluation mode.
        dataset: whose pictures it will see, in their size.
        device: where the network is put.
        options: mean, std, outputs and classes.

    Raises:
        CheckpointError: it cannot be run on such pictures.
    """
    options = options or CheckpointConfig()
    side = side_of(dataset)
    name = type(network).__name__
    encoder = network
    if not isinstance(encoder, Encoder):
        encoder = encoder_of(network.to("cpu"), name, side, options.outputs)
    mean, std = options.mean or dataset.mean, options.std or dataset.std
    told = {"name": name, "objective": None, "architecture": encoder.architecture}
    unknown = ("run", "checkpoint", "seed", "views", "epochs", "preset", "settings")
    return Source(
        name=name,
        encoder=_ready(encoder, device),
        objective=None,
        views=Views(ViewsConfig(), mean, std),
        image_size=side,
        device=device,
        description={
            **told,
            **dict.fromkeys(unknown),
            "source": "module",
            "parameters": _size(encoder),
            "note": encoder.note,
        },
        classes=options.classes,
    )


def side_of(dataset: Dataset) -> int:
    """Return the height of the pictures of a data set in pixels."""
    return int(next(iter(dataset.splits.values())).images.shape[1])


def _described(path: str, encoder: Encoder, loaded: LoadReport, pictures: Recipe) -> dict[str, Any]:
    """Return the `encoder` object of a checkpoint."""
    return {
        "name": path if is_hub(path) else Path(path).name,
        "objective": None,
        "architecture": encoder.architecture,
        "source": "checkpoint",
        "run": None,
        "checkpoint": {
            "file": path,
            "image_size": pictures.image_size,
            **to_dict(loaded),
            "input": pictures.to_dict(),
            "said": [*loaded.sentences(), pictures.sentence()],
        },
        "seed": None,
        "views": None,
        "epochs": None,
        "preset": None,
        "parameters": _size(encoder) or None,
        "settings": None,
        "note": encoder.note,
    }


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
