"""The objectives that use the bias label, against plain double loops over rows and pairs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from debias_cl.config import DataConfig, ObjectiveConfig
from debias_cl.data.batches import Batches
from debias_cl.errors import UsageError
from debias_cl.losses import OBJECTIVES
from debias_cl.losses.biasbal import BiasBalLoss
from debias_cl.losses.biascon import BiasConLoss
from debias_cl.losses.contract import ObjectiveContext, Targets, TrainingObjective
from debias_cl.losses.end import end_terms
from debias_cl.losses.fairkl import fairkl
from debias_cl.losses.fscl import FORMS, FSCLLoss
from debias_cl.losses.group_dro import GroupDRO, GroupDROLoss
from debias_cl.resolve import resolve
from debias_cl.training import train_run

NAMES = ("biasbal", "biascon", "biascon_biasbal", "end", "fairkl", "fscl", "group_dro")
COUNTS = torch.tensor([[40, 3], [0, 9], [5, 20]])
TAU, BASE, DIM = 0.2, 0.07, 5


def draw(seed: int, b: int = 9, views: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(b, views, DIM, generator=generator, dtype=torch.float64)
    label = torch.randint(0, 3, (b,), generator=generator)
    return x.requires_grad_(), label, torch.randint(0, 2, (b,), generator=generator)


def number(value: Tensor) -> float:
    return value.detach().item()


def unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x, dim=-1)


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sum() / len(values)


def log_sum(values: list[Tensor]) -> Tensor:
    return torch.stack(values).exp().sum().log()


def assert_same(found: Tensor, expected: Tensor, x: Tensor) -> None:
    """Value and gradient with respect to x."""
    slopes = [torch.autograd.grad(value, x, retain_graph=True)[0] for value in (found, expected)]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(*slopes, rtol=1e-10, atol=1e-10)


def rows_of(x: Tensor) -> tuple[list[tuple[int, int]], dict[tuple[int, int], Tensor]]:
    keys = list(itertools.product(range(x.shape[0]), range(x.shape[1])))
    return keys, {key: unit(x[key]) for key in keys}


def biascon_by_loops(x: Tensor, label: Tensor, bias: Tensor) -> Tensor:
    keys, z = rows_of(x)
    total = x.sum() * 0
    for i in keys:
        s = {j: z[i] @ z[j] / TAU for j in keys if j != i}
        positives = [s[j] for j in s if label[j[0]] == label[i[0]] and bias[j[0]] != bias[i[0]]]
        if positives:
            total = total + log_sum(list(s.values())) - mean(positives)
    return total / len(keys)


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_biascon_is_its_formula(seed: int, views: int) -> None:
    x, label, bias = draw(seed, views=views)
    found: Tensor = BiasConLoss(TAU)(x, label, bias)
    assert_same(found, biascon_by_loops(x, label, bias), x)


def test_biascon_pushes_the_own_other_view_away() -> None:
    x = torch.tensor([[[1.0, 0.0], [0.8, 0.6]], [[0.6, 0.8], [0.0, 1.0]]], requires_grad=True)
    BiasConLoss(0.5)(x, torch.tensor([0, 0]), torch.tensor([0, 1])).backward()
    assert x.grad is not None
    # the outer row of the first image is pushed from its own view, so towards the other image
    assert x.grad[0, 1] @ torch.tensor([-0.6, 0.8]) < 0


def test_biascon_counts_anchors_without_positives() -> None:
    loss = BiasConLoss()
    loss(torch.randn(4, 2, 3), torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]))
    assert loss.diagnostics() == {"anchors_without_positives": 0.5}
    assert loss.diagnostics() == {}


def fscl_by_loops(
    x: Tensor, label: Tensor, bias: Tensor, name: str, group_norm: bool, scale: float
) -> Tensor:
    keys, z = rows_of(x)
    form, total = FORMS[name], x.sum() * 0

    def alike(i: tuple[int, int], j: tuple[int, int]) -> bool:
        return i != j and (i[0] == j[0] if form.own_views else bool(label[i[0]] == label[j[0]]))

    def compared(i: tuple[int, int], j: tuple[int, int]) -> bool:
        near = not form.within_bias or bool(bias[i[0]] == bias[j[0]])
        return i != j and near and (not form.other_labels or bool(label[i[0]] != label[j[0]]))

    own = {k: sum(alike(k, j) and bool(bias[j[0]] == bias[k[0]]) for j in keys) for k in keys}
    for i in keys:
        s = {j: z[i] @ z[j] / TAU for j in keys if j != i}
        denominator = [s[j] for j in s if compared(i, j)]
        positives = [j for j in s if alike(i, j)]
        if not denominator or not positives:
            continue
        pulls = {j: log_sum(denominator) - s[j] for j in positives}
        if group_norm:
            parts = [pulls[j] / max(own[j], 1) for j in positives]
            total = total + torch.stack(parts).sum() * len(keys) / scale / (own[i] + 1)
        else:
            total = total + mean(list(pulls.values()))
    return total * TAU / BASE / len(keys)


@pytest.mark.parametrize("name", list(FORMS))
@pytest.mark.parametrize("group_norm", [False, True])
@pytest.mark.parametrize(("seed", "views"), [(0, 1), (1, 2), (2, 3), (3, 2)])
def test_fscl_is_its_formula(name: str, group_norm: bool, seed: int, views: int) -> None:
    x, label, bias = draw(seed, b=7, views=views)
    found: Tensor = FSCLLoss(TAU, BASE, name, group_norm, 6.0)(x, label, bias)
    expected = fscl_by_loops(x, label, bias, name, group_norm, 6.0)
    if expected.requires_grad and found.item():
        assert_same(found, expected, x)
    assert found.item() == pytest.approx(expected.item(), rel=1e-10, abs=1e-12)


def test_fscl_counts_what_does_not_apply() -> None:
    loss = FSCLLoss()
    # image 2 has no negative of its bias, and alone its label
    loss(torch.randn(3, 1, 3), torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]))
    shares = loss.diagnostics()
    assert shares["anchors_without_negatives"] == pytest.approx(1 / 3)
    assert shares["anchors_without_positives"] == pytest.approx(1 / 3)


def test_fscl_compares_more_rows_than_a_tile_holds() -> None:
    x, label, bias = draw(5, b=300)
    whole: Tensor = FSCLLoss(TAU, BASE)(x, label, bias)
    z = torch.nn.functional.normalize(x, dim=-1).flatten(0, 1)
    y, a, s = label.repeat_interleave(2), bias.repeat_interleave(2), z @ z.T / TAU
    same = (y[:, None] == y) & ~torch.eye(len(y), dtype=torch.bool)
    against = (y[:, None] != y) & (a[:, None] == a)
    logs = s.masked_fill(~against, -torch.inf).logsumexp(1)
    expected = (logs - (s * same).sum(1) / same.sum(1)).mean() * TAU / BASE
    assert_same(whole, expected, x)


def end_by_loops(x: Tensor, label: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    rows = [unit(row) for row in x]
    pairs = list(itertools.combinations(range(len(rows)), 2))
    g = {(i, j): rows[i] @ rows[j] for i, j in pairs}
    equal = [p for p in pairs if bias[p[0]] == bias[p[1]]]
    of_level = [
        torch.stack([g[p] for p in equal if bias[p[0]] == level] or [x.sum() * 0]).sum().abs()
        for level in range(2)
    ]
    across = [(1 + g[p]) / 2 for p in pairs if label[p[0]] == label[p[1]] and p not in equal]
    orthogonal = torch.stack(of_level).sum() / max(len(equal), 1)
    return orthogonal, (1 - mean(across) if across else x.sum() * 0)


@pytest.mark.parametrize("seed", range(5))
def test_end_is_its_formula_in_any_order_of_rows(seed: int) -> None:
    x, label, bias = draw(seed, views=1)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    found = end_terms(x[order, 0], label[order], bias[order])
    for ours, theirs in zip(found, end_by_loops(x[:, 0], label, bias), strict=True):
        assert_same(ours, theirs, x)


def fairkl_by_loops(
    x: Tensor, label: Tensor, bias: Tensor, kld: float, temperature: float
) -> Tensor:
    rows, total = [unit(row) for row in x], x.sum() * 0
    pairs = list(itertools.combinations(range(len(rows)), 2))
    for one_label in (True, False):
        kind = [(i, j) for i, j in pairs if (label[i] == label[j]) == one_label]
        sets = [
            [rows[i] @ rows[j] / temperature for i, j in kind if (bias[i] == bias[j]) == one_bias]
            for one_bias in (True, False)
        ]
        if all(sets):
            a, b = (mean(values) for values in sets)
            total = total + (a - b) ** 2
        if min(len(values) for values in sets) > 1:
            a, b = (torch.stack(values).std() for values in sets)
            total = total + kld * (a - b) ** 2
    return total


@pytest.mark.parametrize(("kld", "temperature"), [(0.0, 1.0), (1.0, 1.0), (0.3, 0.5)])
@pytest.mark.parametrize("seed", range(4))
def test_fairkl_is_its_formula(seed: int, kld: float, temperature: float) -> None:
    x, label, bias = draw(seed, views=1)
    found = fairkl(x[:, 0], label, bias, kld=kld, temperature=temperature)
    assert_same(found, fairkl_by_loops(x[:, 0], label, bias, kld, temperature), x)


def fairkl_code_by_loops(x: Tensor, label: Tensor, bias: Tensor, kld: float) -> Tensor:
    n, rows = len(x), [unit(row) for row in x]
    moments = {}
    for one_label, one_bias in itertools.product((True, False), repeat=2):
        inside, entries = [], []
        for i, j in itertools.product(range(n), repeat=2):
            member = ((label[i] == label[j]) == one_label) and ((bias[i] == bias[j]) == one_bias)
            entries.append(rows[i] @ rows[j] if member else x.sum() * 0)
            inside += [entries[-1]] if member else []
        moments[one_label, one_bias] = mean(inside), torch.stack(entries).std()
    near, other = moments[True, True], moments[True, False]
    far, far_other = moments[False, True], moments[False, False]
    squares = [(other[k] - near[k]) ** 2 + (far[k] - far_other[k]) ** 2 for k in (0, 1)]
    return squares[0] + kld * squares[1] - other[0] + far[0]


@pytest.mark.parametrize("seed", range(4))
def test_fairkl_as_coded_is_its_formula(seed: int) -> None:
    x, label, bias = draw(seed, b=12, views=1)
    found = fairkl(x[:, 0], label, bias, kld=0.7, form="code")
    assert_same(found, fairkl_code_by_loops(x[:, 0], label, bias, 0.7), x)


def test_fairkl_is_zero_where_bias_does_not_matter() -> None:
    x = torch.eye(2, 3, dtype=torch.float64)[[0, 0, 0, 0, 1, 1, 1, 1]].requires_grad_()
    label = torch.tensor([0] * 4 + [1] * 4)
    value = fairkl(x, label, torch.tensor([0, 1] * 4))  # features that are the label alone
    (gradient,) = torch.autograd.grad(value, x)
    assert number(value) == 0 and gradient.isfinite().all()
    biased = torch.eye(2, 3, dtype=torch.float64)[[0, 1] * 4]
    assert number(fairkl(biased, label, torch.tensor([0, 1] * 4))) == pytest.approx(2)
    assert number(fairkl(biased, label, torch.zeros(8).long())) == 0  # nothing to compare


def test_biasbal_adds_the_log_share_of_each_label_given_the_bias() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 3, generator=generator, dtype=torch.float64).requires_grad_()
    before = logits.detach().clone()
    label, bias = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1]), torch.tensor([0, 1, 0, 1, 1, 1, 0, 1])
    total = logits.sum() * 0
    for row, y, b in zip(logits, label, bias, strict=True):
        column = COUNTS[:, b].double()
        shifted = row + (column / column.sum() + 1e-9).log()
        total = total + log_sum(list(shifted)) - shifted[y]
    found: Tensor = BiasBalLoss(COUNTS)(logits, label, bias)
    assert_same(found, total / 8, logits)
    assert torch.equal(logits.detach(), before)


def test_biasbal_of_empty_cells_and_levels_is_finite() -> None:
    shifts = BiasBalLoss(torch.tensor([[4, 0], [0, 0]])).shifts(torch.float32)
    assert shifts[0, 1] == pytest.approx(math.log(1e-9))
    assert shifts[1].tolist() == [0.0, 0.0]


def group_dro_by_loops(
    q: list[float], logits: Tensor, label: Tensor, group: Tensor, counts: list[int], c: float
) -> tuple[Tensor, list[float]]:
    losses = []
    for g, n in enumerate(counts):
        rows = [
            log_sum(list(row)) - row[y]
            for row, y, own in zip(logits, label, group, strict=True)
            if own == g
        ]
        losses.append((mean(rows) if rows else logits.sum() * 0) + (c / n**0.5 if n else 0.0))
    q = [w * math.exp(0.1 * number(loss)) for w, loss in zip(q, losses, strict=True)]
    q = [w / sum(q) for w in q]
    return torch.stack([w * loss for w, loss in zip(q, losses, strict=True)]).sum(), q


@pytest.mark.parametrize("adjustment", [0.0, 2.0])
def test_group_dro_is_its_algorithm_over_several_steps(adjustment: float) -> None:
    counts = [8, 2, 0, 5]
    loss = GroupDROLoss(torch.tensor(counts), 0.1, adjustment).double()
    q = [1 / 3, 1 / 3, 0.0, 1 / 3]
    torch.testing.assert_close(
        loss.weights, torch.tensor(q, dtype=torch.float64), atol=1e-7, rtol=0
    )
    loss.log_weights.copy_(torch.tensor(q, dtype=torch.float64).log())
    generator = torch.Generator().manual_seed(1)
    for _ in range(4):
        logits = torch.randn(6, 3, generator=generator, dtype=torch.float64).requires_grad_()
        label = torch.randint(0, 3, (6,), generator=generator)
        group = torch.tensor([0, 1, 3])[torch.randint(0, 3, (6,), generator=generator)]
        found: Tensor = loss(logits, label, group)
        expected, q = group_dro_by_loops(q, logits, label, group, counts, adjustment)
        assert_same(found, expected, logits)
        assert loss.weights.tolist() == pytest.approx(q, rel=1e-10)


def test_group_dro_weights_stand_still_in_evaluation_and_are_saved() -> None:
    loss = GroupDROLoss(torch.tensor([3, 4]), step_size=1.0)
    batch = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), torch.tensor([0, 1])
    loss(*batch)
    kept, moved = loss.state_dict(), loss.weights.clone()
    assert moved[1] > 0.5
    loss.eval()(*batch)
    assert torch.equal(loss.weights, moved)
    again = GroupDROLoss(torch.tensor([3, 4]), step_size=1.0)
    again.load_state_dict(kept)
    assert torch.equal(again.weights, moved)


def made(name: str, **options: Any) -> TrainingObjective:
    config = ObjectiveConfig(name, temperature=TAU, projection=(8, 4), options=options)
    torch.manual_seed(0)
    context = ObjectiveContext(config, DIM, 3, bias_levels=2, cell_counts=COUNTS, examples=80)
    return OBJECTIVES.get(name).make(context).double()


def batch(seed: int = 0) -> tuple[Tensor, Targets]:
    x, label, bias = draw(seed)
    label, bias = label.clone(), bias.clone()
    bias[label == 1] = 1  # the cell (1, 0) is empty in training
    return x, Targets(label, bias, torch.arange(len(x)))


def test_biascon_adds_a_hundredth_of_the_cross_entropy() -> None:
    x, targets = batch()
    objective: Any = made("biascon")
    assert targets.bias is not None
    contrast = objective.loss(objective.head(x), targets.label, targets.bias)
    rows, label = objective.predict(x.flatten(0, 1)), targets.label.repeat_interleave(2)
    expected = contrast + 0.01 * torch.nn.functional.cross_entropy(rows, label)
    assert number(objective(x, targets)) == pytest.approx(number(expected), rel=1e-12)
    both: Any = made("biascon_biasbal", ce_weight=1.0)
    shifted = number(both(x, targets)) - number(
        both.loss(both.head(x), targets.label, targets.bias)
    )
    assert shifted == pytest.approx(number(both.classification(x, targets)), rel=1e-9)


def test_end_adds_the_mean_over_views_to_the_cross_entropy() -> None:
    x, targets = batch()
    assert targets.bias is not None
    parts = [end_terms(x[:, v], targets.label, targets.bias) for v in range(2)]
    plain, full = (number(made("end", alpha=a, beta=b)(x, targets)) for a, b in ((0, 0), (2, 3)))
    expected = sum(2 * number(orthogonal) + 3 * number(parallel) for orthogonal, parallel in parts)
    assert full - plain == pytest.approx(expected / 2, rel=1e-9)
    assert plain == pytest.approx(number(made("cross_entropy")(x, targets)), rel=1e-12)


def test_fairkl_is_added_to_eps_supinfonce() -> None:
    x, targets = batch()
    assert targets.bias is not None
    alone, full = (number(made("fairkl", weight=w)(x, targets)) for w in (0.0, 2.0))
    expected = 2 * number(fairkl(x[:, 0], targets.label, targets.bias))
    assert full - alone == pytest.approx(expected, rel=1e-9)
    assert alone == pytest.approx(number(made("eps_supinfonce")(x, targets)), rel=1e-12)


def test_group_dro_groups_are_the_cells() -> None:
    x, targets = batch()
    objective: Any = made("group_dro")
    assert isinstance(objective, GroupDRO) and targets.bias is not None
    objective(x, targets)
    weights = objective.loss.weights.view(3, 2)
    assert weights[1, 0] == 0
    absent = [
        (y, b)
        for y, b in itertools.product(range(3), range(2))
        if COUNTS[y, b] and not ((targets.label == y) & (targets.bias == b)).any()
    ]
    present = [number(w) for w in weights.flatten() if w > 0]
    assert all(number(weights[cell]) == min(present) for cell in absent)
    report = objective.diagnostics()
    assert report["largest_group_weight"] == pytest.approx(max(present))


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_pictures_does_not_matter(name: str) -> None:
    x, targets = batch(3)
    order = torch.arange(len(x)).flip(0)
    assert targets.bias is not None
    other = Targets(targets.label[order], targets.bias[order], order)
    found = [number(made(name)(*given)) for given in ((x, targets), (x[order], other))]
    assert found[0] == pytest.approx(found[1], rel=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_the_bias_matters_and_must_be_known(name: str) -> None:
    x, targets = batch(3)
    assert targets.bias is not None
    other = dataclasses.replace(targets, bias=targets.bias.roll(1))
    assert number(made(name)(x, targets)) != number(made(name)(x, other))
    with pytest.raises(UsageError, match="bias attribute"):
        made(name)(x, dataclasses.replace(targets, bias=None))
    with pytest.raises(UsageError, match="needs to know the bias attribute"):
        OBJECTIVES.get(name).make(ObjectiveContext(ObjectiveConfig(name), DIM, 3))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("biasbal", {"floor": 0.0}, "floor is 0"),
        ("biascon", {"ce_weight": -1.0}, "ce_weight is -1"),
        ("end", {"alpha": math.nan}, "alpha is nan"),
        ("fairkl", {"form": "cod"}, "form is 'cod'"),
        ("fairkl", {"weight": -1.0}, "weight is -1"),
        ("fairkl", {"fairkl_temperature": 0.0}, "fairkl_temperature is 0"),
        ("fscl", {"form": "FSC"}, "form is 'FSC'"),
        ("fscl", {"group_norm_scale": 0.0}, "group_norm_scale is 0"),
        ("group_dro", {"step_size": 0.0}, "step_size is 0"),
        ("group_dro", {"adjustment": -1.0}, "adjustment is -1"),
        ("group_dro", {"stepsize": 1.0}, "no option 'stepsize'"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    name: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        made(name, **options)


@pytest.mark.parametrize("loss", [BiasConLoss(), FSCLLoss()])
@pytest.mark.parametrize("bias", [torch.zeros(3).long(), torch.zeros(4)])
def test_bias_codes_must_be_one_integer_an_image(loss: Callable[..., Tensor], bias: Tensor) -> None:
    with pytest.raises(UsageError, match="bias codes are"):
        loss(torch.randn(4, 2, 3), torch.zeros(4).long(), bias)


def stopped_before(epoch: int) -> Callable[[Batches, int], Any]:
    """Batches.epoch that raises Ctrl-C when an epoch is to begin."""
    plain = Batches.epoch

    def made(self: Batches, number: int) -> Any:
        if number == epoch:
            raise KeyboardInterrupt
        return plain(self, number)

    return made


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["shuffle", "group_balanced"])
@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_was_stopped_goes_on_bit_for_bit(
    name: str, sampling: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = resolve(
        DataConfig(dataset="biased_mnist_mini", train_limit=500, rho=0.9),
        objective=name,
        preset="quick",
        overrides=["fit.epochs=2", "fit.batch_size=64", f"fit.sampling={sampling}"],
    )
    whole = train_run(config, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Batches, "epoch", stopped_before(1))
        train_run(config, tmp_path / "part")
    part = train_run(config, tmp_path / "part")
    losses = [entry["loss"] for entry in whole.entries()]
    assert losses == [entry["loss"] for entry in part.entries()]
    assert len(losses) == 2 and all(map(math.isfinite, losses))
    assert part.weights.read_bytes() == whole.weights.read_bytes()
    assert part.heads.read_bytes() == whole.heads.read_bytes()
    balanced = "group-balanced" in whole.entries()[0].get("note", "")
    assert balanced == (sampling == "group_balanced")
