"""What all commands share: parsing by tyro, one message an error, the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import tyro

from debias_cl.config import DataConfig
from debias_cl.errors import PREFIX, DebiasError, UsageError

if TYPE_CHECKING:
    from debias_cl.gates import Rules
    from debias_cl.metrics import Settings

O = TypeVar("O", bound="Options")  # noqa: E741

Repeated = tyro.conf.UseAppendAction[tuple[tuple[str, ...], ...]]
"""An option that may be given several times, each time with one value or more: see `flat`."""


@dataclass(frozen=True)
class Options:
    """Options that every command has."""

    debug: bool = field(default=False, kw_only=True)
    """Show the traceback of an error."""


@dataclass(frozen=True)
class DataOptions(Options):
    """Which data set, label and attributes."""

    dataset: str = field(default="biased_mnist_mini", kw_only=True)
    """Data set; `python -m debias_cl.data list` shows all."""
    attr: str = field(default="", kw_only=True)
    """Label to predict (celeba: any of its 40 attributes). Default: the data set's."""
    bias_attr: str = field(default="", kw_only=True)
    """Attributes whose groups are compared, with commas. Default: the data set's."""
    data_root: str = field(default="datasets", kw_only=True)
    """Folder that holds the data sets."""
    protocol: str = field(default="", kw_only=True)
    """Protocol of the data set. Default: its first."""
    manifest: str = field(default="", kw_only=True)
    """CSV, Parquet or folder of your own data (with --dataset manifest)."""
    allow_outside: bool = field(default=False, kw_only=True)
    """Let paths in a manifest leave its folder."""
    missing: str = field(default="", kw_only=True)
    """Texts that mean "missing" besides the empty cell, with commas (NA,None)."""
    positive: str = field(default="", kw_only=True)
    """Label level that counts as the favourable outcome. Default: 1, True, yes, else the last."""
    rho: float | None = field(default=None, kw_only=True)
    """Share of aligned training pictures (biased_mnist, biased_mnist_mini)."""
    variant: str = field(default="", kw_only=True)
    """Variant of the made bias (biased_mnist: fairkl, foreground, fb)."""
    data_seed: int = field(default=0, kw_only=True)
    """Seed of the data set's own randomness (which digits get which colour)."""

    def data_config(self) -> DataConfig:
        """Return the data part of the configuration as asked for, defaults unresolved."""
        return DataConfig(
            dataset=self.dataset,
            data_root=self.data_root,
            attr=self.attr,
            bias_attr=listed(self.bias_attr),
            protocol=self.protocol,
            rho=self.rho,
            variant=self.variant,
            manifest=self.manifest,
            allow_outside=self.allow_outside,
            missing=listed(self.missing),
            positive=self.positive,
            seed=self.data_seed,
        )


