"""The augmentation as a whole: against torchvision's chain, its distributions, its promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import Tensor
from torchvision.transforms import ColorJitter, RandomRotation
from torchvision.transforms import functional as F

from debias_cl.config import ViewsConfig
from debias_cl.data.views import Parameters, Views

MEAN, STD = (0.49, 0.48, 0.45), (0.25, 0.24, 0.26)
PAPER = ViewsConfig(
    crop_scale=(0.2, 1.0), flip=0.5, jitter=(0.4, 0.4, 0.4, 0.1), jitter_p=0.8, grey_p=0.2
)
DIGITS = ViewsConfig(rotation=20, crop_scale=(0.4, 1.0), noise=0.1, permute_channels=True)
EVERYTHING = ViewsConfig(
    count=3,
    rotation=15,
    crop_scale=(0.3, 1.0),
    flip=0.5,
    jitter=(0.4, 0.4, 0.4, 0.1),
    grey_p=0.2,
    permute_channels=True,
    noise=0.05,
)
LEVEL = 1e-4
"""Least p-value. The files hold some thirty of these tests with fixed seeds: at the usual .01 a
quarter of all correct programs would fail one; samples are large, so that small faults show."""
ADJUST = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int, high: int = 32, wide: int = 32, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (n, high, wide, 3), generator=seeded(seed), dtype=torch.uint8)


def by_torchvision(image: Tensor, drawn: Parameters, i: int, config: ViewsConfig) -> Tensor:
    """One view of one (H, W, 3) picture with torchvision's functions, not normalised."""
    size = [image.shape[0], image.shape[1]]
    view = image.permute(2, 0, 1) / 255
    if config.rotation:
        view = F.rotate(view, drawn.angle[i].item(), F.InterpolationMode.BILINEAR)
    view = F.resized_crop(view, *drawn.box[i].tolist(), size, antialias=True)
    view = F.hflip(view) if drawn.flip[i] else view
    if drawn.jitter[i]:
        for operation in drawn.order[i].tolist():
            view = ADJUST[operation](view, drawn.factors[i, operation].item())
    view = F.rgb_to_grayscale(view, 3) if drawn.grey[i] else view
    return view[drawn.channels[i]] if config.permute_channels else view


