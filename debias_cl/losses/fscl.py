"""FSCL: label contrast against negatives that share the anchor's bias level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.classes import full_precision, reordered
from debias_cl.losses.contract import (
    ObjectiveContext,
    ObjectiveSpec,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.contrast import log_sums
from debias_cl.losses.family import checked, positive
from debias_cl.losses.groups import Shares, cells, checked_bias, distinct, known_bias, members
from debias_cl.losses.tiles import OTHER, SAME, Layout


@dataclass(frozen=True)
class Form:
    """Which rows an anchor is compared with.

    Attributes:
        own_views: positives are the other views of its image, else the other rows of its label.
        within_bias: only rows of its bias level are in the denominator.
        other_labels: only rows of other labels are in the denominator.
    """

    own_views: bool
    within_bias: bool
    other_labels: bool


FORMS = {
    "FSCL": Form(own_views=False, within_bias=True, other_labels=True),
    "FSCL*": Form(own_views=True, within_bias=True, other_labels=False),
    "SupCon": Form(own_views=False, within_bias=False, other_labels=False),
    "SimCLR": Form(own_views=True, within_bias=False, other_labels=False),
}


class FSCLLoss(nn.Module):
    """Fair supervised contrastive loss, exact and in memory that grows with the rows alone.

    loss = (temperature / base_temperature) mean_i -mean_{p in P(i)} [s_ip - log sum_{D(i)} exp
    s_ij], s_ij = z_i . z_j / temperature of unit vectors, every view of every image an anchor.

    FSCL: P(i) other rows of the label, D(i) rows of ANOTHER label and the SAME bias (ConTeX's L_a
    with fewer negatives). FSCL*: P(i) other views of the image, D(i) all other rows of the same
    bias. SupCon and SimCLR: D(i) all other rows; P(i) of FSCL and of FSCL* (for the group norm;
    without it `supcon` and `simclr` are the same).

    Group norm: c_k is the number of row k's positives of its own bias level. The mean over P(i)
    becomes the sum of [..] / c_p, and the anchor's term is multiplied by (N / group_norm_scale) /
    (c_i + 1), N the rows of the batch: every label x bias group then weighs about the same, as
    positive and as anchor. The scale 8 of the code seems to be 2 labels x 2 bias levels x 2 views;
    in other settings it only scales the loss.

    An anchor whose D(i) or P(i) is empty adds 0 and stays in the mean; both are counted in
    `diagnostics()`. Rows of zeros have similarity 0.

    Args:
        temperature: above 0; 0.1 in the authors' scripts.
        base_temperature: above 0; 0.07 in the authors' code.
        form: `FSCL`, `FSCL*`, `SupCon` or `SimCLR`.
        group_norm: whether groups are weighed as above.
        group_norm_scale: above 0.

    Source: Park et al., 'Fair contrastive learning for facial attribute classification', CVPR
    2022, arXiv 2203.16209; sungho-CoolG/FSCL 1369d15 losses.py `FairSupConLoss`. Deviations: where
    D(i) is empty their code gives s_ip minus the row maximum; c_p is 1 at least (theirs divides by
    0 for a group of one row).
    """

    def __init__(
        self,
        temperature: float = 0.1,
        base_temperature: float = 0.07,
        form: str = "FSCL",
        group_norm: bool = False,
        group_norm_scale: float = 8.0,
    ) -> None:
        super().__init__()
        positive("temperature", temperature)
        positive("base_temperature", base_temperature)
        positive("group_norm_scale", group_norm_scale)
        if form not in FORMS:
            raise UsageError(f"form is '{form}'", remedy=did_you_mean(form, FORMS))
        self.temperature, self.scale = temperature, temperature / base_temperature
        self.form, self.group_norm, self.group_norm_scale = (
            FORMS[form],
            group_norm,
            group_norm_scale,
        )
        self._shares = Shares()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, features: Tensor, label: Tensor, bias: Tensor) -> Tensor:
        """Return the loss: features (B, V, d) or (N, d) of any norm, label and bias (B,) int."""
        features, codes = checked(features, label)
        assert codes is not None
        bias = checked_bias(bias, codes)
        with full_precision(features.device.type):
            z, unit = unit_rows(features)
            logs = self._denominators(z, codes, bias)
            share, anchor = self._weights(z, codes, bias)
            together = members(codes, z.dtype)
            if self.form.own_views:
                together = torch.eye(len(codes), dtype=z.dtype, device=z.device)
            total = together @ (together.T @ (z.sum(1) * share[:, None]))  # (B, d)
            number = together @ (together.T @ (share * z.shape[1])) - share  # (B,)
            pull = (z * total[:, None]).sum(-1) - share[:, None] * unit  # without the row itself
            no_negatives = logs.isinf()
            no_positives = (anchor == 0)[:, None].expand_as(no_negatives)
            self._shares.add("anchors_without_negatives", no_negatives)
            self._shares.add("anchors_without_positives", no_positives)
            logs = logs.masked_fill(no_negatives, 0.0)
            each = anchor[:, None] * (number[:, None] * logs - pull / self.temperature)
            return each.masked_fill(no_negatives | no_positives, 0.0).mean() * self.scale

    def _weights(self, z: Tensor, label: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B,) weights of an image's rows as positives and as anchors (0: no positives)."""
        b, v, _ = z.shape
        sizes = [
            g @ g.sum(0) * v - 1 for g in (members(c, z.dtype) for c in (label, cells(label, bias)))
        ]
        positives, own = (
            [torch.full_like(s, v - 1.0) for s in sizes] if self.form.own_views else sizes
        )
        if not self.group_norm:
            return torch.ones_like(own), torch.where(positives > 0, 1 / positives.clamp(min=1), 0.0)
        anchor = b * v / self.group_norm_scale / (own + 1)
        return 1 / own.clamp(min=1), anchor.where(positives > 0, 0.0)

    def _denominators(self, z: Tensor, label: Tensor, bias: Tensor) -> Tensor:
        """Return (B, V) log sum over D(i) of exp s_ij; -inf where D(i) is empty."""
        v = z.shape[1]
        part = bias if self.form.within_bias else torch.zeros_like(bias)
        kind = label if self.form.other_labels else torch.zeros_like(label)
        wanted = OTHER if self.form.other_labels else SAME
        order = cells(part, kind).repeat_interleave(v).argsort(stable=True)
        rows, kinds = reordered(z.flatten(0, 1), order), kind.repeat_interleave(v)[order]
        sizes = (distinct(part)[1] * v).tolist()
        logs = [
            log_sums(group, Layout.of(its), self.temperature, wanted=(wanted,))[wanted]
            for group, its in zip(torch.split(rows, sizes), torch.split(kinds, sizes), strict=True)
        ]
        return reordered(torch.cat(logs), order.argsort()).view(z.shape[:2])

    def diagnostics(self) -> dict[str, float]:
        """Return the shares of anchors without negatives and positives since the last call."""
        return self._shares.read()


