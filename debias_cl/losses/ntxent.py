"""NT-Xent: self contrast without a base temperature, as SimCLR's paper and lightly define it."""

from __future__ import annotations

from debias_cl.losses.contract import Contrastive, ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import FamilyLoss
from debias_cl.losses.terms import SELF_CONTRAST


class NTXentLoss(FamilyLoss):
    """Normalised temperature-scaled cross-entropy over views; labels are not looked at.

    loss = scale mean_i { -mean_{v in S(i)} s_iv + log sum_{A(i)} exp s_ij }. Called as ConTeXLoss
    is, with or without labels; (n, views, d) features with two views or more. With one view
    every anchor adds 0.

    Args:
        temperature: above 0; 0.5 in lightly, 0.1 to 0.5 in SimCLR's paper.
        base_temperature: None: scale is 1 (SimCLR's paper, lightly); a number: scale is
            temperature / base_temperature (SupContrast's code for SimCLR has 0.07).

    Source: Chen et al., 'A simple framework for contrastive learning of visual representations',
    ICML 2020, arXiv 2002.05709, equation 1; lightly 1.6.0 `NTXentLoss`. No deviation for two
    views; with more, the mean over the other views is taken, as SupContrast does.
    """

    looks_at_labels = False

    def __init__(self, temperature: float = 0.5, base_temperature: float | None = None) -> None:
        super().__init__(((1.0, SELF_CONTRAST),), temperature, base_temperature)


def build(context: ObjectiveContext, scaled: bool = False) -> Contrastive:
    """Build NT-Xent on a projection head; `scaled` takes the configured base temperature."""
    config = context.config
    base = config.base_temperature if scaled else None
    return Contrastive(context, NTXentLoss(config.temperature, base), use_label=False)


SPEC = ObjectiveSpec(
    title="NT-Xent",
    family="self-supervised",
    source=(
        "Chen et al., 'A simple framework for contrastive learning of visual representations', "
        "ICML 2020, arXiv 2002.05709, equation 1; code followed: lightly 1.6.0 `NTXentLoss`; "
        "no base temperature; no deviation for two views"
    ),
    uses=("temperature", "projection"),
    build=build,
    needs_label=False,
)
