"""SupCon and SimCLR mixed: the control for ConTeX, with positives left in the denominator."""

from __future__ import annotations

import torch
from torch import Tensor

from debias_cl.losses.contract import (
    Contrastive,
    ObjectiveContext,
    ObjectiveSpec,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.family import FamilyLoss, fraction
from debias_cl.losses.terms import SELF_CONTRAST, SUPERVISED_OUTSIDE


class SupConSimCLRLoss(FamilyLoss):
    """Weighted mean of SupCon (out) and SimCLR on the same projections.

    loss = (temperature / base_temperature) mean_i [weight SupCon(i) + (1 - weight) L_b(i)],
    SupCon(i) = -mean_{p in P(i)} s_ip + log sum_{A(i)} exp s_ij, L_b as in ConTeX. It differs from
    ConTeX in one thing: the label contrast's denominator holds the positives too.

    Args:
        temperature: above 0.
        base_temperature: above 0; 0.07 as in SupContrast's code.
        weight: share of SupCon in [0, 1].

    Source: a control of this project; the parts are SupCon's and SimCLR's (`supcon`, `simclr`).
    """

    def __init__(
        self, temperature: float = 0.1, base_temperature: float = 0.07, weight: float = 0.5
    ) -> None:
        fraction("weight", weight)
        terms = ((weight, SUPERVISED_OUTSIDE), (1 - weight, SELF_CONTRAST))
        super().__init__(terms, temperature, base_temperature)


class TwoHeads(TrainingObjective):
    """The same mixture with a projection head for each part."""

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        config = context.config
        fraction("weight", config.weight)
        self.weight = config.weight
        self.heads = torch.nn.ModuleList(
            ProjectionHead(context.feature_dim, config.projection) for _ in range(2)
        )
        scales = config.temperature, config.base_temperature
        self.label = FamilyLoss(((1.0, SUPERVISED_OUTSIDE),), *scales)
        self.own = FamilyLoss(((1.0, SELF_CONTRAST),), *scales)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the weighted mean: features (B, V, D)."""
        label: Tensor = self.label(self.heads[0](features), targets.label)
        own: Tensor = self.own(self.heads[1](features))
        return self.weight * label + (1 - self.weight) * own


def build(context: ObjectiveContext) -> TrainingObjective:
    """Build the mixture on one projection head, or on two."""
    if context.options["two_heads"]:
        return TwoHeads(context)
    config = context.config
    loss = SupConSimCLRLoss(config.temperature, config.base_temperature, config.weight)
    return Contrastive(context, loss)


SPEC = ObjectiveSpec(
    title="SupCon + SimCLR",
    family="supervised contrastive",
    source=(
        "a control of this project: weight SupCon (Khosla et al., arXiv 2004.11362, equation 2) + "
        "(1 - weight) SimCLR (Chen et al., arXiv 2002.05709, equation 1), both with the factor "
        "temperature / base_temperature of HobbitLong/SupContrast"
    ),
    uses=("temperature", "base_temperature", "weight", "projection"),
    build=build,
    options={"two_heads": False},
)
