"""BiasCon: pictures of one label and different bias are pulled together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from debias_cl.losses.anchors import unit_rows
from debias_cl.losses.biasbal import SOURCE
from debias_cl.losses.classes import full_precision
from debias_cl.losses.contract import (
    ObjectiveContext,
    ObjectiveSpec,
    ProjectionHead,
    Targets,
    TrainingObjective,
)
from debias_cl.losses.contrast import log_sums
from debias_cl.losses.cross_entropy import CrossEntropy
from debias_cl.losses.family import checked, not_negative, positive
from debias_cl.losses.groups import Shares, cells, checked_bias, known_bias, members
from debias_cl.losses.tiles import SAME, Layout


class BiasConLoss(nn.Module):
    """Bias-contrastive loss: mean_i { -mean_{p in P(i)} s_ip + log sum_{A(i)} exp s_ij }.

    s_ij = z_i . z_j / temperature of unit vectors; every view of every image is an anchor. P(i):
    rows with the anchor's label and ANOTHER bias; A(i): every row but i. The anchor's own other
    view has its bias, so it is pushed away. An anchor without positives adds 0 and stays in the
    mean; `diagnostics()` counts them. Exact; memory grows with the rows, not with their square.

    Args:
        temperature: above 0; 0.07 in the authors' code.

    Source: Hong and Yang, NeurIPS 2021; grayhong/bias-contrastive-learning 35562b6
    debias/losses/bias_contrastive.py. There is no factor temperature / base_temperature.
    Deviations: without the 1e-9 inside their logarithm; features are normalised inside.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        positive("temperature", temperature)
        self.temperature = temperature
        self._shares = Shares()

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def forward(self, features: Tensor, label: Tensor, bias: Tensor) -> Tensor:
        """Return the loss: features (B, V, d) or (N, d) of any norm, label and bias (B,) int."""
        features, codes = checked(features, label)
        assert codes is not None
        bias = checked_bias(bias, codes)
        with full_precision(features.device.type):
            z, _ = unit_rows(features)
            pulls, number = _positives(z.sum(1), codes, bias, z.shape[1])
            lacking = (number == 0)[:, None].expand(z.shape[:2])
            self._shares.add("anchors_without_positives", lacking)
            mean = (z * pulls[:, None]).sum(-1) / number.clamp(min=1)[:, None] / self.temperature
            everyone = Layout.of(codes.new_zeros(lacking.numel()))  # one label: all are SAME
            logs = log_sums(z.flatten(0, 1), everyone, self.temperature, wanted=(SAME,))[SAME]
            return (logs.view_as(mean) - mean).masked_fill(lacking, 0.0).mean()

    def diagnostics(self) -> dict[str, float]:
        """Return the share of anchors without positives since the last call."""
        return self._shares.read()


def _positives(sums: Tensor, label: Tensor, bias: Tensor, views: int) -> tuple[Tensor, Tensor]:
    """Return (B, d) sums over P(i), of the images' (B, d) sums over views, and (B,) sizes."""
    of_label, of_cell = (members(code, sums.dtype) for code in (label, cells(label, bias)))
    number = of_label @ of_label.sum(0) - of_cell @ of_cell.sum(0)
    return of_label @ (of_label.T @ sums) - of_cell @ (of_cell.T @ sums), number * views


class BiasCon(TrainingObjective):
    """`ce_weight` x a classifier's loss + `BiasConLoss` on a projection head.

    Args:
        context: settings and sizes.
        classification: the classifier and its loss.
    """

    has_classifier = True

    def __init__(self, context: ObjectiveContext, classification: CrossEntropy) -> None:
        super().__init__()
        self.weight = float(context.options["ce_weight"])
        not_negative("ce_weight", self.weight)
        self.classification = classification
        self.head = ProjectionHead(context.feature_dim, context.config.projection)
        self.loss = BiasConLoss(context.config.temperature)

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the weighted sum: features (B, V, D)."""
        contrast: Tensor = self.loss(self.head(features), targets.label, known_bias(targets))
        classification: Tensor = self.classification(features, targets)
        return self.weight * classification + contrast

    def predict(self, features: Tensor) -> Tensor:
        """Return (n, K) logits of (n, D) features."""
        return self.classification.predict(features)

    def diagnostics(self) -> dict[str, float]:
        """Pass on the share of anchors without positives."""
        return self.loss.diagnostics()


DEVIATION = (
    "deviations: without the 1e-9 that the code adds inside the logarithm; the projections of a "
    "head are contrasted (the code: the encoder's features); both parts see the same batch, and "
    "conflicting pictures are not drawn more often (their loaders: ratio 10; see fit.sampling)"
)

SPEC = ObjectiveSpec(
    title="BiasCon",
    family="debiasing, bias label used",
    source=(
        f"{SOURCE}, debias/losses/bias_contrastive.py, total 0.01 CE + contrast, temperature 0.07 "
        f"there; {DEVIATION}"
    ),
    uses=("temperature", "projection"),
    build=lambda context: BiasCon(context, CrossEntropy(context)),
    needs_bias=True,
    options={"ce_weight": 0.01},
)
