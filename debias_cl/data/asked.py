"""What the user asked for, checked against what a data set has; and the error for missing files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from debias_cl.errors import DataError, UsageError, did_you_mean


def choose(
    title: str,
    kind: str,
    asked: str,
    choices: Sequence[str],
    synonyms: Mapping[str, str] | None = None,
) -> str:
    """Return the choice that the user means, upper and lower case and spaces aside.

    Args:
        title: of the data set ("CelebA").
        kind: "attribute", "protocol", "variant".
        asked: the user's text; "" is the first choice.
        choices: what there is.
        synonyms: case-folded other words -> the choice that the error then proposes.

    Raises:
        UsageError: none fits; proposes the nearest.
    """
    if not asked:
        return choices[0]
    folded = {_fold(choice): choice for choice in choices}
    if _fold(asked) in folded:
        return folded[_fold(asked)]
    proposed = (synonyms or {}).get(asked.casefold())
    remedy = f"did you mean '{proposed}'?" if proposed else did_you_mean(asked, choices)
    raise UsageError(f"{kind} '{asked}' is not in {title}", remedy=remedy)


def _fold(text: str) -> str:
    return text.casefold().replace(" ", "_").replace("-", "_")


def distinct_attributes(title: str, label: str, attributes: Sequence[str]) -> tuple[str, ...]:
    """Return the attributes without repetitions.

    Raises:
        UsageError: the label is among them.
    """
    if label in attributes:
        raise UsageError(
            f"'{label}' is both the label and a bias attribute of {title}",
            remedy="choose another --bias-attr",
        )
    return tuple(dict.fromkeys(attributes))


def missing_files(
    title: str, looked_for: Sequence[Path], obtain: str, expected: str = "all of these files"
) -> DataError:
    """Return the error that says what was looked for, where, and how to get it legally.

    Args:
        title: of the data set.
        looked_for: files and folders; those that are there are marked.
        obtain: the SPEC's words.
        expected: which of them must be there.
    """
    lines = [f"{path} ({'found' if path.exists() else 'not there'})" for path in looked_for]
    return DataError(
        f"{title} is not complete under its folder",
        where="looked for " + "; ".join(lines),
        expected=f"{expected} (--data-root names the folder above)",
        remedy=obtain,
    )
