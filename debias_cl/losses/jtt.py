"""Just train twice: what a first network got wrong weighs more in a second one."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.classes import full_precision, wide
from debias_cl.losses.contract import (
    LinearClassifier,
    ObjectiveContext,
    ObjectiveSpec,
    Targets,
)
from debias_cl.losses.second_network import (
    SecondNetwork,
    checked_examples,
    checked_share,
)


class JTT(LinearClassifier):
    """First an identification network's cross-entropy, then the main network's weighted one.

    In the first `identify` share of the run the loss is the identification network's alone; the
    main network is not in its graph, so its gradient is none and no optimiser moves it, by weight
    decay neither (its batch norm's running statistics do follow). Training pictures that the
    identification network got wrong when it last saw them (by the mean logits of the views) are the
    error set. After that: mean_i w_i CE_i / mean of w over the training split, w = `upweight` in
    the error set, else 1: the expected loss of a picture drawn from the authors' longer set.

    Args:
        context: sizes; options `identify` in [0, 1), `upweight` at least 1.
    """

    needs_views = True
    wrong: Tensor

    def __init__(self, context: ObjectiveContext) -> None:
        super().__init__()
        self.identify = checked_share("identify", context.options["identify"])
        self.upweight = float(context.options["upweight"])
        if not 1 <= self.upweight < float("inf"):
            raise UsageError(f"upweight is {self.upweight}", expected="a number from 1 on")
        examples = checked_examples("JTT", context)
        self.register_buffer("wrong", torch.zeros(examples, dtype=torch.bool))
        self.identification = SecondNetwork(context)
        self.classifier = nn.Linear(context.feature_dim, context.classes)
        self.done = 1.0

    def set_progress(self, done: float) -> None:
        """Note the share of the run that is done: it says which network is trained."""
        self.done = done

    def forward(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features, or of `targets.views` in the first part."""
        assert targets.views is not None
        label = targets.label.repeat_interleave(features.shape[1])
        with full_precision(features.device.type):
            if self.done < self.identify:
                logits = self.identification(targets.views)
                self.wrong[targets.index] = logits.detach().mean(1).argmax(1) != targets.label
                return F.cross_entropy(logits.flatten(0, 1), label)
            logits = self.predict(wide(features).flatten(0, 1))
            loss = F.cross_entropy(logits, label, reduction="none")
            weight = 1 + (self.upweight - 1) * self.wrong.to(loss.dtype)
            rows = weight[targets.index].repeat_interleave(features.shape[1])
            return (rows * loss).mean() / weight.mean()

    def diagnostics(self) -> dict[str, float]:
        """Return the share of training pictures in the error set, in [0, 1]."""
        return {"error_set": float(self.wrong.float().mean())}


SPEC = ObjectiveSpec(
    title="JTT",
    family="debiasing, bias label unused",
    source=(
        "Liu et al., 'Just train twice: improving group robustness without training group "
        "information', ICML 2021, arXiv 2107.09044, algorithm 1 (no code followed); defaults as "
        "for Waterbirds there: 60 of 300 epochs, 100. Deviations: the authors put the error set "
        "`upweight` times into the training set, which makes epochs longer; here the loss is "
        "weighted. Errors are those when a picture was last seen in training, with its "
        "augmentation, not of a pass at the end; both networks share one run and its schedule"
    ),
    uses=(),
    build=JTT,
    options={"identify": 0.2, "upweight": 100.0},
)
