"""What a person sees of a long job: a bar with rate and time left, or a few lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

LINES = 10
"""About how many lines a whole job prints where there is no terminal."""


class Progress:
    """Shows how far training is; on stderr, so that results can be piped.

    Args:
        title: what is being trained.
        epochs: epochs of the whole run.
        steps: steps of one epoch.
        done: epochs that are done already.
        stream: where to write; None is stderr.
    """

    def __init__(
        self, title: str, epochs: int, steps: int, done: int = 0, stream: TextIO | None = None
    ) -> None:
        self.title, self.epochs, self.steps = title, epochs, steps
        self.stream = stream or sys.stderr
        console = Console(file=self.stream)
        self._bar: Bar | None = None
        if console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("steps  {task.fields[says]}"),
                TimeRemainingColumn(),
                console=console,
                refresh_per_second=4,
            )
            self._task = self._bar.add_task(
                title, total=epochs * steps, completed=done * steps, says=""
            )

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self) -> None:
        """Count one step."""
        if self._bar is not None:
            self._bar.advance(self._task)

    def epoch(self, entry: Mapping[str, Any]) -> None:
        """Say what the log says of an epoch that is done.

        Args:
            entry: `epoch` (from 1), `loss`, `images_per_second`, and accuracies where known.
        """
        says = f"loss {entry['loss']:.4f}  {entry['images_per_second']:,.0f} images/s"
        for name in ("aligned", "conflict"):
            share = entry.get(f"knn_{name}_accuracy")
            says += "" if share is None else f"  kNN {name} {share:.3f}"
        if self._bar is not None:
            self._bar.update(self._task, says=says)
            return
        number = entry["epoch"]
        if number % max(1, self.epochs // LINES) == 0 or number in (1, self.epochs):
            print(f"{self.title}: epoch {number}/{self.epochs}  {says}", file=self.stream)
            self.stream.flush()
