"""Gated ConTeX: label contrast only where the self contrast's neighbours vote wrongly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from debias_cl.errors import UsageError
from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.classes import full_precision, wide
from debias_cl.losses.contract import (
    EpochMeans,
    ObjectiveContext,
    ObjectiveSpec,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.family import checked, fraction, positive
from debias_cl.losses.ntxent import NTXentLoss

ROWS = 1024
"""Anchors whose similarities to all rows are held at once."""


def gated_label_contrast(
    label_rows: Tensor,
    own_rows: Tensor,
    label: Tensor,
    temperature: float,
    threshold: float = 0.5,
    gated: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the gated label contrast and the gate of every anchor.

    With s^a, s^b the similarities of the two projections over the temperature, R(i) the rows of
    other images with the anchor's label and A'(i) all rows of other images:
    p_i = sum_R exp s^b / sum_A' exp s^b (no gradient), u_i = max(0, 1 - p_i / threshold),
    L_h = sum_i u_i (-log [sum_R exp s^a / sum_A' exp s^a]) / (1 + sum_i u_i).

    An anchor without such rows (a label or an image alone in the batch) has u = 0. Exact; memory
    grows with N alone.

    Args:
        label_rows: (B, V, d) projections of the label's head, of any length.
        own_rows: (B, V, d) projections of the self contrast's head.
        label: (B,) int64.
        temperature: above 0.
        threshold: share of the vote at which the gate closes, in (0, 1].
        gated: False: u_i = 1 for every anchor that has rows of its label.

    Returns:
        a scalar, and (B V,) gates in [0, 1] without gradient.
    """
    a, b = (unit_rows(rows)[0].flatten(0, 1) for rows in (label_rows, own_rows))
    views = label_rows.shape[1]
    row_label = label.repeat_interleave(views)
    image = torch.arange(len(label), device=label.device).repeat_interleave(views)
    terms, gates = [], []
    for start in range(0, len(a), ROWS):
        rows = slice(start, start + ROWS)
        other = image[rows, None] != image[None]
        same = other & (row_label[rows, None] == row_label[None])
        with torch.no_grad():
            vote = _log_share(b[rows], b, same, other, temperature).exp()
            gate = (1 - vote / threshold).clamp(min=0) if gated else torch.ones_like(vote)
            gate = gate.masked_fill(~same.any(1), 0)
        log_share = checkpoint(
            _log_share, a[rows], a, same, other, temperature, use_reentrant=False
        )
        terms.append((gate * -log_share.masked_fill(gate == 0, 0)).sum())
        gates.append(gate)
    gate = torch.cat(gates)
    return torch.stack(terms).sum() / (1 + gate.sum()), gate


def _log_share(
    rows: Tensor, everyone: Tensor, same: Tensor, other: Tensor, temperature: float
) -> Tensor:
    """Return (n,) log [sum of exp s over `same` / sum over `other`]; 0 where one is empty."""
    s = rows @ everyone.T / temperature
    low = torch.finfo(s.dtype).min
    part, whole = (s.masked_fill(~mask, low).logsumexp(1) for mask in (same, other))
    return (part - whole).masked_fill(~same.any(1), 0)


class ContexGated(TrainingObjective):
    """Self contrast on one head, gated label contrast on another; no bias label is used.

    loss = scale [weight L_h + (1 - weight) mean_i L_b(i)], scale = temperature / base_temperature;
    for the first `warmup` share of training L_b alone. L_h: `gated_label_contrast`.

    Options: `warmup` in [0, 1), `threshold` in (0, 1], `gated`.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        config, options = context.config, context.options
        positive("temperature", config.temperature)
        positive("base_temperature", config.base_temperature)
        if not 0 <= options["warmup"] < 1 or not 0 < options["threshold"] <= 1:
            raise UsageError(
                f"warmup is {options['warmup']}, threshold is {options['threshold']}",
                expected="warmup in [0, 1), threshold in (0, 1]",
            )
        fraction("weight", config.weight)
        self.label_head = ProjectionHead(context.feature_dim, config.projection)
        self.own_head = ProjectionHead(context.feature_dim, config.projection)
        self.own = NTXentLoss(config.temperature, config.base_temperature)
        self.temperature, self.base, self.weight = (
            config.temperature,
            config.base_temperature,
            config.weight,
        )
        self.warmup, self.threshold, self.gated = (
            options["warmup"],
            options["threshold"],
            options["gated"],
        )
        self.done = 1.0
        self._means = EpochMeans()

    def set_progress(self, done: float) -> None:
        """Note the share of training that is done: the label contrast begins after the warm-up."""
        self.done = done

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss: features (B, V, D)."""
        features, label = checked(features, targets.label)
        assert label is not None
        own_rows = self.own_head(features)
        own: Tensor = self.own(own_rows)
        if self.done < self.warmup:
            return own
        with full_precision(features.device.type):
            heard, gate = gated_label_contrast(
                self.label_head(wide(features)),
                own_rows.detach(),
                label,
                self.temperature,
                self.threshold,
                self.gated,
            )
        self._means.add("mean_gate", gate.mean())
        scale = self.temperature / self.base
        return self.weight * scale * heard + (1 - self.weight) * own

    def diagnostics(self) -> dict[str, float]:
        """Return the mean gate since the last call, and what the self contrast counted."""
        return {**self._means.read(), **self.own.diagnostics()}


SPEC = ObjectiveSpec(
    title="gated ConTeX",
    family="ConTeX",
    source=(
        "a candidate of this project: the label contrast acts on an anchor by how wrongly the self "
        "contrast's neighbours vote on its label; the self contrast is SimCLR's (Chen et al., "
        "arXiv 2002.05709, equation 1) with the factor temperature / base_temperature"
    ),
    uses=("temperature", "base_temperature", "weight", "projection"),
    build=ContexGated,
    options={"warmup": 0.2, "threshold": 0.5, "gated": True},
)
