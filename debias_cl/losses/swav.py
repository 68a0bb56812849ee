"""SwAV: each view predicts to which prototypes another view was assigned, in equal shares."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.baselines import ViewPairs, each_view, mlp
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, Targets
from debias_cl.losses.family import positive


class SwAV(ViewPairs):
    """Swapped prediction of prototypes, mean over ordered pairs of views.

    Scores are cosines of projections and prototypes; a view's codes are exp(score / epsilon) scaled
    to equal mass for each prototype and for each image in turn, without gradient; the loss is the
    cross-entropy of another view's softmax(score / temperature). One view or one image: 0.

    Args:
        context: `temperature`, `projection`; options `prototypes` (their number), `epsilon` and
            `iterations` of the scaling, `frozen` (share of the training, at its beginning, in
            which the prototypes stay).
    """

    def __init__(self, context: ObjectiveContext) -> None:
        from lightly.loss import SwaVLoss

        super().__init__()
        options, widths = context.options, (context.feature_dim, *context.config.projection)
        if options["prototypes"] < 1 or options["iterations"] < 1:
            raise UsageError(
                f"SwAV has {options['prototypes']} prototypes and {options['iterations']} "
                "iterations",
                expected="at least 1 of each",
            )
        positive("epsilon", options["epsilon"])
        positive("temperature", context.config.temperature)
        self.head = mlp(widths)
        self.prototypes = nn.Parameter(_unit(torch.randn(options["prototypes"], widths[-1])))
        self.loss: nn.Module = SwaVLoss(
            context.config.temperature, options["iterations"], options["epsilon"]
        )
        self.frozen = float(options["frozen"])
        self._done = 0.0

    def compare(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features."""
        prototypes = self.prototypes.detach() if self._done < self.frozen else self.prototypes
        scores = _unit(each_view(self.head, features)) @ prototypes.T  # (B, V, prototypes)
        loss: Tensor = self.loss(list(scores.unbind(1)), [])
        return loss.sum()  # of one number: lightly gives a vector of length 1

    def set_progress(self, done: float) -> None:
        """Note the share of all steps that is done: the prototypes stay for its first part."""
        self._done = done

    def after_step(self, encoder: nn.Module) -> None:
        """Bring the prototypes back to length 1."""
        with torch.no_grad():
            self.prototypes.copy_(_unit(self.prototypes))


def _unit(rows: Tensor) -> Tensor:
    return F.normalize(rows, dim=-1)


SPEC = ObjectiveSpec(
    title="SwAV",
    family="self-supervised",
    source=(
        "Caron et al., 'Unsupervised learning of visual features by contrasting cluster "
        "assignments', NeurIPS 2020, arXiv 2006.09882, equations 2 to 5; lightly 1.6.0 `SwaVLoss`. "
        "Deviations: all views have one size (no small crops); no queue; 512 prototypes, not "
        "3,000; they stay for a share of the training, not for one epoch"
    ),
    uses=("temperature", "projection"),
    build=SwAV,
    needs_label=False,
    options={"prototypes": 512, "epsilon": 0.05, "iterations": 3, "frozen": 0.01},
    extra="baselines",
)
