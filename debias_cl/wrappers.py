"""Where the weights stand inside a file: wrappers, one name of a table each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from debias_cl import formats
from debias_cl.errors import CheckpointError, UsageError, did_you_mean

WRAPPERS = (
    *("state_dict_ema", "model_ema", "ema", "ema_state_dict", "teacher"),
    *("state_dict", "model_state_dict", "model", "net", "network", "student"),
    *("encoder", "backbone", "weights", "params"),
)
"""Names under which files keep the weights. The first that holds some is taken: averaged weights
before raw ones, the teacher before the student."""

DEEPEST = 4
"""How many wrappers may stand inside each other."""


@dataclass(frozen=True)
class Found:
    """The weights of a file.

    Attributes:
        state: key -> tensor.
        wrapper: where they stood ("state_dict"); "" at the top.
        ignored: other entries, with their types.
        others: further networks.
    """

    state: Mapping[str, Tensor]
    wrapper: str = ""
    ignored: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def unwrap(tree: Any, path: Path, network: str) -> Found:
    """Find the weights in nested mappings; say what else is there.

    Args:
        tree: what the file holds.
        path: for messages.
        network: name of the network to take; "" is the rule of `WRAPPERS`.

    Raises:
        CheckpointError: there are no weights.
        UsageError: there is no network of that name.
    """
    wrapper: list[str] = []
    ignored: list[str] = []
    others: list[str] = []
    while not _is_state(tree):
        entries = tree if isinstance(tree, Mapping) and len(wrapper) < DEEPEST else {}
        holders = [str(key) for key, value in entries.items() if _holds_weights(value)]
        order = [*WRAPPERS, *(key for key in holders if key not in WRAPPERS)]
        wanted = [network] if network in holders else order
        chosen = next((name for name in wanted if name in holders), None)
        if chosen is None:
            raise CheckpointError(
                "no weights were found in this file",
                where=f"{path}, which holds {_inventory(tree)}",
                expected=f"a state dict, alone or under one of: {', '.join(WRAPPERS)}",
                remedy=formats.SAFE_WAY,
            )
        inside = ".".join(wrapper)
        others += [f"{inside}.{name}".lstrip(".") for name in holders if name != chosen]
        ignored += [
            f"{key} ({_type_name(value)})"
            for key, value in entries.items()
            if str(key) not in holders
        ]
        wrapper.append(chosen)
        tree = entries[chosen]
    if network and network not in wrapper:
        raise UsageError(
            f"there is no network '{network}' in this file",
            where=str(path),
            remedy=did_you_mean(network, [*wrapper, *others]),
        )
    state = {str(key): value for key, value in tree.items() if isinstance(value, Tensor)}
    ignored += [f"{k} ({_type_name(v)})" for k, v in tree.items() if not isinstance(v, Tensor)]
    return Found(state, ".".join(wrapper), tuple(ignored), tuple(others))


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


def _inventory(tree: Any) -> str:
    if not isinstance(tree, Mapping):
        return f"one {_type_name(tree)}"
    names = [f"{key} ({_type_name(value)})" for key, value in list(tree.items())[:8]]
    return ", ".join(names) or "nothing"


def _type_name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
