"""A run folder: its whole configuration, a log line an epoch, what resumes it, its weights.

`config.json` (with `finished` once it is), `log.jsonl`, `last.pt`, `encoder.safetensors`,
`objective.safetensors`. No torch: the loop writes the tensors, this file knows where and when.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from debias_cl import __version__
from debias_cl.config import DataConfig, TrainConfig, from_dict, to_dict
from debias_cl.errors import DataError, UsageError
from debias_cl.files import write_atomic
from debias_cl.records import to_json

SCHEMA = "debias_cl.run/1"

FREE_TO_CHANGE = frozenset({"device", "data.data_root"})
"""Where a run happens, not what it learns: it may go on elsewhere."""

LIBRARIES = ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "safetensors")


@dataclass(frozen=True)
class Run:
    """One training run and its folder.

    Attributes:
        folder: the run folder.
        config: the whole resolved configuration.
    """

    folder: Path
    config: TrainConfig

    @classmethod
    def create_or_open(cls, folder: Path, config: TrainConfig) -> Run:
        """Make a run folder, or open the one that holds this very configuration.

        Args:
            folder: `runs/<name>`.
            config: the whole resolved configuration.

        Raises:
            UsageError: the folder holds a run of another configuration; the fields are listed.
        """
        if not (folder / "config.json").exists():
            run = cls(folder, config)
            run._write_config({"created": now(), "provenance": provenance(config.device)})
            return run
        run = cls.open(folder)
        different = {
            key: pair
            for key, pair in _differences(to_dict(run.config), to_dict(config)).items()
            if key not in FREE_TO_CHANGE
        }
        if different:
            lines = (f"{key} is {old!r}, not {new!r}" for key, (old, new) in different.items())
            raise UsageError(
                "the run folder holds a run of another configuration: " + "; ".join(lines),
                where=str(folder),
                remedy="take another --run folder, or go on with the old configuration "
                f"(python -m debias_cl.train --run {shlex.quote(str(folder))})",
            )
        return cls(folder, config)

    @classmethod
    def open(cls, folder: Path) -> Run:
        """Open an existing run folder.

        Raises:
            UsageError: there is no run in that folder.
            DataError: its `config.json` cannot be read.
        """
        path = folder / "config.json"
        if not path.exists():
            raise UsageError(
                "there is no run in this folder",
                where=str(folder),
                expected="a folder that `python -m debias_cl.train` made, with config.json in it",
            )
        try:
            values = json.loads(path.read_text(encoding="utf-8"))["config"]
            return cls(folder, from_dict(TrainConfig, values))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"the configuration of this run cannot be read: {error!r}",
                where=str(path),
                expected=f"what {SCHEMA} holds; another version of debias_cl may have written it",
            ) from error

    @property
    def last(self) -> Path:
        """Everything needed to resume: weights, optimiser, random state, epoch."""
        return self.folder / "last.pt"

    @property
    def weights(self) -> Path:
        """The finished encoder, with the architecture's own key names."""
        return self.folder / "encoder.safetensors"

    @property
    def heads(self) -> Path:
        """The finished objective's own heads (projection, classifier)."""
        return self.folder / "objective.safetensors"

    @property
    def meta(self) -> dict[str, Any]:
        """The whole `config.json`: schema, created, provenance, config, finished."""
        document: dict[str, Any] = json.loads(
            (self.folder / "config.json").read_text(encoding="utf-8")
        )
        return document

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done and the weights are written."""
        return self.weights.exists() and "finished" in self.meta

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Mark the run as finished; call it after the weights are written.

        Args:
            facts: JSON-able, what the reader wants to know (epochs, seconds).
        """
        self._write_config({**self.meta, "finished": {"at": now(), **facts}})

    def log(self, entry: Mapping[str, Any]) -> None:
        """Append one epoch's object to `log.jsonl`, flushed; a float that is not finite is null."""
        clean = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in entry.items()
        }
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(clean, allow_nan=False) + "\n")
            handle.flush()
            os.fsync(handle.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """Return the logged epochs in order; a line cut off by a crash is left out."""
        path = self.folder / "log.jsonl"
        found: list[dict[str, Any]] = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:  # only the last line of a killed run can be half written
                continue
        return found

    def rewind(self, epoch: int) -> None:
        """Drop log lines after `epoch`, so that no epoch appears twice when the run goes on."""
        kept = [entry for entry in self.entries() if entry["epoch"] <= epoch]
        write_atomic(self.folder / "log.jsonl", "".join(json.dumps(e) + "\n" for e in kept))

    def _write_config(self, fields: Mapping[str, Any]) -> None:
        document = {"schema": SCHEMA, **fields, "config": to_dict(self.config)}
        write_atomic(self.folder / "config.json", to_json(document))


def newest_finished(root: Path, data: DataConfig, objective: str = "") -> Run | None:
    """Return the finished run for these data that finished last.

    Args:
        root: folder of run folders; may be absent.
        data: resolved; data set, label, attributes, protocol, variant and manifest must agree, and
            `rho` where it is not None.
        objective: name that must agree; "" takes any.
    """
    wanted = ("dataset", "attr", "bias_attr", "protocol", "variant", "manifest")
    found: list[tuple[str, Run]] = []
    for path in root.glob("*/config.json") if root.is_dir() else []:
        try:
            run = Run.open(path.parent)
        except DataError:  # another version's run: it cannot be used, but it must not be in the way
            continue
        have = run.config.data
        fits = all(getattr(have, name) == getattr(data, name) for name in wanted)
        if not fits or objective not in ("", run.config.objective.name):
            continue
        if data.rho not in (None, have.rho) or not run.finished:
            continue
        found.append((run.meta["finished"]["at"], run))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def provenance(device: str = "cpu") -> dict[str, Any]:
    """Return what made a file: command, versions, commit, device, platform.

    Args:
        device: "cpu", "cuda", "cuda:1", "mps".

    Returns:
        JSON-able: `command`, `versions`, `commit` (None outside a git checkout; `-dirty` where
        tracked files were changed), `device`, `platform`.
    """
    versions = {"debias_cl": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # an audit may run without the training libraries
            continue
    command = list(getattr(sys, "orig_argv", sys.argv))
    return {
        "command": shlex.join([Path(command[0]).name, *command[1:]] if command else []),
        "versions": versions,
        "commit": _commit(Path(__file__).resolve().parents[1]),
        "device": f"{device}: {_device_name(device)}",
        "platform": platform.platform(),
    }


def now() -> str:
    """Return the time in UTC, ISO 8601 with microseconds, so that texts sort as times do."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _commit(root: Path) -> str | None:
    """Commit of the checkout that `root` is the top of; None for an installed package."""
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit and commit + ("-dirty" if changed else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):  # no git, or not a repository: unknown
        return None
    return done.stdout.strip()


def _device_name(device: str) -> str:
    torch = sys.modules.get("torch")  # never imported for a name alone
    if device.startswith("cuda") and torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = ""
) -> dict[str, tuple[Any, Any]]:
    """Dotted field -> (old, new) where two nested dictionaries differ."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in old.keys() | new.keys():
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found |= _differences(a, b, f"{prefix}{key}.")
        elif _plain(a) != _plain(b):
            found[f"{prefix}{key}"] = (a, b)
    return dict(sorted(found.items()))


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
