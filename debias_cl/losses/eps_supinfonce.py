"""eps-SupInfoNCE: each positive against the negatives alone, with a margin."""

from __future__ import annotations

from debias_cl.losses.contract import Contrastive, ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import FamilyLoss, not_negative
from debias_cl.losses.terms import margin_contrast


class EpsSupInfoNCELoss(FamilyLoss):
    """Supervised InfoNCE with a margin epsilon.

    loss = (temperature / base_temperature) mean_i -mean_{p in P(i)} { s_ip - log [exp(s_ip -
    epsilon) + sum_{n in N(i)} exp s_in] }. Called as ConTeXLoss is.

    Args:
        temperature: above 0.
        base_temperature: above 0; 0.07 in the authors' code.
        epsilon: margin, subtracted from the logit s: in similarity it is epsilon * temperature.

    Source: Barbano et al., 'Unbiased supervised contrastive learning', ICLR 2023, arXiv
    2211.05568, equation 8; EIDOSLAB/unbiased-contrastive-learning 25b3981 debiasing/losses.py
    `EpsilonSupInfoNCE`, form out. Deviation: their code adds 1e-6 inside the logarithm after
    subtracting the row maximum (one more negative of weight 1e-6 exp(1/temperature)); ours is the
    formula without it. An anchor without positives adds 0, one without negatives -epsilon.
    """

    def __init__(
        self, temperature: float = 0.1, base_temperature: float = 0.07, epsilon: float = 0.25
    ) -> None:
        not_negative("epsilon", epsilon)
        super().__init__(((1.0, margin_contrast(epsilon)),), temperature, base_temperature)


def build(context: ObjectiveContext) -> Contrastive:
    """Build eps-SupInfoNCE on a projection head."""
    config, epsilon = context.config, context.options["epsilon"]
    loss = EpsSupInfoNCELoss(config.temperature, config.base_temperature, epsilon)
    return Contrastive(context, loss)


SPEC = ObjectiveSpec(
    title="eps-SupInfoNCE",
    family="supervised contrastive",
    source=(
        "Barbano et al., 'Unbiased supervised contrastive learning', ICLR 2023, arXiv 2211.05568; "
        "code followed: EIDOSLAB/unbiased-contrastive-learning commit 25b3981, "
        "debiasing/losses.py `EpsilonSupInfoNCE` (out), with its factor temperature / "
        "base_temperature and epsilon 0.25. Deviation: without the 1e-6 that the code adds inside "
        "the logarithm"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=build,
    options={"epsilon": 0.25},
)
