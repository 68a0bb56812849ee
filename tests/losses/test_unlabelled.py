"""Debiasing without the bias label: second paths by plain loops, and which network is trained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from debias_cl.config import (
    DataConfig,
    EncoderConfig,
    FitConfig,
    ObjectiveConfig,
    TrainConfig,
    ViewsConfig,
)
from debias_cl.data import DATASETS
from debias_cl.data.batches import Batches
from debias_cl.data.contract import Dataset
from debias_cl.data.views import Views
from debias_cl.errors import UsageError
from debias_cl.fit import fit
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.contract import ObjectiveContext, Targets, TrainingObjective
from debias_cl.losses.flac import flac_loss
from debias_cl.losses.lff import RelativeDifficulty
from debias_cl.losses.softcon import soft_contrast
from debias_cl.runs import Run
from debias_cl.training import make_networks

DIM, CLASSES, EXAMPLES = 6, 3, 40
FIRST_PART = {
    "jtt": ("identify", "identification"),
    "softcon": ("warmup", "bias_network"),
    "flac": ("warmup", "bias_network"),
    "badd": ("warmup", "bias_network"),
}
"""Objectives that train another network first -> its share of the run, and its name."""

TABLES = ("lff", "jtt")
ALL = ("gce", "lff", *FIRST_PART)


def made(name: str, examples: int = EXAMPLES, **options: Any) -> Any:
    torch.manual_seed(0)
    return OBJECTIVES.get(name).make(
        ObjectiveContext(
            config=ObjectiveConfig(name, projection=(8, 4), options=options),
            feature_dim=DIM,
            classes=CLASSES,
            examples=examples,
            make_encoder=lambda: nn.Sequential(
                nn.Flatten(), nn.Linear(12, DIM), nn.BatchNorm1d(DIM), nn.ReLU()
            ),
        )
    )


def batch(n: int = 10, views: int = 2, seed: int = 0) -> tuple[Tensor, Targets]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, views, DIM, generator=generator, requires_grad=True)
    label = torch.arange(n) % CLASSES
    index = torch.randperm(EXAMPLES, generator=generator)[:n]
    shown = torch.randn(n, views, 3, 2, 2, generator=generator)
    return x, Targets(label, None, index, views=shown)


def moved(objective: TrainingObjective) -> set[str]:
    """Names of the parts that the last backward pass gave a gradient."""
    named = objective.named_parameters()
    return {name.split(".")[0] for name, value in named if value.grad is not None}


@pytest.mark.parametrize("views", [1, 3])
def test_softcon_by_a_double_loop(views: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(7, views, 4, generator=generator, dtype=torch.float64)
    bias = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    label = [0, 0, 1, 1, 1, 2, 0]  # label 2 occurs once: its rows add 0
    unit, tau, total = x / x.norm(dim=-1, keepdim=True), 0.2, 0.0
    rows = [(i, v) for i in range(7) for v in range(views)]
    for i, v in rows:
        s = {(j, w): float(unit[i, v] @ unit[j, w]) / tau for j, w in rows if (j, w) != (i, v)}
        log_all = math.log(sum(math.exp(value) for value in s.values()))
        weights = {
            key: 1 - float(bias[i] @ bias[key[0]] / bias[i].norm() / bias[key[0]].norm())
            for key in s
            if key[0] != i and label[key[0]] == label[i]
        }
        whole = sum(weights.values())
        total -= sum(w * (s[key] - log_all) for key, w in weights.items()) / (whole or 1.0)
    found = soft_contrast(x, bias, torch.tensor(label), tau)
    assert float(found) == pytest.approx(total / len(rows), rel=1e-10)


def test_softcon_without_differences_in_bias_adds_nothing() -> None:
    x, targets = batch()
    for bias in (torch.ones(10, 5), torch.full((10, 5), 0.37), torch.arange(5.0).repeat(10, 1)):
        assert float(soft_contrast(x, bias, targets.label, 0.1).detach()) == 0.0


def test_softcon_in_chunks_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x, targets = batch()
    bias = torch.randn(10, 5, generator=torch.Generator().manual_seed(3))
    whole = soft_contrast(x, bias, targets.label, 0.1)
    slope = torch.autograd.grad(whole, x)[0]
    monkeypatch.setattr("debias_cl.losses.softcon.ROWS", 7)
    parts = soft_contrast(x, bias, targets.label, 0.1)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, x)[0], slope)


def test_flac_by_a_double_loop() -> None:
    generator = torch.Generator().manual_seed(2)
    x, b = (torch.randn(8, k, generator=generator, dtype=torch.float64) for k in (4, 3))
    label, d = [0, 0, 0, 1, 1, 2, 2, 2], 0.5

    def likeness(rows: Tensor) -> list[list[float]]:
        distance = [[math.sqrt(float((p - q).square().sum()) + 1e-6) for q in rows] for p in rows]
        return [[1 / (1 + r**d) for r in row] for row in distance]

    u, v = likeness(b), likeness(x)
    threshold = (max(map(max, u)) + min(map(min, u))) / 2
    chosen = [
        [j for j in range(8) if (label[i] == label[j]) == (u[i][j] < threshold)] for i in range(8)
    ]
    terms = []
    for i in range(8):
        for j in chosen[i]:
            p = (1 - u[i][j]) / (1e-7 + sum(1 - u[i][k] for k in chosen[i]))
            q = v[i][j] / (1e-7 + sum(v[i][k] for k in chosen[i]))
            terms.append((p - q) * (math.log(p) - math.log(q)))
    found = flac_loss(x, b, torch.tensor(label), d)
    assert float(found) == pytest.approx(sum(terms) / len(terms), rel=1e-10)


@pytest.mark.parametrize("d", [0.5, 1.0, 4.0])
def test_flac_is_finite_where_rows_coincide(d: float) -> None:
    x = torch.randn(4, DIM, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    x.requires_grad_()
    bias = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)).round()
    loss = flac_loss(x, bias, torch.arange(8) % 3, d)
    assert loss.isfinite() and torch.autograd.grad(loss, x)[0].isfinite().all()


def test_relative_difficulty_by_a_loop() -> None:
    label = torch.tensor([0, 1, 0, 1, 2, 0])
    rng = torch.Generator().manual_seed(5)
    found = RelativeDifficulty(6, 3, alpha=0.6).double()
    tables: list[dict[int, float]] = [{}, {}]
    for rows in ([0, 1, 4], [2, 0, 3], [5, 1, 0], [4, 3, 2]):
        index = torch.tensor(rows)
        losses = torch.rand(2, 3, generator=rng, dtype=torch.float64)
        weight = found(losses[0], losses[1], label[index], index)
        for table, loss in zip(tables, losses.tolist(), strict=True):
            for row, value in zip(rows, loss, strict=True):
                table[row] = 0.6 * table[row] + 0.4 * value if row in table else value
        for k, row in enumerate(rows):
            n_b, n_d = (
                table[row] / max(e for r, e in table.items() if label[r] == label[row])
                for table in tables
            )
            assert float(weight[k]) == pytest.approx(n_b / (n_b + n_d + 1e-8), rel=1e-12)


def test_relative_difficulty_of_losses_that_are_zero_is_zero() -> None:
    difficulty = RelativeDifficulty(4, 2, alpha=0.7)
    weight = difficulty(torch.zeros(2), torch.zeros(2), torch.tensor([0, 1]), torch.tensor([3, 1]))
    assert weight.tolist() == [0.0, 0.0]


def test_lff_trains_both_and_does_not_let_the_weights_pull() -> None:
    objective = made("lff")
    x, targets = batch()
    objective(x, targets).backward()
    assert moved(objective) == {"twin", "classifier"} and x.grad is not None
    assert 0 < objective.diagnostics()["mean_weight"] < 1
    assert objective.diagnostics() == {}


@pytest.mark.parametrize("name", FIRST_PART)
def test_the_other_network_is_trained_first_and_the_main_one_after_it(name: str) -> None:
    share, other = FIRST_PART[name]
    objective = made(name, **{share: 0.5})
    objective.set_progress(0.49)
    x, targets = batch()
    objective(x, targets).backward()
    assert moved(objective) == {other} and x.grad is None
    objective.zero_grad()
    before = {
        key: value.clone() for key, value in objective.get_submodule(other).state_dict().items()
    }
    objective.set_progress(0.5)
    objective(x, targets).backward()
    assert other not in moved(objective) and "classifier" in moved(objective)
    assert x.grad is not None and x.grad.abs().sum() > 0
    for key, value in objective.get_submodule(other).state_dict().items():
        assert torch.equal(value, before[key]), key  # the running statistics of batch norm too


@pytest.mark.parametrize("name", FIRST_PART)
@pytest.mark.parametrize("labels", [[0] * 4, [1], [0, 1, 2], [0, 0, 1]])
@pytest.mark.parametrize("views", [2, 3])
def test_the_first_part_is_finite_on_degenerate_batches(
    name: str, labels: list[int], views: int
) -> None:
    objective = made(name)
    objective.set_progress(0.0)
    x, targets = batch(len(labels), views)
    targets = Targets(torch.tensor(labels), None, targets.index, views=targets.views)
    loss = objective(x, targets)
    loss.backward()
    assert loss.isfinite() and loss.dtype == torch.float32
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)
    report = objective.diagnostics()
    assert all(0 <= value <= 1 for value in report.values()) and report


def test_jtt_weighs_what_the_identification_network_got_wrong() -> None:
    objective = made("jtt", upweight=7.0)
    x, targets = batch()
    objective.set_progress(0.0)
    with torch.no_grad():
        guess = objective.identification(targets.views).mean(1).argmax(1)
    objective(x, targets)
    wrong = {int(i): bool(w) for i, w in zip(targets.index, guess != targets.label, strict=True)}
    assert 0 < sum(wrong.values()) < len(wrong)
    assert objective.diagnostics()["error_set"] == pytest.approx(sum(wrong.values()) / EXAMPLES)
    objective.set_progress(0.9)
    logits = objective.predict(x).log_softmax(-1)
    total, rows = 0.0, 0
    for i, row in enumerate(targets.index.tolist()):
        for v in range(x.shape[1]):
            loss = -float(logits[i, v, targets.label[i]].detach())
            total, rows = total + (7.0 if wrong[row] else 1.0) * loss, rows + 1
    mean = (sum(wrong.values()) * 7.0 + EXAMPLES - sum(wrong.values())) / EXAMPLES
    assert float(objective(x, targets).detach()) == pytest.approx(total / rows / mean, rel=1e-5)


def test_badd_adds_in_training_alone() -> None:
    objective = made("badd", m=0.5)
    x, targets = batch()
    bias = objective.bias_network.frozen_features(targets.views)
    logits = objective.classifier(x + 0.5 * bias).flatten(0, 1)
    expected = nn.functional.cross_entropy(logits, targets.label.repeat_interleave(2))
    torch.testing.assert_close(objective(x, targets), expected)
    torch.testing.assert_close(objective.predict(x), objective.classifier(x))


@pytest.mark.parametrize("name", TABLES)
def test_tables_need_to_know_the_number_of_pictures(name: str) -> None:
    with pytest.raises(UsageError, match="table over the training pictures"):
        made(name, examples=0)


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("gce", "q", 0.0),
        ("lff", "q", 1.5),
        ("lff", "alpha", 1.0),
        ("jtt", "identify", 1.0),
        ("jtt", "upweight", 0.5),
        ("softcon", "warmup", -0.1),
        ("softcon", "ce_weight", -1.0),
        ("flac", "d", 0.0),
        ("flac", "alpha", math.inf),
        ("badd", "m", -1.0),
    ],
)
def test_options_that_cannot_be_are_refused(name: str, option: str, value: float) -> None:
    with pytest.raises(UsageError, match=option):
        made(name, **{option: value})


class Stops:
    """Batches that raise Ctrl-C in the second epoch."""

    def __init__(self, inner: Batches) -> None:
        self.inner = inner

    def __len__(self) -> int:
        return len(self.inner)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        for i, one in enumerate(self.inner.epoch(epoch)):
            if (epoch, i) == (1, 1):
                raise KeyboardInterrupt
            yield one


@pytest.fixture(scope="module")
def few() -> Dataset:
    """The mini digits."""
    return DATASETS.get("biased_mnist_mini").load(DataConfig(image_size=28))


def trained(name: str, dataset: Dataset, folder: Path, *, stop: bool = False) -> Run:
    """Train three epochs on the first 192 digits; with `stop`, no further than into the second."""
    options = dict(OBJECTIVES.get(name).options)
    options |= {share: 0.4 for share in ("warmup", "identify") if share in options}
    config = TrainConfig(
        data=DataConfig(image_size=28),
        encoder=EncoderConfig("slim"),
        objective=ObjectiveConfig(name, projection=(16, 8), options=options),
        fit=FitConfig(epochs=3, batch_size=48),
    )
    encoder, objective = make_networks(config, dataset)
    views = Views(ViewsConfig(rotation=10.0), dataset.mean, dataset.std)
    train = dataset.split("train")
    assert train.annotations.truth is not None
    source = Batches(train.images[:192], train.annotations.truth[:192], None, views, 48)
    run = Run.create_or_open(folder, config)
    if stop:
        with pytest.raises(KeyboardInterrupt):
            fit(encoder, objective, Stops(source), config, run)
    else:
        fit(encoder, objective, source, config, run)
    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_a_stopped_run_goes_on_bit_for_bit(name: str, few: Dataset, tmp_path: Path) -> None:
    whole = trained(name, few, tmp_path / "whole")
    trained(name, few, tmp_path / "parts", stop=True)
    torch.rand(3)  # whatever else used the random state in between
    parts = trained(name, few, tmp_path / "parts")
    assert [entry["epoch"] for entry in parts.entries()] == [1, 2, 3]
    for path in ("weights", "heads"):
        one, other = (safetensors.torch.load_file(getattr(run, path)) for run in (whole, parts))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    losses = [[entry["loss"] for entry in run.entries()] for run in (whole, parts)]
    assert losses[0] == losses[1] and all(map(math.isfinite, losses[0]))
