"""The words everyone uses: the records that the stages hand to each other.

raw data set -> `Annotations` + pictures -> encoder -> `Features` -> probe -> `Predictions` ->
metrics -> report. Codes are indices into `Column.levels`; -1 is "missing". numpy only, no torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]

DIGITS = frozenset("0123456789")

MISSING = "(missing)"
"""The level that an empty attribute cell becomes; never dropped silently."""


@dataclass(frozen=True)
class Column:
    """A label or an attribute: its name, its levels in natural order, and words for a reader.

    Attributes:
        name: column name as the user writes it (`Blond_Hair`).
        levels: the texts of all levels, in natural order; a code is an index into it.
        words: level -> words for sentences (`{"1": "men", "0": "women"}`); may be empty.
        numbers: level -> mean of the numbers in it, for ranges of a numeric column; else empty.
    """

    name: str
    levels: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)

    def say(self, level: str) -> str:
        """Return the words for a level, or `name = level` where the data set gives none."""
        return self.words.get(level, f"{self.name} = {level}")

    def code(self, level: str) -> int:
        """Return the code of a level."""
        return self.levels.index(level)


@dataclass(frozen=True)
class Alignment:
    """Which (label level, attribute level) pairs follow the correlation of the training set.

    Attributes:
        pairs: the aligned pairs; every other pair is conflicting.
        source: who says so ("the protocol", "majority label of each level in training").
    """

    pairs: frozenset[tuple[str, str]]
    source: str

    def table(self, label: Column, attribute: Column) -> Bools:
        """Return a (label levels, attribute levels) table, True where the cell is aligned."""
        return np.array([[(y, a) in self.pairs for a in attribute.levels] for y in label.levels])


@dataclass(frozen=True)
class Mass:
    """What each of n entries stands for: a table that was counted, or rows that carry weights.

    Attributes:
        rows: (n,) int64, rows behind an entry; 1 each where nothing was counted together.
        weight: (n,) float64, the sum of their weights; None where rows carry no weights.
        square: (n,) float64, the sum of their squared weights; None likewise.
    """

    rows: Codes
    weight: Floats | None = None
    square: Floats | None = None

    def take(self, index: npt.NDArray[Any]) -> Mass:
        """Return the entries at `index`."""
        weight = None if self.weight is None else self.weight[index]
        square = None if self.square is None else self.square[index]
        return Mass(self.rows[index], weight, square)


@dataclass(frozen=True)
class Annotations:
    """What is known of n examples besides their pictures.

    Attributes:
        ids: (n,) text, unique, names an example to the user (file name, row).
        label: the column to predict; None where no truth is known.
        truth: (n,) codes into `label.levels`; None where `label` is None.
        attributes: the bias or protected columns.
        groups: attribute name -> (n,) codes. A missing value has the level `(missing)`, not -1.
        alignment: attribute name -> which cells follow the training correlation.
        mass: what each entry stands for; None: one row each, all alike.
        persons: (n,) codes of whom an entry is of (its cluster); None: rows are independent.
        strata: columns that groups are compared within (a site, a camera) and that are not
            compared themselves; their codes stand in `groups` as well.
    """

    ids: Texts
    label: Column | None
    truth: Codes | None
    attributes: tuple[Column, ...]
    groups: Mapping[str, Codes]
    alignment: Mapping[str, Alignment] = field(default_factory=dict)
    mass: Mass | None = None
    persons: Codes | None = None
    strata: tuple[Column, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rows(self) -> Codes:
        """(n,) rows behind each entry."""
        return np.ones(len(self), np.int64) if self.mass is None else self.mass.rows

    def take(self, index: npt.NDArray[Any]) -> Annotations:
        """Return the rows at `index` (integers or a boolean mask of length n)."""
        return replace(
            self,
            ids=self.ids[index],
            truth=None if self.truth is None else self.truth[index],
            groups={name: codes[index] for name, codes in self.groups.items()},
            mass=None if self.mass is None else self.mass.take(index),
            persons=None if self.persons is None else self.persons[index],
        )

    def standing(self) -> dict[str, npt.NDArray[Any]]:
        """Return what entries stand for, as a file holds it: (n,) arrays, those that there are."""
        mass = self.mass
        found = {
            "rows": None if mass is None else mass.rows,
            "weight": None if mass is None else mass.weight,
            "square": None if mass is None else mass.square,
            "person": self.persons,
        }
        return {name: array for name, array in found.items() if array is not None}

    def stand_for(self, found: Mapping[str, npt.NDArray[Any]]) -> Annotations:
        """Return the annotations with what `standing` gave."""
        rows = found.get("rows")
        mass = None if rows is None else Mass(rows, found.get("weight"), found.get("square"))
        return replace(self, mass=mass, persons=found.get("person"))

    def attribute(self, name: str) -> Column:
        """Return the attribute of that name."""
        return next(column for column in self.attributes if column.name == name)

    def column(self, name: str) -> Column:
        """Return the attribute, or the column of strata, of that name."""
        return next(one for one in (*self.attributes, *self.strata) if one.name == name)

    def aligned(self, name: str) -> Bools | None:
        """Return an (n,) mask of the aligned rows for one attribute; None where undefined."""
        if self.label is None or self.truth is None or name not in self.alignment:
            return None
        table = self.alignment[name].table(self.label, self.attribute(name))
        return np.asarray(table[self.truth, self.groups[name]], dtype=np.bool_)

    def cell_counts(self, name: str) -> Codes:
        """Return the (label levels, attribute levels) table of counts for one attribute."""
        if self.label is None or self.truth is None:
            raise ValueError("cell counts need a label")
        counts = np.zeros((len(self.label.levels), len(self.attribute(name).levels)), np.int64)
        known = self.truth >= 0
        cells = (self.truth[known], self.groups[name][known])
        np.add.at(counts, cells, self.rows[known])
        return counts


@dataclass(frozen=True)
class Exclusion:
    """An example that was left out, and why: counted and listed, never dropped silently.

    Attributes:
        item: file name or id.
        where: file and row that named it ("people.csv, row 4"); may equal `item`.
        reason: plain words ("empty file", "name does not parse: age_gender_race_date expected").
    """

    item: str
    where: str
    reason: str


@dataclass(frozen=True)
class Features:
    """The first narrow waist: what an encoder says of each example.

    Attributes:
        values: (n, d) float32.
        split: (n,) text, "train", "validation" or "test".
        annotations: of the same n rows.
        encoder: what made them (architecture, objective, run or checkpoint, seed), JSON-able.
    """

    values: npt.NDArray[np.float32]
    split: Texts
    annotations: Annotations
    encoder: Mapping[str, Any] = field(default_factory=dict)

    def part(self, split: str) -> Features:
        """Return the rows of one split; the values are a view where its rows stand together."""
        mask = self.split == split
        rows = np.flatnonzero(mask)
        together = len(rows) > 0 and rows[-1] - rows[0] + 1 == len(rows)
        return replace(
            self,
            values=self.values[rows[0] : rows[-1] + 1] if together else self.values[mask],
            split=self.split[mask],
            annotations=self.annotations.take(mask),
        )

    def save(self, path: Path) -> None:
        """Write `.safetensors` (arrays, and the rest as JSON in its metadata), atomically."""
        from debias_cl import waists

        waists.save_features(self, path)

    @staticmethod
    def load(path: Path) -> Features:
        """Read what `save` wrote."""
        from debias_cl import waists

        return waists.load_features(path)


@dataclass(frozen=True)
class Predictions:
    """The second narrow waist: one row an example; everything right of it needs no torch.

    Attributes:
        annotations: truth and groups of the n rows.
        predicted: (n,) codes into `levels`; -1 where there is no prediction.
        levels: the levels that predictions may take (those of the label where there is one).
        scores: (n,) float64, the score of the positive level, NaN where missing; None without.
        positive: the level that counts as favourable.
        positive_source: who chose it ("--positive", "default: the level 1").
        training_cells: attribute name -> (label levels, attribute levels) counts of the training
            set, where known; used for `majority label of each level`.
        notes: sentences that the report prints about how they were made (a probe that did not
            converge, training rows without a label).
    """

    annotations: Annotations
    predicted: Codes
    levels: tuple[str, ...]
    scores: Floats | None
    positive: str
    positive_source: str
    training_cells: Mapping[str, Codes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.predicted)

    def take(self, index: npt.NDArray[Any]) -> Predictions:
        """Return the rows at `index` (integers or a boolean mask of length n)."""
        return replace(
            self,
            annotations=self.annotations.take(index),
            predicted=self.predicted[index],
            scores=None if self.scores is None else self.scores[index],
        )

    def save(self, path: Path) -> None:
        """Write Parquet with readable columns (id, label, prediction, score, attributes)."""
        from debias_cl import waists

        waists.save_predictions(self, path)

    @staticmethod
    def load(path: Path) -> Predictions:
        """Read what `save` wrote."""
        from debias_cl import waists

        return waists.load_predictions(path)


@dataclass(frozen=True)
class MetricValue:
    """One number with its uncertainty; fractions, never percents.

    Attributes:
        value: the point value; None where it is undefined (0/0 is not 0).
        low, high: ends of the 95 % interval; None where there is none.
        n: rows in the denominator; None where no single denominator exists.
        reason: why `value` is None, or why there is no interval; else None.
        method: name of the interval's method; None where there is none.
        extra: further JSON-able fields (a disparity's lowest, highest, p, null95, ...).
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    reason: str | None = None
    method: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the value object of `metrics.json`."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "reason": self.reason,
            "method": self.method,
            **self.extra,
        }


