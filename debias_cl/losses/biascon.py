"""BiasCon: pictures of one label and another bias are pulled together, all else is pushed away."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from debias_cl.errors import UsageError
from debias_cl.losses.biasbal import SPEC as BIASBAL
from debias_cl.losses.biasbal import BiasBal
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import (
    ObjectiveContext,
    ObjectiveSpec,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.family import positive
from debias_cl.losses.pairs import Lacking, Pairs, known_bias, masked_log_sum, masked_mean


class BiasConLoss(nn.Module):
    """mean_i -mean_{p in P(i)} [s_ip - log sum_{j in A(i)} exp s_ij], s = cosine / temperature.

    P(i): rows with the anchor's label and another bias; A(i): all rows but i. So the anchor's own
    other views, which share its bias, are pushed away. An anchor with empty P(i) adds 0 and stays
    in the mean (the divisor is N = B V); `lacking` counts them. There is no factor temperature /
    base_temperature. Dense: memory grows with N squared.

    Args:
        temperature: above 0; 0.07 in the authors' code.

    Source: Hong and Yang, NeurIPS 2021; grayhong/bias-contrastive-learning 35562b6
    debias/losses/bias_contrastive.py `DebiasSupConLoss`. Deviation: without the 1e-9 that the code
    adds inside the logarithm after subtracting the row maximum.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        positive("temperature", temperature)
        self.temperature = temperature
        self.lacking = Lacking()

    def forward(self, features: Tensor, label: Tensor, bias: Tensor) -> Tensor:
        """Return the scalar loss of (B, V, d) features of any length; label, bias (B,) int64."""
        with full_precision(features.device.type):
            pairs = Pairs.of(features, label, bias)
            s = pairs.cosine / self.temperature
            pulled = pairs.same_label & ~pairs.same_bias
            alone = ~pulled.any(1)
            self.lacking.note("anchors_without_positives", alone)
            terms = masked_log_sum(s, pairs.other) - masked_mean(s, pulled)
            return terms.masked_fill(alone, 0.0).mean()


class BiasCon(TrainingObjective):
    """weight CE + BiasCon: a classifier on the features, the contrast on a projection of them.

    Args:
        context: `temperature`, `projection`; option `weight` of the cross-entropy, at least 0;
            option `balanced`: BiasBal's cross-entropy in its place.
    """

    has_classifier = True

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        self.weight = context.options["weight"]
        if not 0 <= self.weight < float("inf"):
            raise UsageError(f"weight is {self.weight}", expected="a number of at least 0")
        balanced = replace(context, options=BIASBAL.options)
        self.classified = (
            BiasBal(balanced) if context.options["balanced"] else CrossEntropy(context)
        )
        self.head = ProjectionHead(context.feature_dim, context.config.projection)
        self.loss = BiasConLoss(context.config.temperature)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss: features (B, V, D)."""
        contrast = self.loss(self.head(features), targets.label, known_bias(targets))
        total: Tensor = contrast + self.weight * self.classified(features, targets)
        return total

    def predict(self, features: Tensor) -> Tensor:
        """Return (n, K) logits of (n, D) features."""
        return self.classified.predict(features)

    def diagnostics(self) -> dict[str, float]:
        """Return the share of anchors without positives."""
        return self.loss.lacking.report() | self.classified.diagnostics()


SPEC = ObjectiveSpec(
    title="BiasCon",
    family="debiasing, bias label used",
    source=(
        "Hong and Yang, 'Unbiased classification through bias-contrastive and bias-balanced "
        "learning', NeurIPS 2021; code followed: grayhong/bias-contrastive-learning commit "
        "35562b6, debias/losses/bias_contrastive.py, total 0.01 CE + contrast, temperature 0.07 "
        "there. Deviation: without the 1e-9 inside the logarithm; both terms see the same batch "
        "and all its views (the code draws a second batch that balances the bias within each "
        "label, and its cross-entropy sees plain pictures)"
    ),
    uses=("temperature", "projection"),
    build=BiasCon,
    needs_bias=True,
    options={"weight": 0.01, "balanced": False},
)
