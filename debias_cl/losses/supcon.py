"""SupCon: supervised contrast, the sum over positives outside the logarithm."""

from __future__ import annotations

from typing import Literal

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.losses.contract import Contrastive, ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import FamilyLoss
from debias_cl.losses.terms import SUPERVISED_INSIDE, SUPERVISED_OUTSIDE

FORMS = {"out": SUPERVISED_OUTSIDE, "in": SUPERVISED_INSIDE}
CONTRAST_MODES = {"all": False, "one": True}
"""Which views are anchors -> whether only the first one is."""


class SupConLoss(FamilyLoss):
    """Supervised contrastive loss, exact and in memory that grows with N alone.

    out: loss = (temperature / base_temperature) mean_i { -mean_{p in P(i)} s_ip + log sum_{A(i)}
    exp s_ij }; in: (temperature / base_temperature) mean_i -log [mean_{P(i)} exp s_ip /
    sum_{A(i)} exp s_ij]. Called as ConTeXLoss is; without labels the loss is SimCLR's.

    An anchor without positives adds 0 and stays in the mean (as in SupContrast since 2023;
    pytorch-metric-learning leaves it out of the mean), and is counted in `diagnostics()`.

    Args:
        temperature: above 0; 0.1 as the authors train (0.07 is their file's default).
        base_temperature: above 0; 0.07 in the authors' code. Equal to the temperature, it has no
            effect (google-research and pytorch-metric-learning have no such factor).
        form: `out` or `in`.
        contrast_mode: `all`: every view is an anchor; `one`: view 0 of each image alone.

    Source: Khosla et al., 'Supervised contrastive learning', NeurIPS 2020, arXiv 2004.11362,
    equations 2 (out) and 3 (in); HobbitLong/SupContrast 66a8fe5 losses.py `SupConLoss` (out),
    google-research supcon/losses.py (in). Deviation: features are normalised inside.
    """

    def __init__(
        self,
        temperature: float = 0.1,
        base_temperature: float = 0.07,
        form: Literal["out", "in"] = "out",
        contrast_mode: Literal["all", "one"] = "all",
    ) -> None:
        for name, value, choices in (
            ("form", form, FORMS),
            ("contrast_mode", contrast_mode, CONTRAST_MODES),
        ):
            if value not in choices:
                raise UsageError(f"{name} is '{value}'", expected=did_you_mean(value, choices))
        super().__init__(
            ((1.0, FORMS[form]),), temperature, base_temperature, CONTRAST_MODES[contrast_mode]
        )


def build(context: ObjectiveContext, form: Literal["out", "in"] = "out") -> Contrastive:
    """Build SupCon on a projection head."""
    config = context.config
    return Contrastive(context, SupConLoss(config.temperature, config.base_temperature, form))


SPEC = ObjectiveSpec(
    title="SupCon",
    family="supervised contrastive",
    source=(
        "Khosla et al., 'Supervised contrastive learning', NeurIPS 2020, arXiv 2004.11362, "
        "equation 2 (out); code followed: HobbitLong/SupContrast commit 66a8fe5, losses.py "
        "`SupConLoss`, with its factor temperature / base_temperature; no deviation"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=build,
)
