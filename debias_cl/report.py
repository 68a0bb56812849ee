"""`python -m debias_cl.report`: draw reports again from finished metrics, nothing recomputed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from debias_cl.cli import Options, run_command
from debias_cl.document import write_report
from debias_cl.metrics.schema import read_document


@dataclass(frozen=True)
class ReportOptions(Options):
    """Draw report.html again from metrics.json; the numbers stay as they are."""

    folder: Annotated[str, tyro.conf.Positional] = field(kw_only=True)
    """Folder with metrics.json (or the file itself), as `reports/NAME`."""


def report(options: ReportOptions) -> int:
    """Draw one report again and print where it is."""
    path = Path(options.folder)
    document = read_document(path)
    print(write_report(document, path if path.is_dir() else path.parent))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(ReportOptions, report, "python -m debias_cl.report", argv)


if __name__ == "__main__":
    sys.exit(main())
