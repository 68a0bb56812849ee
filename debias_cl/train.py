"""`python -m debias_cl.train`: an encoder, one objective, one data set; resumes by itself."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from debias_cl.cli import DataOptions, Repeated, flat, run_command


@dataclass(frozen=True)
class TrainOptions(DataOptions):
    """Train an encoder with one objective on one data set; a run that was stopped goes on."""

    objective: str = field(default="contex", kw_only=True)
    """Objective (contex, contex_clamped, supcon, simclr, cross_entropy, ...)."""
    preset: str = field(default="auto", kw_only=True)
    """Settings by name: quick, lite, short, paper. auto: quick without a GPU, else short."""
    seed: int = field(default=0, kw_only=True)
    """Seed of weights, batches and views."""
    device: str = field(default="auto", kw_only=True)
    """auto, cpu, cuda or mps."""
    run: str = field(default="", kw_only=True)
    """Run folder: created, or gone on with by its own configuration. Default: runs/NAME."""
    set: Repeated = field(default=(), kw_only=True)
    """Single settings over the preset, as fit.epochs=3 objective.temperature=0.2; repeatable."""


def train(options: TrainOptions) -> int:
    """Resolve the configuration, train (or go on), print where the run is."""
    from debias_cl import training
    from debias_cl.distributed import launched
    from debias_cl.resolve import resolve, run_name

    folder = Path(options.run) if options.run else None
    if folder is not None and (folder / "config.json").exists():
        run = training.go_on(folder, device=options.device)
    else:
        config = resolve(
            options.data_config(),
            objective=options.objective,
            preset=options.preset,
            seed=options.seed,
            device=training.pick_device(options.device),
            overrides=flat(options.set),
        )
        run = training.train_run(config, folder or Path("runs") / run_name(config))
    if launched().first:
        print(f"finished: {run.folder}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(TrainOptions, train, "python -m debias_cl.train", argv)


if __name__ == "__main__":
    sys.exit(main())
