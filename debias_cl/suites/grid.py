"""A suite's TOML -> its cells: one whole configuration each. Nothing is run here."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from debias_cl.config import DataConfig, TrainConfig
from debias_cl.data import DATASETS
from debias_cl.data.presets import POLICIES
from debias_cl.errors import DataError, UsageError, did_you_mean
from debias_cl.resolve import resolve, run_name
from debias_cl.suites.judges import JUDGES, OWN, USUAL
from debias_cl.suites.question import KEYS as QUESTION_KEYS
from debias_cl.suites.question import Question, read_question

GRIDS = Path(__file__).parent / "grids"
KEYS = {"title", "says", "methods", "judges", "part", *QUESTION_KEYS}
PART_KEYS = {
    *QUESTION_KEYS,
    "name", "says", "datasets", "methods", "seeds", "rho", "views", "preset", "attr",
    "bias_attr", "protocol", "set", "judges",
}  # fmt: skip
NEEDED = {"name", "datasets", "methods"}
AS_PRESET = "preset"
"""The name of the views that a preset has."""


@dataclass(frozen=True)
class Cell:
    """One run of a suite.

    Attributes:
        suite, part: where it stands.
        method: what tables call it.
        views: named policy of its views.
        config: the whole configuration.
        judges: names of the probes that judge its features.
    """

    suite: str
    part: str
    method: str
    views: str
    config: TrainConfig
    judges: tuple[str, ...] = USUAL

    @property
    def name(self) -> str:
        """Name of its run folder and of its result."""
        return run_name(self.config)


@dataclass(frozen=True)
class Choice:
    """What a user takes of a suite; () takes all.

    Attributes:
        methods: objectives or method names.
        datasets, parts: names.
        seeds: numbers.
        rho: shares of aligned training pictures.
    """

    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    rho: tuple[float, ...] = ()


@dataclass(frozen=True)
class Suite:
    """A suite as written.

    Attributes:
        name: file name without ending.
        title, says: for people.
        question: what its parts ask, where they do not say otherwise.
        parts: the tables `[[part]]`.
        questions: of parts that say otherwise, by the part's name.
    """

    name: str
    title: str
    says: str
    question: Question
    parts: Sequence[Mapping[str, Any]]
    questions: Mapping[str, Question] = field(default_factory=dict)

    def asks(self, part: str) -> Question:
        """Return what a part asks."""
        return self.questions.get(part, self.question)

    def comparing(self, baselines: tuple[str, ...]) -> Suite:
        """Return the suite with other baselines in every part; () leaves those it has."""
        if not baselines:
            return self
        asked = {name: replace(q, baselines=baselines) for name, q in self.questions.items()}
        question = replace(self.question, baselines=baselines)
        return replace(self, question=question, questions=asked)

    def methods(self) -> set[str]:
        """Return the names of all methods of all parts."""
        return {name for part in self.parts for name, *_ in _methods(part["methods"], ())}

    def tells(self, part: str) -> str:
        """Return what a part says of itself; "" for a part that the suite does not have (now)."""
        return next((str(p.get("says", "")) for p in self.parts if p["name"] == part), "")


def suites() -> tuple[str, ...]:
    """Return the names of the suites that come with the package."""
    return tuple(sorted(path.stem for path in GRIDS.glob("*.toml")))


def read_suite(name: str) -> Suite:
    """Read a suite by name, or a TOML file of the user's own.

    Raises:
        UsageError: no such suite, with the nearest names.
        DataError: the file is no TOML, or has keys that a suite has not.
    """
    path = Path(name) if name.endswith(".toml") else GRIDS / f"{name}.toml"
    if not path.is_file():
        raise UsageError(
            f"there is no suite '{name}'",
            remedy=f"{did_you_mean(name, suites())}, or the path of a TOML file",
        )
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"the suite cannot be read: {error}", where=str(path)) from error
    _known(found, KEYS, path)
    shared = {key: found[key] for key in ("methods", "judges") if key in found}
    parts = [{**shared, **part} for part in found.get("part", [])]
    for part in parts:
        _known(part, PART_KEYS, path)
        for key in NEEDED - part.keys():
            raise DataError(f"a part of the suite has no '{key}'", where=str(path))
    question = read_question(found, Question(), path)
    return Suite(
        path.stem,
        found.get("title", path.stem),
        found.get("says", ""),
        question,
        parts,
        {part["name"]: _asked(part, question, path) for part in parts},
    )


def cells_of(
    suite: Suite, choice: Choice = Choice(), *, data_root: str = "datasets", device: str = "cpu"
) -> list[Cell]:
    """Return the cells of a suite in the order in which they are run: seed by seed.

    A method that is asked for and that the suite does not have is added to every part.

    Raises:
        UsageError: nothing is left of the suite, or a name is unknown.
    """
    cells = [
        cell
        for part in suite.parts
        if not choice.parts or part["name"] in choice.parts
        for cell in _cells_of_part(suite, part, choice, data_root, device)
    ]
    if not cells:
        raise UsageError(
            f"nothing of the suite '{suite.name}' is left to run",
            remedy="fewer of --methods, --datasets, --parts, --seeds, --rho",
        )
    return list({cell.name: cell for cell in cells}.values())


def named(text: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the names in a text parted by commas; a known name may have commas of its own.

    >>> named("contex, gated, no warm-up", {"gated, no warm-up"})
    ('contex', 'gated, no warm-up')
    """
    names, found = set(known), list[str]()
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    while pieces:
        sizes = range(len(pieces), 0, -1)
        size = next((n for n in sizes if ", ".join(pieces[:n]) in names), 1)
        found.append(", ".join(pieces[:size]))
        pieces = pieces[size:]
    return tuple(found)


