"""ConTeX with N x N matrices, written from its formula: what the streaming loss is measured beside.

`masks` takes the steps that the field's public code takes; `lean` is as short as eager code gets
without changing the mathematics. Both differentiate by autograd and want two classes or more.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TEMPERATURE, BASE = 0.1, 0.07


def masks(features: Tensor, labels: Tensor) -> Tensor:
    """ConTeX by masks: for each part a float mask, exponentials, and log-probabilities, all N x N.

    Args:
        features: (n, views, d) float.
        labels: (n,) integers.
    """
    views = features.shape[1]
    z = torch.cat(F.normalize(features, dim=2).unbind(1), 0)  # (N, d), first views first
    anchor_dot_contrast = torch.div(z @ z.T, TEMPERATURE)
    top, _ = anchor_dot_contrast.max(dim=1, keepdim=True)
    logits = anchor_dot_contrast - top.detach()
    label = labels.view(-1, 1)
    same_label = (label == label.T).to(z.dtype).repeat(views, views)
    same_image = torch.eye(len(labels), dtype=z.dtype, device=z.device).repeat(views, views)
    diagonal = torch.arange(len(z), device=z.device).view(-1, 1)
    not_self = torch.ones_like(same_label).scatter(1, diagonal, 0)
    label_contrast = _pull(logits, same_label * not_self, 1 - same_label)
    self_contrast = _pull(logits, same_image * not_self, not_self)
    return (TEMPERATURE / BASE * (label_contrast + self_contrast) / 2).mean()


def _pull(logits: Tensor, positives: Tensor, denominator: Tensor) -> Tensor:
    """Return (N,) minus the mean log-probability of the positives."""
    powers = torch.exp(logits) * denominator
    log_prob = logits - torch.log(powers.sum(1, keepdim=True))
    return -(positives * log_prob).sum(1) / positives.sum(1)


def lean(features: Tensor, labels: Tensor) -> Tensor:
    """ConTeX with its exponentials made once and its masks made where they are used.

    Args:
        features: (n, views, d) float.
        labels: (n,) integers.
    """
    b, v, _ = features.shape
    z = F.normalize(features, dim=-1).flatten(0, 1)  # (N, d)
    label = labels.repeat_interleave(v)
    image = torch.arange(b, device=z.device).repeat_interleave(v)
    others = 1 - torch.eye(b * v, device=z.device)
    same = (label[:, None] == label[None, :]).to(z.dtype)
    positives, negatives = same * others, 1 - same
    views = (image[:, None] == image[None, :]).to(z.dtype) * others
    logits = z @ z.T / TEMPERATURE
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    powers = logits.exp()
    by_label = logits - (powers * negatives).sum(1, keepdim=True).log()
    by_self = logits - (powers * others).sum(1, keepdim=True).log()
    label_contrast = -(positives * by_label).sum(1) / positives.sum(1)
    self_contrast = -(views * by_self).sum(1) / views.sum(1)
    return TEMPERATURE / BASE * (label_contrast + self_contrast).mean() / 2
