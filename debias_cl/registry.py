"""One registry for data sets, objectives, checks and report sections.

An entry is ONE file with a module-level typed `SPEC`; its name is the file's name. Nothing is
listed by hand: adding a file adds the entry to help, listing, validation and contract tests.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

from debias_cl.errors import UsageError, did_you_mean

T = TypeVar("T")


class Registry(Generic[T]):
    """All modules of a package that define `SPEC`, by file name.

    Args:
        package: dotted name of the package (`debias_cl.losses`).
        kind: type that every `SPEC` must have.
        word: what an entry is called in messages ("objective").

    Names are found without importing (so `--help` stays fast); an entry is imported when asked for.
    """

    def __init__(self, package: str, kind: type[T], word: str) -> None:
        self.package, self.kind, self.word = package, kind, word
        self._plugins: dict[str, T] = {}
        self._imported: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Return the names of all entries, sorted."""
        spec = importlib.util.find_spec(self.package)
        folders = [] if spec is None else list(spec.submodule_search_locations or [])
        found = {
            path.stem
            for folder in folders
            for path in Path(folder).glob("*.py")
            if re.search(r"^SPEC\b", path.read_text(encoding="utf-8"), re.MULTILINE)
        }
        return tuple(sorted(found | set(self._plugins)))

    def get(self, name: str) -> T:
        """Return the entry of that name; `UsageError` with the nearest names otherwise."""
        known = self._plugins.get(name, self._imported.get(name))
        if known is not None:
            return known
        if name not in self.names():
            raise UsageError(
                f"there is no {self.word} '{name}'", remedy=did_you_mean(name, self.names())
            )
        module = importlib.import_module(f"{self.package}.{name}")
        return self._imported.setdefault(name, self._checked(module, name))

    def __iter__(self) -> Iterator[tuple[str, T]]:
        for name in self.names():
            yield name, self.get(name)

    def load_plugin(self, path: Path) -> str:
        """Add the `SPEC` of a user's own file and return its name. The file's code is run."""
        module_spec = importlib.util.spec_from_file_location(path.stem, path)
        if module_spec is None or module_spec.loader is None or not path.exists():
            raise UsageError(f"the plugin {path} cannot be read", expected="a Python file")
        module = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(module)
        self._plugins[path.stem] = self._checked(module, path.stem)
        return path.stem

    def _checked(self, module: object, name: str) -> T:
        entry = getattr(module, "SPEC", None)
        if not isinstance(entry, self.kind):
            raise UsageError(
                f"the {self.word} '{name}' has no usable SPEC",
                expected=f"a module-level SPEC of type {self.kind.__name__}",
            )
        return entry
