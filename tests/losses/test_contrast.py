"""The contrastive family against plain double loops, and what must not change its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from debias_cl.errors import UsageError
from debias_cl.losses import ConTeXLoss, NTXentLoss, SupConLoss
from debias_cl.losses.family import FamilyLoss

LABELS = {
    "unequal": [0, 0, 1, 0, 2, 1],
    "unsorted": [7, -3, 7, 2**40, -3, 7],
    "one class": [5] * 5,
    "all different": [3, 1, 4, 0, 5],
    "one image": [0],
    "none": None,
}


def features_for(labels: list[int] | None, views: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    n = 4 if labels is None else len(labels)
    x = torch.randn(n, views, 3, generator=generator, dtype=torch.float64)
    return x.requires_grad_()


def run(
    loss: FamilyLoss, x: Tensor, labels: list[int] | None, tile: int = 0
) -> tuple[Tensor, Tensor]:
    loss.tile = tile
    value = loss(x, None if labels is None else torch.tensor(labels))
    (gradient,) = torch.autograd.grad(value, x)
    return value, gradient


@pytest.mark.parametrize("views", [1, 2, 3])
@pytest.mark.parametrize("layout", LABELS)
def test_value_and_gradient_equal_the_double_loop(
    objective: Any, by_hand: Callable[..., Tensor], layout: str, views: int
) -> None:
    labels = LABELS[layout]
    x = features_for(labels, views)
    expected = by_hand(objective, x, labels, 0.1)
    (slope,) = torch.autograd.grad(expected, x)
    for tile in (0, 1, 3, 4):  # one tile; then tiles that cut through labels and images
        value, gradient = run(objective.build(0.1), x, labels, tile)
        torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("tile", [0, 3])
def test_small_temperature_equals_the_double_loop(
    objective: Any, by_hand: Callable[..., Tensor], tile: int
) -> None:
    # 1 / temperature = 500: beyond what plain exponentials of float64 sums allow here
    labels = [0, 1, 0, 1, 2]
    x = features_for(labels, 2)
    expected = by_hand(objective, x, labels, 0.002)
    (slope,) = torch.autograd.grad(expected, x)
    value, gradient = run(objective.build(0.002), x, labels, tile)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("tile", [0, 2])
def test_opposite_vectors_at_temperature_001_in_float32(objective: Any, tile: int) -> None:
    # positives agree, negatives point the other way: exp(-200) is 0 in float32, its log is not
    x = torch.tensor([[[1.0, 0.0]] * 2, [[-1.0, 0.0]] * 2, [[1.0, 0.0]] * 2], requires_grad=True)
    value, gradient = run(objective.build(0.01), x, [0, 1, 0], tile)
    exact, slope = run(objective.build(0.01), x.detach().double().requires_grad_(), [0, 1, 0], tile)
    assert torch.isfinite(value)
    torch.testing.assert_close(value.double(), exact, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-5, atol=1e-5)


def test_opposite_vectors_by_hand() -> None:
    # one negative pair at s = -100, the other view at s = +100: L_a = -200
    x = torch.tensor([[[1.0, 0.0]] * 2, [[-1.0, 0.0]] * 2])
    loss = ConTeXLoss(temperature=0.01, base_temperature=0.01, weight=1.0)
    assert loss(x, torch.tensor([0, 1])).item() == pytest.approx(-200 + 0.6931472, abs=1e-4)


@pytest.mark.parametrize("tile", [0, 3])
@pytest.mark.parametrize("temperature", [0.2, 0.003])
def test_gradcheck(objective: Any, temperature: float, tile: int) -> None:
    loss = objective.build(temperature)
    loss.tile = tile
    x = features_for([0, 1, 0, 2], 2, seed=3)
    y = torch.tensor([0, 1, 0, 2])
    # a step small beside the curvature, which grows with 1 / temperature
    assert torch.autograd.gradcheck(loss, (x, y), eps=1e-6 * temperature, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("tile", [0, 3])
def test_the_order_of_images_views_and_label_codes_does_not_matter(
    objective: Any, tile: int
) -> None:
    labels = torch.tensor([0, 1, 0, 2, 1, 0])
    x = features_for(labels.tolist(), 3)
    value, gradient = run(objective.build(0.1), x, labels.tolist(), tile)
    order, views = torch.tensor([4, 2, 0, 5, 1, 3]), torch.tensor([2, 0, 1])
    codes = torch.tensor([9, -4, 2])[labels]
    moved = x.detach()[order][:, views].requires_grad_()
    other, slope = run(objective.build(0.1), moved, codes[order].tolist(), tile)
    torch.testing.assert_close(other, value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slope, gradient[order][:, views], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("tile", [0, 3])
def test_shares_of_a_partition_add_up_to_the_whole(objective: Any, tile: int) -> None:
    labels = [0, 1, 0, 2, 1, 0]
    x = features_for(labels, 2)
    whole, slope = run(objective.build(0.1), x, labels, tile)
    parts = (slice(0, 2), torch.tensor([5, 2]), torch.tensor([0, 0, 0, 1, 1, 0]).bool())
    loss = objective.build(0.1)
    loss.tile = tile
    shares = [loss(x, torch.tensor(labels), sources=part) for part in parts]
    gradients = [torch.autograd.grad(share, x)[0] for share in shares]
    torch.testing.assert_close(torch.stack(shares).sum(), whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.stack(gradients).sum(0), slope, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_accumulated_in_float32(objective: Any, dtype: torch.dtype) -> None:
    labels = [0, 1, 0, 2, 1, 0]
    x = (features_for(labels, 2).detach() * 100).to(dtype).requires_grad_()
    value, gradient = run(objective.build(0.1), x, labels)
    exact, slope = run(objective.build(0.1), x.detach().double().requires_grad_(), labels)
    assert value.dtype == torch.float32 and gradient.dtype == dtype
    torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("tile", [0, 3])
def test_autocast_does_not_lower_the_precision(objective: Any, tile: int) -> None:
    labels = [0, 1, 0, 2, 1, 0]
    x = features_for(labels, 2).detach().float().requires_grad_()
    value, gradient = run(objective.build(0.1), x, labels, tile)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        same, slope = run(objective.build(0.1), x, labels, tile)
    assert torch.equal(value, same) and torch.equal(gradient, slope)


@pytest.mark.parametrize("tile", [0, 3])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0], [0, 0, 1], None])
def test_degenerate_batches_are_finite(
    objective: Any, labels: list[int] | None, views: int, tile: int
) -> None:
    for x in (
        features_for(labels, views).detach().float(),
        torch.zeros(3 if labels is None else len(labels), views, 3),
        torch.full((3 if labels is None else len(labels), views, 3), 1e-30),
        torch.full((3 if labels is None else len(labels), views, 3), 3e38),
    ):
        for temperature in (0.1, 0.01):
            value, gradient = run(objective.build(temperature), x.requires_grad_(), labels, tile)
            assert torch.isfinite(value) and torch.isfinite(gradient).all()


def test_a_row_of_zeros_has_no_pull_and_is_counted() -> None:
    x = features_for([0, 1, 0], 2).detach()
    x[1, 0] = 0.0
    loss = ConTeXLoss()
    _, gradient = run(loss, x.requires_grad_(), [0, 1, 0])
    assert (gradient[1, 0] == 0).all() and (gradient[0] != 0).any()
    assert loss.diagnostics()["rows_without_direction"] == pytest.approx(1 / 6)


def test_anchors_that_a_term_does_not_apply_to_are_counted_then_forgotten() -> None:
    loss = ConTeXLoss()
    loss(torch.randn(3, 1, 4), torch.tensor([0, 0, 1]))
    loss(torch.randn(3, 1, 4), torch.tensor([0, 0, 0]))
    assert loss.diagnostics() == pytest.approx(
        {
            "anchors_without_negatives": 0.5,
            "anchors_without_positives": 1 / 6,
            "anchors_without_views": 1.0,
            "rows_without_direction": 0.0,
        }
    )
    assert loss.diagnostics() == {}


def test_all_equal_rows() -> None:
    x, two, one = torch.ones(8, 2, 4), torch.tensor([0, 1] * 4), torch.zeros(8).long()
    assert NTXentLoss(0.1)(x).item() == pytest.approx(2.708050, abs=1e-6)  # log 15
    assert ConTeXLoss()(x, two).item() == pytest.approx(3.419637, abs=2e-6)
    assert ConTeXLoss()(x, one).item() == pytest.approx(1.934322, abs=1e-6)
    assert NTXentLoss(0.1)(x[:4]).item() == pytest.approx(1.945910, abs=1e-6)  # log 7
    assert ConTeXLoss()(x[:4], two[:4]).item() == pytest.approx(2.380146, abs=1e-6)


def test_two_halves_of_a_batch_are_another_loss() -> None:
    x = torch.randn(8, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = torch.tensor([0, 1] * 4)
    x.requires_grad_()
    (whole,) = torch.autograd.grad(ConTeXLoss()(x, y), x)
    halves = (ConTeXLoss()(x[:4], y[:4]) + ConTeXLoss()(x[4:], y[4:])) / 2
    (added,) = torch.autograd.grad(halves, x)
    assert (whole - added).norm() > whole.norm() / 2


def test_label_types_and_shapes() -> None:
    x = torch.randn(4, 2, 5)
    expected = ConTeXLoss()(x, torch.tensor([0, 1, 1, 0]))
    for dtype in (torch.uint8, torch.int16, torch.int32, torch.bool):
        assert torch.equal(ConTeXLoss()(x, torch.tensor([0, 1, 1, 0]).to(dtype)), expected)
    assert torch.equal(ConTeXLoss()(x, torch.tensor([[0], [1], [1], [0]])), expected)


def test_embeddings_without_views_are_one_view_each() -> None:
    x, y = torch.randn(6, 5), torch.tensor([0, 1, 1, 0, 2, 2])
    assert torch.equal(SupConLoss()(x, y), SupConLoss()(x[:, None], y))


@pytest.mark.parametrize(
    ("features", "labels"),
    [
        (torch.randn(4), None),
        (torch.zeros(0, 2, 3), None),
        (torch.ones(4, 2, 3).long(), None),
        (torch.randn(4, 2, 3), torch.tensor([0, 1, 0])),
        (torch.randn(4, 2, 3), torch.tensor([0.0, 1.0, 0.0, 1.0])),
    ],
)
def test_wrong_input_is_named(features: Tensor, labels: Tensor | None) -> None:
    with pytest.raises(UsageError, match=r"(features|labels) are"):
        ConTeXLoss()(features, labels)


@pytest.mark.parametrize("settings", [{"temperature": 0.0}, {"base_temperature": -1.0}])
def test_wrong_temperatures_are_named(settings: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="above 0"):
        ConTeXLoss(**settings)


def test_wrong_weight_is_named() -> None:
    with pytest.raises(UsageError, match="weight"):
        ConTeXLoss(weight=1.5)


def test_wrong_forms_are_named() -> None:
    with pytest.raises(UsageError, match="form is 'inn'"):
        SupConLoss(form="inn")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="contrast_mode is 'both'"):
        SupConLoss(contrast_mode="both")  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [None, torch.tensor([1, 0])])
def test_a_second_derivative_is_refused(labels: Tensor | None) -> None:
    x = features_for([0, 1], 2)
    value = ConTeXLoss()(x, labels)
    (slope,) = torch.autograd.grad(value, x, create_graph=True)
    with pytest.raises(RuntimeError, match="double backward"):
        torch.autograd.grad(slope.pow(2).sum(), x)


def test_repeated_runs_are_identical(objective: Any) -> None:
    x = torch.randn(700, 2, 16).requires_grad_()
    labels = torch.randint(0, 5, (700,)).tolist()
    first, second = (run(objective.build(0.1), x, labels) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_streaming_equals_one_tile_in_float32(objective: Any) -> None:
    x = torch.randn(300, 2, 32).requires_grad_()
    labels = torch.randint(0, 7, (300,)).tolist()
    whole, slope = run(objective.build(0.1), x, labels, 600)
    value, gradient = run(objective.build(0.1), x, labels, 64)
    torch.testing.assert_close(value, whole, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gradient, slope, rtol=1e-5, atol=1e-8)
