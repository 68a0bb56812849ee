"""FairKL: similarities of bias-aligned and bias-conflicting pairs are made alike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from debias_cl.errors import UsageError
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import (
    Contrastive,
    ObjectiveContext,
    ObjectiveSpec,
    Targets,
)
from debias_cl.losses.eps_supinfonce import EpsSupInfoNCELoss
from debias_cl.losses.pairs import Lacking, Pairs, known_bias

Sets = dict[str, Tensor]
"""(N, N) bool masks: pairs of one label or of two, of one bias (aligned) or of two."""

COMPARED = (("same_aligned", "same_conflicting"), ("other_aligned", "other_conflicting"))


def _sets(pairs: Pairs, among: Tensor) -> Sets:
    label, bias = pairs.same_label, pairs.same_bias
    return {
        "same_aligned": among & label & bias,
        "same_conflicting": among & label & ~bias,
        "other_aligned": among & ~label & bias,
        "other_conflicting": among & ~label & ~bias,
    }


def _root(variance: Tensor) -> Tensor:
    """Return the square root, with gradient 0 at 0."""
    positive = variance > 0
    return variance.where(positive, 1.0).sqrt().masked_fill(~positive, 0.0)


def _moments(cosine: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased standard deviation over a mask."""
    n = mask.sum()
    mean = (cosine * mask).sum() / n.clamp(min=1)
    variance = ((cosine - mean).square() * mask).sum() / (n - 1).clamp(min=1)
    return mean, _root(variance)


def _plain(pairs: Pairs, cosine: Tensor, spread: float, lacking: Lacking) -> Tensor:
    sets = _sets(pairs, pairs.other.triu())
    total = cosine.sum() * 0.0
    for a, b in COMPARED:
        (mean_a, sd_a), (mean_b, sd_b) = (_moments(cosine, sets[name]) for name in (a, b))
        fewest = torch.minimum(sets[a].sum(), sets[b].sum())
        lacking.note("comparisons_left_out", fewest < 1)
        total = total + (mean_a - mean_b).square().masked_fill(fewest < 1, 0.0)
        total = total + spread * (sd_a - sd_b).square().masked_fill(fewest < 2, 0.0)
    return total


def _as_code(pairs: Pairs, cosine: Tensor, spread: float, lacking: Lacking) -> Tensor:
    sets = _sets(pairs, torch.ones_like(pairs.other))
    mean = {k: (cosine * mask).sum() / mask.sum().clamp(min=1) for k, mask in sets.items()}
    everywhere = torch.ones_like(pairs.other)
    total = mean["other_conflicting"] * 0.0
    for a, b in COMPARED:
        sd_a, sd_b = (_moments(cosine * sets[name], everywhere)[1] for name in (a, b))
        total = total + (mean[a] - mean[b]).square() + spread * (sd_a - sd_b).square()
    return total - mean["same_conflicting"] + mean["other_aligned"]


FORMS: dict[str, Callable[[Pairs, Tensor, float, Lacking], Tensor]] = {
    "plain": _plain,
    "code": _as_code,
}


def fairkl(
    features: Tensor,
    label: Tensor,
    bias: Tensor,
    spread: float = 1.0,
    form: str = "plain",
    temperature: float = 1.0,
    lacking: Lacking | None = None,
) -> Tensor:
    """Return the regulariser: how far means and standard deviations of similarities differ.

    Two normal distributions are the same (their KL divergence is 0) where these are equal. Over
    unordered pairs of rows, with mu and sd of the similarities of aligned (same bias) and
    conflicting pairs: (mu - mu')^2 + spread (sd - sd')^2 for pairs of one label, and the same for
    pairs of two labels, added. Where one of the two sets is empty, or has one pair alone, the
    difference (of the deviations) is left out and counted. Dense: memory grows with N squared.

    With form "code", as published numbers were made: ordered pairs with self pairs; an empty set
    has mean 0; deviations over the whole matrix with zeros outside the set; and
    - mu(same label, conflicting) + mu(other label, aligned) is added, so it is often negative.

    Args:
        features: (B, V, d) float of any length.
        label, bias: (B,) int64.
        spread: weight of the deviations, at least 0.
        form: "plain" or "code".
        temperature: the similarities are divided by it; above 0.
        lacking: told of the comparisons that are left out.

    Raises:
        UsageError: another form.
    """
    if form not in FORMS:
        raise UsageError(f"form is '{form}'", expected=" or ".join(FORMS))
    with full_precision(features.device.type):
        pairs = Pairs.of(features, label, bias)
        return FORMS[form](pairs, pairs.cosine / temperature, spread, lacking or Lacking())


class FairKL(Contrastive):
    """alpha eps-SupInfoNCE on the projections + strength FairKL on view 0 of the features.

    Args:
        context: `temperature`, `base_temperature`, `projection`; options `alpha`, `strength`,
            `spread` (of `fairkl`), all at least 0, `epsilon` (of eps-SupInfoNCE), `form`.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        config, options = context.config, context.options
        weights = {name: options[name] for name in ("alpha", "strength", "spread")}
        if not all(0 <= value < float("inf") for value in weights.values()):
            raise UsageError(f"the weights are {weights}", expected="numbers of at least 0")
        if options["form"] not in FORMS:
            raise UsageError(f"form is '{options['form']}'", expected=" or ".join(FORMS))
        loss = EpsSupInfoNCELoss(config.temperature, config.base_temperature, options["epsilon"])
        super().__init__(context, loss)
        self.shares = False  # the regulariser compares pictures of all processes
        self.options, self.lacking = dict(options), Lacking()

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss: features (B, V, D)."""
        regulariser = fairkl(
            features[:, :1],
            targets.label,
            known_bias(targets),
            self.options["spread"],
            self.options["form"],
            lacking=self.lacking,
        )
        contrast = super().forward(features, targets)
        total: Tensor = self.options["alpha"] * contrast + self.options["strength"] * regulariser
        return total

    def diagnostics(self) -> dict[str, float]:
        """Return what the contrast counted, and the share of comparisons left out."""
        return super().diagnostics() | self.lacking.report()


SPEC = ObjectiveSpec(
    title="FairKL",
    family="debiasing, bias label used",
    source=(
        "Barbano et al., 'Unbiased supervised contrastive learning', ICLR 2023, arXiv 2211.05568: "
        "alpha eps-SupInfoNCE + lambda FairKL; code followed: EIDOSLAB/unbiased-contrastive-"
        "learning commit 25b3981, debiasing/losses.py `fairkl`, for form='code'. Deviation: by "
        "default the squared differences of means and standard deviations alone, without the "
        "code's linear terms, self pairs and zeros outside a set; alpha enters once (twice in "
        "their script). alpha and lambda are tuned for each data set there; here 1"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=FairKL,
    needs_bias=True,
    options={"alpha": 1.0, "strength": 1.0, "spread": 1.0, "epsilon": 0.25, "form": "plain"},
)
