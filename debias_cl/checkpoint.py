"""A user's checkpoint -> an encoder, and a report of what fitted and what did not."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from debias_cl import formats, hub
from debias_cl.config import EncoderConfig
from debias_cl.encoders import SOURCES, Encoder, build
from debias_cl.errors import CheckpointError, UsageError, did_you_mean
from debias_cl.fitting import Fit, best_fit, compare, with_leftovers
from debias_cl.foreign import Outputs, encoder_of, users_encoder
from debias_cl.guess import STEMS, Guess, nearest
from debias_cl.loaded import LoadReport
from debias_cl.own_head import classes_of
from debias_cl.prefixes import Reading, State, readings
from debias_cl.programs import Program
from debias_cl.recipe import USUAL_SIDE, side_of
from debias_cl.wrappers import Found, unwrap

SMALLEST_SHARE = 0.9
"""Share of the encoder's weights that a checkpoint must fill; below it the file is refused."""

RELATIVE, ABSOLUTE = 1e-3, 1e-4
"""How near a program and its architecture's own code must come to be the same network."""


@dataclass(frozen=True)
class _Asked:
    """What the user asked for."""

    architecture: str
    image_size: int
    network: str
    outputs: Outputs


@dataclass(frozen=True)
class _File:
    """A file that was read."""

    path: Path
    contents: formats.Contents
    about: Mapping[str, Any]


def load_encoder(
    path: Path | str,
    architecture: str = "",
    image_size: int = 0,
    network: str = "",
    *,
    trust: bool = False,
    outputs: Outputs = "auto",
) -> tuple[Encoder, LoadReport]:
    """Load a checkpoint into an encoder, without running code that is in it.

    Wrappers and prefixes are found by themselves, and so is the architecture where it is a known
    one. Features are those before the classifier, which becomes `encoder.classifier`. A ResNet's
    stem is that of the weights.

    Args:
        path: `.pt`, `.pth`, `.th`, `.safetensors`, `.onnx`, a run folder, or `hf:org/name`.
        architecture: as in `EncoderConfig`, or `module:callable` of the user's own code; "" is
            the file's own word, else a guess from its weights.
        image_size: side in pixels, for architectures that are built for one; 0 is their own.
        network: which of several networks in the file; "" is the rule of `wrappers.WRAPPERS`
            and `prefixes.PREFIXES`.
        trust: whether TorchScript and torch.export may be opened.
        outputs: what the outputs of a program, or of the user's own code, are.

    Returns:
        The encoder in evaluation mode, and the report.

    Raises:
        CheckpointError: unsafe, damaged, of no known architecture, or less than
            `SMALLEST_SHARE` of the weights fit.
        UsageError: an unknown architecture, or no network of that name in the file.
    """
    asked = _Asked(architecture, image_size, network, outputs)
    file = _read(path, trust)
    if isinstance(file.contents.tree, Program):
        encoder, report = _of_program(file, file.contents.tree, asked)
    else:
        encoder, report = _of_weights(file, unwrap(file.contents.tree, file.path, network), asked)
    report = replace(report, classes=classes_of(encoder), sha256=_digest(file.path))
    return encoder.eval(), report


def _read(path: Path | str, trust: bool) -> _File:
    if hub.is_hub(str(path)):
        local, told = hub.fetch(str(path))
    else:
        local, told = Path(path), {}
    local = local / "encoder.safetensors" if local.is_dir() else local
    contents = formats.read(local, trust)
    return _File(local, contents, {**contents.metadata, **told})


def _of_weights(file: _File, found: Found, asked: _Asked) -> tuple[Encoder, LoadReport]:
    """Fill an architecture with the weights of a file."""
    ways = _ways(found, file.path, asked.network)
    architecture = asked.architecture or str(file.about.get("architecture", ""))
    guess = None if architecture else _guessed(found.state, ways, file.path)
    name = guess.architecture if guess else architecture
    side = next((side for way in ways if (side := side_of(way.state))), 0)
    size = side or asked.image_size or int(file.about.get("image_size") or 0)
    encoder, fit = _fitting(name, size, asked.outputs, found.state, ways)
    report = LoadReport(
        path=str(file.path),
        format=file.contents.format,
        architecture=encoder.architecture,
        guessed=guess is not None,
        alike=guess.alike if guess else (),
        wrapper=found.wrapper,
        stripped=fit.reading.prefix,
        naming=fit.reading.naming,
        matched=len(fit.matched),
        expected=fit.expected,
        missing=_with_nearest(fit.missing, fit.unexpected),
        unexpected=fit.unexpected,
        reshaped=fit.reshaped,
        ignored=found.ignored,
        others=(*found.others, *_like_it(encoder, fit, ways)),
        head=fit.head_name,
        projection=fit.projection,
        side=side,
        side_by="the position embeddings are" if side else "",
        metadata=file.about,
    )
    _refuse_misfits(report, fit, found.state, ways)
    _fill(encoder, fit)
    if asked.outputs == "features":
        encoder.classifier = None
    return encoder, report


def _ways(found: Found, path: Path, network: str) -> list[Reading]:
    """Return the ways to read the names, of the network that was asked for alone.

    Raises:
        UsageError: there is no network of that name.
    """
    ways = list(readings(found.state))
    if not network or found.named:
        return ways
    asked = [way for way in ways if network.strip(".") in way.parts]
    if not asked:
        there = {part for way in ways for part in way.parts if part}
        raise UsageError(
            f"there is no network '{network}' in this file",
            where=str(path),
            remedy=did_you_mean(
                network, [*found.wrapper.split("."), *found.others, *sorted(there)]
            ),
        )
    return asked


