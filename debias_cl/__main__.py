"""`python -m debias_cl`, and `debias-cl` after installation: lists the commands and runs one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from debias_cl import __version__

COMMANDS = {
    "train": ("debias_cl.train", "train an encoder with one objective on one data set; resumes"),
    "evaluate": ("debias_cl.evaluate", "an encoder on a data set -> metrics and HTML bias report"),
    "audit": ("debias_cl.audit", "tables of predictions -> metrics and HTML bias report; no torch"),
    "benchmark": ("debias_cl.benchmark", "methods x data sets x seeds -> leaderboard; resumes"),
    "report": ("debias_cl.report", "draw a report again from its metrics.json"),
    "data": ("debias_cl.data_cli", "list the data sets, check their counts, fetch what may be"),
}
"""Command -> module with `main(argv) -> exit code`, and what it does."""


def help_text() -> str:
    """Return the list of commands."""
    rows = "\n".join(f"  {name:<10}{does}" for name, (_, does) in COMMANDS.items())
    return (
        f"debias_cl {__version__}: trains image encoders that rely less on shortcuts, "
        "and audits encoders for bias\n\n"
        f"usage: python -m debias_cl COMMAND [options]   (or python -m debias_cl.COMMAND)\n\n"
        f"{rows}\n\npython -m debias_cl COMMAND --help shows a command's options."
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; without one, list them."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help"}:
        print(help_text())
        return 0
    if arguments[0] == "--version":
        print(__version__)
        return 0
    if arguments[0] not in COMMANDS:
        from debias_cl.errors import did_you_mean

        hint = did_you_mean(arguments[0], COMMANDS)
        print(f"error: there is no command '{arguments[0]}'; {hint}", file=sys.stderr)
        return 2
    module = importlib.import_module(COMMANDS[arguments[0]][0])
    code: int = module.main(arguments[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
