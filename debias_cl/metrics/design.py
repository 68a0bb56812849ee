"""What weights and persons add to a table: more layers, each sorted by the same rules as the rows.

A plain table has no design and costs nothing. A weighted one has two more layers of the same shape,
sums of weights and of squared weights. One with persons has a layer in which every pair of a group
and a person stands where the groups stand. Whatever reads successes and sizes off a table, group by
group, reads them off each layer, and `tally.tally` makes effective sizes of what was read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from debias_cl.errors import DataError
from debias_cl.records import Annotations, Codes, Floats, Mass

T = TypeVar("T")
S = TypeVar("S")

MOST_CELLS = 20_000_000
"""Numbers in the layer of persons at most. Beyond it persons are put together, at random, into as
many units as fit (a delete-a-group jackknife: Kott 2001), which is honest and a little wider."""


def _nobody() -> Codes:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Design(Generic[T]):
    """The layers of a table beside its rows.

    Attributes:
        weight: sums of weights; None where rows carry none, or all the same.
        square: sums of squared weights; None likewise.
        units: (group, person) pairs in place of groups, of weights where there are any, else of
            rows; None where rows are independent.
        owner: (pairs,) the group of each pair.
        person: (pairs,) the person of each pair.
    """

    weight: T | None = None
    square: T | None = None
    units: T | None = None
    owner: Codes = field(default_factory=_nobody)
    person: Codes = field(default_factory=_nobody)

    def map(self, read: Callable[[T], S]) -> Design[S]:
        """Return the design with every layer replaced by what `read` makes of it."""

        def layer(part: T | None) -> S | None:
            return None if part is None else read(part)

        weight, square, units = layer(self.weight), layer(self.square), layer(self.units)
        return Design(weight, square, units, self.owner, self.person)

    @property
    def one_group_each(self) -> bool:
        """Whether every person has rows in one group alone, so that persons can be shuffled."""
        return len(np.unique(self.person)) == len(self.person)

    def regroup(self, place: Codes, size: int, add: Callable[[T, Codes, int], T]) -> Design[T]:
        """Return the layers with groups put together.

        Args:
            place: (groups,) the new group of each group.
            size: number of new groups.
            add: adds up the groups of a layer by their new places.
        """
        weight = None if self.weight is None else add(self.weight, place, size)
        square = None if self.square is None else add(self.square, place, size)
        if self.units is None:
            return Design(weight, square)
        pairs = paired(place[self.owner], self.person)
        units = add(self.units, pairs.place, len(pairs.owner))
        return Design(weight, square, units, pairs.owner, pairs.person)


@dataclass(frozen=True)
class Pairs:
    """The pairs of a group and a person that occur.

    Attributes:
        place: (n,) which pair each entry belongs to.
        owner, person: (pairs,) the group and the person of each pair.
    """

    place: Codes
    owner: Codes
    person: Codes


def paired(group: Codes, person: Codes) -> Pairs:
    """Return the pairs of group and person that occur among n entries."""
    width = int(person.max(initial=0)) + 1
    seen, place = np.unique(group * width + person, return_inverse=True)
    return Pairs(place.astype(np.int64), seen // width, seen % width)


Layer = Callable[[Codes, int, Floats], T]
"""(n,) place of each entry, number of places and (n,) what an entry adds -> a table."""


def design_of(
    known: Annotations, group: Codes, size: int, cells: int, layer: Layer[T]
) -> Design[T] | None:
    """Return the layers that the weights and persons of n entries ask for; None where none do.

    Args:
        known: the entries.
        group: (n,) group of each entry.
        size: number of groups.
        cells: numbers that one group has in a layer.
        layer: makes a layer.

    Raises:
        DataError: a weight is negative or no number.
    """
    mass = known.mass if known.mass is not None and uneven(known.mass) else None
    if mass is None and known.persons is None:
        return None
    weight = square = units = None
    value: Floats = known.rows.astype(np.float64)
    if mass is not None:
        value, squares = weights_of(mass)
        weight, square = layer(group, size, value), layer(group, size, squares)
    if known.persons is None:
        return Design(weight, square)
    pairs = _pairs(group, known.persons, size, cells)
    units = layer(pairs.place, len(pairs.owner), value)
    return Design(weight, square, units, pairs.owner, pairs.person)


def weights_of(mass: Mass) -> tuple[Floats, Floats]:
    """Return (n,) sums of weights and of squared weights; the latter as of equal ones if absent."""
    assert mass.weight is not None
    if mass.square is not None:
        return mass.weight, mass.square
    return mass.weight, mass.weight**2 / np.maximum(mass.rows, 1)


def uneven(mass: Mass) -> bool:
    """Return whether weights differ: where all are the same, they change no number.

    Raises:
        DataError: a weight is negative or no number.
    """
    if mass.weight is None:
        return False
    weight, square = weights_of(mass)
    if not (np.isfinite(weight).all() and np.isfinite(square).all() and (weight >= 0).all()):
        raise DataError(
            "a weight is negative or no number", expected="finite weights of at least 0"
        )
    there = mass.rows > 0
    each = weight[there] / mass.rows[there]
    if not len(each):
        return False
    inside = square[there] / mass.rows[there]
    return not (np.allclose(each, each[0], 1e-12, 0) and np.allclose(inside, each[0] ** 2, 1e-9, 0))


def _pairs(group: Codes, persons: Codes, groups: int, cells: int) -> Pairs:
    """Return the pairs of group and unit: persons, put together where they are too many."""
    person = _persons(persons)
    pairs = paired(group, person)
    if len(pairs.owner) * cells <= MOST_CELLS:
        return pairs
    most = max(MOST_CELLS // (cells * groups), 100)
    order = np.random.default_rng(0).permutation(int(person.max()) + 1)
    return paired(group, np.asarray(order[person] % most, np.int64))


def _persons(codes: Codes) -> Codes:
    """Return a unit an entry: its person; an entry of nobody known (-1) is a unit of its own."""
    alone, found = codes < 0, codes.astype(np.int64)
    found[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    _, found = np.unique(found, return_inverse=True)
    return found.astype(np.int64)