def _guessed(state: State, ways: Sequence[Reading], path: Path) -> Guess:
    """Return the known architecture that the weights are of.

    Raises:
        CheckpointError: they are of none that is known; the nearest is named.
    """
    guess = nearest(state, ways)
    if guess is not None and guess.fit.fits(SMALLEST_SHARE):
        return guess
    few = ", ".join(f"{key} {tuple(value.shape)}" for key, value in list(state.items())[:3])
    near = f"the nearest known one is {guess.sentence()}" if guess else "none is like it"
    raise CheckpointError(
        f"the weights are of no architecture that is known here: {near}",
        where=f"{path}, which holds {len(state)} tensors: {few}, ...",
        expected=f"at least {SMALLEST_SHARE:.0%} of an architecture's weights",
        remedy="--arch, a torchvision or timm name such as resnet18, or module:callable of your "
        "own code (run from the current folder) that makes the network",
    )


def _fitting(
    name: str, size: int, outputs: Outputs, state: State, ways: Sequence[Reading]
) -> tuple[Encoder, Fit]:
    """Build the encoder, a ResNet with the stem that the weights have."""
    source, colon, _ = name.partition(":")
    if colon and source not in SOURCES:
        encoder = users_encoder(name, size or USUAL_SIDE, outputs)
        return encoder, with_leftovers(best_fit(encoder, ways), encoder, state)
    tried: list[tuple[Encoder, Fit]] = []
    for stem in STEMS:
        encoder = build(EncoderConfig(name), size, stem)
        tried.append((encoder, with_leftovers(best_fit(encoder, ways), encoder, state)))
        if not tried[-1][1].other_stem:
            break
    return max(tried, key=lambda pair: len(pair[1].matched))


def _fill(encoder: Encoder, fit: Fit) -> None:
    encoder.body.load_state_dict({**fit.matched, **fit.counters}, strict=False)
    encoder.classifier = fit.head or encoder.classifier


def _like_it(encoder: Encoder, fit: Fit, ways: Sequence[Reading]) -> list[str]:
    """Name the other networks of a file whose names all stand side by side."""
    own = set(fit.reading.parts)
    found = []
    for way in ways:
        if way.prefix in (fit.reading.prefix, "") or way.naming != fit.reading.naming:
            continue
        if compare(encoder, way).share >= SMALLEST_SHARE:
            found.append(".".join(part for part in way.parts if part not in own))
    return found


def _of_program(file: _File, program: Program, asked: _Asked) -> tuple[Encoder, LoadReport]:
    """Take a program's weights into their own architecture where that is known, else run it."""
    if asked.outputs == "auto" and program.weights:
        known = _as_known(file, program, asked)
        if known is not None:
            return known
    size = asked.image_size or program.shape.side or USUAL_SIDE
    encoder = encoder_of(program, f"{program.kind} program", size, asked.outputs)
    report = LoadReport(
        path=str(file.path),
        format=file.contents.format,
        architecture=encoder.architecture,
        matched=len(program.weights),
        expected=len(program.weights),
        side=program.shape.side,
        side_by="the program takes pictures" if program.shape.side else "",
        program=f"run as it is; its outputs, {encoder.feature_dim} wide, are the features",
        metadata=file.about,
    )
    return encoder, report


def _as_known(file: _File, program: Program, asked: _Asked) -> tuple[Encoder, LoadReport] | None:
    """Return the architecture whose own code gives what the program gives; None without one."""
    try:
        encoder, report = _of_weights(file, Found(program.weights), asked)
        if report.matched < report.expected:
            return None
        side = program.shape.side or report.side or asked.image_size or USUAL_SIDE
        noise = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            theirs, ours = program(noise), encoder.eval()(noise)
            ours = (encoder.classifier or nn.Identity())(ours)
    except (CheckpointError, RuntimeError):  # of no known one, or one that takes other pictures
        return None
    if theirs.shape != ours.shape or not torch.allclose(theirs, ours, RELATIVE, ABSOLUTE):
        return None
    said = "its weights in the architecture's own code give the same outputs, so that is used"
    return encoder, replace(report, program=said)


def _with_nearest(missing: tuple[str, ...], unused: tuple[str, ...]) -> tuple[str, ...]:
    near = {key: difflib.get_close_matches(key, unused, n=1, cutoff=0.8) for key in missing[:5]}
    return tuple(
        f"{key} (nearest in the file: {near[key][0]})" if near.get(key) else key for key in missing
    )


def _refuse_misfits(report: LoadReport, fit: Fit, state: State, ways: Sequence[Reading]) -> None:
    if not fit.fits(SMALLEST_SHARE):
        guess = nearest(state, ways)
        more = "".join(f", and further layers inside, such as {key}" for key in fit.foreign[:1])
        few = "only " if fit.share < SMALLEST_SHARE else ""
        near = f"the nearest known architecture is {guess.sentence()}" if guess else ""
        raise CheckpointError(
            f"{few}{report.matched} of the {report.expected} weights of {report.architecture} "
            f"are in this file{more}",
            where="; ".join((report.path, *report.sentences()[1:])),
            expected=f"at least {SMALLEST_SHARE:.0%} of them, and no other layers among its own",
            remedy="; ".join(
                text for text in ("another --arch: that of the weights", near) if text
            ),
        )
    bad = [k for k, v in fit.matched.items() if v.is_floating_point() and not v.isfinite().all()]
    if bad:
        raise CheckpointError(
            f"{len(bad)} weights hold NaN or infinity, first {bad[0]}", where=report.path
        )


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
