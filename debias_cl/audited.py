"""A finished audit as an object: numbers as frames, report, gates, and how a notebook shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from debias_cl.document import group_rows, write_report
from debias_cl.gates import Gate, judge, rules
from debias_cl.metrics.values import described
from debias_cl.records import Finding

if TYPE_CHECKING:
    import pandas as pd

HEADS = ("value", "low", "high", "at_least", "at_most", "n")
CHANCE = ("null95", "p", "p_adjusted", "detectable", "reason", "method")


@dataclass(frozen=True, repr=False)
class Audit:
    """What `debias_cl.audit` and `debias_cl.evaluate` give.

    Attributes:
        metrics: the whole document, as metrics.json holds it (schema debias_cl.metrics/1).
    """

    metrics: dict[str, Any]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the checks say, worst first."""
        return tuple(
            Finding(**{**one, "pointers": tuple(one["pointers"])})
            for one in self.metrics["findings"]
        )

    def frame(self, attribute: str = "") -> pd.DataFrame:
        """Return the group table: a row a group, value, ends and n of every rate.

        Args:
            attribute: one attribute, or an intersection ("sex & age"); "" is all of them.
        """
        import pandas as pd

        rows = [row for row in group_rows(self.metrics) if attribute in ("", row["attribute"])]
        return pd.DataFrame(rows)

    def disparities(self, attribute: str = "") -> pd.DataFrame:
        """Return the gaps and ratios: a row a disparity, with who is lowest and highest.

        Args:
            attribute: one attribute, or an intersection; "" is all of them.
        """
        import pandas as pd

        rows = [
            _disparity(of, name, value)
            for of, found in self.metrics["disparities"].items()
            for name, value in found.items()
            if attribute in ("", of)
        ]
        return pd.DataFrame(rows)

    def gates(
        self, *conditions: str, policy: str | Path = "", baseline: str | Path = ""
    ) -> list[Gate]:
        """Judge the audit by conditions, as `--fail-on`, `--policy` and `--baseline` do.

        What was judged stands in `metrics` from then on, and so in the report and the notebook.

        Args:
            conditions: as "equalized_odds_difference>0.1"; without any rule, what was judged before
                is given again.
            policy: a TOML file.
            baseline: metrics.json of an earlier audit, or its folder.

        Returns:
            The gates; the audit passes where all of them have `passes`.

        Raises:
            UsageError, DataError: a rule that cannot be read.
        """
        if conditions or policy or baseline:
            found = judge(self.metrics, rules(conditions, policy, baseline))
            self.metrics["gates"] = [gate.to_dict() for gate in found]
        return [Gate(**one) for one in self.metrics.get("gates") or ()]

    def save_report(self, folder: str | Path) -> Path:
        """Write metrics.json, groups.csv and report.html; return the report's path."""
        return write_report(self.metrics, Path(folder))

    def __repr__(self) -> str:
        """Return the verdict and the counts of the findings in plain words."""
        from debias_cl.sections.gates import gates_line
        from debias_cl.sections.lead import lead, lead_sentence
        from debias_cl.sections.reading import chosen
        from debias_cl.sections.verdict import counts

        document = self.metrics
        sentence = lead_sentence(document, lead(document), chosen(document))
        said = ", ".join(f"{n} {outcome}" for outcome, n in counts(document) if n)
        lines = [f"Audit of {document['n']:,} rows. {sentence}", f"findings: {said}"]
        return "\n".join([*lines, *filter(None, [gates_line(document)])])

    def _repr_html_(self) -> str:
        """Return the verdict, the headline numbers and the group table for a notebook."""
        from debias_cl.sections.notebook import fragment

        return fragment(self.metrics)


def _disparity(of: str, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    def end(key: str) -> str | None:
        found = (value.get(key) or {}).get("group")
        return described(found) if found else None

    def several(keys: Sequence[str]) -> dict[str, Any]:
        return {key: value.get(key) for key in keys}

    who = {"lowest": end("lowest"), "highest": end("highest")}
    return {"attribute": of, "name": name, **several(HEADS), **who, **several(CHANCE)}
