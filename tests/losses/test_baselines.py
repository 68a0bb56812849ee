"""The baselines' second networks and queue by hand, their extra, and whole short runs."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from debias_cl.config import DataConfig, ObjectiveConfig
from debias_cl.data.batches import Batches
from debias_cl.errors import UsageError
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.contract import ObjectiveContext, Targets
from debias_cl.resolve import resolve
from debias_cl.training import train_run

pytest.importorskip("lightly", reason='needs pip install "debias-cl[baselines]"')
pytest.importorskip("pytorch_metric_learning", reason='needs pip install "debias-cl[baselines]"')

NAMES = [name for name, spec in OBJECTIVES if spec.extra == "baselines"]


def encoder() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5))


def made(name: str, **options: Any) -> Any:
    config = ObjectiveConfig(name, projection=(6, 4), options=options)
    return OBJECTIVES.get(name).make(ObjectiveContext(config, 5, 3, make_encoder=encoder))


def batch(net: nn.Module, n: int = 3) -> tuple[Tensor, Targets]:
    views = torch.randn(n, 2, 3, 2, 2)
    features: Tensor = net(views.flatten(0, 1)).reshape(n, 2, 5)
    return features, Targets(torch.zeros(n).long(), None, torch.arange(n), views=views)


def changed(net: nn.Module) -> None:
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += torch.randn_like(parameter)


@pytest.mark.parametrize("name", ["byol", "moco_v2"])
def test_the_second_network_starts_as_the_first_and_follows_it(name: str) -> None:
    net, objective = encoder(), made(name, momentum=0.9)
    objective.begin(net)
    before = net[1].weight.detach().clone()
    assert torch.equal(objective.target.encoder[1].weight, before)
    changed(net)
    objective.after_step(net)
    expected = 0.9 * before + 0.1 * net[1].weight
    torch.testing.assert_close(objective.target.encoder[1].weight, expected)
    assert not any(p.requires_grad for p in objective.target.parameters())


def test_byols_momentum_rises_to_one_along_half_a_cosine() -> None:
    net, objective = encoder(), made("byol", momentum=0.8)
    objective.begin(net)
    before = net[1].weight.detach().clone()
    changed(net)
    objective.set_progress(0.5)  # half way from 0.8 to 1
    objective.after_step(net)
    expected = 0.9 * before + 0.1 * net[1].weight
    torch.testing.assert_close(objective.target.encoder[1].weight, expected)


def test_a_queue_overwrites_its_oldest_keys_and_goes_on_at_its_beginning() -> None:
    queue = made("moco_v2", queue=5).queue
    rows = torch.arange(9.0)[:, None].expand(9, 4)
    queue.push(rows[:3])
    assert queue.keys[:3, 0].tolist() == [0, 1, 2]
    queue.push(rows[3:7])
    assert queue.keys[:, 0].tolist() == [5, 6, 2, 3, 4]
    assert int(queue.next) == 2
    queue.push(rows[:9])
    assert sorted(queue.keys[:, 0].tolist()) == [4, 5, 6, 7, 8]


def test_keys_join_the_queue_after_the_step_and_are_saved() -> None:
    net, objective = encoder(), made("moco_v2", queue=7)
    objective.begin(net)
    features, targets = batch(net)
    before = objective.queue.keys.clone()
    objective(features, targets)
    assert torch.equal(objective.queue.keys, before)
    keys = objective.target(targets.views)[:, 1]
    objective.after_step(net)
    torch.testing.assert_close(objective.queue.keys[:3], nn.functional.normalize(keys, dim=1))
    assert torch.equal(objective.queue.keys[3:], before[3:])
    other = made("moco_v2", queue=7)
    other.load_state_dict(objective.state_dict())
    assert torch.equal(other.queue.keys, objective.queue.keys) and int(other.queue.next) == 3


@pytest.mark.parametrize("name", NAMES)
def test_without_its_extra_it_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ("lightly", "pytorch_metric_learning"):
        for module in [m for m in sys.modules if m.split(".")[0] == library]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match="which is not installed") as error:
        made(name)
    assert 'pip install "debias-cl[baselines]"' in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_trains_and_a_stopped_run_goes_on_bit_for_bit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = resolve(
        DataConfig(dataset="biased_mnist_mini", train_limit=600),
        objective=name,
        preset="quick",
        overrides=["fit.epochs=2", "fit.batch_size=64"],
    )
    whole = train_run(config, tmp_path / "whole")
    epoch = Batches.epoch

    def stopped(self: Batches, number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return epoch(self, number)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Batches, "epoch", stopped)
        train_run(config, tmp_path / "part")
    part = train_run(config, tmp_path / "part")
    assert part.finished and all(math.isfinite(e["loss"]) for e in part.entries())
    assert [e["loss"] for e in part.entries()] == [e["loss"] for e in whole.entries()]
    assert part.weights.read_bytes() == whole.weights.read_bytes()
    assert part.heads.read_bytes() == whole.heads.read_bytes()
