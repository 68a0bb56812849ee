"""Which threads a run uses."""

from __future__ import annotations

import pytest
import torch

from debias_cl.config import EncoderConfig
from debias_cl.encoders import build
from debias_cl.training import can_make_ahead, threads


@pytest.mark.parametrize(
    ("architecture", "number", "device", "expected"),
    [
        ("slim", 2, "cpu", True),
        ("slim", 1, "cpu", False),
        ("torchvision:resnet18", 2, "cpu", False),
        ("slim", 2, "cuda", False),
    ],
)
def test_views_are_made_ahead_for_small_encoders_where_a_core_is_spare(
    architecture: str, number: int, device: str, expected: bool
) -> None:
    encoder = build(EncoderConfig(architecture), 32)
    with threads(number):
        assert can_make_ahead(encoder, device) is expected


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="stop"), threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise ValueError("stop")
    assert torch.get_num_threads() == before
