"""What all checks of gaps between groups share: one finding for each attribute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from debias_cl.checks.absent import no_attribute
from debias_cl.checks.contract import Document
from debias_cl.checks.names import Names
from debias_cl.checks.outcomes import Judged, judge
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import (
    Sentence,
    bounds,
    capital,
    clean,
    join,
    points,
    say,
    show,
)
from debias_cl.records import Finding


def balance(names: Names) -> str:
    """Return what usually helps a gap in the share found."""
    if names.binary:
        return "a group-balanced probe, or a threshold for each group where the law allows it"
    return "a group-balanced probe"


@dataclass(frozen=True)
class GapCheck:
    """A check of one kind of gap.

    Attributes:
        code: code of the findings; the attribute follows after a colon.
        disparity: name in `disparities`, without the suffix `_min_group`.
        title: names -> the measure in words ("Blond found").
        helps: names -> what usually helps.
        section: number of the report section that shows the gap.
    """

    code: str
    disparity: str
    title: Callable[[Names], str]
    helps: Callable[[Names], str] = lambda names: ""
    section: int = 5

    def run(self, document: Document, threshold: float) -> Sequence[Finding]:
        """Return one finding for each attribute, or one that says why there is none."""
        found = [self.one(document, name, threshold) for name in document.get("disparities") or {}]
        if found:
            return found
        title, so = self.title(Names(document)), ", so no groups can be compared"
        return [no_attribute(document, self.code, title, so)]

    def one(self, document: Document, attribute: str, threshold: float) -> Finding:
        """Return the finding for one attribute."""
        names = Names(document)
        gap, judged = judged_gap(document, attribute, self.disparity, threshold)
        sentence = gap_sentence(gap, judged, threshold)
        low = gap / "lowest"
        return Finding(
            code=f"{self.code}:{clean(attribute)}",
            title=f"{self.title(names)}, by {names.attribute(attribute)}",
            outcome=judged.outcome,
            sentence=str(sentence),
            attribute=attribute,
            whom=whom(names, low),
            n=(low / "n").value,
            section=self.section,
            pointers=sentence.pointers,
            usually_helps=self.helps(names) if judged.outcome == "issue" else "",
        )


def judged_gap(
    document: Document, attribute: str, disparity: str, threshold: float
) -> tuple[Node, Judged]:
    """Return the gap that leads (groups of enough rows) and its outcome.

    Where fewer than two groups have enough rows the gap over all groups stands in, which can then
    be no more than a note.
    """
    of = Node(document) / "disparities" / attribute
    leading, plain = of / f"{disparity}_min_group", of / disparity
    if leading.number is None and plain.number is not None:
        return plain, Judged("note", "few")
    gap = leading or plain
    return gap, judge(gap, threshold)


def whom(names: Names, end: Node) -> str:
    """Return the words for the group at one end of a gap; "" where there is none."""
    return names.group(end.value["group"]) if end and end.value.get("group") else ""


def gap_sentence(gap: Node, judged: Judged, threshold: float) -> Sentence:
    """Return what a gap's finding says, by its outcome."""
    if judged.why == "missing":
        return say("This gap was not measured; give the column that it needs.")
    if judged.why == "undefined":
        return say(undefined_sentence((gap / "reason").value))
    return join([size_sentence(gap), AFTER[judged.why](gap, threshold)])


def undefined_sentence(reason: object) -> str:
    """Return what is said of a value that is not defined; `not applicable` says it already."""
    text = clean(str(reason or "no reason given"))
    return f"{capital(text)}." if text.startswith("not applicable") else f"Not defined: {text}."


def size_sentence(gap: Node) -> Sentence:
    """Return "Gap of 33.8 points (26.5 to 41.1)."."""
    ends = bounds(gap, points)
    tail = say(" (", ends, ").") if ends else say(".")
    return say("Gap of ", show(gap, points), " points", tail)


def _wide(gap: Node, threshold: float) -> Sentence:
    return say(f"The threshold is {points(threshold)}", *_chance(gap), ".")


def _clear(gap: Node, threshold: float) -> Sentence:
    return say(f"It is below the threshold of {points(threshold)}", *_chance(gap), ".")


def _unsure(gap: Node, threshold: float) -> Sentence:
    return say(
        f"It is above the threshold of {points(threshold)}, and chance alone can give it",
        *_chance(gap),
        ".",
    )


def _few(gap: Node, threshold: float) -> Sentence:
    seen = gap / "detectable"
    if seen.number is None:
        return say(f"Too few rows to see a gap of {points(threshold)} points.")
    return say(
        "Too few to say: a gap below ", show(seen, points), " points could easily have been missed."
    )


def _seen(gap: Node, threshold: float) -> Sentence:
    chance = (gap / "null95").number
    if chance is not None and (gap.number or 0.0) <= chance:
        return say("Within what chance gives (", show(gap / "null95", points), ").")
    return say(f"It is below the threshold of {points(threshold)}.")


def _chance(gap: Node) -> tuple[str | Sentence, ...]:
    null = gap / "null95"
    return ("; chance gives up to ", say(show(null, points))) if null.number is not None else ()


AFTER: dict[str, Callable[[Node, float], Sentence]] = {
    "wide": _wide,
    "clear": _clear,
    "unsure": _unsure,
    "few": _few,
    "seen": _seen,
}
