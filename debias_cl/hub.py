"""Weights from the Hugging Face hub, read like any other file: without running their code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from debias_cl.encoders import DOWNLOAD_SECONDS
from debias_cl.errors import CheckpointError, first_line

PREFIXES = ("hf:", "hf-hub:", "hf_hub:")

FILES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
    "model.onnx",
)
"""Names under which weights stand in a repository; the first that is there is taken."""


def is_hub(text: str) -> bool:
    """Return whether a text names a repository of the hub (`hf:org/name`, `hf:org/name@tag`)."""
    return text.startswith(PREFIXES)


def fetch(text: str) -> tuple[Path, Mapping[str, Any]]:
    """Download weights and what their card's configuration says of them.

    Args:
        text: `hf:org/name`, with `@revision` if wanted.

    Returns:
        The local file, and "architecture", "image_size", "mean", "std" as far as they are said.

    Raises:
        CheckpointError: no such repository, no weights in it, or no network.
    """
    from huggingface_hub import hf_hub_download, model_info

    name, _, revision = text.partition(":")[2].partition("@")
    try:
        # One question without retries: where there is no network, that is said at once.
        card = model_info(name, revision=revision or None, timeout=DOWNLOAD_SECONDS)
        there = {entry.rfilename for entry in card.siblings or ()}
        chosen = next((file for file in FILES if file in there), "")
        if chosen:
            fetched = {
                file: Path(
                    hf_hub_download(
                        name, file, revision=revision or None, etag_timeout=DOWNLOAD_SECONDS
                    )
                )
                for file in (chosen, "config.json")
                if file in there
            }
    except Exception as error:  # the client has many errors: absent, private, no network
        raise CheckpointError(
            f"{name} could not be had from the Hugging Face hub: {first_line(error, 300)}",
            where=text,
            expected="a public repository, and a network that reaches huggingface.co",
            remedy="download its model.safetensors elsewhere and give that file, with --arch",
        ) from error
    if not chosen:
        raise CheckpointError(
            f"there are no weights in {name} that can be read",
            where=f"{text}, which holds {', '.join(sorted(there)[:8]) or 'nothing'}",
            expected=f"one of: {', '.join(FILES)}",
        )
    config = fetched.get("config.json")
    about = json.loads(config.read_text(encoding="utf-8")) if config else {}
    return fetched[chosen], told(about)


def told(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a repository's `config.json` says, as timm writes it."""
    record = config.get("pretrained_cfg") or config
    found: dict[str, Any] = {"said_by": "the model's config.json"}
    if isinstance(config.get("architecture"), str):
        found["architecture"] = f"timm:{config['architecture']}"
    size = record.get("input_size")
    if isinstance(size, list) and len(size) == 3:
        found["image_size"] = size[-1]
    found |= {key: tuple(record[key]) for key in ("mean", "std") if record.get(key)}
    return found
