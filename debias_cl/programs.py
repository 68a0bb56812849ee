"""Files that hold a whole network: TorchScript, torch.export, ONNX.

A program is run as it is: pictures in, rows out. TorchScript and torch.export are programs that
torch itself runs, with all that torch may do, so they are opened only where the user trusts them.
ONNX is a graph of fixed operations that onnxruntime runs: it cannot reach the machine.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from debias_cl.errors import CheckpointError, UsageError, first_line
from debias_cl.foreign import as_rows


@dataclass(frozen=True)
class Shape:
    """The pictures that a program takes.

    Attributes:
        batch: pictures that it takes at once; None is any number.
        side: their side in pixels; 0 is any.
        channels_last: whether the channels come last.
    """

    batch: int | None = None
    side: int = 0
    channels_last: bool = False


class Program(nn.Module):
    """A program as a module: it stays where it was loaded, and takes any number of pictures.

    Args:
        run: pictures -> outputs.
        kind: "TorchScript", "torch.export" or "ONNX".
        shape: the pictures that it takes.
        weights: its weights by name, where it has them.
        module: what moves with the device; None where it stays on the CPU.
    """

    def __init__(
        self,
        run: Callable[[Tensor], Any],
        kind: str,
        shape: Shape,
        weights: Mapping[str, Tensor],
        module: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.module = module
        self.kind, self.shape, self.weights = kind, shape, weights
        self._run = run

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, D) rows of (n, 3, H, W) pictures."""
        if self.shape.channels_last:
            images = images.permute(0, 2, 3, 1).contiguous()
        given = images if self.module is not None else images.cpu()
        step = self.shape.batch
        if step is None:
            return as_rows(self._run(given)).to(images.device)
        parts = []
        for part in torch.split(given, step):
            filled = torch.cat([part, part[-1:].expand(step - len(part), *part.shape[1:])])
            parts.append(as_rows(self._run(filled))[: len(part)])
        return torch.cat(parts).to(images.device)


def load_torchscript(path: Path) -> Program:
    """Load a scripted or traced module. Its program is run when pictures come."""
    with _errors(path), quiet():
        module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        weights = {key: value.detach() for key, value in module.state_dict().items()}
    return Program(module, "TorchScript", Shape(), weights, module)


def load_export(path: Path) -> Program:
    """Load an exported program. It is run when pictures come, on the CPU."""
    with _errors(path), quiet():
        exported = torch.export.load(str(path))
        module = exported.module()
    # Not a submodule of ours: an exported module refuses train() and eval().
    weights = {key: value.detach() for key, value in exported.state_dict.items()}
    return Program(lambda images: module(images), "torch.export", _exported(exported), weights)


def _exported(exported: Any) -> Shape:
    names = set(exported.graph_signature.user_inputs)
    shapes = [
        node.meta["val"].shape
        for node in exported.graph.nodes
        if node.op == "placeholder" and node.name in names and hasattr(node.meta["val"], "shape")
    ]
    return _shape(list(shapes[0]) if shapes else [])


def load_onnx(path: Path) -> Program:
    """Load an ONNX graph with onnxruntime.

    Raises:
        UsageError: onnxruntime is not installed.
        CheckpointError: damaged, or it does not take one batch of pictures.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise UsageError(
            "ONNX files need onnxruntime", where=str(path), remedy="pip install 'debias-cl[onnx]'"
        ) from error
    there = onnxruntime.get_available_providers()
    wanted = ["CUDAExecutionProvider"] if torch.cuda.is_available() else []
    providers = [name for name in (*wanted, "CPUExecutionProvider") if name in there]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    with _errors(path):
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type not in ONNX_TYPES or len(inputs[0].shape) != 4:
        told = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        raise CheckpointError(
            f"this ONNX graph takes {told or 'nothing'}",
            where=str(path),
            expected="one input, (n, 3, height, width) normalised float pictures",
            remedy="export the image encoder alone, before other inputs are added",
        )
    name, kind = inputs[0].name, ONNX_TYPES[inputs[0].type]

    def run(images: Tensor) -> list[Tensor]:
        outputs = session.run(None, {name: images.to(kind).numpy()})
        return [torch.from_numpy(value) for value in outputs if hasattr(value, "ndim")]

    return Program(run, "ONNX", _shape(inputs[0].shape), {})


ONNX_TYPES = {"tensor(float)": torch.float32, "tensor(float16)": torch.float16}


def _shape(given: list[Any]) -> Shape:
    """Read (n, 3, H, W) or (n, H, W, 3); what is no number may vary."""
    fixed = [size if isinstance(size, int) and size > 0 else None for size in given]
    if len(fixed) != 4:
        return Shape()
    last = fixed[3] == 3 and fixed[1] != 3
    side = fixed[1] if last else fixed[2]
    return Shape(fixed[0], side or 0, last)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """Turn whatever a loader raises into one message."""
    try:
        yield
    except Exception as error:  # every library has its own errors for a damaged file
        raise CheckpointError(
            f"this file cannot be loaded: {first_line(error, 300)}",
            where=f"{path} ({path.stat().st_size:,} bytes)",
            remedy="copy or download it again; or export it anew with the installed version",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence torch's advice on old files: the file is not the reader's doing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
