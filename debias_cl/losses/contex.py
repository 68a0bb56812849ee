"""ConTeX: label contrast without positives in the denominator, and self contrast, half and half."""

from __future__ import annotations

from debias_cl.losses.contract import Contrastive, ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import FamilyLoss, fraction
from debias_cl.losses.terms import LABEL_CONTRAST, LABEL_CONTRAST_CLAMPED, SELF_CONTRAST

SOURCE = (
    "Deng and Yang, 'Context-enriched contrastive loss', IEEE Transactions on Multimedia 27, "
    "2025, doi 10.1109/TMM.2024.3521796, arXiv 2512.02152; "
    "code followed: hdeng26/Contex commit da878c3, losses.py"
)
DEVIATION = (
    "deviation: an anchor without negatives or positives adds 0 to the label contrast and one "
    "without another view adds 0 to the self contrast (the code gives NaN there); "
    "the loss is multiplied by temperature / base_temperature, as in the code"
)


class ConTeXLoss(FamilyLoss):
    """Context-enriched contrastive loss, exact and in memory that grows with N alone.

    loss = (temperature / base_temperature) mean_i [weight L_a(i) + (1 - weight) L_b(i)],
    L_a(i) = -mean_{p in P(i)} [s_ip - log sum_{n in N(i)} exp s_in]   (label contrast),
    L_b(i) = -mean_{v in S(i)} [s_iv - log sum_{j in A(i)} exp s_ij]   (self contrast),
    every view of every image an anchor. P(i): other rows of the same label; N(i): rows of another
    label; S(i): other views of the image; A(i): all rows but i. L_a has no lower bound.

    Called as `loss(features (n, views, d), labels (n,))`, or `loss(embeddings (N, d), labels (N,))`
    where each row is its own source and so has no other view: then L_b is 0. Without labels every
    image is its own label.

    An anchor without negatives or without positives adds 0 to L_a, one without another view adds 0
    to L_b; both stay in the mean (the divisor is N), and `diagnostics()` says how many there were.
    So the loss and its gradient are finite for every finite batch. A row of zeros has no
    direction: its similarities are 0 and it gets no gradient; it is counted too. Logits are
    accumulated in float32 (float64 for float64 features).

    Args:
        temperature: above 0; typically 0.05 to 0.5.
        base_temperature: above 0; 0.07 in the authors' code, so that temperature 0.1 multiplies
            the loss by 1.43. Equal to the temperature, it has no effect.
        weight: share of L_a in [0, 1]; L_b has the rest.
        clamp: whether each bracket of L_a is min(0, .): a positive that already beats all
            negatives adds no pull (the authors' `contex_p`).

    Source: Deng and Yang, IEEE Transactions on Multimedia 27, 2025, arXiv 2512.02152;
    hdeng26/Contex da878c3, losses.py, `contex` and `contex_p`. Deviation: the empty terms above,
    where the authors' code gives NaN.

    >>> import torch
    >>> loss = ConTeXLoss(temperature=0.1, base_temperature=0.07)
    >>> round(loss(torch.ones(8, 2, 4), torch.tensor([0, 1] * 4)).item(), 4)
    3.4196
    """

    def __init__(
        self,
        temperature: float = 0.1,
        base_temperature: float = 0.07,
        weight: float = 0.5,
        clamp: bool = False,
    ) -> None:
        fraction("weight", weight)
        label = LABEL_CONTRAST_CLAMPED if clamp else LABEL_CONTRAST
        terms = ((weight, label), (1 - weight, SELF_CONTRAST))
        super().__init__(terms, temperature, base_temperature)


def build(
    context: ObjectiveContext, weight: float | None = None, clamp: bool = False
) -> Contrastive:
    """Build ConTeX on a projection head; `weight` None takes the configured one."""
    config = context.config
    share = config.weight if weight is None else weight
    loss = ConTeXLoss(config.temperature, config.base_temperature, share, clamp)
    return Contrastive(context, loss, use_label=share > 0)


SPEC = ObjectiveSpec(
    title="ConTeX",
    family="ConTeX",
    source=f"{SOURCE}, `contex`; {DEVIATION}",
    uses=("temperature", "base_temperature", "weight", "projection"),
    build=build,
)
