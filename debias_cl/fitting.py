"""How well weights fit an encoder: what matched, what is missing, what is left, which head."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from debias_cl.encoders import Encoder
from debias_cl.prefixes import CONTRASTIVE, Reading, State

HEADS = ("fc", "linear", "classifier", "head", "head.fc", "online_classifier", "lin", "logits")
"""Names under which networks keep a linear classifier, besides the architecture's own."""


@dataclass(frozen=True)
class Fit:
    """One way to read a file, beside an encoder.

    Attributes:
        reading: which prefix came off.
        matched: weights that fit by name and shape.
        counters: batch norm's step counters, which are no weights.
        missing: weights that the encoder has and the file lacks.
        unexpected: weights of the file that the encoder lacks.
        reshaped: weights of another shape, both shapes named.
        foreign: those of `unexpected` that stand inside the encoder's own layers: the network does
            more than this encoder, so it is another one.
        expected: number of weights that the encoder has.
        head: the file's linear classifier on the features; None without one.
        head_name: how the file calls it.
        projection: the name of a linear layer that is a projection, not a classifier; "" is none.
    """

    reading: Reading
    matched: Mapping[str, Tensor]
    counters: Mapping[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]
    foreign: tuple[str, ...]
    expected: int
    head: nn.Linear | None = None
    head_name: str = ""
    projection: str = ""

    @property
    def share(self) -> float:
        """Share of the encoder's weights that the file fills."""
        return len(self.matched) / max(self.expected, 1)

    def fits(self, smallest_share: float) -> bool:
        """Return whether the file is of this architecture: enough weights, and no other layers."""
        return self.share >= smallest_share and not self.foreign

    @property
    def other_stem(self) -> bool:
        """Whether the file's first convolution has another shape: a ResNet's other stem."""
        return any(name.startswith("conv1.weight ") for name in self.reshaped)

    @property
    def likeness(self) -> float:
        """Weights in common as a share of all, of the file and of the encoder."""
        return len(self.matched) / max(self.expected + len(self.unexpected), 1)


def best_fit(encoder: Encoder, ways: Iterable[Reading]) -> Fit:
    """Return the way to read the file that lets most weights fit; the earliest of several."""
    return max((compare(encoder, way) for way in ways), key=lambda fit: len(fit.matched))


def expected_weights(encoder: Encoder) -> dict[str, Tensor]:
    """Return the weights that must be filled; batch norm's step counters are no weights."""
    own = encoder.body.state_dict()
    return {key: value for key, value in own.items() if not key.endswith("num_batches_tracked")}


def compare(encoder: Encoder, way: Reading) -> Fit:
    """Compare names and shapes."""
    state, own, expected = way.state, encoder.body.state_dict(), expected_weights(encoder)
    fits = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    head = _head_name(encoder, state)
    names = {k for k in state if head and k in (f"{head}.weight", f"{head}.bias")}
    reshaped = [
        f"{key} {tuple(state[key].shape)}, not {tuple(own[key].shape)}"
        for key in state
        if key in own and key not in fits
    ]
    unexpected = tuple(key for key in state if key not in own and key not in names)
    projection = bool(CONTRASTIVE & set(way.parts))
    return Fit(
        reading=way,
        matched={k: v for k, v in fits.items() if k in expected},
        counters={k: v for k, v in fits.items() if k not in expected},
        missing=tuple(key for key in expected if key not in state),
        unexpected=unexpected,
        reshaped=tuple(reshaped),
        foreign=tuple(key for key in unexpected if _inside(encoder, key, state[key])),
        expected=len(expected),
        head=None if projection or not head else _linear(state, head),
        head_name="" if projection else head,
        projection=head if projection else "",
    )


def _inside(encoder: Encoder, key: str, value: Tensor) -> bool:
    """Whether a further convolution or linear layer stands within the encoder's own parts."""
    part = key.partition(".")[0]
    children = {name for name, _ in encoder.body.named_children()}
    head = encoder.head.partition(".")[0]
    return part in children - {head} and key.endswith(".weight") and value.ndim >= 2


def with_leftovers(fit: Fit, encoder: Encoder, state: State) -> Fit:
    """Count what stands outside the chosen prefix: an online classifier, other networks."""
    prefix = fit.reading.prefix
    outside = {key: value for key, value in state.items() if not key.startswith(prefix)}
    head = "" if fit.head else _head_name(encoder, outside)
    for shell in ("module.", "model.") if not head and not fit.head else ():
        head = head or _head_name(encoder, outside, shell)
    used = {f"{head}.weight", f"{head}.bias"} if head else set()
    left = tuple(key for key in outside if key not in used)
    fit = replace(fit, unexpected=fit.unexpected + left)
    return replace(fit, head=_linear(outside, head), head_name=head) if head else fit


def _head_name(encoder: Encoder, state: State, shell: str = "") -> str:
    """Name of the one linear layer on the features under a name that heads have; "" without."""
    for name in dict.fromkeys((encoder.head, *HEADS)):
        inside = [k for k in state if name and k.startswith(f"{shell}{name}.")]
        tables = [k for k in inside if k.endswith(".weight") and state[k].ndim == 2]
        if len(tables) == 1 and state[tables[0]].shape[1] == encoder.feature_dim:
            return tables[0].removesuffix(".weight")
    return ""


def _linear(state: State, name: str) -> nn.Linear:
    weight, bias = state[f"{name}.weight"], state.get(f"{name}.bias")
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.zeros(len(weight)) if bias is None else bias)
    return layer
