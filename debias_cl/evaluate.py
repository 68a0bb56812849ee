"""`python -m debias_cl.evaluate`: an encoder on a data set -> metrics and an HTML bias report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from debias_cl.cli import DataOptions, MetricOptions, Repeated, flat, listed, run_command


@dataclass(frozen=True)
class EvaluateOptions(DataOptions, MetricOptions):
    """Evaluate an encoder on a data set: group metrics with uncertainty, and an HTML bias report.

    Without --run or --checkpoint: the newest finished run for that data set and label; where there
    is none, the data set's preset is trained first.
    """

    run: str = field(default="", kw_only=True)
    """Run folder of `train`."""
    checkpoint: str = field(default="", kw_only=True)
    """Your own weights: a state dict (.pt, .pth, read without running code) or .safetensors."""
    arch: str = field(default="", kw_only=True)
    """Architecture of --checkpoint: a torchvision or timm name, as resnet18."""
    image_size: int = field(default=0, kw_only=True)
    """Side in pixels for --checkpoint. Default: 224, or that of the architecture."""
    objective: str = field(default="contex", kw_only=True)
    """Objective of the run to look for, or to train."""
    preset: str = field(default="auto", kw_only=True)
    """Settings to train by where there is no run: quick, lite, short, paper, auto."""
    beside: str = field(default="auto", kw_only=True)
    """Objectives or run folders to compare with, with commas; none; auto: the preset's."""
    probe: Literal["logistic", "sgd", "knn", "dfr"] = field(default="logistic", kw_only=True)
    """Judge of the features: multinomial logistic regression, the paper's SGD, kNN, or DFR (a last
    layer on group-balanced validation rows: it uses the bias attribute)."""
    seed: int = field(default=0, kw_only=True)
    """Seed of training, where it is needed."""
    device: str = field(default="auto", kw_only=True)
    """auto, cpu, cuda or mps."""
    out: str = field(default="reports", kw_only=True)
    """Folder in which the report's own folder is made."""
    runs: str = field(default="runs", kw_only=True)
    """Folder in which runs are looked for and made."""
    remedies: bool = field(default=True, kw_only=True)
    """Try other last layers and thresholds on the same features, for section 10; --no-remedies
    leaves them out."""
    set: Repeated = field(default=(), kw_only=True)
    """Single settings over the preset, as fit.epochs=3; repeatable."""


def evaluate(options: EvaluateOptions) -> int:
    """Evaluate, write the report, print the summary and where everything is."""
    from debias_cl import pipeline

    pipeline.evaluate(
        pipeline.Request(
            data=options.data_config(),
            run=options.run,
            checkpoint=options.checkpoint,
            arch=options.arch,
            image_size=options.image_size,
            objective=options.objective,
            preset=options.preset,
            beside=None if options.beside == "auto" else listed(options.beside),
            probe=options.probe,
            seed=options.seed,
            device=options.device,
            out=options.out,
            runs=options.runs,
            overrides=flat(options.set),
            settings=options.settings(),
            remedies=options.remedies,
        )
    )
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(EvaluateOptions, evaluate, "python -m debias_cl.evaluate", argv)


if __name__ == "__main__":
    sys.exit(main())
