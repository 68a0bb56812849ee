"""Leakage: how well an attribute can be read from the features, overall and within each label.

The rows are those that training never saw (test, and validation where there is one), so that
neither a probe's memory nor the training set's correlation counts. A probe is fitted on one half
of them and judges the other; a person is never in both. Not cross-fitted: rows that take turns make
intervals too short, most of all where nothing can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from debias_cl.knn import knn_shares
from debias_cl.logistic import fit
from debias_cl.metrics.combinations import METHOD, linear
from debias_cl.metrics.values import Value, defined, undefined
from debias_cl.records import MISSING, Bools, Codes, Floats
from debias_cl.representation.sample import Limits, Part

TOLERANCE = 1e-3
"""Largest gradient of the mean loss at which a probe of the attribute counts as fitted."""

MOST_ITERATIONS = 100


@dataclass(frozen=True)
class Stratum:
    """Rows within which the attribute is read: all of them, or those of one label level.

    Attributes:
        values: (n, D) features.
        codes: (n,) 0 ... K - 1, K >= 2, each in both halves.
        fitted: (n,) whether a row is in the half that the probe is fitted on.
    """

    values: Any
    codes: Codes
    fitted: Bools

    @property
    def levels(self) -> int:
        """K."""
        return int(self.codes.max()) + 1

    @property
    def judged(self) -> Codes:
        """Codes of the half that is judged."""
        return self.codes[~self.fitted]

    def shares(self, probe: Probe) -> Floats:
        """Return (m, K) shares of the judged rows by a probe fitted on the others."""
        codes, fitted = self.codes[self.fitted], self.fitted
        return probe(self.values[fitted], codes, self.values[~fitted], self.levels)

    def shuffled(self, rng: np.random.Generator) -> Stratum:
        """Return the same rows with the levels shuffled inside each half."""
        codes = self.codes.copy()
        for half in (self.fitted, ~self.fitted):
            codes[half] = rng.permutation(codes[half])
        return replace(self, codes=codes)


Probe = Callable[[Any, Codes, Any, int], Floats]
"""Training features, their codes, features to judge, K -> (m, K) shares."""


def _linear(train: Any, codes: Codes, test: Any, levels: int) -> Floats:
    """Logistic regression in which every level weighs the same."""
    weight = _balancing(codes, levels)
    model = fit(train, codes, weight, tolerance=TOLERANCE, most_iterations=MOST_ITERATIONS)
    return model.probabilities(test)


def _nearest(train: Any, codes: Codes, test: Any, levels: int) -> Floats:
    """Votes of at most 20 neighbours, and no more than the rarest level has rows."""
    k = min(Limits.neighbours, int(np.bincount(codes, minlength=levels).min()))
    return knn_shares(train, codes, test, k, levels, _balancing(codes, levels))


def _balancing(codes: Codes, levels: int) -> Floats:
    counts = np.bincount(codes, minlength=levels)
    weights: Floats = len(codes) / (levels * counts[codes].astype(np.float64))
    return weights


PROBES: Mapping[str, Probe] = {"linear": _linear, "knn": _nearest}


def leakage(held: Part, attribute: str, limits: Limits, seed: int) -> dict[str, Value]:
    """Return how readable one attribute is: name -> value object.

    `linear_balanced_accuracy`, `knn_balanced_accuracy`, the same with the levels shuffled
    (`linear_shuffled`, `knn_shuffled`), `majority` (always the commonest level: 1 / K), and
    `linear_auc`, `knn_auc` where there are two levels; each again with `_within_label`: fitted and
    judged inside each label level, then the mean over the labels.

    Args:
        held: rows that the encoder was not trained on.
        attribute: name.
        limits: the rows that a level needs.
        seed: of halves and shuffles.
    """
    everything = np.zeros(len(held), np.int64)
    found = _named(held, attribute, everything, limits, seed, "")
    return found | _named(held, attribute, held.truth, limits, seed, "_within_label")


def _named(
    held: Part, attribute: str, label: Codes, limits: Limits, seed: int, tail: str
) -> dict[str, Value]:
    strata = _strata(held, attribute, label, limits, seed)
    names = [f"{probe}_{kind}" for probe in PROBES for kind in KINDS]
    if not strata:
        least = f"fewer than two levels of {attribute} have {limits.least} rows"
        reason = f"{least} within any label" if tail else least
        return {f"{name}{tail}": undefined(reason, 0) for name in ("majority", *names)}
    guess = float(np.mean([1 / one.levels for one in strata]))
    rows = sum(len(one.judged) for one in strata)
    found = {f"majority{tail}": defined(guess, None, None, rows, None)}
    rng = np.random.default_rng((seed, len(held)))
    mixed = [one.shuffled(rng) for one in strata]
    for name, probe in PROBES.items():
        shares = [one.shares(probe) for one in strata]
        found[f"{name}_balanced_accuracy{tail}"] = _recall(strata, shares)
        found[f"{name}_shuffled{tail}"] = _recall(mixed, [one.shares(probe) for one in mixed])
        found[f"{name}_auc{tail}"] = _auc(strata, shares)
    return found


KINDS = ("balanced_accuracy", "shuffled", "auc")


def _strata(held: Part, attribute: str, label: Codes, limits: Limits, seed: int) -> list[Stratum]:
    """Return the label levels within which at least two levels have enough rows."""
    codes, levels = held.known.groups[attribute], held.known.attribute(attribute).levels
    known = np.array([level != MISSING for level in levels])[codes]
    persons = held.known.persons
    half = np.zeros(len(held), np.bool_) if persons is None else _of_persons(persons, seed)
    strata = []
    for y in np.unique(label):
        here = np.flatnonzero((label == y) & known)
        if persons is None:
            half[here] = _half(codes[here], seed)
        both = [
            np.bincount(codes[here[half[here] == side]], minlength=len(levels)) for side in SIDES
        ]
        enough = np.flatnonzero((both[0] + both[1] >= limits.least) & (both[0] > 0) & (both[1] > 0))
        if len(enough) > 1:
            rows = here[np.isin(codes[here], enough)]
            places = np.searchsorted(enough, codes[rows])
            strata.append(Stratum(held.values[rows], places, half[rows]))
    return strata


SIDES = (True, False)


def _half(codes: Codes, seed: int) -> Bools:
    """Return half of the rows of each level."""
    rng = np.random.default_rng((seed, len(codes)))
    chosen = np.zeros(len(codes), np.bool_)
    for level in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == level))
        chosen[rows[: len(rows) // 2]] = True
    return chosen


def _of_persons(persons: Codes, seed: int) -> Bools:
    """Return the rows of half of the persons."""
    different, who = np.unique(persons, return_inverse=True)
    order = np.random.default_rng((seed, len(different))).permutation(len(different))
    chosen: Bools = (order % 2 == 0)[who]
    return chosen


def _recall(strata: list[Stratum], shares: list[Floats]) -> Value:
    """Return the mean over strata of the mean over levels of the share found (interval F2)."""
    right, n, weight = [], [], []
    for one, found in zip(strata, shares, strict=True):
        hit = found.argmax(axis=1) == one.judged
        right += np.bincount(one.judged, hit, minlength=one.levels).tolist()
        n += np.bincount(one.judged, minlength=one.levels).tolist()
        weight += [1 / (len(strata) * one.levels)] * one.levels
    value, low, high = linear(np.array(right), np.array(n), np.array(weight))
    return defined(value, low, high, sum(n), METHOD, strata=len(strata))


def _auc(strata: list[Stratum], shares: list[Floats]) -> Value:
    """Return the mean over strata of the AUC."""
    if any(one.levels > 2 for one in strata):
        return undefined("defined for two levels")
    areas = [_area(one.judged, found[:, 1]) for one, found in zip(strata, shares, strict=True)]
    rows = sum(len(one.judged) for one in strata)
    return defined(float(np.mean(areas)), None, None, rows, None, reason="no interval is made")


def _area(positive: Codes, scores: Floats) -> float:
    """Return the area under the ROC curve by ranks; both levels are there."""
    n = int(positive.sum())
    ranks = rankdata(scores)
    return float((ranks[positive == 1].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))
