"""Networks that are not of this package or its libraries: whatever they return becomes rows."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from debias_cl.encoders import Encoder
from debias_cl.errors import CheckpointError, DebiasError, UsageError, did_you_mean

Outputs = Literal["auto", "features", "logits"]
"""What a network's outputs are taken for; "auto" also takes them as logits where their width is
the number of label levels."""

TRIED_ON = 2
"""Pictures of noise that a network is tried on."""


class ForeignEncoder(Encoder):
    """A network of the user's own, whatever it returns: one row a picture is made of it."""

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, D) features of (n, 3, H, W) normalised pictures."""
        return as_rows(self.body(images))


def as_rows(outputs: Any) -> Tensor:
    """Return (n, D) of what a network gave: its first table, else the mean over places.

    Args:
        outputs: a tensor, or a sequence or mapping of some. (n, D, h, w) maps are averaged over
            places, (n, t, D) tokens over tokens.

    Raises:
        CheckpointError: there is no tensor in it.
    """
    given = list(outputs.values()) if isinstance(outputs, Mapping) else outputs
    parts = list(given) if isinstance(given, tuple | list) else [given]
    tensors = [part for part in parts if isinstance(part, Tensor) and part.ndim >= 1]
    if not tensors:
        raise CheckpointError(
            f"the network gives {type(outputs).__name__}, in which there is no tensor",
            expected="(n, D) features or logits, one row a picture",
        )
    found = next((part for part in tensors if part.ndim == 2), tensors[0])
    means: Mapping[int, Callable[[], Tensor]] = {
        1: lambda: found[:, None],
        2: lambda: found,
        3: lambda: found.mean(dim=1),
    }
    return means.get(found.ndim, lambda: found.flatten(2).mean(dim=2))().float()


def encoder_of(body: nn.Module, architecture: str, image_size: int, outputs: Outputs) -> Encoder:
    """Wrap a network whose outputs are the features, or logits.

    Raises:
        CheckpointError: it cannot be run on pictures of that size.
    """
    width = _tried(body.eval(), architecture, image_size).shape[1]
    encoder = ForeignEncoder(body, width, architecture, "")
    encoder.classifier = None if outputs == "features" else nn.Identity()
    return encoder


def users_encoder(name: str, image_size: int, outputs: Outputs) -> Encoder:
    """Build `module:callable` of the user's own code, found from the current folder.

    The features are what the last linear layer is given, where its outputs are the network's;
    it becomes the head. Elsewhere, or with `outputs`, the features are the network's outputs.

    Raises:
        UsageError: no such module or callable, or it makes no network.
        CheckpointError: the network cannot be run on pictures of that size.
    """
    module, _, attribute = name.partition(":")
    with _current_folder():
        make = _callable(module, attribute, name)
        try:
            made = make()
        except Exception as error:  # the user's own code: whatever it raises is said
            raise UsageError(
                f"{name}() failed: {type(error).__name__}: {error}",
                expected="a callable that gives a torch.nn.Module without arguments",
            ) from error
    if not isinstance(made, nn.Module):
        raise UsageError(f"{name}() gives {type(made).__name__}", expected="a torch.nn.Module")
    note = f"{name} is code of yours, which was run"
    head = "" if outputs != "auto" else _last_layer(made.eval(), name, image_size)
    if not head:
        encoder = encoder_of(made, name, image_size, outputs)
        encoder.note = note
        return encoder
    parent, _, leaf = head.rpartition(".")
    layer = made.get_submodule(head)
    assert isinstance(layer, nn.Linear)
    setattr(made.get_submodule(parent), leaf, nn.Identity())
    return ForeignEncoder(made, layer.in_features, name, head, note)


def _callable(module: str, attribute: str, name: str) -> Callable[[], Any]:
    try:
        code = importlib.import_module(module)
    except ModuleNotFoundError as error:
        known = ("torchvision", "timm")
        raise UsageError(
            f"there is no source of architectures '{module}', and no module of that name",
            where=f"architecture '{name}', looked for in {Path.cwd()}",
            remedy=did_you_mean(module, known) + ", or module:callable of your own code",
        ) from error
    except Exception as error:  # the user's own code: whatever it raises is said
        raise UsageError(
            f"{module} cannot be imported: {type(error).__name__}: {error}", where=name
        ) from error
    found = getattr(code, attribute, None)
    if not callable(found):
        names = [key for key, value in vars(code).items() if callable(value)]
        raise UsageError(
            f"{module} has no callable '{attribute}'",
            where=str(getattr(code, "__file__", "")),
            remedy=did_you_mean(attribute, names),
        )
    return found  # type: ignore[no-any-return]


@contextmanager
def _current_folder() -> Iterator[None]:
    """Let modules beside the user be imported, as `python -m` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _last_layer(network: nn.Module, name: str, image_size: int) -> str:
    """Name of the linear layer whose outputs are the network's; "" where there is none."""
    given: dict[str, Any] = {}

    def keep(place: str) -> Callable[..., None]:
        return lambda layer, inputs, output: given.__setitem__(place, output)

    hooks = [
        layer.register_forward_hook(keep(place))
        for place, layer in network.named_modules()
        if isinstance(layer, nn.Linear)
    ]
    try:
        outputs = _tried(network, name, image_size)
    finally:
        for hook in hooks:
            hook.remove()
    same = [
        place
        for place, output in given.items()
        if place and output.shape == outputs.shape and torch.equal(output.float(), outputs)
    ]
    return same[-1] if same else ""


def _tried(network: nn.Module, name: str, image_size: int) -> Tensor:
    noise = torch.Generator().manual_seed(0)
    pictures = torch.randn(TRIED_ON, 3, image_size, image_size, generator=noise)
    try:
        with torch.inference_mode():
            rows = as_rows(network(pictures))
    except DebiasError:
        raise
    except Exception as error:  # whatever the network raises
        reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
        raise CheckpointError(
            f"the network cannot be run on pictures of {image_size} px: {reason[0][:300]}",
            where=name,
            expected=f"a network that takes (n, 3, {image_size}, {image_size}) float32 pictures",
            remedy="--image-size, if it was made for another size",
        ) from error
    if len(rows) != TRIED_ON or rows.shape[1] == 0:
        raise CheckpointError(
            f"the network gives {tuple(rows.shape)} for {TRIED_ON} pictures",
            where=name,
            expected="one row a picture",
        )
    return rows.clone()
