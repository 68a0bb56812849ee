"""Objectives that first train a bias network, then use its features against the bias."""

from __future__ import annotations

from torch import Tensor

from debias_cl.losses.classes import full_precision, wide
from debias_cl.losses.contract import EpochMeans, LinearClassifier, ObjectiveContext, Targets
from debias_cl.losses.gce import amplified_cross_entropy, checked_q
from debias_cl.losses.second_network import SecondNetwork, checked_share

OPTIONS = {"warmup": 0.2, "q": 0.7}
"""Options that these objectives share: the bias network's part of the run, and its GCE's q."""

DEVIATION = (
    "the authors train bias networks before and apart, some with the bias label or on other data; "
    "here it is an encoder of the run's architecture that learns the label with GCE in the first "
    "`warmup` share of the same run and schedule, while the main network waits"
)


class AfterBiasNetwork(LinearClassifier):
    """Base: the bias network's loss in the first `warmup` share of the run, `debias` after that.

    The bias network learns the label by `amplified_cross_entropy`, which favours what is easy: the
    bias. The main network is not in that loss's graph, so its gradient is none and no optimiser
    moves it, by weight decay neither (its batch norm's running statistics do follow). After that
    the bias network is frozen in the same way. No bias label is used.

    Args:
        context: sizes; options `warmup` in [0, 1) and `q` in (0, 1].
    """

    needs_views = True

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        self.warmup = checked_share("warmup", context.options["warmup"])
        self.q = checked_q(context.options["q"])
        self.bias_network = SecondNetwork(context)
        self.done = 1.0
        self._means = EpochMeans()

    def set_progress(self, done: float) -> None:
        """Note the share of the run that is done: it says which network is trained."""
        self.done = done

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features and of `targets.views`; float32 at least inside."""
        assert targets.views is not None
        with full_precision(features.device.type):
            if self.done < self.warmup:
                logits = self.bias_network(targets.views).flatten(0, 1)
                label = targets.label.repeat_interleave(targets.views.shape[1])
                right = (logits.argmax(1) == label).float().mean()
                self._means.add("bias_network_accuracy", right)
                loss: Tensor = amplified_cross_entropy(logits, label, self.q).mean()
                return loss
            bias_features = self.bias_network.frozen_features(targets.views)
            return self.debias(wide(features), bias_features, targets.label)

    def debias(self, features: Tensor, bias_features: Tensor, label: Tensor) -> Tensor:
        """Return the main network's loss.

        Args:
            features: (B, V, D) float32 or float64.
            bias_features: (B, V, D) of the same views, without a graph.
            label: (B,) int64.
        """
        raise NotImplementedError

    def diagnostics(self) -> dict[str, float]:
        """Return the bias network's accuracy on what it was trained with since the last call."""
        return self._means.read()
