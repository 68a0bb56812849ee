"""From what was asked for to a whole configuration: defaults, presets, overrides, run names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from debias_cl.config import DataConfig, Preset, TrainConfig, from_dict, to_dict
from debias_cl.data import DATASETS
from debias_cl.errors import UsageError, did_you_mean
from debias_cl.losses import OBJECTIVES

AUTO_PRESETS = {"cpu": ("quick",), "gpu": ("short", "paper", "quick")}
"""Which preset `--preset auto` takes: the first of these that the data set has."""


def resolve_data(data: DataConfig) -> DataConfig:
    """Fill in the data set's default label, attributes and protocol.

    Raises:
        UsageError: unknown data set or protocol, with the nearest names.
    """
    spec = DATASETS.get(data.dataset)
    protocol = data.protocol or (spec.protocols[0] if spec.protocols else "")
    if protocol and protocol not in spec.protocols:
        raise UsageError(
            f"{spec.title} has no protocol '{protocol}'",
            remedy=did_you_mean(protocol, spec.protocols),
        )
    return replace(
        data,
        attr=data.attr or spec.default_attr,
        bias_attr=data.bias_attr or spec.default_bias_attr,
        protocol=protocol,
    )


def choose_preset(dataset: str, asked: str, device: str) -> tuple[str, Preset]:
    """Return the preset's name and settings; `auto` depends on the device.

    Raises:
        UsageError: the data set has no preset of that name.
    """
    spec = DATASETS.get(dataset)
    if asked != "auto":
        if asked not in spec.presets:
            raise UsageError(
                f"{spec.title} has no preset '{asked}'", remedy=did_you_mean(asked, spec.presets)
            )
        return asked, spec.presets[asked]
    wanted = AUTO_PRESETS["cpu" if device == "cpu" else "gpu"]
    name = next((name for name in wanted if name in spec.presets), next(iter(spec.presets)))
    return name, spec.presets[name]


def resolve(
    data: DataConfig,
    *,
    objective: str,
    preset: str = "auto",
    seed: int = 0,
    device: str = "cpu",
    overrides: Sequence[str] = (),
) -> TrainConfig:
    """Return the whole configuration of one run.

    Args:
        data: as asked for; "" and None are filled from the data set and the preset.
        objective: name of the objective.
        preset: name, or "auto".
        seed: of weights, batches and views.
        device: "cpu", "cuda" or "mps", resolved.
        overrides: "path=value" texts ("fit.epochs=3", "objective.temperature=0.2").
    """
    data = resolve_data(data)
    name, chosen = choose_preset(data.dataset, preset, device)
    config = TrainConfig(
        data=replace(
            data,
            image_size=data.image_size or chosen.image_size,
            rho=chosen.rho if data.rho is None else data.rho,
            train_limit=data.train_limit or chosen.train_limit,
        ),
        views=chosen.views,
        encoder=chosen.encoder,
        objective=chosen.objective,
        optimizer=chosen.optimizer,
        fit=chosen.fit,
        preset=name,
        seed=seed,
        device=device,
    )
    return override(with_objective(config, objective), overrides)


def with_objective(config: TrainConfig, name: str) -> TrainConfig:
    """Return the same run under another objective, with the defaults of its own options.

    Raises:
        UsageError: there is no such objective, with the nearest names.
    """
    options = dict(OBJECTIVES.get(name).options)
    return replace(config, objective=replace(config.objective, name=name, options=options))


def override(config: TrainConfig, overrides: Sequence[str]) -> TrainConfig:
    """Apply "path=value" texts to a configuration.

    Raises:
        UsageError: no such field (with the nearest), or a value of another type.
    """
    values = to_dict(config)
    for text in overrides:
        path, sign, value = text.partition("=")
        if not sign:
            raise UsageError(f"--set {text} has no '='", expected="path=value, as fit.epochs=3")
        *parents, leaf = path.strip().split(".")
        node: Any = values
        for step in parents:
            node = _child(node, step, path)
        _child(node, leaf, path)
        node[leaf] = _parse(value.strip(), node[leaf], path)
    return from_dict(TrainConfig, values)


def _child(node: Any, step: str, path: str) -> Any:
    if not isinstance(node, dict) or step not in node:
        known = list(node) if isinstance(node, dict) else []
        raise UsageError(f"--set {path}: there is no '{step}'", remedy=did_you_mean(step, known))
    return node[step]


def _parse(text: str, old: Any, path: str) -> Any:
    if isinstance(old, dict):
        raise UsageError(f"--set {path} names a group of settings", remedy=f"one of {list(old)}")
    if isinstance(old, str):
        return text
    try:
        value = json.loads(text.lower() if text in {"True", "False", "None"} else text)
    except json.JSONDecodeError as error:
        raise UsageError(f"--set {path}={text} cannot be read", expected=f"as {old!r}") from error
    number = isinstance(old, int | float) and not isinstance(old, bool)
    fits = isinstance(value, int | float) and not isinstance(value, bool) if number else True
    if isinstance(old, bool | list | tuple):
        fits = isinstance(value, bool if isinstance(old, bool) else list)
    if isinstance(old, int) and number and not isinstance(value, int):
        fits = False
    if not fits:
        raise UsageError(f"--set {path}={text} has another type", expected=f"as {old!r}")
    return value


def run_name(config: TrainConfig) -> str:
    """Return the folder name of a run: readable, and different for every configuration.

    The device and the data root are left out of the digest: the same run may go on elsewhere. So
    are settings at their defaults: a setting that a later version adds renames no finished run.
    """
    plain = TrainConfig()
    placeless = replace(
        config,
        device=plain.device,
        data=replace(config.data, data_root=plain.data.data_root),
    )
    text = json.dumps(_unusual(to_dict(placeless), to_dict(plain)), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    data = config.data
    what = Path(data.manifest).stem if data.manifest else data.dataset
    parts = (what, data.attr, config.objective.name, config.preset)
    readable = "-".join("".join(c if c.isalnum() else "_" for c in part) for part in parts if part)
    return f"{readable}-s{config.seed}-{digest}"


def _unusual(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Return what differs from the defaults, group by group."""
    found = {}
    for name, value in values.items():
        usual = defaults.get(name)
        if isinstance(value, dict) and isinstance(usual, dict):
            value, usual = _unusual(value, usual), {}
        if value != usual:
            found[name] = value
    return found


def beside_configs(config: TrainConfig, objectives: Sequence[str]) -> list[TrainConfig]:
    """Return the same run under other objectives: same views, seed, encoder and schedule."""
    names = [name for name in dict.fromkeys(objectives) if name != config.objective.name]
    return [with_objective(config, name) for name in names]