@dataclass(frozen=True)
class MetricOptions(Options):
    """How the numbers are made and judged: the same for an encoder and for a table."""

    min_group: int = field(default=30, kw_only=True)
    """Rows that a group must have to be judged; smaller groups are shown, not judged."""
    interval: Literal["wilson", "exact"] = field(default="wilson", kw_only=True)
    """Interval of a single rate."""
    permutations: int = field(default=10_000, kw_only=True)
    """Draws of the null distribution of a gap."""
    reference: Repeated = field(default=(), kw_only=True)
    """Compare every group, with sign, with a named one (gender=male,race=white), with all rows
    (overall) or with the others (rest)."""
    within: str = field(default="", kw_only=True)
    """Column (site, camera, age) inside whose levels the gaps are read as well."""
    tolerance: Repeated = field(default=(), kw_only=True)
    """Read a gap as within, exceeding, or inconclusive by its interval, as
    demographic_parity_difference=0.05; a ratio's is the smallest. Goes over those of --policy."""
    reweight: str = field(default="", kw_only=True)
    """Overall figures for another population as well: train, or a table with the columns label,
    group, share."""
    fail_on: Repeated = field(default=(), kw_only=True)
    """Exit code 1 where this holds: "equalized_odds_difference>0.1" (each attribute),
    "gender:NAME>0.1", "low(NAME)>0.1", "accuracy<0.9", "gender=female:true_positive_rate<0.8", or
    issue. What cannot be judged does not pass. NAME_all looks at small groups too; repeatable."""
    policy: str = field(default="", kw_only=True)
    """TOML file with fail_on, required groups, tolerance, and what an undefined value does."""
    baseline: str = field(default="", kw_only=True)
    """metrics.json of an earlier audit: exit code 1 where something is worse, beyond its noise."""
    summary: str = field(default="", kw_only=True)
    """File to add verdict, gates and gaps to as Markdown ("$GITHUB_STEP_SUMMARY")."""

    def settings(self) -> Settings:
        """Return the settings of the metrics as asked for."""
        from debias_cl.gates.names import check
        from debias_cl.gates.policy import read_policy
        from debias_cl.metrics import Settings, flags

        reference, against = flags.read_reference(flat(self.reference))
        tolerance = flags.read_tolerance(flat(self.tolerance))
        for name in tolerance:
            check(name, "--tolerance", gaps=True)
        return Settings(
            min_group=self.min_group,
            interval=self.interval,
            permutations=self.permutations,
            reference=reference,
            against=against,
            within=self.within,
            tolerance={**read_policy(self.policy).tolerance, **tolerance},
            reweight=flags.read_reweight(self.reweight),
        )

    def rules(self) -> Rules:
        """Return what the audit must hold to pass."""
        from debias_cl.gates import rules

        return rules(flat(self.fail_on), self.policy, self.baseline)

    def conclude(self, documents: Sequence[Mapping[str, Any]]) -> int:
        """Write the job summary, say which gates do not pass, and return the exit code."""
        from pathlib import Path

        from debias_cl import gates
        from debias_cl.gates.markdown import append_summary

        for document in documents:
            if self.summary:
                append_summary(document, Path(self.summary))
            for line in gates.lines(document):
                print(line, file=sys.stderr)
        return max((gates.exit_code(document) for document in documents), default=0)


def listed(text: str) -> tuple[str, ...]:
    """Split "a, b" into ("a", "b"); "" gives ()."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def numbers(text: str, flag: str) -> tuple[float, ...]:
    """Split ".5, .5, .5" into three numbers; "" gives ()."""
    try:
        return tuple(float(part) for part in listed(text))
    except ValueError as error:
        raise UsageError(f"{flag} is '{text}'", expected="numbers with commas") from error


def flat(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """Return the values of an option that was given several times, each with one or more."""
    return tuple(text for group in groups for text in group)


def callable_module(name: str) -> None:
    """Let a command's module be called as the library function of its name.

    `debias_cl.audit` is the function until somebody imports the module `debias_cl.audit`, which
    then stands in its place: called, it does the same.

    Args:
        name: dotted name of the module, which is being imported.
    """
    function = name.rpartition(".")[2]

    class Called(ModuleType):
        def __call__(self, *args: Any, **options: Any) -> Any:
            from debias_cl import api

            return getattr(api, function)(*args, **options)

    sys.modules[name].__class__ = Called


def run_command(
    kind: type[O], verb: Callable[[O], int], prog: str, argv: Sequence[str] | None = None
) -> int:
    """Parse `argv` into `kind`, call `verb`, and turn an error into one message and its exit code.

    Args:
        kind: frozen dataclass of the command's options; its docstring is the help's first lines.
        verb: does the work and returns the exit code.
        prog: name shown in the help ("python -m debias_cl.train").
        argv: arguments; None takes those of the process.

    Returns:
        0 done, 1 a gate does not pass, 2 usage, 3 data, 4 checkpoint, 130 stopped by Ctrl-C.
    """
    # Threads that share a small network's layers wait for each other at the end of each. On a busy
    # machine, waiting that spins takes the time of those that work; on an idle one, sleeping at
    # once is slow. So spin shortly, then sleep. Read when torch is loaded, so set before.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = tyro.cli(
        kind,
        prog=prog,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        return verb(options)
    except DebiasError as error:
        if options.debug:
            traceback.print_exc()
        print(f"{PREFIX}{error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as stop:
        print(f"\nstopped. {stop}".rstrip(), file=sys.stderr)
        return 130
