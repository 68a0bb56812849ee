"""`python -m debias_cl.evaluate`: an encoder on a data set -> metrics and an HTML bias report."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from debias_cl.cli import (
    DataOptions,
    MetricOptions,
    Repeated,
    callable_module,
    flat,
    listed,
    numbers,
    run_command,
)
from debias_cl.config import CheckpointConfig


@dataclass(frozen=True)
class EvaluateOptions(DataOptions, MetricOptions):
    """Evaluate an encoder on a data set: group metrics with uncertainty, and an HTML bias report.

    Without --run or --checkpoint: the newest finished run for that data set and label; where there
    is none, the data set's preset is trained first.
    """

    run: str = field(default="", kw_only=True)
    """Run folder of `train`."""
    checkpoint: str = field(default="", kw_only=True)
    """Your own encoder or classifier: a state dict (.pt, .pth, .th, read without running code),
    .safetensors, .onnx, with --trust TorchScript and torch.export; or hf:org/name."""
    arch: str = field(default="", kw_only=True)
    """Architecture of --checkpoint: a torchvision or timm name, as resnet18, or module:callable of
    your own code in the current folder, which is run. Default: told from the weights."""
    image_size: int = field(default=0, kw_only=True)
    """Side in pixels for --checkpoint. Default: the file's, the architecture's, else 224."""
    mean: str = field(default="", kw_only=True)
    """Channel means for --checkpoint, as .485,.456,.406. Default: as for --image-size."""
    std: str = field(default="", kw_only=True)
    """Channel deviations for --checkpoint."""
    network: str = field(default="", kw_only=True)
    """Which of several networks in --checkpoint (student). Default: averaged weights before raw
    ones, query before key, teacher before student."""
    outputs: Literal["auto", "features", "logits"] = field(default="auto", kw_only=True)
    """What a program or your own code gives. auto: features, and logits as well where they are as
    many as the label's levels."""
    classes: str = field(default="", kw_only=True)
    """Label level of each output of the checkpoint's own classifier, with commas. Default: the
    label's levels in their order."""
    trust: bool = field(default=False, kw_only=True)
    """Open TorchScript and torch.export files: they are programs that torch runs with all that it
    may do, so only where you know who made them."""
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
    representation: bool = field(default=True, kw_only=True)
    """Look at the features before a label is predicted, for section 7, and paint test pictures anew
    where the data can; --no-representation leaves it out."""
    images: bool = field(default=True, kw_only=True)
    """Show pictures of the most confident mistakes; --no-images leaves them out (faces are personal
    data)."""
    remedies: bool = field(default=True, kw_only=True)
    """Try other last layers and thresholds on the same features, for section 10; --no-remedies
    leaves them out."""
    set: Repeated = field(default=(), kw_only=True)
    """Single settings over the preset, as fit.epochs=3; repeatable."""

    def loading(self) -> CheckpointConfig:
        """Return how the checkpoint is read."""
        return CheckpointConfig(
            network=self.network,
            trust=self.trust,
            outputs=self.outputs,
            mean=numbers(self.mean, "--mean"),
            std=numbers(self.std, "--std"),
            classes=listed(self.classes),
        )


def evaluate(options: EvaluateOptions) -> int:
    """Evaluate, write the report, print the summary and where everything is."""
    from debias_cl import pipeline

    document = pipeline.evaluated(
        pipeline.Request(
            data=options.data_config(),
            run=options.run,
            checkpoint=options.checkpoint,
            arch=options.arch,
            image_size=options.image_size,
            loading=options.loading(),
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
            rules=options.rules(),
            representation=options.representation,
            images=options.images,
            remedies=options.remedies,
        )
    ).document
    return options.conclude([document] if document else [])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(EvaluateOptions, evaluate, "python -m debias_cl.evaluate", argv)


callable_module(__name__)

if __name__ == "__main__":
    sys.exit(main())
