"""Learning from failure: what a biased twin finds hard weighs more in the debiased network."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.classes import full_precision, wide
from debias_cl.losses.contract import (
    EpochMeans,
    LinearClassifier,
    ObjectiveContext,
    ObjectiveSpec,
    Targets,
)
from debias_cl.losses.gce import amplified_cross_entropy, checked_q
from debias_cl.losses.second_network import SecondNetwork, checked_examples


class RelativeDifficulty(nn.Module):
    """Running losses of both networks on every training picture, and the weights that follow.

    e <- alpha e + (1 - alpha) l, the first time e <- l; n = e / the largest e of the class among
    all training pictures (those never seen hold 0); weight = n_b / (n_b + n_d + 1e-8).

    Args:
        examples: training pictures.
        classes: label levels.
        alpha: share of the old value that stays, in [0, 1).
    """

    biased: Tensor
    debiased: Tensor
    label: Tensor

    def __init__(self, examples: int, classes: int, alpha: float) -> None:
        super().__init__()
        if not 0 <= alpha < 1:
            raise UsageError(f"alpha is {alpha}", expected="a number from 0 to below 1")
        self.classes, self.alpha = classes, alpha
        self.register_buffer("biased", torch.zeros(examples))
        self.register_buffer("debiased", torch.zeros(examples))
        self.register_buffer("label", torch.full((examples,), -1))

    @torch.no_grad()
    def forward(self, biased: Tensor, debiased: Tensor, label: Tensor, index: Tensor) -> Tensor:
        """Take note of a batch's losses and return its (B,) weights in [0, 1], without gradient.

        Args:
            biased, debiased: (B,) cross-entropies.
            label: (B,) int64.
            index: (B,) int64 rows of the tables, each once.
        """
        new = self.label[index] < 0
        relative = []
        for table, loss in ((self.biased, biased), (self.debiased, debiased)):
            old, loss = table[index], loss.to(table.dtype)
            table[index] = torch.where(new, loss, self.alpha * old + (1 - self.alpha) * loss)
            relative.append(table)
        self.label[index] = label
        n_b, n_d = (table[index] / self._class_maximum(table, label) for table in relative)
        weight: Tensor = n_b / (n_b + n_d + 1e-8)
        return weight

    def _class_maximum(self, table: Tensor, label: Tensor) -> Tensor:
        """Return (B,) the largest value of each label's class; never 0, so that 0 / 0 is 0."""
        # Pictures never seen hold 0, so it does not matter which class they are counted in.
        least = table.new_full((self.classes,), torch.finfo(table.dtype).tiny)
        return least.scatter_reduce(0, self.label.clamp(min=0), table, "amax")[label]


class LfF(LinearClassifier):
    """mean_i GCE_i of the biased twin + mean_i weight_i CE_i of the debiased network.

    The encoder of the run is the debiased one; `RelativeDifficulty` gives the weights. An image's
    loss is the mean over its views.

    Args:
        context: sizes; options `q` of GCE and `alpha` of the running losses.
    """

    needs_views = True

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        self.q = checked_q(context.options["q"])
        self.difficulty = RelativeDifficulty(
            checked_examples("LfF", context), context.classes, context.options["alpha"]
        )
        self.twin = SecondNetwork(context)
        self.classifier = nn.Linear(context.feature_dim, context.classes)
        self._means = EpochMeans()

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features and of `targets.views`."""
        assert targets.views is not None
        with full_precision(features.device.type):
            logits_b = self.twin(targets.views)
            return self.compare(logits_b, self.predict(wide(features)), targets)

    def compare(self, logits_b: Tensor, logits_d: Tensor, targets: Targets) -> Tensor:
        """Return the loss of both networks' (B, V, K) logits, and update the running losses."""
        views = logits_d.shape[1]
        label = targets.label.repeat_interleave(views)
        biased, debiased = (
            F.cross_entropy(logits.flatten(0, 1), label, reduction="none").reshape(-1, views)
            for logits in (logits_b, logits_d)
        )
        weight = self.difficulty(biased.mean(1), debiased.mean(1), targets.label, targets.index)
        self._means.add("mean_weight", weight.mean())
        amplified = amplified_cross_entropy(logits_b.flatten(0, 1), label, self.q).mean()
        weighted: Tensor = (weight.to(debiased.dtype) * debiased.mean(1)).mean()
        return weighted + amplified

    def diagnostics(self) -> dict[str, float]:
        """Return the mean weight since the last call, in [0, 1]."""
        return self._means.read()


SPEC = ObjectiveSpec(
    title="LfF",
    family="debiasing, bias label unused",
    source=(
        "Nam et al., 'Learning from failure: training debiased classifier from biased classifier', "
        "NeurIPS 2020, arXiv 2007.02561, algorithm 1; their code (alinlab/LfF, commit e66796e), "
        "whose running losses, class maxima and q times GCE's gradient are followed. Deviations: "
        "an image's loss is the mean over its views; both networks have the run's optimiser"
    ),
    uses=(),
    build=LfF,
    options={"q": 0.7, "alpha": 0.7},
)
