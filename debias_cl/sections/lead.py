"""Which gap leads the report: the worst outcome first, the chosen metric first among equals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from debias_cl.checks.constant_predictions import answers
from debias_cl.checks.gaps import judged_gap
from debias_cl.checks.names import Names
from debias_cl.checks.outcomes import Judged, judge
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import Sentence, say
from debias_cl.records import OUTCOMES
from debias_cl.sections import words
from debias_cl.sections.contract import Document
from debias_cl.sections.reading import Chosen, threshold

CONFLICT = "aligned_minus_conflict"
PARITY = "demographic_parity_difference"
CHECK_OF = {
    "equal_opportunity_difference": "equal_opportunity",
    "equalized_odds_difference": "equalized_odds",
    "accuracy_difference": "accuracy_gap",
    CONFLICT: "conflict_below_aligned",
    PARITY: "demographic_parity",
}


@dataclass(frozen=True)
class Lead:
    """The gap that the first screen speaks of.

    Attributes:
        attribute: whose groups or cells are compared.
        measure: name of the gap.
        gap: the gap.
        judged: its outcome.
        threshold: that of its check.
    """

    attribute: str
    measure: str
    gap: Node
    judged: Judged
    threshold: float

    @property
    def conflict(self) -> bool:
        """Whether it compares aligned with conflicting cells rather than groups."""
        return self.measure == CONFLICT


def lead(document: Document) -> Lead | None:
    """Return the leading gap; None where no attribute was given or nothing is defined."""
    found = [entry for entry in _candidates(document) if entry.gap.number is not None]
    if not found:
        return None
    order = _order(Names(document))
    together = {entry["name"] for entry in document.get("attributes") or () if entry.get("of")}

    def rank(entry: Lead) -> tuple[int, bool, int, bool, float]:
        place = order.index(entry.measure)
        outcome = OUTCOMES.index(entry.judged.outcome)
        few = entry.judged.why == "few"
        return (outcome, few, place, entry.attribute in together, -(entry.gap.number or 0.0))

    return min(found, key=rank)


ORDER = (
    "equal_opportunity_difference",
    CONFLICT,
    "equalized_odds_difference",
    "accuracy_difference",
)


def _order(names: Names) -> tuple[str, ...]:
    if not names.known:
        return (PARITY,)
    return ORDER if names.binary else (CONFLICT, "accuracy_difference")


def _candidates(document: Document) -> Iterator[Lead]:
    root, order = Node(document), _order(Names(document))
    for entry in document.get("attributes") or ():
        name = entry["name"]
        for measure in order:
            if measure != CONFLICT:
                limit = threshold(document, CHECK_OF[measure])
                gap, judged = judged_gap(document, name, measure, limit)
                yield Lead(name, measure, gap, judged, limit)
        if entry.get("alignment"):
            limit = threshold(document, CHECK_OF[CONFLICT])
            gap = root / "attributes_overall" / name / CONFLICT
            yield Lead(name, CONFLICT, gap, judge(gap, limit), limit)


def lead_sentence(document: Document, found: Lead | None, chosen: Chosen) -> Sentence:
    """Return the first sentence of the report."""
    names = Names(document)
    given = answers(document)
    only = [level for level, n in given.items() if n]
    if len(only) == 1 and len(given) > 1:
        answer = names.level(document["label"]["name"], only[0])
        return words.useless(names, answer, Node(document) / "overall" / "accuracy")
    if found is None and not document.get("attributes") and document.get("classes"):
        return words.by_class(names, Node(document) / "overall")
    if found is None:
        return say("No groups could be compared: no attribute has a gap that is defined.")
    make = PATTERN if found.conflict else GROUPS
    return make[found.judged.why](document, names, found)


Maker = Callable[[Document, Names, Lead], Sentence]


def _pattern(start: str, joint: str) -> Maker:
    def make(document: Document, names: Names, found: Lead) -> Sentence:
        overall = Node(document) / "attributes_overall" / found.attribute
        return say(start, words.pattern(names, found.attribute, overall, joint), ".")

    return make


PATTERN: dict[str, Maker] = {
    "wide": _pattern("Yes. ", ", but "),
    "clear": _pattern("A little. ", " and "),
    "unsure": _pattern("Not clear. ", " and "),
    "few": _pattern("Too few to say. ", " and "),
    "seen": _pattern("No difference of note was found. ", " and "),
}
GROUPS: dict[str, Maker] = {
    "wide": lambda document, names, found: words.issue(names, found.gap),
    "clear": lambda document, names, found: words.note(names, found.gap, found.threshold),
    "unsure": lambda document, names, found: words.unsure(names, found.gap),
    "few": lambda document, names, found: words.too_few(names, found.gap),
    "seen": lambda document, names, found: words.passed(found.gap),
}
