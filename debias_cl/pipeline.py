"""The verb `evaluate`: from a request to a report.

data set -> encoder (a run, or a checkpoint) -> Features -> probe -> Predictions -> document ->
report. Every stage writes its file before the next begins, so nothing finished is lost.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from debias_cl.config import DataConfig, ProbeConfig, TrainConfig
from debias_cl.data import DATASETS
from debias_cl.data.contract import Dataset
from debias_cl.data.load import load_dataset
from debias_cl.distributed import Ranks, processes
from debias_cl.document import Judged, assemble, describe_dataset, write_report
from debias_cl.errors import UsageError
from debias_cl.features import extract
from debias_cl.judges import judges
from debias_cl.metrics import refuse_absent
from debias_cl.mistakes import mistakes, pictures
from debias_cl.recolour import Repainted, repainted
from debias_cl.records import Features, default_positive
from debias_cl.remedies import try_all
from debias_cl.representation import audit, shortcut, with_shortcut
from debias_cl.request import Evaluated, Request
from debias_cl.resolve import beside_configs, resolve, resolve_data, run_name
from debias_cl.runs import Run, newest_finished, provenance
from debias_cl.sections.terminal import summary
from debias_cl.sources import Source, from_checkpoint, from_module, from_run, side_of
from debias_cl.training import pick_device, train_all, with_device

__all__ = ["Evaluated", "Request", "console", "evaluate", "evaluated"]

console = Console()


def evaluate(request: Request) -> Path:
    """Evaluate an encoder and those beside it; return the path of the report (see `evaluated`)."""
    return evaluated(request).report


def evaluated(request: Request) -> Evaluated:
    """Evaluate an encoder and those beside it.

    Started by torchrun, its processes train what is missing and make the features together; the
    first one alone judges, writes and prints.

    Raises:
        UsageError, DataError, CheckpointError: with what to do.
    """
    started = time.monotonic()
    kind = pick_device(request.device)
    with processes(kind) as ranks:
        dataset, sources = _sources(request, kind, ranks)
        refuse_absent(dataset.split(dataset.test_split).annotations, request.settings)
        folder = Path(request.out) / _report_name(sources[0], request)
        judged = [
            one
            for place, source in enumerate(sources)
            for one in _judge(source, dataset, request, folder, ranks, main=not place)
        ]
        document = None
        if ranks.first:
            document = _report(judged, dataset, request, folder, provenance(kind), started)
    return Evaluated(folder / "report.html", document)


def _report(
    judged: Sequence[Judged],
    dataset: Dataset,
    request: Request,
    folder: Path,
    facts: Mapping[str, Any],
    started: float,
) -> Mapping[str, Any]:
    audited, *beside = sorted(judged, key=lambda one: one.encoder["control"])
    seconds = round(time.monotonic() - started, 1)
    document = assemble(
        audited,
        beside,
        dataset=_described(dataset, request),
        provenance={**facts, "seed": audited.encoder.get("seed"), "wall_seconds": seconds},
        settings=request.settings,
        rules=request.rules,
    )
    report = write_report(document, folder, audited.pictures)
    console.print(summary(document))
    console.print(f"report: {report}", soft_wrap=True, highlight=False)
    return document


def _described(dataset: Dataset, request: Request) -> dict[str, Any]:
    """Return the `dataset` object; data in memory that no registry knows are the user's own."""
    if dataset.name in DATASETS.names():
        title = Path(request.data.manifest).name
        return describe_dataset(dataset, DATASETS.get(dataset.name), title)
    return describe_dataset(dataset, DATASETS.get("manifest"), dataset.name)


def _report_name(source: Source, request: Request) -> str:
    """Return the report's folder: the run's name, and what was asked of it besides its own data.

    A checkpoint looked at on another data set, or by another attribute, is another report.
    """
    data = request.data
    if not (request.checkpoint or request.run):
        return source.name
    dataset = Path(data.manifest).stem or (data.dataset if request.checkpoint else "")
    parts = [source.name, dataset, data.attr, "-".join(data.bias_attr), data.protocol]
    return "-".join(part for part in parts if part)


