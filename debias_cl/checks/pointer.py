"""A place in the metrics document that knows its own address (a JSON pointer)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Node:
    """A value of the document and the JSON pointer (RFC 6901) that leads to it.

    `Node(document) / "groups" / 3 / "accuracy"` walks down; a step that does not exist gives a
    node whose value is None, so that absent parts read as undefined and never as zero.
    """

    value: Any
    pointer: str = ""

    def __truediv__(self, key: str | int) -> Node:
        step = str(key).replace("~", "~0").replace("/", "~1")
        return Node(_step(self.value, key), f"{self.pointer}/{step}")

    def __bool__(self) -> bool:
        return self.value is not None

    def __iter__(self) -> Iterator[Node]:
        if isinstance(self.value, Mapping):
            return iter([self / str(key) for key in self.value])
        return iter([self / index for index in range(len(self.value or ()))])

    @property
    def number(self) -> float | None:
        """The number here: itself, or the `value` of a value object; None where undefined."""
        found = self.value.get("value") if isinstance(self.value, Mapping) else self.value
        return None if found is None else float(found)

    @property
    def key(self) -> str:
        """The last step of the pointer, as the document spells it."""
        return self.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def resolve(document: Any, pointer: str) -> Any:
    """Return what a JSON pointer leads to.

    Raises:
        KeyError: where a step does not exist.

    >>> resolve({"a/b": [1, 2]}, "/a~1b/1")
    2
    """
    found = document
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(key)] if isinstance(found, list) else found[key]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise KeyError(f"{pointer!r} stops at {key!r}") from error
    return found


def _step(value: Any, key: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(str(key))
    if isinstance(value, list | tuple) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return None
