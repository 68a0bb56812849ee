"""The pulls of the contrastive family, one function a formula (notation: `family`)."""

from __future__ import annotations

import torch
from torch import Tensor

from debias_cl.losses.anchors import Anchors
from debias_cl.losses.contrast import Curve
from debias_cl.losses.family import Term
from debias_cl.losses.tiles import ALL, OTHER, SAME


def _label_contrast(a: Anchors) -> Tensor:
    return a.log_others - a.mean_positives


def _self_contrast(a: Anchors) -> Tensor:
    return a.log_all - a.mean_views


def _supervised_outside(a: Anchors) -> Tensor:
    return a.log_all - a.mean_positives


def _supervised_inside(a: Anchors) -> Tensor:
    return a.log_all - (a.log_same - a.number["positives"].to(a.log_same.dtype).log())


def _clamped(a: Anchors) -> Tensor:
    return a.mean_curve(CLAMP)


CLAMP = Curve(
    value=lambda odds: (-odds).clamp_(min=0),
    slope=lambda odds: -(odds < 0).to(odds.dtype),
)
"""-min(0, b): a positive that beats all negatives together adds no pull."""

LABEL_CONTRAST = Term(_label_contrast, ("positives", "negatives"), (OTHER,))
"""-mean_P [s_ip - log sum_N exp s_in]."""

LABEL_CONTRAST_CLAMPED = Term(_clamped, ("positives", "negatives"), (OTHER,))
"""-mean_P min(0, s_ip - log sum_N exp s_in)."""

SELF_CONTRAST = Term(_self_contrast, ("views",), (ALL,))
"""-mean_S s_iv + log sum_A exp s_ij."""

SUPERVISED_OUTSIDE = Term(_supervised_outside, ("positives",), (ALL,))
"""-mean_P s_ip + log sum_A exp s_ij."""

SUPERVISED_INSIDE = Term(_supervised_inside, ("positives",), (ALL, SAME))
"""-log [mean_P exp s_ip / sum_A exp s_ij]."""


def margin_contrast(epsilon: float) -> Term:
    """Return the term -mean_P { s_ip - log [exp(s_ip - epsilon) + sum_N exp s_in] }.

    An anchor without negatives keeps the constant -epsilon, the formula's own value.
    """
    margin = Curve(
        value=lambda odds: torch.logaddexp(odds.new_tensor(-epsilon), -odds),
        slope=lambda odds: -torch.sigmoid(epsilon - odds),
    )
    return Term(lambda a: a.mean_curve(margin), ("positives",), (OTHER,))