def share(cells: Sequence[Cell], text: str) -> list[Cell]:
    """Return the cells of share "k/K": every K-th one from the k-th on.

    Raises:
        UsageError: no such share.
    """
    if not text:
        return list(cells)
    first, sign, of = text.partition("/")
    if not (sign and first.isdigit() and of.isdigit() and 1 <= int(first) <= int(of)):
        raise UsageError(f"--shard {text} cannot be read", expected="k/K, as 1/4 to 4/4")
    return list(cells[int(first) - 1 :: int(of)])


def _cells_of_part(
    suite: Suite, part: Mapping[str, Any], choice: Choice, data_root: str, device: str
) -> Iterator[Cell]:
    methods = list(_methods(part["methods"], choice.methods))
    datasets = [d for d in part["datasets"] if not choice.datasets or d in choice.datasets]
    data_sets = [(dataset, rho) for dataset in datasets for rho in _rhos(part, dataset, choice)]
    seeds = choice.seeds or part.get("seeds", [0])
    axes = product(seeds, data_sets, part.get("views", [AS_PRESET]), methods)
    for seed, (dataset, rho), views, (method, objective, own) in axes:
        data = DataConfig(
            dataset=dataset,
            data_root=data_root,
            attr=part.get("attr", ""),
            bias_attr=tuple(part.get("bias_attr", ())),
            protocol=part.get("protocol", ""),
            rho=rho,
            seed=seed,
        )
        config = resolve(
            data,
            objective=objective,
            preset=part.get("preset", "quick"),
            seed=seed,
            device=device,
            overrides=(*part.get("set", ()), *own),
        )
        if views != AS_PRESET:
            config = replace(config, views=_policy(views))
        judges = tuple(part.get("judges", USUAL))
        yield Cell(suite.name, part["name"], method, views, config, judges)


def _rhos(part: Mapping[str, Any], dataset: str, choice: Choice) -> Sequence[float | None]:
    """Return the shares of a part; a choice of shares does not touch data sets without one."""
    asked = choice.rho if "default_rho" in DATASETS.get(dataset).extra else ()
    return asked or part.get("rho", [None])


def _methods(
    written: Sequence[str | Mapping[str, Any]], asked: tuple[str, ...]
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (name, objective, overrides)."""
    table = {}
    for entry in written:
        if isinstance(entry, str):
            table[entry] = (entry, entry, ())
        else:
            objective = entry["objective"]
            name = entry.get("name", objective)
            table[name] = (name, objective, tuple(entry.get("set", ())))
    for name in asked or table:
        yield table.get(name, (name, name, ()))


def _policy(name: str) -> Any:
    if name not in POLICIES:
        raise UsageError(f"there are no views '{name}'", remedy=did_you_mean(name, POLICIES))
    return POLICIES[name]


def _asked(part: Mapping[str, Any], usual: Question, path: Path) -> Question:
    """Return what a part asks, by judges that it has and on a split that they judge."""
    question, judges = read_question(part, usual, path), part.get("judges", USUAL)
    for name in judges:
        if name not in JUDGES:
            raise DataError(
                f"there is no judge '{name}'", where=str(path), remedy=did_you_mean(name, JUDGES)
            )
    if question.judge not in (*judges, OWN):
        raise DataError(
            f"part '{part['name']}' asks the judge '{question.judge}', whom it does not have",
            where=str(path),
            remedy=f"one of its judges: {', '.join(judges)}",
        )
    if question.judge == "DFR" and question.split == "validation":
        raise DataError(
            f"part '{part['name']}': DFR is fitted on validation, so it cannot be asked there",
            where=str(path),
        )
    return question


def _known(found: Mapping[str, Any], keys: set[str], path: Path) -> None:
    for key in found:
        if key not in keys:
            raise DataError(
                f"a suite has no '{key}'", where=str(path), remedy=did_you_mean(key, keys)
            )
