"""`python -m debias_cl.audit`: tables of predictions -> metrics and an HTML report; no torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from debias_cl.cli import MetricOptions, Repeated, callable_module, flat, listed, run_command

if TYPE_CHECKING:
    from debias_cl.metrics import Settings


@dataclass(frozen=True)
class AuditOptions(MetricOptions):
    """Audit predictions of any system: group metrics with uncertainty, and an HTML bias report.

    A row of the table is an example: its label, what was predicted, its score, its groups.
    """

    predictions: Repeated = field(default=(), kw_only=True)
    """CSV or Parquet files, or patterns of them, all with the same columns."""
    counts: Repeated = field(default=(), kw_only=True)
    """Instead: a table that was counted already, a row a group of alike examples."""
    count_column: str = field(default="n", kw_only=True)
    """Column of --counts that says how many examples a row stands for."""
    connect: str = field(default="", kw_only=True)
    """Instead: the engine that holds --table, as an Ibis URL (postgres://host/db, pyspark://)."""
    table: str = field(default="", kw_only=True)
    """Name of the table, of --connect or for --print-sql."""
    print_sql: str = field(default="", kw_only=True)
    """Print the SQL that counts the table in this dialect (duckdb, bigquery, ...), and stop."""
    label: str = field(default="", kw_only=True)
    """Column of the truth; several with commas give a report each. Without: what needs no truth."""
    prediction: str = field(default="", kw_only=True)
    """Column of the predicted level; several models with commas, the first one leads."""
    score: str = field(default="", kw_only=True)
    """Column of the score of the positive level; alone, it selects at --threshold and above."""
    bias_attr: str = field(default="", kw_only=True)
    """Columns whose groups are compared, with commas."""
    bins: Repeated = field(default=(), kw_only=True)
    """Read a numeric column of --bias-attr into ranges, and draw how it goes: age=0,18,30,65 or
    age=quantiles:4."""
    positive: str = field(default="", kw_only=True)
    """Level that counts as the favourable outcome. Default: 1, True, yes, else the last."""
    missing: str = field(default="", kw_only=True)
    """Texts that mean "missing" besides the empty cell, with commas (NA,None)."""
    weight: str = field(default="", kw_only=True)
    """Column with the weight of each row."""
    cluster_by: str = field(default="", kw_only=True)
    """Column that says whose a row is, where a person has several."""
    out: str = field(default="reports", kw_only=True)
    """Folder in which the report's own folder is made."""
    name: str = field(default="", kw_only=True)
    """Name of the report's own folder. Default: the file's and the label's."""

    def settings(self) -> Settings:
        """Return the settings of the metrics as asked for."""
        from debias_cl.data.bins import read_bins

        return replace(super().settings(), ranges=read_bins(flat(self.bins)))


def audit(options: AuditOptions) -> int:
    """Audit, write the reports, print the summary and where everything is."""
    from rich.console import Console

    from debias_cl import auditing
    from debias_cl.sections.terminal import summary

    console = Console()
    request = auditing.TableRequest(
        predictions=flat(options.predictions),
        counts=flat(options.counts),
        count_column=options.count_column,
        connect=options.connect,
        table=options.table,
        labels=listed(options.label),
        prediction=listed(options.prediction),
        score=listed(options.score),
        bias_attr=listed(options.bias_attr),
        positive=options.positive,
        missing=listed(options.missing),
        weight=options.weight,
        cluster_by=options.cluster_by,
        out=options.out,
        name=options.name,
        settings=options.settings(),
        rules=options.rules(),
    )
    if options.print_sql:
        print(auditing.printed_sql(request, options.print_sql))
        return 0
    done = auditing.audit(request)
    for one in done:
        console.print(summary(one.document))
        console.print(f"report: {one.report}", soft_wrap=True, highlight=False)
    return options.conclude([one.document for one in done])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    return run_command(AuditOptions, audit, "python -m debias_cl.audit", argv)


callable_module(__name__)

if __name__ == "__main__":
    sys.exit(main())
