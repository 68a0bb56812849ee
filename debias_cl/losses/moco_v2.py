"""MoCo v2: a view against a slowly following network's key of another view and a queue of keys."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from debias_cl.errors import UsageError
from debias_cl.losses.baselines import MomentumNetwork, Pairs, ViewPairs, each_view, over_pairs
from debias_cl.losses.contract import ObjectiveContext, ObjectiveSpec, ProjectionHead, Targets
from debias_cl.losses.family import positive


class KeyQueue(nn.Module):
    """The newest keys, oldest overwritten first; it stands where lightly has its memory bank.

    Unlike that one it is saved with the run, is filled only when told, and goes on at its beginning
    with what does not fit at its end. It begins with random directions.

    Args:
        size: number of keys M.
        width: their width d.
    """

    keys: Tensor
    next: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        if size < 1:
            raise UsageError(f"queue is {size}", expected="a number of keys, at least 1")
        self.register_buffer("keys", F.normalize(torch.randn(size, width), dim=1))
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))

    def forward(self, keys: Tensor, update: bool = False) -> tuple[Tensor, Tensor]:
        """Return the batch's keys as they are, and the queue as (d, M); `update` is not used."""
        return keys, self.keys.T

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Put (n, d) unit keys in; of more than M, the last M."""
        size = len(self.keys)
        keys = keys[-size:]
        places = (self.next + torch.arange(len(keys), device=keys.device)) % size
        self.keys[places] = keys.to(self.keys.dtype)
        self.next.copy_((self.next + len(keys)) % size)


class MoCo(ViewPairs):
    """Cross-entropy of the right key among the queue's: -q.k/t + log(exp q.k/t + sum_M exp q.n/t).

    The first view asks, the other views are keys (mean over them); with option `symmetric` each
    view asks for each other one. The keys of a step join the queue after it. One view: 0.

    Args:
        context: `temperature`, `projection`; options `momentum` (constant), `queue` (keys held).
    """

    needs_views = True
    least = 1

    def __init__(self, context: ObjectiveContext) -> None:
        from lightly.loss import NTXentLoss

        super().__init__()
        positive("temperature", context.config.temperature)
        widths = context.config.projection
        self.head = ProjectionHead(context.feature_dim, widths)
        self.target = MomentumNetwork(context, self.head, context.options["momentum"])
        self.symmetric = bool(context.options["symmetric"])
        self.loss: nn.Module = NTXentLoss(context.config.temperature)
        self.queue = KeyQueue(context.options["queue"], (context.feature_dim, *widths)[-1])
        self.loss.memory_bank = self.queue
        self._waiting: Tensor | None = None

    def compare(self, features: Tensor, targets: Targets) -> Tensor:
        """Return the loss of (B, V, D) features and of `targets.views`."""
        assert targets.views is not None
        first = 0 if self.symmetric else 1
        views = range(features.shape[1])
        queries = each_view(self.head, features)
        keys = F.normalize(self.target(targets.views), dim=2)
        self._waiting = keys[:, first:].transpose(0, 1).flatten(0, 1)
        pairs: Pairs = (
            itertools.permutations(views, 2) if self.symmetric else ((0, v) for v in views[1:])
        )
        return over_pairs(self.loss, queries, keys, pairs)

    def begin(self, encoder: nn.Module) -> None:
        """Let the second network start as the first."""
        self.target.copy(encoder, self.head)

    def after_step(self, encoder: nn.Module) -> None:
        """Follow the encoder, and put the step's keys into the queue."""
        self.target.follow(encoder, self.head)
        if self._waiting is not None:
            self.queue.push(self._waiting)
            self._waiting = None


SPEC = ObjectiveSpec(
    title="MoCo v2",
    family="self-supervised",
    source=(
        "He et al., 'Momentum contrast for unsupervised visual representation learning', CVPR "
        "2020, arXiv 1911.05722, equations 1 and 2; Chen et al., 'Improved baselines with momentum "
        "contrastive learning', arXiv 2003.04297; lightly 1.6.0 `NTXentLoss` and "
        "`update_momentum`. Deviations: 4,096 keys, not 65,536; the temperature of the run (the "
        "paper has 0.2); batch norm is not shuffled"
    ),
    uses=("temperature", "projection"),
    build=MoCo,
    needs_label=False,
    options={"momentum": 0.999, "queue": 4096, "symmetric": False},
    extra="baselines",
)
