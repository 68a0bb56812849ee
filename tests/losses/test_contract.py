"""What every objective of the registry promises; a new file is tested here without a change."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from debias_cl.config import ObjectiveConfig
from debias_cl.errors import UsageError
from debias_cl.losses import OBJECTIVES, ObjectiveSpec
from debias_cl.losses.contract import ObjectiveContext, Targets, TrainingObjective

DIM, CLASSES, LEVELS, PIXELS = 12, 3, 2, 48

SETTINGS = {field.name for field in dataclasses.fields(ObjectiveConfig)}


class Recorder:
    """An objective's configuration that remembers which settings were read."""

    def __init__(self, config: ObjectiveConfig) -> None:
        self.config, self.read = config, set[str]()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.config, name)


def context(config: Any = None) -> ObjectiveContext:
    return ObjectiveContext(
        config=config or ObjectiveConfig(projection=(16, 8)),
        feature_dim=DIM,
        classes=CLASSES,
        bias_levels=LEVELS,
        cell_counts=torch.tensor([[8, 2], [3, 9], [5, 5]]),
        examples=100,
        make_encoder=lambda: nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, DIM)),
    )


def batch(n: int = 12, views: int = 2) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, views, DIM, generator=generator)
    label = torch.randint(0, CLASSES, (n,), generator=generator)
    bias = torch.randint(0, LEVELS, (n,), generator=generator)
    pictures = torch.randn(n, views, 3, 4, 4, generator=generator)
    return x, Targets(label, bias, torch.arange(n), views=pictures)


def made(spec: ObjectiveSpec, about: ObjectiveContext) -> TrainingObjective:
    """The objective; the test is skipped where its extra is not installed."""
    try:
        return spec.make(about)
    except UsageError as error:
        if spec.extra and isinstance(error.__cause__, ModuleNotFoundError):
            pytest.skip(f'{error.__cause__}: pip install "debias-cl[{spec.extra}]"')
        raise


def step(objective: TrainingObjective, x: Tensor, targets: Targets) -> float:
    """One backward pass; the loss as a number, all gradients finite."""
    objective.zero_grad()
    loss = objective(x, targets)
    loss.backward()
    gradients = [p.grad for p in (x, *objective.parameters()) if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert loss.ndim == 0 and loss.dtype in (torch.float32, torch.float64)
    return float(loss.detach())


@pytest.fixture(params=OBJECTIVES.names())
def entry(request: pytest.FixtureRequest) -> tuple[str, ObjectiveSpec]:
    """Each entry of the registry in turn."""
    return request.param, OBJECTIVES.get(request.param)


@pytest.fixture
def objective(entry: tuple[str, ObjectiveSpec]) -> TrainingObjective:
    """The entry's objective, built with the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return made(entry[1], context())


def test_it_cites_its_source_and_names_its_settings(entry: tuple[str, ObjectiveSpec]) -> None:
    _, spec = entry
    assert spec.title and spec.family
    assert len(spec.source) > 20
    assert set(spec.uses) <= SETTINGS - {"name"}


def test_titles_differ() -> None:
    titles = [spec.title for _, spec in OBJECTIVES]
    assert len(titles) == len(set(titles))


def test_it_reads_the_settings_that_it_names(entry: tuple[str, ObjectiveSpec]) -> None:
    _, spec = entry
    recorder = Recorder(ObjectiveConfig(projection=(16, 8)))
    made(spec, context(recorder))
    assert recorder.read - {"options", "name"} == set(spec.uses)


def test_it_builds_with_the_default_settings(entry: tuple[str, ObjectiveSpec]) -> None:
    assert isinstance(made(entry[1], context(ObjectiveConfig())), TrainingObjective)


def test_a_step_down_the_gradient_lowers_the_loss(objective: TrainingObjective) -> None:
    x, targets = batch()
    memory = {name: buffer.clone() for name, buffer in objective.named_buffers()}
    before = step(objective, x.requires_grad_(), targets)
    with torch.no_grad():
        for name, buffer in objective.named_buffers():  # weights of groups move with every call
            buffer.copy_(memory[name])
        for tensor in (x, *objective.parameters()):
            if tensor.grad is not None:
                tensor -= 1e-3 * tensor.grad
    assert float(objective(x, targets).detach()) < before


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("labels", [[0] * 6, [0, 1, 2], [1], [0, 0, 1]])
def test_it_is_finite_on_degenerate_batches(
    objective: TrainingObjective, labels: list[int], views: int
) -> None:
    n = len(labels)
    for x in (batch(n, views)[0], torch.zeros(n, views, DIM), torch.ones(n, views, DIM)):
        pictures = batch(n, views)[1].views
        targets = Targets(
            torch.tensor(labels), torch.zeros(n).long(), torch.arange(n), None, pictures
        )
        assert math.isfinite(step(objective, x.requires_grad_(), targets))


def test_it_trains_under_autocast(objective: TrainingObjective) -> None:
    x, targets = batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(x.requires_grad_(), targets)
    loss.backward()
    assert loss.isfinite() and x.grad is not None and x.grad.isfinite().all()


def test_it_needs_no_bias_where_it_says_so(
    entry: tuple[str, ObjectiveSpec], objective: TrainingObjective
) -> None:
    x, targets = batch()
    if not entry[1].needs_bias:
        targets = dataclasses.replace(targets, bias=None)
    assert math.isfinite(step(objective, x.requires_grad_(), targets))


def test_it_does_not_look_at_labels_where_it_says_so(
    entry: tuple[str, ObjectiveSpec], objective: TrainingObjective
) -> None:
    x, targets = batch()
    other = dataclasses.replace(targets, label=(targets.label + 1).flip(0) % CLASSES)
    first, second = (float(objective(x, t).detach()) for t in (targets, other))
    assert (first != second) or not entry[1].needs_label
    if not entry[1].needs_label:
        assert first == pytest.approx(second, abs=1e-6)


def test_its_classifier_predicts(objective: TrainingObjective) -> None:
    x, _ = batch()
    if objective.has_classifier:
        assert objective.predict(x[:, 0]).shape == (len(x), CLASSES)
    else:
        with pytest.raises(NotImplementedError):
            objective.predict(x[:, 0])


def test_its_diagnostics_are_numbers(objective: TrainingObjective) -> None:
    x, targets = batch()
    objective(x, targets)
    report = objective.diagnostics()
    assert all(isinstance(value, float) and math.isfinite(value) for value in report.values())