class FSCL(TrainingObjective):
    """`FSCLLoss` on a projection head.

    Args:
        context: settings and sizes.
    """

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        config = context.config
        self.head = ProjectionHead(context.feature_dim, config.projection)
        self.loss = FSCLLoss(config.temperature, config.base_temperature, **context.options)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Project and contrast: features (B, V, D)."""
        loss: Tensor = self.loss(self.head(features), targets.label, known_bias(targets))
        return loss

    def diagnostics(self) -> dict[str, float]:
        """Pass on what the loss counted."""
        return self.loss.diagnostics()


SPEC = ObjectiveSpec(
    title="FSCL",
    family="debiasing, bias label used",
    source=(
        "Park et al., 'Fair contrastive learning for facial attribute classification', CVPR 2022, "
        "arXiv 2203.16209; code followed: sungho-CoolG/FSCL commit 1369d15, losses.py "
        "`FairSupConLoss`, method FSCL, with its factor temperature / base_temperature; FSCL+ is "
        "group_norm=true. Deviations: an anchor without negatives adds 0 (the code: s_ip minus the "
        "row maximum); a group of one row divides by 1, not by 0"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=FSCL,
    needs_bias=True,
    options={"form": "FSCL", "group_norm": False, "group_norm_scale": 8.0},
)
