"""A user's checkpoint -> an encoder, and a report of what fitted and what did not."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from debias_cl import formats
from debias_cl.config import EncoderConfig
from debias_cl.encoders import Encoder, Stem, build
from debias_cl.errors import CheckpointError, UsageError
from debias_cl.wrappers import unwrap

SMALLEST_SHARE = 0.9
"""Share of the encoder's weights that a checkpoint must fill; below it the file is refused."""

PREFIXES = (
    *("module.", "_orig_mod.", "encoder_q.", "teacher.", "student.", "base_encoder."),
    *("encoder.", "backbone.", "model.", "net.", "network.", "body.", "encoder_k."),
)
"""Beginnings of key names that wrappers add. Those that let most weights fit are taken; where two
fit alike, the earlier one (the query before the key encoder)."""

DEEPEST = 4
"""How many prefixes may stand before each other."""

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class LoadReport:
    """What was loaded, and what was not; `config.to_dict` gives its JSON form.

    Attributes:
        path, sha256, format: the file.
        architecture: of the encoder.
        wrapper: where in the file the weights stood ("state_dict"); "" at the top.
        stripped: the prefix that was taken off the keys ("module._orig_mod."); "" is none.
        matched, expected: number of weights that fit, and that the encoder has.
        missing: the encoder's weights that the file lacks, with the nearest unused name.
        unexpected: the file's weights that the encoder lacks (projection heads, queues).
        reshaped: weights of another shape, both shapes named.
        ignored: other entries of the file, with their types.
        others: further networks in the file, which `network` would take.
        classes: levels of the file's classifier, which is `encoder.classifier`; 0 without one.
        metadata: what a run's own file says of itself.
    """

    path: str
    sha256: str
    format: str
    architecture: str
    wrapper: str
    stripped: str
    matched: int
    expected: int
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    classes: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def sentences(self) -> tuple[str, ...]:
        """Return what a reader should know, in plain sentences."""
        classifier = f", classifier of {self.classes} levels" if self.classes else ""
        lines = {
            f"{self.matched} of {self.expected} weights loaded into {self.architecture} "
            f"({self.format}{classifier})": True,
            f"weights taken from '{self.wrapper}'": self.wrapper,
            f"prefix '{self.stripped}' taken off the names": self.stripped,
            f"other networks in the file: {', '.join(self.others)}": self.others,
            f"missing, so left as initialised: {', '.join(self.missing[:5])}": self.missing,
            f"of another shape: {', '.join(self.reshaped[:5])}": self.reshaped,
            f"{len(self.unexpected)} weights not used: {', '.join(self.unexpected[:5])}": (
                self.unexpected
            ),
            f"not read: {', '.join(self.ignored)}": self.ignored,
        }
        return tuple(line for line, said in lines.items() if said)


def load_encoder(
    path: Path, architecture: str = "", image_size: int = 224, network: str = ""
) -> tuple[Encoder, LoadReport]:
    """Load a state dict of a known architecture into an encoder, without running its code.

    Wrappers and prefixes are found by themselves. Features are those before the classifier, which
    becomes `encoder.classifier`. A ResNet's stem is that of the weights.

    Args:
        path: `.pt`, `.pth`, `.th`, `.safetensors`, or a run folder.
        architecture: as in `EncoderConfig`; "" for files of our own runs, which name theirs.
        image_size: side in pixels, for architectures that are built for one.
        network: which of several networks in the file; "" is the rule of
            `wrappers.WRAPPERS`.

    Returns:
        The encoder in evaluation mode, and the report.

    Raises:
        CheckpointError: unsafe, damaged, or less than `SMALLEST_SHARE` of the weights fit.
        UsageError: no or an unknown architecture, or no network of that name in the file.
    """
    path = path / "encoder.safetensors" if path.is_dir() else path
    contents = formats.read(path)
    architecture = architecture or str(contents.metadata.get("architecture", ""))
    if not architecture:
        raise UsageError(
            "the file does not say which architecture its weights are of",
            where=str(path),
            remedy="--arch, a torchvision or timm name such as resnet18",
        )
    found = unwrap(contents.tree, path, network)
    size = int(contents.metadata.get("image_size") or image_size)
    encoder, fit = _fitting(EncoderConfig(architecture), size, found.state)
    report = LoadReport(
        path=str(path),
        sha256=_digest(path),
        format=contents.format,
        architecture=encoder.architecture,
        wrapper=found.wrapper,
        stripped=fit.prefix,
        matched=len(fit.matched),
        expected=len(_expected(encoder)),
        missing=_with_nearest(fit.missing, fit.unexpected),
        unexpected=fit.unexpected,
        reshaped=fit.reshaped,
        ignored=found.ignored,
        others=found.others,
        classes=fit.head.out_features if fit.head else 0,
        metadata=contents.metadata,
    )
    _refuse_misfits(report, fit.matched)
    encoder.body.load_state_dict(dict(fit.matched | fit.counters), strict=False)
    encoder.classifier = fit.head
    return encoder.eval(), report


