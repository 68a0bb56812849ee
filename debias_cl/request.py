"""What `evaluate` is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch import nn

from debias_cl.config import CheckpointConfig, DataConfig
from debias_cl.data.contract import Dataset
from debias_cl.gates import NO_RULES, Rules
from debias_cl.metrics import Settings


@dataclass(frozen=True)
class Request:
    """What `evaluate` was asked for; "" and None mean the default."""

    data: DataConfig = field(default_factory=DataConfig)
    run: str = ""
    checkpoint: str = ""
    arch: str = ""
    image_size: int = 0
    loading: CheckpointConfig = field(default_factory=CheckpointConfig)
    """How the checkpoint is read, besides."""
    objective: str = "contex"
    preset: str = "auto"
    beside: tuple[str, ...] | None = None
    """Objectives or run folders; None is the preset's; () and ("none",) are none."""
    probe: Literal["logistic", "sgd", "knn", "dfr"] = "logistic"
    seed: int = 0
    device: str = "auto"
    out: str = "reports"
    runs: str = "runs"
    overrides: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    images: bool = True
    """Whether the report shows pictures of the most confident mistakes."""
    remedies: bool = True
    """Whether what could help is tried on the audited encoder's features."""
    representation: bool = True
    """Whether features are looked at before a label is predicted from them."""
    rules: Rules = NO_RULES
    network: nn.Module | None = None
    """A network in memory, instead of a run or checkpoint."""
    loaded: Dataset | None = None
    """A data set in memory, instead of `data`; its pictures keep their size."""


@dataclass(frozen=True)
class Evaluated:
    """A finished report.

    Attributes:
        report: path of report.html.
        document: content of metrics.json; None in a process that is not the first one.
    """

    report: Path
    document: Mapping[str, Any] | None
