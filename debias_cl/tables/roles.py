"""Which column of a table is what: label, predictions, scores, attributes, weight, persons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from debias_cl.data.bins import Bins
from debias_cl.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Model:
    """One model's columns in the table.

    Attributes:
        prediction: column of predicted levels; "" where the score decides.
        score: column with the score of the positive level; "" is none.
    """

    prediction: str = ""
    score: str = ""

    @property
    def name(self) -> str:
        """What the model is called: its prediction's column, else its score's."""
        return self.prediction or self.score


@dataclass(frozen=True)
class Roles:
    """Which column is what, for one label.

    Attributes:
        models: at least one; the first leads.
        label: column of the truth; "" where none is known.
        attributes: columns whose groups are compared.
        weight: column with a weight a row; "" is none.
        cluster: column that says whose a row is; "" is none.
        within: column whose levels are strata; "" is none.
        missing: texts that mean "missing" besides the empty cell.
        positive: the favourable level as the user wrote it; "" takes the default.
        threshold: a score of at least this selects, where there is no prediction column.
        bins: attribute (or strata) -> the ranges that its numbers are read into.
    """

    models: tuple[Model, ...]
    label: str = ""
    attributes: tuple[str, ...] = ()
    weight: str = ""
    cluster: str = ""
    within: str = ""
    missing: tuple[str, ...] = ()
    positive: str = ""
    threshold: float = 0.5
    bins: Mapping[str, Bins] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse roles that cannot be.

        Raises:
            UsageError: nothing to judge, or one column in two roles.
        """
        if not self.models:
            raise UsageError(
                "neither predictions nor scores were named",
                remedy="name their column with --prediction, or --score",
            )
        named = [
            ("--label", self.label),
            *(("--prediction", model.prediction) for model in self.models),
            *(("--bias-attr", name) for name in self.attributes),
            *(("--within", name) for name in self.strata),
        ]
        seen: dict[str, str] = {}
        for option, name in named:
            if name and name in seen:
                raise UsageError(
                    f"the column '{name}' is named twice", where=f"{seen[name]} and {option}"
                )
            seen[name] = option
        absent = [name for name in self.bins if name not in (*self.attributes, self.within)]
        if absent:
            raise UsageError(
                f"'{absent[0]}' is no attribute whose groups are compared",
                where="--bins",
                remedy=f"name it in --bias-attr; {did_you_mean(absent[0], self.attributes)}",
            )

    @property
    def strata(self) -> tuple[str, ...]:
        """The column of strata where it is not compared as well."""
        return (self.within,) if self.within and self.within not in self.attributes else ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns by whose levels rows are counted, each once."""
        predictions = (model.prediction for model in self.models)
        names = (self.label, *predictions, *self.attributes, self.within, self.cluster)
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def scores(self) -> tuple[str, ...]:
        """The score columns, each once."""
        return tuple(dict.fromkeys(model.score for model in self.models if model.score))

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read, each once."""
        weight = (self.weight,) if self.weight else ()
        return tuple(dict.fromkeys((*self.keys, *self.scores, *weight)))

    def only(self, model: Model) -> Roles:
        """Return the same roles for one model alone."""
        return replace(self, models=(model,))


def models_of(predictions: Sequence[str], scores: Sequence[str]) -> tuple[Model, ...]:
    """Pair prediction and score columns in their order.

    Raises:
        UsageError: both are named, and not as many of one as of the other.
    """
    if predictions and scores and len(predictions) != len(scores):
        raise UsageError(
            f"{len(predictions)} prediction columns and {len(scores)} score columns were named",
            where="--prediction, --score",
            expected="as many of one as of the other, in the same order, or none of one",
        )
    return tuple(Model(*pair) for pair in zip_longest(predictions, scores, fillvalue=""))
