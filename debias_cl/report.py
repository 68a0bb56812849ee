"""`python -m debias_cl.report`: draw reports again from finished metrics, nothing recomputed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from debias_cl.cli import Options, run_command
from debias_cl.document import SCHEMA, write_report
from debias_cl.errors import DataError


@dataclass(frozen=True)
class ReportOptions(Options):
    """Draw report.html again from metrics.json; the numbers stay as they are."""

    folder: Annotated[str, tyro.conf.Positional] = field(kw_only=True)
    """Folder with metrics.json (or the file itself), as `reports/NAME`."""


def read_document(path: Path) -> dict[str, Any]:
    """Read a metrics document.

    Raises:
        DataError: no such file, not JSON, or of another schema.
    """
    file = path / "metrics.json" if path.is_dir() else path
    if not file.exists():
        raise DataError("there are no metrics to draw from", where=str(file))
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"this is not JSON: {error}", where=str(file)) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise DataError("this is no metrics document", where=str(file), expected=SCHEMA)
    return document


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
