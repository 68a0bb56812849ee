"""DCL: decoupled self contrast, the positive is not in the denominator."""

from __future__ import annotations

from debias_cl.losses.contract import Contrastive, ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import FamilyLoss
from debias_cl.losses.terms import LABEL_CONTRAST


class DCLLoss(FamilyLoss):
    """Decoupled contrastive loss.

    loss = mean_i { -mean_{v in S(i)} s_iv + log sum over the rows of OTHER images of exp s_ij }:
    ConTeX's label contrast with every image its own label. Called as ConTeXLoss is; labels are not
    looked at.

    Args:
        temperature: above 0; 0.1 in the paper.

    Source: Yeh et al., 'Decoupled contrastive learning', ECCV 2022, arXiv 2110.06848, equation 6;
    lightly 1.6.0 `DCLLoss`. No base temperature. Deviation: an anchor without another view, or a
    batch of one image, adds 0.
    """

    looks_at_labels = False

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__(((1.0, LABEL_CONTRAST),), temperature, None)


def build(context: ObjectiveContext) -> Contrastive:
    """Build DCL on a projection head."""
    return Contrastive(context, DCLLoss(context.config.temperature), use_label=False)


SPEC = ObjectiveSpec(
    title="DCL",
    family="self-supervised",
    source=(
        "Yeh et al., 'Decoupled contrastive learning', ECCV 2022, arXiv 2110.06848, equation 6; "
        "code followed: lightly 1.6.0 `DCLLoss`; no base temperature; no deviation for two views"
    ),
    uses=("temperature", "projection"),
    build=build,
    needs_label=False,
)