@dataclass(frozen=True)
class _Fit:
    prefix: str
    matched: dict[str, Tensor]
    counters: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]
    head: nn.Linear | None


def _fitting(config: EncoderConfig, image_size: int, state: State) -> tuple[Encoder, _Fit]:
    """Build the encoder with the stem that the weights have."""
    tried: list[tuple[Encoder, _Fit]] = []
    stems: tuple[Stem, ...] = ("imagenet", "cifar")
    for stem in stems:
        encoder = build(config, image_size, stem)
        fit = max(
            (_compare(encoder, part, prefix) for prefix, part in _strippings(state)),
            key=lambda fit: len(fit.matched),
        )
        tried.append((encoder, _with_leftovers(fit, state)))
        if not any(name.startswith("conv1.weight ") for name in fit.reshaped):
            break
    return max(tried, key=lambda pair: len(pair[1].matched))


def _strippings(state: State, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, State]]:
    """Give the weights under every chain of known prefixes, the shortest and earliest first."""
    yield prefix, state
    for name in PREFIXES if depth < DEEPEST else ():
        inside = {k.removeprefix(name): v for k, v in state.items() if k.startswith(name)}
        if inside:
            yield from _strippings(inside, prefix + name, depth + 1)


def _expected(encoder: Encoder) -> dict[str, Tensor]:
    """The weights that must be filled; batch norm's step counters are no weights."""
    own = encoder.body.state_dict()
    return {key: value for key, value in own.items() if not key.endswith("num_batches_tracked")}


def _compare(encoder: Encoder, state: State, prefix: str) -> _Fit:
    own, expected = encoder.body.state_dict(), _expected(encoder)
    fits = {k: v for k, v in state.items() if k in own and v.shape == own[k].shape}
    head = _head(encoder, state)
    names = {k for k in state if k.startswith(f"{encoder.head}.")} if head else set()
    reshaped = [
        f"{key} {tuple(state[key].shape)}, not {tuple(own[key].shape)}"
        for key in state
        if key in own and key not in fits
    ]
    return _Fit(
        prefix=prefix,
        matched={k: v for k, v in fits.items() if k in expected},
        counters={k: v for k, v in fits.items() if k not in expected},
        missing=tuple(key for key in expected if key not in state),
        unexpected=tuple(key for key in state if key not in own and key not in names),
        reshaped=tuple(reshaped),
        head=head,
    )


def _with_leftovers(fit: _Fit, state: State) -> _Fit:
    """Count the weights outside the chosen prefix among those that are not used."""
    outside = tuple(key for key in state if not key.startswith(fit.prefix))
    return _Fit(**{**fit.__dict__, "unexpected": fit.unexpected + outside})


def _head(encoder: Encoder, state: State) -> nn.Linear | None:
    """The one linear layer on the features that stands under the architecture's head name."""
    inside = {k: v for k, v in state.items() if k.startswith(f"{encoder.head}.")}
    weights = [k for k, v in inside.items() if k.endswith("weight") and v.ndim == 2]
    if len(weights) != 1 or inside[weights[0]].shape[1] != encoder.feature_dim:
        return None
    weight = inside[weights[0]]
    bias = inside.get(weights[0].removesuffix("weight") + "bias")
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.zeros(len(weight)) if bias is None else bias)
    return layer


def _with_nearest(missing: tuple[str, ...], unused: tuple[str, ...]) -> tuple[str, ...]:
    near = {key: difflib.get_close_matches(key, unused, n=1, cutoff=0.8) for key in missing[:5]}
    return tuple(
        f"{key} (nearest in the file: {near[key][0]})" if near.get(key) else key for key in missing
    )


def _refuse_misfits(report: LoadReport, matched: State) -> None:
    if report.matched < SMALLEST_SHARE * report.expected:
        raise CheckpointError(
            f"only {report.matched} of the {report.expected} weights of {report.architecture} "
            "are in this file",
            where="; ".join((report.path, *report.sentences()[1:])),
            expected=f"at least {SMALLEST_SHARE:.0%} of them",
            remedy="another --arch: that of the weights",
        )
    bad = [k for k, v in matched.items() if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        raise CheckpointError(
            f"{len(bad)} weights hold NaN or infinity, first {bad[0]}", where=report.path
        )


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
