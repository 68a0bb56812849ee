"""A training step of the default run: images a second, and where the time goes.

    python benchmarks/step.py [--preset quick] [--rounds 5] [--device cpu]

An image is one source picture that gives two views. Each variant runs in a process of its own, one
after another, round after round, so that a busy machine slows all alike. `data` is the making of
views and targets, `model` encoder, objective, backward pass and optimiser on a batch that is there
already, `step` both as the training loop runs them, `model_share` what of a step `model` would take
alone. On a CPU it also measures two runs side by side with one thread each against one run with two
threads, of which one makes the views ahead, as a single run on several cores does. On a busy CPU
compare images a second of CPU time: it does not count the waiting.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from harness import medians, origin, parser, peak_of_process, save

from debias_cl.config import DataConfig, TrainConfig
from debias_cl.data.batches import Batches
from debias_cl.optim import build_optimizer
from debias_cl.resolve import resolve
from debias_cl.step import TrainStep

STEPS = 30
"""Steps a measurement."""

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "channels_last": {"channels_last": True},
    "compile": {"compile": True},
    "amp": {"amp": True},
    "amp, channels_last": {"amp": True, "channels_last": True},
    "amp, channels_last, compile": {"amp": True, "channels_last": True, "compile": True},
}


def made(config: TrainConfig) -> tuple[TrainStep, torch.optim.Optimizer, Batches]:
    """Build what a run of this configuration builds."""
    from debias_cl.data import DATASETS
    from debias_cl.data.views import Views
    from debias_cl.training import can_make_ahead, make_networks

    dataset = DATASETS.get(config.data.dataset).load(config.data)
    train = dataset.splits["train"]
    encoder, objective = make_networks(config, dataset)
    encoder.to(config.device)
    objective.to(config.device)
    if config.fit.channels_last:
        encoder.to(memory_format=torch.channels_last)
    ahead = can_make_ahead(encoder, config.device)
    if ahead:
        torch.set_num_threads(1)
    batches = Batches(
        train.images,
        train.annotations.truth,
        train.annotations.groups[train.annotations.attributes[0].name],
        Views(config.views, dataset.mean, dataset.std),
        config.fit.batch_size,
        seed=config.seed,
        device=config.device,
        ahead=ahead,
    )
    step = TrainStep(encoder, objective, config.fit).train()
    device = torch.device(config.device)
    return step, build_optimizer(step.parameters(), config.optimizer, device), batches


def seconds_a_step(
    work: Callable[[], None], device: str, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time `STEPS` calls after three that warm up."""
    for _ in range(3):
        work()
    synchronise(device)
    start = clock()
    for _ in range(STEPS):
        work()
    synchronise(device)
    return (clock() - start) / STEPS


def synchronise(device: str) -> None:
    """Wait for an accelerator's queue."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def measure(config: TrainConfig) -> dict[str, float]:
    """Measure one configuration in this process."""
    step, optimizer, source = made(config)
    endless = (batch for epoch in range(10**6) for batch in source.epoch(epoch))
    views, targets = next(endless)

    def model() -> None:
        loss = step(views, targets)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()

    def whole() -> None:
        nonlocal views, targets
        views, targets = next(endless)
        model()

    data_seconds = seconds_a_step(lambda: (next(endless), None)[1], config.device)
    model_seconds = seconds_a_step(model, config.device)
    step_seconds = seconds_a_step(whole, config.device)
    cpu_seconds = seconds_a_step(whole, config.device, time.process_time)
    peak = peak_of_process()
    if config.device.startswith("cuda"):
        peak = torch.cuda.max_memory_allocated()
    return {
        "images_per_second": len(views) / step_seconds,
        "images_per_cpu_second": len(views) / cpu_seconds,
        "step_seconds": step_seconds,
        "data_seconds": data_seconds,
        "model_seconds": model_seconds,
        "model_share": min(1.0, model_seconds / step_seconds),
        "peak_bytes": peak,
    }


def run_alone(variant: str, threads: int, options: argparse.Namespace) -> subprocess.Popen[str]:
    """Start a measurement in a process of its own."""
    command = [sys.executable, __file__, "--only", variant, "--dataset", options.dataset]
    command += ["--preset", options.preset, "--objective", options.objective]
    command += ["--device", options.device, "--data-root", options.data_root]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def result_of(process: subprocess.Popen[str]) -> dict[str, float]:
    """Wait for a measurement."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit("a measurement failed")
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def contest(options: argparse.Namespace) -> dict[str, Any]:
    """All variants round after round; medians."""
    cpu = options.device == "cpu"
    names = [n for n in VARIANTS if n in options.variants.split("; ")]
    seen: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        for name in names:
            seen.setdefault(name, []).append(result_of(run_alone(name, 1, options)))
        if cpu:
            two = result_of(run_alone("plain", 2, options))
            seen.setdefault("plain, views ahead in a second thread", []).append(two)
            pair = [run_alone("plain", 1, options) for _ in range(2)]
            both = [result_of(process) for process in pair]
            summed = {k: statistics.mean(row[k] for row in both) for k in both[0]}
            summed["images_per_second"] *= 2
            seen.setdefault("plain, two runs of one thread", []).append(summed)
    return {name: medians(rows) for name, rows in seen.items()}


def parse() -> argparse.Namespace:
    """Read the options."""
    made = parser(__doc__, repeats=0)
    made.add_argument("--dataset", default="biased_mnist_mini")
    made.add_argument("--data-root", default="datasets")
    made.add_argument("--preset", default="quick")
    made.add_argument("--objective", default="contex")
    made.add_argument("--device", default="cpu")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--variants", default="; ".join(VARIANTS), help="names with '; '")
    made.add_argument("--only", default="", help="measure one variant in this process")
    return made.parse_args()


def main() -> None:
    """Measure and print JSON."""
    options = parse()
    data = DataConfig(dataset=options.dataset, data_root=options.data_root)
    config = resolve(
        data, objective=options.objective, preset=options.preset, device=options.device
    )
    if options.only:
        fit = replace(config.fit, **VARIANTS[options.only])
        print(json.dumps(measure(replace(config, fit=fit))))
        return
    started = origin(options.device)
    save(
        "a training step: images a second, and where the time goes",
        {
            "dataset": options.dataset,
            "preset": options.preset,
            "objective": options.objective,
            "batch_size": config.fit.batch_size,
            "rounds": options.rounds,
            "results": contest(options),
        },
        started=started,
        out=options.out,
        device=options.device,
    )


if __name__ == "__main__":
    main()