Outcome = Literal["issue", "note", "skipped", "not applicable", "passed"]
OUTCOMES: tuple[Outcome, ...] = ("issue", "note", "skipped", "not applicable", "passed")
"""The five outcomes in the order of the report: what is unknown matters more than what is well."""


@dataclass(frozen=True)
class Finding:
    """What one check says.

    Attributes:
        code: kebab-case name of the check ("worst-group-gap").
        title: the check in a few words ("Equalized odds, by Male").
        outcome: one of the five.
        sentence: what was found, how large with interval, for whom, on how many.
        attribute: the attribute concerned; "" where none.
        whom: groups concerned, in words; "" where none.
        n: rows that it rests on; None where none.
        section: number of the report section that shows the evidence.
        pointers: JSON pointers into metrics.json of the numbers in `sentence`.
        usually_helps: what usually helps; "" where nothing is known to.
    """

    code: str
    title: str
    outcome: Outcome
    sentence: str
    attribute: str = ""
    whom: str = ""
    n: int | None = None
    section: int = 5
    pointers: tuple[str, ...] = ()
    usually_helps: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**self.__dict__, "pointers": list(self.pointers)}


def natural_order(levels: set[str]) -> tuple[str, ...]:
    """Sort levels as people would: numbers by value, texts with their numbers read, missing last.

    >>> natural_order({"10", "9", "(missing)"})
    ('9', '10', '(missing)')
    >>> natural_order({"20-29", "3-9", "more than 70"})
    ('3-9', '20-29', 'more than 70')
    """

    def key(level: str) -> tuple[int, float, tuple[tuple[int, int, str], ...], str]:
        if level == MISSING:
            return (2, 0.0, (), "")
        try:
            return (0, float(level), (), level)
        except ValueError:
            runs = re.findall(r"[0-9]+|[^0-9]+", level.casefold())
            parts = tuple((0, int(x), "") if x[0] in DIGITS else (1, 0, x) for x in runs)
            return (1, 0.0, parts, level)

    return tuple(sorted(levels, key=key))


def default_positive(levels: tuple[str, ...]) -> tuple[str, str]:
    """Return the favourable level and who chose it: 1, True, yes, else the last in natural order.

    >>> default_positive(("0", "1"))
    ('1', "default: the level '1'")
    >>> default_positive(("approved", "denied"))
    ('denied', 'default: the last level in natural order')
    """
    for wanted in ("1", "true", "yes"):
        for level in levels:
            if level.casefold() == wanted:
                return level, f"default: the level '{level}'"
    known = [level for level in levels if level != MISSING]
    return known[-1], "default: the last level in natural order"


def to_json(document: Mapping[str, Any]) -> str:
    """Return strict JSON (NaN and infinity are errors: undefined is null with a reason)."""
    return json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
