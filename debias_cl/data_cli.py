"""`python -m debias_cl.data`: list the data sets, check their counts, fetch what may be fetched."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from debias_cl.cli import Options, listed, run_command
from debias_cl.config import DataConfig
from debias_cl.data import DATASETS
from debias_cl.data.contract import CountLine, DatasetSpec
from debias_cl.errors import DataError, UsageError


@dataclass(frozen=True)
class DataCommand(Options):
    """List the data sets, check their counts against the protocol, or fetch what may be fetched."""

    action: Annotated[Literal["list", "check", "fetch"], tyro.conf.Positional] = field(
        default="list", kw_only=True
    )
    """list: all data sets, and whether they are found. check: each cell's count beside the
    published one. fetch: download what its licence lets us download."""
    dataset: str = field(default="", kw_only=True)
    """Data set to check or fetch. Default of check: every one that is found."""
    data_root: str = field(default="datasets", kw_only=True)
    """Folder that holds the data sets."""
    rho: float | None = field(default=None, kw_only=True)
    """Share of aligned training pictures (biased_mnist, biased_mnist_mini)."""
    manifest: str = field(default="", kw_only=True)
    """CSV, Parquet or folder of your own data (with --dataset manifest)."""
    attr: str = field(default="", kw_only=True)
    """Label of the manifest."""
    bias_attr: str = field(default="", kw_only=True)
    """Attributes of the manifest, with commas."""
    missing: str = field(default="", kw_only=True)
    """Texts that mean "missing" besides the empty cell, with commas."""
    allow_outside: bool = field(default=False, kw_only=True)
    """Let paths in a manifest leave its folder."""

    def config(self, dataset: str) -> DataConfig:
        """Return the data configuration for one data set."""
        return DataConfig(
            dataset=dataset,
            data_root=self.data_root,
            rho=self.rho,
            manifest=self.manifest,
            attr=self.attr,
            bias_attr=listed(self.bias_attr),
            missing=listed(self.missing),
            allow_outside=self.allow_outside,
        )


FEW = 5
"""Up to so many labels are listed by name."""


def found(spec: DatasetSpec, data_root: str) -> str:
    """Return "found", "not found" or "partly found" under the data root, or what else it is."""
    wanted = [Path(data_root) / name for name in spec.extra.get("looks_for", ())]
    if not wanted:
        return "yours, by --manifest" if not spec.labels else "built in"
    forms = spec.extra.get("layouts", ())
    if any(all((Path(data_root) / name).exists() for name in form) for form in forms):
        return "found"
    there = sum(path.exists() for path in wanted)
    return {0: "not found", len(wanted): "found"}.get(there, f"{there} of {len(wanted)} found")


def show_list(options: DataCommand) -> int:
    """Print one row a data set."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Data sets (data root: {options.data_root})", expand=True)
    table.add_column("--dataset", no_wrap=True)
    for heading, ratio in (("what (terms)", 3), ("labels", 2), ("protocols", 2), ("here", 2)):
        table.add_column(heading, ratio=ratio, overflow="fold")
    for name, spec in DATASETS:
        labels = spec.labels if len(spec.labels) <= FEW else (f"{len(spec.labels)} attributes",)
        table.add_row(
            name,
            spec.card,
            ", ".join(labels) or "your columns",
            ", ".join(spec.protocols),
            found(spec, options.data_root),
        )
    console = Console()
    console.print(table)
    for name, spec in DATASETS:
        if found(spec, options.data_root) not in {"found", "built in"} and spec.labels:
            console.print(f"[bold]{name}[/bold]: {spec.obtain}", highlight=False)
    return 0


def show_check(options: DataCommand) -> int:
    """Print each count beside the published one.

    Raises:
        DataError: a data set is absent, or a count that must fit does not.
    """
    names = [options.dataset] if options.dataset else _found_names(options.data_root)
    wrong = []
    for name in names:
        spec = DATASETS.get(name)
        lines = spec.check(options.config(name))
        _print_counts(spec.title, lines)
        wrong += [f"{name}: {line.what}" for line in lines if _is_wrong(line)]
    if wrong:
        raise DataError(
            f"{len(wrong)} counts differ from the published ones",
            where="; ".join(wrong),
            expected="the published counts, as in the table",
            remedy="get the files anew from their source",
        )
    return 0


def _found_names(data_root: str) -> list[str]:
    return [
        name for name, spec in DATASETS if spec.labels and found(spec, data_root) != "not found"
    ]


def _is_wrong(line: CountLine) -> bool:
    return line.published not in (None, line.found) and not line.note


def _print_counts(title: str, lines: list[CountLine]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title)
    table.add_column("what", overflow="fold")
    for heading in ("found", "published"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for line in lines:
        published = "" if line.published is None else f"{line.published:,}"
        verdict = "as published" if line.found == line.published else line.note
        verdict = "[bold]differs[/bold]" if _is_wrong(line) else escape(verdict)
        table.add_row(escape(line.what), f"{line.found:,}", published, verdict)
    Console().print(table)


def fetch(options: DataCommand) -> int:
    """Download one data set where that is allowed.

    Raises:
        UsageError: no data set was named, or it may not be fetched (says how to get it).
    """
    if not options.dataset:
        names = [name for name, spec in DATASETS if spec.fetch]
        raise UsageError("which data set?", remedy=f"--dataset {' or '.join(names)}")
    spec = DATASETS.get(options.dataset)
    if spec.fetch is None:
        raise UsageError(
            f"{spec.title} is not fetched by this command ({spec.licence})", remedy=spec.obtain
        )
    print(spec.fetch(options.config(options.dataset)))
    return 0


ACTIONS = {"list": show_list, "check": show_check, "fetch": fetch}


def data(options: DataCommand) -> int:
    """Do what was asked for and return the exit code."""
    return ACTIONS[options.action](options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(DataCommand, data, "python -m debias_cl.data", argv)


if __name__ == "__main__":
    sys.exit(main())
