"""SoftCon: images of one label attract each other the more, the less alike their bias features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.bias_network import DEVIATION, OPTIONS, AfterBiasNetwork
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, ProjectionHead
from debias_cl.losses.family import not_negative, positive

ROWS = 1024
"""Anchors whose similarities to all rows are held at once."""


def soft_contrast(rows: Tensor, bias_features: Tensor, label: Tensor, temperature: float) -> Tensor:
    """Return mean_i -(1 / sum_j w_ij) sum_j w_ij [s_ij - log sum_{k in A(i)} exp s_ik].

    w_ij = 1 - cos of the images' bias features for other images of the anchor's label, exactly 0
    for its own views and for features alike up to rounding. An anchor without a weight adds 0 and
    stays in the mean. No factor temperature / base_temperature; no constant in the logarithm.

    Args:
        rows: (B, V, d) projections of any length.
        bias_features: (B, m), one row an image, of any length, not differentiated.
        label: (B,) int64.
        temperature: above 0.
    """
    z, views = unit_rows(rows)[0].flatten(0, 1), rows.shape[1]
    images = _weights(bias_features, label).to(z.dtype)
    image = torch.arange(len(label), device=label.device).repeat_interleave(views)
    terms = [
        checkpoint(_chunk, z, images, image, start, temperature, use_reentrant=False)
        for start in range(0, len(z), ROWS)
    ]
    return torch.stack(terms).sum() / len(z)


@torch.no_grad()
def _weights(bias_features: Tensor, label: Tensor) -> Tensor:
    """Return (B, B) weights, each row summing to 1, or to 0 where there is none."""
    unit = F.normalize(bias_features, dim=1)
    weight = 1 - unit @ unit.T
    weight.fill_diagonal_(0)
    alike = weight <= 8 * torch.finfo(weight.dtype).eps
    weight = weight.masked_fill(alike | (label[:, None] != label[None]), 0)
    return weight / weight.sum(1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)


def _chunk(z: Tensor, images: Tensor, image: Tensor, start: int, temperature: float) -> Tensor:
    """Return the sum of the terms of the anchors from `start` on."""
    own = image[start : start + ROWS]
    s = z[start : start + ROWS] @ z.T / temperature
    itself = torch.arange(start, start + len(own), device=z.device)[:, None]
    low = torch.finfo(s.dtype).min
    log_all = s.scatter(1, itself, low).logsumexp(1)
    weight = images[own][:, image] * (len(images) / len(z))  # an image's weight, over its views
    pull = (weight * s).sum(1)
    return (weight.sum(1) * log_all - pull).sum()


class SoftCon(AfterBiasNetwork):
    """`soft_contrast` of a projection head + `ce_weight` x cross-entropy of a linear classifier.

    The bias features of an image are the mean over its views.

    Args:
        context: `temperature`, `projection`; options `ce_weight`, and those of the bias network.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__(context)
        positive("temperature", context.config.temperature)
        self.temperature = context.config.temperature
        self.ce_weight = float(context.options["ce_weight"])
        not_negative("ce_weight", self.ce_weight)
        self.head = ProjectionHead(context.feature_dim, context.config.projection)
        self.classifier = nn.Linear(context.feature_dim, context.classes)

    def debias(self, features: Tensor, bias_features: Tensor, label: Tensor) -> Tensor:
        """Return the loss of (B, V, D) features."""
        logits = self.predict(features.flatten(0, 1))
        plain = F.cross_entropy(logits, label.repeat_interleave(features.shape[1]))
        contrast = soft_contrast(
            self.head(features), bias_features.mean(1), label, self.temperature
        )
        return contrast + self.ce_weight * plain


SPEC = ObjectiveSpec(
    title="SoftCon",
    family="debiasing, bias label unused",
    source=(
        "Hong and Yang, 'Unbiased classification through bias-contrastive and bias-balanced "
        "learning', NeurIPS 2021 (not on arXiv), soft bias-contrastive "
        "loss; their code (grayhong/bias-contrastive-learning, commit 35562b6), without its 1e-9 "
        "in the logarithm and with weights of exactly 0 for an anchor's own views. Deviations: the "
        "temperature of the run (theirs is 0.07); bias features are the mean over views; "
        + DEVIATION
    ),
    uses=("temperature", "projection"),
    build=SoftCon,
    options={**OPTIONS, "ce_weight": 0.01},
)
