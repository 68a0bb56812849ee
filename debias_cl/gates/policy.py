"""The policy file: tolerances, conditions, required groups, and what an undefined value does."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from debias_cl.errors import UsageError, did_you_mean
from debias_cl.gates import names
from debias_cl.gates.conditions import Condition, read
from debias_cl.gates.places import find_group, no_group
from debias_cl.gates.result import Document, Gate, figure, judged, undefined

KEYS = ("fail_on", "required", "tolerance", "undefined")
UNDEFINED = ("fail", "pass")


@dataclass(frozen=True)
class Policy:
    """What a policy file says.

    Attributes:
        source: its file name.
        conditions: under which the audit does not pass.
        required: group ("gender=female") -> rows that it must have at least.
        tolerance: gap (or ratio) -> largest (smallest) that is still within.
        excused: whether an undefined value passes.
    """

    source: str = ""
    conditions: tuple[Condition, ...] = ()
    required: Mapping[str, int] = field(default_factory=dict)
    tolerance: Mapping[str, float] = field(default_factory=dict)
    excused: bool = False


def read_policy(file: str | Path) -> Policy:
    """Read a policy file (TOML); "" is an empty policy.

    Raises:
        UsageError: no such file, not TOML, an unknown key, or a value that cannot be.
    """
    if not file:
        return Policy()
    path = Path(file)
    if not path.is_file():
        near = [one.name for one in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        remedy = did_you_mean(path.name, near) if near else ""
        raise UsageError(f"there is no policy {path}", where="--policy", remedy=remedy)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"the policy is not TOML: {error}", where=str(path)) from error
    for key in told:
        if key not in KEYS:
            raise UsageError(
                f"a policy has no key '{key}'", where=str(path), remedy=did_you_mean(key, KEYS)
            )
    choice = told.get("undefined", "fail")
    if choice not in UNDEFINED:
        raise _wrong(path, "undefined", choice, '"fail" or "pass"')
    return Policy(
        source=path.name,
        conditions=_conditions(path, told),
        required=_required(path, told),
        tolerance=_tolerance(path, told),
        excused=choice == "pass",
    )


def _wrong(path: Path, key: str, value: object, expected: str) -> UsageError:
    return UsageError(f"'{key}' is {value!r}", where=str(path), expected=expected)


def _conditions(path: Path, told: Mapping[str, Any]) -> tuple[Condition, ...]:
    given = told.get("fail_on", [])
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _wrong(path, "fail_on", given, 'a list of conditions, as ["accuracy<0.9", "issue"]')
    return tuple(one for text in texts for one in read(text, path.name))


def _table(path: Path, told: Mapping[str, Any], key: str, expected: str) -> Mapping[str, Any]:
    table = told.get(key, {})
    if not isinstance(table, dict):
        raise _wrong(path, key, table, expected)
    return table


def _required(path: Path, told: Mapping[str, Any]) -> dict[str, int]:
    expected = 'a table of groups and their fewest rows, as "gender=female" = 100'
    table = _table(path, told, "required", expected)
    for group, n in table.items():
        if "=" not in group or isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise _wrong(path, f"required.{group}", n, expected)
    return dict(table)


def _tolerance(path: Path, told: Mapping[str, Any]) -> dict[str, float]:
    expected = "a table of gaps and fractions, as demographic_parity_difference = 0.05"
    table = _table(path, told, "tolerance", expected)
    for name, limit in table.items():
        names.check(name, f"{path}, tolerance", gaps=True)
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not 0 <= limit <= 1:
            raise _wrong(path, f"tolerance.{name}", limit, "a fraction from 0 to 1")
    return {name: float(limit) for name, limit in table.items()}


def judge_required(document: Document, policy: Policy) -> list[Gate]:
    """Return a gate for each required group: there, with enough rows."""
    return [_group(document, policy.source, group, n) for group, n in policy.required.items()]


def _group(document: Document, source: str, group: str, least: int) -> Gate:
    text, entry = f"{group} has {least:,} rows or more", find_group(document, group)
    if not entry:
        return undefined(text, group, source, no_group(document, group).absent, limit=least)
    n = (entry / "n").value
    said = f"it has {figure(n)} rows"
    where = (entry / "n").pointer
    fails = n < least
    return judged(
        text, group, source, fails=fails, found=n, limit=least, reason=said, pointer=where
    )
