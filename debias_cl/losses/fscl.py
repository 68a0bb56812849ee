"""FSCL: label contrast whose negatives share the anchor's sensitive value."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from debias_cl.errors import UsageError
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import (
    ObjectiveContext,
    ObjectiveSpec,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.family import positive
from debias_cl.losses.pairs import Lacking, Pairs, known_bias, masked_log_sum

Masks = tuple[Tensor, Tensor]
FORMS: dict[str, Callable[[Pairs], Masks]] = {
    "labels": lambda p: (p.other & p.same_label, ~p.same_label & p.same_bias),
    "views": lambda p: (p.other & p.same_image, p.other & p.same_bias),
}
"""Positives P and denominator D of each form: FSCL, and FSCL* which uses no label."""


class FSCLLoss(nn.Module):
    """scale mean_i -sum_{p in P(i)} w_ip [s_ip - log sum_{j in D(i)} exp s_ij].

    scale = temperature / base_temperature. FSCL (form "labels"): P(i) other rows of the label,
    D(i) rows of another label and the same sensitive value: positives are not in the denominator,
    so there is no lower bound. FSCL* (form "views"): P(i) other views of the image, D(i) other
    rows of the same sensitive value.

    w_ip = 1 / |P(i)|. With group norm w_ip = (N / groups) / (c_p (c_i + 1)), c_k the positives of
    row k that have its sensitive value, at least 1, N = B V. An anchor with empty P(i) or D(i)
    adds 0 and stays in the mean; `lacking` counts them. Dense: memory grows with N squared.

    Args:
        temperature, base_temperature: above 0; 0.1 and 0.07 in the authors' code.
        group_norm: whether groups weigh alike (the authors' FSCL+).
        groups: above 0; 8 in the authors' code (2 labels x 2 sensitive values x 2 views, it seems).
        form: "labels" or "views".
        pull_alone: an anchor with empty D(i) is pulled all the same, as in the authors' code:
            log sum is then the row's largest s (itself included), held constant.

    Source: Park et al., CVPR 2022; sungho-CoolG/FSCL 1369d15 losses.py `FairSupConLoss`.
    Deviation: the empty denominators (unless `pull_alone`), and c_k of at least 1 (NaN there).
    """

    def __init__(
        self,
        temperature: float = 0.1,
        base_temperature: float = 0.07,
        group_norm: bool = False,
        groups: float = 8.0,
        form: str = "labels",
        pull_alone: bool = False,
    ) -> None:
        super().__init__()
        positive("temperature", temperature)
        positive("base_temperature", base_temperature)
        positive("groups", groups)
        if form not in FORMS:
            raise UsageError(f"form is '{form}'", expected=" or ".join(FORMS))
        self.temperature, self.scale = temperature, temperature / base_temperature
        self.group_norm, self.groups, self.pull_alone = group_norm, groups, pull_alone
        self.masks, self.lacking = FORMS[form], Lacking()

    def forward(self, features: Tensor, label: Tensor, sensitive: Tensor) -> Tensor:
        """Return the scalar loss of (B, V, d) features; label, sensitive (B,) int64."""
        with full_precision(features.device.type):
            pairs = Pairs.of(features, label, sensitive)
            positives, negatives = self.masks(pairs)
            s = pairs.cosine / self.temperature
            without = ~negatives.any(1)
            self.lacking.note("anchors_without_positives", ~positives.any(1))
            self.lacking.note("anchors_without_negatives", without)
            log = masked_log_sum(s, negatives)
            log = log.where(~without, s.detach().amax(1))
            weights = self._weights(positives, pairs.same_bias, s)
            terms = (weights * (log[:, None] - s)).sum(1)
            if not self.pull_alone:
                terms = terms.masked_fill(without, 0.0)
            return self.scale * terms.mean()

    def _weights(self, positives: Tensor, same_bias: Tensor, s: Tensor) -> Tensor:
        """Return (N, N) weights of the positives, 0 elsewhere."""
        if not self.group_norm:
            return positives.to(s.dtype) / positives.sum(1, keepdim=True).clamp(min=1)
        own = (positives & same_bias).sum(1).to(s.dtype)  # c_k
        anchor = len(s) / self.groups / (own + 1)
        return positives / own.clamp(min=1) * anchor[:, None]


class FSCL(TrainingObjective):
    """A projection head and `FSCLLoss`; the bias attribute is the sensitive value.

    Args:
        context: `temperature`, `base_temperature`, `projection`; options as in `FSCLLoss`.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        config = context.config
        self.head = ProjectionHead(context.feature_dim, config.projection)
        self.loss = FSCLLoss(config.temperature, config.base_temperature, **context.options)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss: features (B, V, D)."""
        loss: Tensor = self.loss(self.head(features), targets.label, known_bias(targets))
        return loss

    def diagnostics(self) -> dict[str, float]:
        """Return the shares of anchors without positives and without negatives."""
        return self.loss.lacking.report()


SPEC = ObjectiveSpec(
    title="FSCL",
    family="debiasing, bias label used",
    source=(
        "Park et al., 'Fair contrastive learning for facial attribute classification', CVPR 2022, "
        "arXiv 2203.16209; code followed: sungho-CoolG/FSCL commit 1369d15, losses.py "
        "`FairSupConLoss`, with its factor temperature / base_temperature and its 8 in the group "
        "norm. Deviation: an anchor without negatives adds 0 (pull_alone=True does as the code)"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=FSCL,
    needs_bias=True,
    options={"group_norm": False, "groups": 8.0, "form": "labels", "pull_alone": False},
)