def _sources(request: Request, kind: str, ranks: Ranks) -> tuple[Dataset, list[Source]]:
    """Return the data and the encoders to judge, the audited one first."""
    device = ranks.device(kind)
    if request.network is not None or request.loaded is not None:
        dataset = request.loaded or load_dataset(resolve_data(request.data))
        return dataset, [_in_memory(request, dataset, device)]
    if not request.checkpoint:
        dataset, runs = _runs(request, kind, ranks)
        return dataset, [from_run(run, dataset, device) for run in runs]
    source = from_checkpoint(
        request.checkpoint, request.arch, request.image_size, device, request.loading
    )
    if ranks.first:
        for line in source.said:
            console.print(line, soft_wrap=True, highlight=False, markup=False)
    data = replace(resolve_data(request.data), image_size=source.image_size)
    others = [Run.open(Path(name)) for name in request.beside or () if name != "none"]
    with ranks.in_turn():
        dataset = load_dataset(data)
    return dataset, [source, *(from_run(run, dataset, device) for run in others)]


def _in_memory(request: Request, dataset: Dataset, device: str) -> Source:
    """Return the encoder to judge on pictures that are loaded already."""
    if request.network is not None:
        return from_module(request.network, dataset, device, request.loading)
    if request.run:
        return from_run(Run.open(Path(request.run)), dataset, device)
    side = request.image_size or side_of(dataset)
    return from_checkpoint(request.checkpoint, request.arch, side, device, request.loading)


def _runs(request: Request, kind: str, ranks: Ranks) -> tuple[Dataset, list[Run]]:
    """Return the data and the finished runs; what is missing is trained first."""
    audited = _audited_run(request, kind)
    configs, folders = [with_device(audited, kind)], [audited.folder]
    for config, folder in _beside(request, configs[0]):
        configs.append(config)
        folders.append(folder)
    data = _asked_of(audited, request)
    with ranks.in_turn():  # before training: data that is missing is said at once
        dataset = load_dataset(data)
    for split in ("train", dataset.test_split):
        dataset.split(split)
    if ranks.first:
        _announce(audited)
    return dataset, train_all(configs, folders, ranks)


def _asked_of(run: Run, request: Request) -> DataConfig:
    """Return the run's data, with the label, attributes and so on that were asked for instead.

    Raises:
        UsageError: another data set was named than the run's.
    """
    asked, have = request.data, run.config.data
    if asked.dataset not in (have.dataset, DataConfig().dataset):
        raise UsageError(
            f"this run was trained on {have.dataset}, not on {asked.dataset}",
            where=str(run.folder),
            remedy=f"leave --dataset out, or --checkpoint {run.weights} --dataset {asked.dataset}",
        )
    free = ("attr", "bias_attr", "protocol", "manifest", "missing", "positive")
    given = {name: getattr(asked, name) for name in free if getattr(asked, name)}
    return replace(have, data_root=asked.data_root, **given)


def _audited_run(request: Request, device: str) -> Run:
    """Return the run asked for, the newest finished one, or the preset's, still to be trained."""
    if request.run:
        return Run.open(Path(request.run))
    config = resolve(
        request.data,
        objective=request.objective,
        preset=request.preset,
        seed=request.seed,
        device=device,
        overrides=request.overrides,
    )
    specific = bool(request.overrides) or request.preset != "auto" or request.seed != 0
    newest = newest_finished(Path(request.runs), resolve_data(request.data), request.objective)
    if newest is not None and not specific:
        return newest
    return Run(Path(request.runs) / run_name(config), config)


