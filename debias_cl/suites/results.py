"""The result of one cell: every number that a leaderboard needs, with its provenance. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from debias_cl.errors import DataError
from debias_cl.files import write_atomic
from debias_cl.records import to_json

SCHEMA = "debias_cl.result/1"

Values = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""judge -> split -> name -> {"value", "low", "high", "n"}; fractions; None where undefined."""


@dataclass(frozen=True)
class Result:
    """What one run of one cell gave, or why it gave nothing.

    Attributes:
        suite: the grid that it belongs to ("quick").
        part: its part of the grid ("a").
        method: what tables call it ("ConTeX, clamped").
        objective: registry name.
        views: named policy of the views ("geo"), "preset" for the preset's own.
        dataset: registry name; `attr` the label, `bias_attr` the attributes.
        attr, bias_attr: label and attributes.
        protocol, rho: of the data; rho None where the data set has none.
        preset: settings that it came from.
        seed: of weights, batches, views and of the data's own randomness.
        selection: "last": the weights after the last epoch; "best on validation".
        config: the whole resolved configuration.
        status: "done" or "failed".
        error: why it failed.
        values: judge -> split -> name -> value; the test split decides nothing.
        epochs: one entry an epoch: `epoch`, `seconds` since the start (training alone), `loss`,
            `knn_accuracy` or `knn_aligned_accuracy` and `knn_conflict_accuracy` (validation).
        seconds: {"train", "monitor", "judge"} wall seconds.
        provenance: command, versions, commit, device, platform, created.
    """

    suite: str
    part: str
    method: str
    objective: str
    views: str
    dataset: str
    attr: str
    bias_attr: tuple[str, ...]
    protocol: str
    rho: float | None
    preset: str
    seed: int
    selection: Literal["last", "best on validation"]
    config: Mapping[str, Any]
    status: Literal["done", "failed"]
    error: str = ""
    values: Values = field(default_factory=dict)
    epochs: Sequence[Mapping[str, Any]] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def value(self, judge: str, name: str, split: str = "test") -> float | None:
        """Return one number; None where it is undefined or was not measured."""
        found = self.values.get(judge, {}).get(split, {}).get(name)
        return None if found is None else found["value"]

    def save(self, path: Path) -> None:
        """Write the result as JSON, atomically."""
        write_atomic(path, to_json({"schema": SCHEMA, **asdict(self)}))

    @staticmethod
    def load(path: Path) -> Result:
        """Read what `save` wrote.

        Raises:
            DataError: the file is damaged, or no result of this version.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            schema = found.pop("schema")
            if schema != SCHEMA:
                raise ValueError(f"schema {schema}")
            return Result(**{**found, "bias_attr": tuple(found["bias_attr"])})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"this result cannot be read: {error!r}",
                where=str(path),
                expected=f"a file of {SCHEMA}",
                remedy="delete it, and the cell is run again",
            ) from error


def load_all(folder: Path) -> list[Result]:
    """Return all results below a folder, in the order of their paths."""
    return [Result.load(path) for path in sorted(folder.rglob("*.json"))]
