"""FairKL: similarities of aligned and of conflicting pairs are given one mean and one spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import (
    Contrastive,
    ObjectiveContext,
    ObjectiveSpec,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.eps_supinfonce import EpsSupInfoNCELoss
from debias_cl.losses.family import not_negative, positive
from debias_cl.losses.groups import known_bias


def fairkl(
    features: Tensor,
    label: Tensor,
    bias: Tensor,
    *,
    temperature: float = 1.0,
    kld: float = 1.0,
    form: Literal["plain", "code"] = "plain",
) -> Tensor:
    """Return the FairKL regulariser of rows f, normalised inside; c_ij = f_i . f_j / temperature.

    plain: over pairs of two rows, and for pairs of one label and pairs of two labels apart:
    (mean of c with equal bias - mean with different bias)^2 + kld (the same of the standard
    deviations)^2. It is 0 where both kinds of pairs have one mean and one spread, as the paper's
    divergence of two Gaussians is. Where a kind has no pair (for spreads: fewer than two) there is
    nothing to compare, and 0 is added.

    code: as the authors' code has it, for comparison with published numbers. Three things differ:
    - mean(one label, other bias) + mean(two labels, one bias) is added, so it may be negative; a
    spread is taken over all n^2 entries with 0 outside the kind; a row is paired with itself.

    Args:
        features: (n, d) float of any norm. An n x n table is held.
        label, bias: (n,) int64.
        temperature: above 0.
        kld: weight of the spreads, at least 0.
        form: `plain` or `code`.

    Source: Barbano et al., 'Unbiased supervised contrastive learning', ICLR 2023, arXiv
    2211.05568; EIDOSLAB/unbiased-contrastive-learning 25b3981 debiasing/losses.py `fairkl`.
    Deviation: `plain` is our reading of it.
    """
    with full_precision(features.device.type):
        z, _ = unit_rows(features)
        same_label, same_bias = label[:, None] == label, bias[:, None] == bias
        return FORMS[form](z @ z.T / temperature, same_label, same_bias, kld)


def _plain(c: Tensor, same_label: Tensor, same_bias: Tensor, kld: float) -> Tensor:
    pair = torch.ones_like(same_label).triu(1)
    total = c.new_zeros(())
    for kind in (pair & same_label, pair & ~same_label):
        sets = kind & same_bias, kind & ~same_bias
        n = torch.stack([mask.sum() for mask in sets]).min()
        means = [_mean(c, mask) for mask in sets]
        spreads = [
            _root(_mean_square(c - mean, mask)) for mean, mask in zip(means, sets, strict=True)
        ]
        total = total + (means[0] - means[1]).square().masked_fill(n < 1, 0.0)
        total = total + kld * (spreads[0] - spreads[1]).square().masked_fill(n < 2, 0.0)
    return total


def _code(c: Tensor, same_label: Tensor, same_bias: Tensor, kld: float) -> Tensor:
    sets = [kind & bias for kind in (same_label, ~same_label) for bias in (same_bias, ~same_bias)]
    near, near_other, far, far_other = (_mean(c, mask) for mask in sets)
    filled = [c.where(mask, 0.0) for mask in sets]
    everything = torch.ones_like(same_label)
    deviations = [_root(_mean_square(part - part.mean(), everything)) for part in filled]
    means = (near_other - near).square() + (far - far_other).square()
    spreads = (deviations[0] - deviations[1]).square() + (deviations[2] - deviations[3]).square()
    return means + kld * spreads - near_other + far


FORMS: dict[str, Callable[[Tensor, Tensor, Tensor, float], Tensor]] = {
    "plain": _plain,
    "code": _code,
}


def _mean(c: Tensor, mask: Tensor) -> Tensor:
    return c.where(mask, 0.0).sum() / mask.sum().clamp(min=1)


def _mean_square(c: Tensor, mask: Tensor) -> Tensor:
    """The unbiased variance, of values without their mean."""
    return c.square().where(mask, 0.0).sum() / (mask.sum() - 1).clamp(min=1)


def _root(x: Tensor) -> Tensor:
    """The square root, with gradient 0 at 0, where it would be infinite."""
    return torch.where(x > 0, x, 1.0).sqrt().where(x > 0, 0.0)


class FairKL(TrainingObjective):
    """`alpha` x eps-SupInfoNCE of the projections + `weight` x FairKL of the features of view 0.

    Args:
        context: settings and sizes.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        config, options = context.config, context.options
        for name in ("alpha", "weight", "kld"):
            not_negative(name, options[name])
        positive("fairkl_temperature", options["fairkl_temperature"])
        if options["form"] not in FORMS:
            raise UsageError(
                f"form is '{options['form']}'", remedy=did_you_mean(options["form"], FORMS)
            )
        loss = EpsSupInfoNCELoss(config.temperature, config.base_temperature, options["epsilon"])
        self.contrast, self.options = Contrastive(context, loss), options

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the weighted sum: features (B, V, D)."""
        options = self.options
        regulariser = fairkl(
            features[:, 0],
            targets.label,
            known_bias(targets),
            temperature=options["fairkl_temperature"],
            kld=options["kld"],
            form=options["form"],
        )
        contrast: Tensor = self.contrast(features, targets)
        loss: Tensor = options["alpha"] * contrast + options["weight"] * regulariser
        return loss

    def diagnostics(self) -> dict[str, float]:
        """Pass on what the contrastive part counted."""
        return self.contrast.diagnostics()


SPEC = ObjectiveSpec(
    title="eps-SupInfoNCE + FairKL",
    family="debiasing, bias label used",
    source=(
        "Barbano et al., 'Unbiased supervised contrastive learning', ICLR 2023, arXiv 2211.05568; "
        "code followed: EIDOSLAB/unbiased-contrastive-learning commit 25b3981, "
        "debiasing/losses.py `fairkl` and `EpsilonSupInfoNCE`, on normalised features of view 0, "
        "kld 1, alpha 1. Deviations: the default form leaves out the code's two linear terms, its "
        "zeros and self pairs (form `code` has them); `weight` is 1 (theirs is 0 until set) and "
        "epsilon 0.25; alpha multiplies once (twice in their script)"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=FairKL,
    needs_bias=True,
    options={
        "alpha": 1.0,
        "weight": 1.0,
        "kld": 1.0,
        "epsilon": 0.25,
        "fairkl_temperature": 1.0,
        "form": "plain",
    },
)
