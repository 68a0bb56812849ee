"""Errors for people: what was found, where, what was expected, what to do.

Every failure that a user can mend is a `DebiasError`. The commands print its message alone (the
traceback with `--debug`) and leave with its `exit_code`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

PREFIX = "error: "
"""How a command begins the line on which it prints an error."""


class DebiasError(Exception):
    """Root of all errors that are meant for the user.

    Args:
        found: one sentence that says what was found.
        where: file, row, column or option concerned; "" where there is none.
        expected: what would have been right; "" where `found` says it already.
        remedy: what to do now; "" where nothing can be done.
    """

    exit_code = 1

    def __init__(
        self, found: str, *, where: str = "", expected: str = "", remedy: str = ""
    ) -> None:
        self.found, self.where, self.expected, self.remedy = found, where, expected, remedy
        lines = [found]
        if where:
            lines.append(f"  where: {where}")
        if expected:
            lines.append(f"  expected: {expected}")
        if remedy:
            lines.append(f"  what to do: {remedy}")
        super().__init__("\n".join(lines))


class UsageError(DebiasError):
    """An option or argument that cannot be (exit code 2)."""

    exit_code = 2


class DataError(DebiasError):
    """A data set, table or picture that cannot be used as it is (exit code 3)."""

    exit_code = 3


class CheckpointError(DebiasError):
    """A checkpoint that is damaged, unsafe or of another architecture (exit code 4)."""

    exit_code = 4


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the nearest choice, else the list of choices.

    >>> did_you_mean("gendre", ["gender", "race"])
    "did you mean 'gender'?"
    >>> did_you_mean("xyz", ["gender", "race"])
    'one of: gender, race'
    """
    names = [str(choice) for choice in choices]
    folded = {candidate.casefold(): candidate for candidate in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean '{folded[near[0]]}'?" if near else f"one of: {', '.join(names)}"


def first_line(error: Exception, most: int | None = None) -> str:
    """Return the first line of another library's message, else the kind of error.

    Args:
        error: what it raised.
        most: characters after which the line is cut; None keeps all.
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]


def last_error(output: str) -> str:
    """Return the last error that a command printed; where there is none, what it printed last."""
    said = [line for line in output.splitlines() if line.startswith(PREFIX)]
    return said[-1].removeprefix(PREFIX) if said else output.strip()[-500:]
