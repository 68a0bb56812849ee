"""What was loaded from a checkpoint, and what was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NAMED = 5
"""Names that a sentence lists; the report's JSON has all."""


@dataclass(frozen=True)
class LoadReport:
    """What was loaded, and what was not; `config.to_dict` gives its JSON form.

    Attributes:
        path, sha256, format: the file.
        architecture: of the encoder.
        guessed: whether the architecture was told from the weights.
        alike: other architectures whose weights have the same names and shapes.
        wrapper: where in the file the weights stood ("state_dict"); "" at the top.
        stripped: the prefix that was taken off the keys ("module._orig_mod."); "" is none.
        naming: another way of naming that was turned into the usual one; "" is none.
        matched, expected: number of weights that fit, and that the encoder has.
        missing: the encoder's weights that the file lacks, with the nearest unused name.
        unexpected: the file's weights that the encoder lacks (projection heads, queues).
        reshaped: weights of another shape, both shapes named.
        ignored: other entries of the file, with their types.
        others: further networks in the file, which `network` would take.
        head: how the file calls its classifier; "" without one.
        projection: a last layer that is a projection for a contrast; "" without one.
        classes: outputs of the classifier, which is `encoder.classifier`; 0 without one.
        side: the one side of pictures in pixels that the file allows; 0 is any.
        side_by: what fixes it.
        program: how a program is used; "" for weights.
        metadata: what the file, or the model's card, says of itself.
    """

    path: str
    format: str
    architecture: str
    matched: int
    expected: int
    sha256: str = ""
    guessed: bool = False
    alike: tuple[str, ...] = ()
    wrapper: str = ""
    stripped: str = ""
    naming: str = ""
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    reshaped: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    head: str = ""
    projection: str = ""
    classes: int = 0
    side: int = 0
    side_by: str = ""
    program: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def sentences(self) -> tuple[str, ...]:
        """Return what a reader should know, in plain sentences."""
        lines = {
            self._first(): True,
            "architecture told from the names and shapes of the weights": self.guessed,
            f"the weights fit these as well: {_few(self.alike)} (--arch takes one)": self.alike,
            f"{self.format}: {self.program}": self.program,
            f"weights taken from '{self.wrapper}'": self.wrapper,
            f"prefix '{self.stripped}' taken off the names": self.stripped,
            f"names read as {self.naming}": self.naming,
            f"other networks in the file: {', '.join(self.others)} (--network takes one; the rule: "
            "averaged before raw, query before key, teacher before student)": self.others,
            f"missing, so left as initialised: {_few(self.missing)}": self.missing,
            f"of another shape: {_few(self.reshaped)}": self.reshaped,
            f"{len(self.unexpected)} weights not used: {_few(self.unexpected)}": self.unexpected,
            f"'{self.projection}' is a projection for a contrast, not a classifier": (
                self.projection
            ),
            f"not read: {', '.join(self.ignored)}": self.ignored,
        }
        return tuple(line for line, said in lines.items() if said)

    def _first(self) -> str:
        if self.program and not self.guessed and not self.stripped and not self.head:
            return f"{self.architecture}, {self.classes} outputs wide"
        classifier = f", classifier '{self.head}' of {self.classes} outputs" if self.head else ""
        return (
            f"{self.matched} of {self.expected} weights loaded into {self.architecture} "
            f"({self.format}{classifier})"
        )


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