@pytest.mark.parametrize("config", [PAPER, DIGITS, EVERYTHING], ids=["paper", "digits", "all"])
def test_views_equal_torchvision_with_the_same_parameters(config: ViewsConfig) -> None:
    batch, views = images(12), Views(config, MEAN, STD)
    n = 12 * config.count
    drawn = views.draw(n, (32, 32), seeded())
    noise = config.noise * torch.randn(n, 3, 32, 32, generator=seeded(1))
    made = views.apply(batch, drawn, noise.clone())
    for i in range(n):
        expected = by_torchvision(batch[i // config.count], drawn, i, config)
        if config.noise:
            expected = (expected + noise[i]).clamp(0, 1)
        expected = F.normalize(expected, list(MEAN), list(STD))
        torch.testing.assert_close(made[i], expected, atol=1e-4, rtol=0)


@pytest.mark.data
def test_views_are_those_of_pil_within_its_rounding(shared_data: Path) -> None:
    paths = sorted(shared_data.rglob("*.jpg"))[:4]
    if not paths:
        pytest.skip(f"no JPEG pictures under {shared_data}")
    pil = [Image.open(path).convert("RGB").resize((64, 64)) for path in paths]
    batch = torch.from_numpy(np.stack([np.asarray(picture) for picture in pil]))
    views = Views(PAPER, (0.0,) * 3, (1.0,) * 3)
    drawn = views.draw(8, (64, 64), seeded(4))
    made = views.apply(batch, drawn, torch.empty(8, 3, 64, 64))
    for i in range(8):
        view = F.resized_crop(pil[i // 2], *drawn.box[i].tolist(), [64, 64])
        view = F.hflip(view) if drawn.flip[i] else view
        for operation in drawn.order[i].tolist() if drawn.jitter[i] else []:
            view = ADJUST[operation](view, drawn.factors[i, operation].item())
        view = F.to_grayscale(view, 3) if drawn.grey[i] else view
        difference = (made[i] - F.to_tensor(view)).abs()
        assert difference.mean() < 2 / 255


def test_angles_and_jitter_have_the_distribution_of_torchvision() -> None:
    n = 10_000
    views = Views(ViewsConfig(rotation=20, jitter=(0.4, 1.2, 0.3, 0.1)), MEAN, STD)
    drawn = views.draw(n, (28, 28), seeded(5))
    torch.manual_seed(6)
    jitter = ColorJitter(0.4, 1.2, 0.3, 0.1)
    spreads = (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    theirs = [ColorJitter.get_params(*spreads) for _ in range(n)]
    for operation in range(4):
        ours = drawn.factors[:, operation].numpy()
        assert stats.ks_2samp(ours, [row[1 + operation] for row in theirs]).pvalue > LEVEL
    angles = [RandomRotation.get_params([-20.0, 20.0]) for _ in range(n)]
    assert stats.ks_2samp(drawn.angle.numpy(), angles).pvalue > LEVEL


def test_orders_and_permutations_are_uniform() -> None:
    drawn = Views(PAPER, MEAN, STD).draw(100_000, (32, 32), seeded(7))
    for table, many in ((drawn.order, 24), (drawn.channels, 6)):
        _, counts = torch.unique(table, dim=0, return_counts=True)
        assert len(counts) == many
        assert stats.chisquare(counts.numpy()).pvalue > LEVEL


@pytest.mark.parametrize(("what", "p"), [("flip", 0.5), ("jitter", 0.8), ("grey", 0.2)])
def test_operations_act_with_their_probability(what: str, p: float) -> None:
    drawn = Views(PAPER, MEAN, STD).draw(100_000, (32, 32), seeded(8))
    acts = int(getattr(drawn, what).sum())
    assert stats.binomtest(acts, 100_000, p).pvalue > LEVEL


def test_draws_are_independent_of_each_other() -> None:
    drawn = Views(EVERYTHING, MEAN, STD).draw(5000, (32, 32), seeded(9))
    columns = [
        *(drawn.angle, drawn.flip, drawn.jitter, drawn.grey),
        *(drawn.box.T[:2]),
        *(drawn.box[:, 2] * drawn.box[:, 3],),
        *drawn.factors.T,
        *drawn.order.T[:1],
        *drawn.channels.T[:1],
    ]
    correlation = np.corrcoef(np.stack([column.double().numpy() for column in columns]))
    # top and left depend on the area (a small box has more room); nothing else may correlate.
    off = correlation - np.eye(len(columns))
    off[4:7, 4:7] = 0
    assert np.abs(off).max() < 0.06


def test_noise_is_normal_with_its_standard_deviation() -> None:
    grey = torch.full((20, 28, 28, 3), 128, dtype=torch.uint8)
    views = Views(ViewsConfig(noise=0.1), (0.0,) * 3, (1.0,) * 3)
    noise = (views(grey, seeded(10)) - 128 / 255).flatten().numpy() / 0.1
    assert stats.kstest(noise, "norm").pvalue > LEVEL


def test_noisy_pixels_stay_in_range() -> None:
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 8, 8, 3)
    made = Views(ViewsConfig(noise=0.3), (0.0,) * 3, (1.0,) * 3)(ends, seeded())
    assert made.min() == 0
    assert made.max() == 1


def test_the_generator_decides_everything() -> None:
    batch, views = images(9), Views(EVERYTHING, MEAN, STD)
    first, again = views(batch, seeded(1)), views(batch, seeded(1))
    assert torch.equal(first, again)
    assert not torch.equal(first, views(batch, seeded(2)))
    torch.manual_seed(99)
    assert torch.equal(first, views(batch, seeded(1)))


def test_the_generator_moves_on() -> None:
    batch, views, generator = images(2), Views(PAPER, MEAN, STD), seeded()
    assert not torch.equal(views(batch, generator), views(batch, generator))


def test_one_setting_leaves_the_draws_of_the_others() -> None:
    size = (32, 32)
    plain = Views(PAPER, MEAN, STD).draw(6, size, seeded())
    more = Views(EVERYTHING, MEAN, STD).draw(6, size, seeded())
    assert torch.equal(plain.order, more.order)
    assert torch.equal(plain.flip, more.flip)
    assert torch.equal(plain.factors, more.factors)


@pytest.mark.parametrize("config", [PAPER, DIGITS, EVERYTHING], ids=["paper", "digits", "all"])
def test_views_have_shape_type_and_their_own_parameters(config: ViewsConfig) -> None:
    one = images(1).expand(5, -1, -1, -1)
    made = Views(config, MEAN, STD)(one, seeded(3))
    assert made.shape == (5, config.count, 3, 32, 32)
    assert made.dtype == torch.float32
    assert made.is_contiguous()
    rows = made.flatten(0, 1).flatten(1)
    distances = torch.cdist(rows, rows) + 1e3 * torch.eye(len(rows))
    assert distances.min() > 1


def test_the_empty_policy_returns_the_picture() -> None:
    batch = images(5, 20, 30)
    made = Views(ViewsConfig(), MEAN, STD)(batch, seeded())
    expected = (batch.permute(0, 3, 1, 2) / 255 - torch.tensor(MEAN)[:, None, None]) / (
        torch.tensor(STD)[:, None, None]
    )
    for view in range(2):
        torch.testing.assert_close(made[:, view], expected, atol=1e-6, rtol=0)
    plain = Views(ViewsConfig(), MEAN, STD).plain(batch)
    torch.testing.assert_close(plain, expected, atol=1e-6, rtol=0)


def test_no_flip_where_the_policy_has_none() -> None:
    # Left half black, right half white: a flip would turn it over, a crop cannot.
    halves = torch.zeros(64, 28, 28, 3, dtype=torch.uint8)
    halves[:, :, 14:] = 255
    kept = Views(ViewsConfig(crop_scale=(0.7, 1.0)), (0.0,) * 3, (1.0,) * 3)(halves, seeded())
    assert (kept[..., -1] >= kept[..., 0]).all()
    flips = ViewsConfig(crop_scale=(0.7, 1.0), flip=1.0)
    turned = Views(flips, (0.0,) * 3, (1.0,) * 3)(halves, seeded())
    assert torch.equal(turned, kept.flip(-1))


def test_the_ends_of_uint8() -> None:
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 4, 4, 3)
    plain = Views(ViewsConfig(), (0.5,) * 3, (0.5,) * 3).plain(ends)
    assert (plain[0] == -1).all()
    assert (plain[1] == 1).all()


def test_grey_views_have_equal_channels() -> None:
    made = Views(ViewsConfig(grey_p=1.0), (0.0,) * 3, (1.0,) * 3)(images(4), seeded())
    torch.testing.assert_close(made[:, :, 0], made[:, :, 1], atol=0, rtol=0)
    torch.testing.assert_close(made[:, :, 0], made[:, :, 2], atol=0, rtol=0)


@pytest.mark.parametrize("size", [16, 48])
def test_image_size_resizes_as_torchvision(size: int) -> None:
    batch = images(3, 32, 40)
    views = Views(ViewsConfig(), (0.0,) * 3, (1.0,) * 3, image_size=size)
    expected = F.resize(batch.permute(0, 3, 1, 2) / 255, [size, size], antialias=True)
    torch.testing.assert_close(views.plain(batch), expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(views(batch, seeded())[:, 0], expected, atol=1e-5, rtol=0)


def test_shares_of_a_batch_make_up_the_batch() -> None:
    batch, views = images(7), Views(EVERYTHING, MEAN, STD)
    whole = views(batch, seeded(5))
    parts = [views(batch[a:b], seeded(5), (a, 7)) for a, b in ((0, 2), (2, 4), (4, 7))]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=0)


def test_chunks_do_not_change_the_views(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, views = images(30), Views(EVERYTHING, MEAN, STD)
    whole = views(batch, seeded())
    monkeypatch.setattr("debias_cl.data.views._CHUNK_BYTES", {"cpu": 1})
    torch.testing.assert_close(views(batch, seeded()), whole, atol=1e-5, rtol=0)


def test_autocast_around_it_changes_nothing() -> None:
    batch, views = images(4), Views(PAPER, MEAN, STD)
    whole = views(batch, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(views(batch, seeded()), whole)
        assert views.plain(batch).dtype == torch.float32


def test_no_picture_gives_no_view() -> None:
    assert Views(EVERYTHING, MEAN, STD)(images(0), seeded()).shape == (0, 3, 3, 32, 32)


@pytest.mark.gpu
def test_on_a_gpu_it_equals_the_cpu_with_the_same_parameters() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    batch, views = images(9), Views(EVERYTHING, MEAN, STD)
    on_gpu = views(batch.cuda(), seeded()).cpu()
    torch.testing.assert_close(on_gpu, views(batch, seeded()), atol=1e-4, rtol=0)
    generator = torch.Generator("cuda").manual_seed(0)
    assert views(batch.cuda(), generator).device.type == "cuda"
