"""Optimisers and learning-rate schedules, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import nn

from debias_cl.config import OptimizerConfig

FUSED_ON = frozenset({"cpu", "cuda"})
"""Device types whose optimisers have one fused kernel."""


def build_optimizer(
    parameters: Iterable[nn.Parameter], config: OptimizerConfig, device: torch.device
) -> torch.optim.Optimizer:
    """Return the optimiser, with one fused kernel where the device has it."""
    return OPTIMIZERS[config.name](parameters, config, fused=device.type in FUSED_ON)


def learning_rate(config: OptimizerConfig, epoch: float, epochs: int) -> float:
    """Return the rate at a moment of the run.

    Args:
        config: rate, schedule and warm-up.
        epoch: epochs done, with the fraction of the present one.
        epochs: epochs of the whole run.

    Source: SupContrast's and the ConTeX code's `adjust_learning_rate` and
    `warmup_learning_rate`: cosine from the rate to rate * decay**3, warm-up linear from
    `warmup_from` to the schedule's value at its end. Deviation: the cosine moves every step.
    """
    schedule = SCHEDULES[config.schedule]
    warm = config.warmup_epochs
    if epoch < warm:
        top = schedule(config, warm, epochs)
        return config.warmup_from + (top - config.warmup_from) * epoch / warm
    return schedule(config, epoch, epochs)


def _cosine(config: OptimizerConfig, epoch: float, epochs: int) -> float:
    low = config.learning_rate * config.decay**3
    return low + (config.learning_rate - low) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def _step(config: OptimizerConfig, epoch: float, epochs: int) -> float:
    # int() as in the sources: 20 epochs fall at 6 and 13. The small term undoes float rounding.
    fallen = sum(epoch >= int(share * epochs + 1e-9) for share in config.milestones)
    return config.learning_rate * config.decay**fallen


SCHEDULES: Mapping[str, Callable[[OptimizerConfig, float, int], float]] = {
    "cosine": _cosine,
    "step": _step,
    "constant": lambda config, epoch, epochs: config.learning_rate,
}

OPTIMIZERS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": lambda p, c, **k: torch.optim.Adam(
        p, c.learning_rate, weight_decay=c.weight_decay, **k
    ),
    "adamw": lambda p, c, **k: torch.optim.AdamW(
        p, c.learning_rate, weight_decay=c.weight_decay, **k
    ),
    "sgd": lambda p, c, **k: torch.optim.SGD(
        p, c.learning_rate, momentum=c.momentum, weight_decay=c.weight_decay, **k
    ),
}
