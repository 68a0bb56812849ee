"""FLAC: pairs that a bias network gets wrong by their likeness shape the likeness of features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.losses.bias_network import DEVIATION, OPTIONS, AfterBiasNetwork
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec
from debias_cl.losses.family import not_negative, positive


def flac_loss(features: Tensor, bias_features: Tensor, label: Tensor, d: float) -> Tensor:
    """Return the mean over the chosen pairs of (p - q)(log p - log q).

    Likeness u (bias features) and v (features): 1 / (1 + r^d), r = sqrt(distance^2 + 1e-6). Chosen
    are pairs of one label with u below (max u + min u) / 2 and pairs of two labels with u above it.
    p_ij = (1 - u_ij) / (1e-7 + sum over the anchor's chosen pairs of 1 - u), q_ij likewise of v.
    No pair chosen: 0, with gradient 0.

    Args:
        features: (n, D), as they are: no normalisation, as in the authors' own code.
        bias_features: (n, m), not differentiated.
        label: (n,) int64.
        d: exponent, above 0.
    """
    with torch.no_grad():
        u = _likeness(bias_features, d)
        threshold = (u.max() + u.min()) / 2
        same = label[:, None] == label[None]
        chosen = ((same & (u < threshold)) | (~same & (u > threshold))).to(features.dtype)
        p = _share(1 - u.to(features.dtype), chosen)
    q = _share(_likeness(features, d), chosen)
    least = torch.finfo(q.dtype).tiny  # rows alike up to rounding have p 0 where d is large
    divergence = (p - q) * (p.clamp(min=least).log() - q.clamp(min=least).log())
    return (divergence * chosen).sum() / chosen.sum().clamp(min=1)


def _likeness(rows: Tensor, d: float) -> Tensor:
    rows = rows - rows.mean(0).detach()  # distances stay, and lose less by rounding
    square = rows.square().sum(1)
    distance = (square[:, None] + square[None] - 2 * rows @ rows.T).clamp(min=0)
    return 1 / (1 + (distance + 1e-6) ** (d / 2))


def _share(value: Tensor, chosen: Tensor) -> Tensor:
    return value / (1e-7 + (value * chosen).sum(1, keepdim=True))


class FLAC(AfterBiasNetwork):
    """Cross-entropy of a linear classifier + `alpha` x `flac_loss`, all views being rows.

    Args:
        context: sizes; options `alpha`, `d`, and those of the bias network.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        self.alpha, self.d = float(context.options["alpha"]), float(context.options["d"])
        positive("d", self.d)
        not_negative("alpha", self.alpha)
        self.classifier = nn.Linear(context.feature_dim, context.classes)

    def debias(self, features: Tensor, bias_features: Tensor, label: Tensor) -> Tensor:
        """Return the loss of (B, V, D) features."""
        rows, label = features.flatten(0, 1), label.repeat_interleave(features.shape[1])
        plain = F.cross_entropy(self.predict(rows), label)
        return plain + self.alpha * flac_loss(rows, bias_features.flatten(0, 1), label, self.d)


SPEC = ObjectiveSpec(
    title="FLAC",
    family="debiasing, bias label unused",
    source=(
        "Sarridis et al., 'FLAC: fairness-aware representation learning by suppressing attribute-"
        "class associations', arXiv 2304.14252; their code (gsarridis/FLAC, commit 1cf0487), whose "
        "features are not normalised (vb-mitigator's are). `alpha` is 110 to 10,000 there by data "
        "set, `d` 0.5. Deviations: all views are rows; " + DEVIATION
    ),
    uses=(),
    build=FLAC,
    options={**OPTIONS, "alpha": 110.0, "d": 0.5},
)
