"""From a network or a data set in memory to a request, and to its document without a word."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from debias_cl import pipeline
from debias_cl.config import DataConfig
from debias_cl.data.contract import Dataset
from debias_cl.errors import UsageError
from debias_cl.request import Request


def request_of(
    encoder: nn.Module | str | Path,
    dataset: str | Dataset | DataConfig,
    *,
    attr: str,
    bias_attr: tuple[str, ...],
    positive: str,
    data_root: str,
    device: str,
    **more: Any,
) -> Request:
    """Return what is asked of `pipeline.evaluated`.

    Args:
        encoder: network, run folder or checkpoint.
        dataset: name, data set or configuration.
        attr, bias_attr, positive, data_root, device: as in `api.evaluate`.
        more: further fields of the request.

    Raises:
        UsageError: label or attributes are named for data whose label is settled already.
    """
    loaded = dataset if isinstance(dataset, Dataset) else None
    if not isinstance(dataset, str) and (attr or bias_attr):
        raise UsageError(
            "label and attributes are settled by the data set that was given",
            where="attr=, bias_attr=",
            remedy="name the data set by a text, or load it with another label",
        )
    data = dataset if isinstance(dataset, DataConfig) else DataConfig(data_root=data_root)
    if isinstance(dataset, str):
        data = replace(data, dataset=dataset, attr=attr, bias_attr=bias_attr)
    data = replace(data, positive=positive or data.positive)
    request = Request(data=data, loaded=loaded, device=device, beside=(), **more)
    if isinstance(encoder, nn.Module):
        where = next((one.device.type for one in encoder.parameters()), "cpu")
        return replace(request, network=encoder, device=where if device == "auto" else device)
    path = str(encoder)
    is_run = (Path(path) / "config.json").exists()
    return replace(request, run=path) if is_run else replace(request, checkpoint=path)


def document_of(request: Request, out: str | Path) -> dict[str, Any]:
    """Return the document of a request, with its files in `out` ("" keeps none).

    A network is left in the mode and on the device in which it came.
    """
    with tempfile.TemporaryDirectory() as nowhere, _as_it_was(request.network), _quiet():
        done = pipeline.evaluated(replace(request, out=str(out) or nowhere))
    return dict(done.document or {})


@contextmanager
def _as_it_was(network: nn.Module | None) -> Iterator[None]:
    parts = [] if network is None else list(network.modules())
    modes = [part.training for part in parts]
    place = next(iter(network.parameters()), None) if network is not None else None
    device = None if place is None else place.device
    try:
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
        if network is not None and device is not None:
            network.to(device)


@contextmanager
def _quiet() -> Iterator[None]:
    before = pipeline.console.quiet
    pipeline.console.quiet = True
    try:
        yield
    finally:
        pipeline.console.quiet = before
