"""BAdd: a bias network's features are added to the main ones, which then need not hold them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.losses.bias_network import DEVIATION, OPTIONS, AfterBiasNetwork
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import not_negative


def bias_added(features: Tensor, bias_features: Tensor, m: float) -> Tensor:
    """Return features + m x the sum of the bias networks' features (a sum, not a mean).

    Args:
        features: (n, D).
        bias_features: (networks, n, D), not differentiated.
        m: the one weight of all.
    """
    return features + m * bias_features.detach().sum(0)


class BAdd(AfterBiasNetwork):
    """Cross-entropy of W (h + m b) + c; afterwards the classifier is W h + c.

    Args:
        context: sizes; options `m` and those of the bias network.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        self.m = float(context.options["m"])
        not_negative("m", self.m)
        self.classifier = nn.Linear(context.feature_dim, context.classes)

    def debias(self, features: Tensor, bias_features: Tensor, label: Tensor) -> Tensor:
        """Return the mean loss over all views of (B, V, D) features."""
        mixed = bias_added(features.flatten(0, 1), bias_features.flatten(0, 1)[None], self.m)
        return F.cross_entropy(self.predict(mixed), label.repeat_interleave(features.shape[1]))


SPEC = ObjectiveSpec(
    title="BAdd",
    family="debiasing, bias label unused",
    source=(
        "Sarridis et al., 'BAdd: bias mitigation through bias addition', arXiv 2408.11439; the "
        "code of its group (mever-team/vb-mitigator, commit 2f79f09, `badd_forward`). Deviations: "
        "one bias network; " + DEVIATION
    ),
    uses=(),
    build=BAdd,
    options={**OPTIONS, "m": 1.0},
)