def _announce(run: Run) -> None:
    """Say which run is taken, or that its preset is trained first."""
    if (run.folder / "config.json").exists() and run.finished:
        console.print(f"taking the finished run {run.folder}", highlight=False)
        return
    config = run.config
    spec = DATASETS.get(config.data.dataset)
    preset = spec.presets.get(config.preset)
    console.print(
        f"no finished run for {spec.title}, {config.data.attr}: training the preset "
        f"'{config.preset}' first. {preset.says if preset else ''}",
        highlight=False,
    )


def _beside(request: Request, config: TrainConfig) -> Iterator[tuple[TrainConfig, Path]]:
    """Yield configuration and folder of every run to compare with: run folders, or objectives."""
    names = request.beside
    if names is None:
        preset = DATASETS.get(config.data.dataset).presets.get(config.preset)
        names = preset.beside if preset and config.objective.name == "contex" else ()
    for name in names:
        if name == "none":
            continue
        if (Path(name) / "config.json").exists():
            run = Run.open(Path(name))
            _same_rows(config, run)
            yield with_device(run, config.device), run.folder
        else:
            for other in beside_configs(config, [name]):
                yield other, Path(request.runs) / run_name(other)


def _same_rows(config: TrainConfig, other: Run) -> None:
    placeless = replace(other.config.data, data_root=config.data.data_root)
    if placeless != config.data:
        raise UsageError(
            "the run to compare with was trained on other data or another protocol",
            where=str(other.folder),
            expected=f"{config.data}",
        )


def _judge(
    source: Source, dataset: Dataset, request: Request, folder: Path, ranks: Ranks, *, main: bool
) -> Iterator[Judged]:
    """Yield one encoder under each of its judges; features and predictions are written as made."""
    stem = "" if main else f"-{source.name}"
    features = extract(
        source.encoder, dataset, source.views, source.device, about=source.description, ranks=ranks
    )
    painted = _painted(source, dataset, ranks) if request.representation else None
    if not ranks.first:
        return
    features.save(folder / f"features{stem}.safetensors")
    inside = audit(features, dataset.test_split, request.seed) if request.representation else {}
    shown = features if painted is None else painted.behind(features, dataset.test_split)
    positive = _positive(dataset, request)
    probe = ProbeConfig(kind=request.probe)
    for place, judge in enumerate(judges(source, dataset, probe, positive, request.seed)):
        # The one that leads has the plain name: it is what metrics.json is about.
        tail = "-" + judge.name.replace(" ", "_") if place else ""
        predictions = judge.predict(shown)
        follows = None
        if painted is not None:
            predictions, codes = painted.parted(predictions)
            follows = shortcut(painted.known, painted.attribute, codes, painted.of)
        predictions.save(folder / f"predictions{stem}{tail}.parquet")
        facts = {**(judge.facts or {}), "judge": judge.name, "control": judge.control}
        held = with_shortcut(inside if not place else {}, follows)
        one = Judged({**source.description, **facts}, predictions, source.training, inside=held)
        yield _looked_into(one, features, dataset, request) if main and not place else one


def _painted(source: Source, dataset: Dataset, ranks: Ranks) -> Repainted | None:
    return repainted(source.encoder, dataset, source.views, source.device, ranks)


def _looked_into(judged: Judged, features: Features, dataset: Dataset, request: Request) -> Judged:
    """Return the audited encoder with what could help, and its mistakes in pictures."""
    train = dataset.splits.get("train")
    if train is None:  # nothing to fit on, and no neighbours to show
        return judged
    made, split = judged.predictions, dataset.test_split
    if request.remedies and train.annotations.attributes:
        positive = made.positive, made.positive_source
        judged = replace(judged, remedies=tuple(try_all(features, split, positive, request.seed)))
    if request.images:
        found = mistakes(features, made, split, request.settings.min_group)
        judged = replace(judged, mistakes=found, pictures=pictures(found, dataset))
    return judged


def _positive(dataset: Dataset, request: Request) -> tuple[str, str]:
    asked = request.data.positive
    return (asked, "--positive") if asked else default_positive(dataset.label.levels)
