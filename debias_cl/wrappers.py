"""Where the weights stand inside a file: wrappers, one name of a table each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from debias_cl import formats
from debias_cl.errors import CheckpointError

WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema", "ema_state_dict", "ema_model", "model_ema_state_dict"),
    *("module_averaged", "averaged", "averaged_model", "swa", "swa_model", "swa_state_dict"),
    *("shadow", "shadow_params", "teacher", "teacher_state_dict"),
    *("state_dict", "model_state_dict", "net_state_dict", "network_state_dict", "model_state"),
    *("model", "net", "network", "online", "student", "student_state_dict"),
    *("encoder", "backbone", "encoder_state_dict", "backbone_state_dict", "trunk"),
    *("classy_state_dict", "base_model", "module", "weights", "params"),
)
"""Names under which files keep the weights. The first that holds some is taken: averaged weights
before raw ones, the teacher before the student."""

DEEPEST = 6
"""How many wrappers may stand inside each other."""

SMALLEST_NETWORK = 0.1
"""Tensors that a further network must hold, as a share of the chosen one's; fewer is no network (a
loss's centre, a queue)."""


@dataclass(frozen=True)
class Found:
    """The weights of a file.

    Attributes:
        state: key -> tensor.
        wrapper: where they stood ("state_dict"); "" at the top.
        ignored: other entries, with their types.
        others: further networks.
        named: whether a wrapper is the network that was asked for.
    """

    state: Mapping[str, Tensor]
    wrapper: str = ""
    ignored: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    named: bool = False


@dataclass
class _Left:
    """What was passed by on the way to the weights."""

    ignored: list[str] = field(default_factory=list)
    networks: list[tuple[str, Any]] = field(default_factory=list)

    def add(self, entries: Mapping[Any, Any], inside: str, chosen: str) -> None:
        for key, value in entries.items():
            if str(key) == chosen:
                continue
            if _holds_weights(value):
                self.networks.append((f"{inside}.{key}".lstrip("."), value))
            else:
                self.ignored.append(f"{key} ({_type_name(value)})")


def unwrap(tree: Any, path: Path, network: str) -> Found:
    """Find the weights in nested mappings; say what else is there.

    Args:
        tree: what the file holds.
        path: for messages.
        network: name of the network to take; "" is the rule of `WRAPPERS`. A name that is no
            wrapper is left for the names of the weights themselves.

    Raises:
        CheckpointError: there are no weights.
    """
    wrapper: list[str] = []
    left = _Left()
    while not _is_state(tree):
        entries = tree if isinstance(tree, Mapping) and len(wrapper) < DEEPEST else {}
        chosen = _chosen(entries, ".".join(wrapper), network)
        if chosen is None:
            raise CheckpointError(
                "no weights were found in this file",
                where=f"{path}, which holds {_inventory(tree)}",
                expected=f"a state dict, alone or under one of: {', '.join(WRAPPERS)}",
                remedy=formats.SAFE_WAY,
            )
        left.add(entries, ".".join(wrapper), chosen)
        wrapper.append(chosen)
        tree = entries[chosen]
    state = {str(key): value for key, value in tree.items() if isinstance(value, Tensor)}
    least = SMALLEST_NETWORK * len(state)
    small = {key: value for key, value in left.networks if _size(value) < least}
    no_tensors = {key: value for key, value in tree.items() if not isinstance(value, Tensor)}
    return Found(
        state,
        ".".join(wrapper),
        (*left.ignored, *(f"{k} ({_type_name(v)})" for k, v in {**small, **no_tensors}.items())),
        tuple(key for key, _ in left.networks if key not in small),
        named=network in (*wrapper, ".".join(wrapper)),
    )


def _chosen(entries: Mapping[Any, Any], inside: str, network: str) -> str | None:
    """The entry to go on into: the one asked for, else the first of `WRAPPERS`."""
    holders = [str(key) for key, value in entries.items() if _holds_weights(value)]
    full = {name: f"{inside}.{name}".lstrip(".") for name in holders}
    asked = [
        name
        for name in holders
        if network and (network in (name, full[name]) or network.startswith(f"{full[name]}."))
    ]
    # A wrapper that has what was asked for deeper inside goes before the rule.
    deeper = [name for name in holders if network and _has(entries[name], network)]
    order = (*asked, *deeper, *WRAPPERS, *(key for key in holders if key not in WRAPPERS))
    return next((name for name in order if name in holders), None)


def _has(value: Any, network: str, depth: int = 0) -> bool:
    """Whether a mapping has a network of that name somewhere inside."""
    if not isinstance(value, Mapping) or depth == DEEPEST:
        return False
    return any(
        (str(key) == network and _holds_weights(part)) or _has(part, network, depth + 1)
        for key, part in value.items()
    )


def _is_state(tree: Any) -> bool:
    if not isinstance(tree, Mapping) or not tree:
        return False
    tensors = sum(isinstance(value, Tensor) for value in tree.values())
    return tensors > 0 and not any(_holds_weights(value) for value in tree.values())


def _holds_weights(value: Any, depth: int = 0) -> bool:
    """Whether a mapping holds named tensors; an optimiser's numbered ones are no weights."""
    if not isinstance(value, Mapping) or depth == DEEPEST or {"param_groups"} <= set(value):
        return False
    return any(
        (isinstance(v, Tensor) and isinstance(k, str)) or _holds_weights(v, depth + 1)
        for k, v in value.items()
    )


def _size(value: Any) -> int:
    """Number of tensors in nested mappings."""
    if not isinstance(value, Mapping):
        return int(isinstance(value, Tensor))
    return sum(_size(part) for part in value.values())


def _inventory(tree: Any) -> str:
    if not isinstance(tree, Mapping):
        return f"one {_type_name(tree)}"
    names = [f"{key} ({_type_name(value)})" for key, value in list(tree.items())[:8]]
    return ", ".join(names) or "nothing"


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
