"""Sentences by rule: each of the twelve is one small function (and tested by one case at least)."""

from __future__ import annotations

from collections.abc import Sequence

from debias_cl.checks.names import Names, plural
from debias_cl.checks.pointer import Node
from debias_cl.checks.text import (
    Name,
    Part,
    Sentence,
    bare_share,
    between,
    bounds,
    capital,
    count,
    of_hundred,
    p_equals,
    points,
    say,
    share,
    show,
    size,
    spelled,
)
from debias_cl.sections.ends import two_ends


def issue(names: Names, gap: Node) -> Sentence:
    """Rule 1: a gap at or above the threshold, in natural frequencies."""
    return say("Yes. ", two_ends(names, gap, ", but "), ".")


def note(names: Names, gap: Node, threshold: float) -> Sentence:
    """Rule 2: a gap beyond chance and below the threshold."""
    tail = f" points is below the threshold of {points(threshold)}."
    return say(
        "A little. ", two_ends(names, gap, " and "), "; the gap of ", show(gap, points), tail
    )


def unsure(names: Names, gap: Node) -> Sentence:
    """Rule 2, where a gap above the threshold may come from chance."""
    tail = "; chance alone can give a gap as wide with these numbers."
    return say("Not clear. ", two_ends(names, gap, " and "), tail)


def passed(gap: Node) -> Sentence:
    """Rule 3: no difference found, and what could have been missed."""
    groups = int((gap / "groups_compared").value or 0)
    between_groups = f"between {spelled(groups)} groups" if groups > 1 else "between these cells"
    start = f"No difference was found {between_groups}"
    seen = gap / "detectable"
    if seen.number is None:
        return say(start, "; how large a gap could have been missed is not known.")
    tail = " points could easily have been missed."
    return say(start, "; with these numbers a gap below ", show(seen, points), tail)


def too_few(names: Names, gap: Node) -> Sentence:
    """Rule 4: too few rows to see a gap of the threshold's size."""
    small = _smaller_end(gap)
    if not small:
        return say("Too few to say: the groups are too small to compare.")
    group = names.group((small / "group").value)
    start = f"Too few to say: {group} {_have(group)} "
    seen = gap / "detectable"
    if seen.number is None:
        return say(start, "only ", show(small / "n", count), f" {_rows(names, gap)}.")
    tail = " points would usually show."
    middle = f" {_rows(names, gap)}; only a gap above "
    return say(start, show(small / "n", count), middle, show(seen, points), tail)


def by_class(names: Names, overall: Node) -> Sentence:
    """Return what can be said where no attribute is known: accuracy, and the worst class."""
    accuracy, worst = overall / "accuracy", overall / "worst_class_accuracy"
    start = "No attribute is known, so no groups are compared: "
    if accuracy.number is None:
        return say(start, "accuracy is not defined.")
    ends = between(accuracy, bare_share)
    right = say(start, show(accuracy, share), *((" (", ends, ")") if ends else ()))
    right = say(right, f" of {names.noun} are right")
    if worst.number is None:
        return say(right, "; every class has too few to name the worst.")
    who = names.cell((worst / "cell").value)
    return say(right, f"; {who} least often, ", show(worst, share), ".")


def extent(gap: Node) -> Sentence:
    """Rule 5: the gap, its interval or bounds, and what chance gives."""
    interval, ends = between(gap, points), bounds(gap, points)
    if interval is not None:
        uncertain: Sentence | str = say(", with a 95% interval of ", interval)
    else:
        uncertain = say(": ", ends) if ends is not None else ""
    first = say("The gap is ", show(gap, points), " percentage points", uncertain, ".")
    return first + chance(gap) if (gap / "null95").number is not None else first


def chance(gap: Node) -> Sentence:
    """Rule 5, second half: what shuffled groups give."""
    p = gap / "p"
    tail: tuple[Part, ...] = (".",) if p.number is None else (" (", show(p, p_equals), ").")
    start = "Groups shuffled at random give a gap of up to "
    return say(start, show(gap / "null95", points), " in 95 of 100 tries", *tail)


def worst_missed(names: Names, cell: Node, missed: Node, accuracy: Node) -> Sentence:
    """Rule 6: how many of the worst group are missed, and what the overall number hides."""
    who = names.cell((cell / "group").value)
    n = show(cell / "n", count)
    first = say(f"{capital(who)}: ", show(missed, count), " of ", n, " are missed.")
    return first + hidden(who, cell, accuracy, names.noun) if _rare(cell) else first


def worst_right(names: Names, worst: Node, cells: int) -> Sentence:
    """Rule 6 for more than two label levels: the lowest cell with its accuracy."""
    who = names.cell((worst / "cell").value)
    ends = between(worst, bare_share)
    middle = say(" (", ends, ")") if ends else say("")
    start = say(f"{capital(who)}: ", show(worst, share), middle, " are right")
    return say(start, f", the lowest of {spelled(cells)} cells.")


def lowest_of_all(names: Names, lowest: Node) -> Sentence:
    """Rule 7 for cells: the lowest of all, however few rows it rests on."""
    start = say("The lowest of all cells, ", show(lowest, share))
    middle = f" for {names.cell((lowest / 'cell').value)}, rests on "
    return say(start, middle, show(lowest / "n", count), f" {names.noun}.")


def hidden(who: str, cell: Node, accuracy: Node, noun: str) -> Sentence:
    """Rule 6, second half, for a cell under 5 % of the rows."""
    start = say("The overall accuracy of ", show(accuracy, share), " hides this, because ")
    return say(start, f"{who} are ", show(cell / "share", share), f" of the {noun}.")


def small_worst(names: Names, plain: Node, judged: Node, rate: Node, least: int) -> Sentence:
    """Rule 7: the lowest value rests on few rows; the lowest of large groups beside it.

    Args:
        names: of the document.
        plain: lowest end over all groups.
        judged: lowest end over groups of enough rows.
        rate: the value object of `judged`, for its interval.
        least: rows that a group needs.
    """
    ends = between(rate, bare_share)
    tail = say(" (", ends, ").") if ends else say(".")
    start = say("The lowest value, ", show(plain / "value", share))
    few = f" for {names.group((plain / 'group').value)}, rests on "
    rest = f" {names.noun}; of groups of {least} or more the lowest is "
    large = f"{names.group((judged / 'group').value)} with "
    value = show(rate, share)
    return say(start, few, show(plain / "n", count), rest, large, value, tail)


def beside(name: str, other: str, noun: str, gap: Node, paired: Node, where: str) -> Sentence:
    """Rule 8: the other run's gap, and the paired difference.

    Args:
        name, other: the audited run and the one beside it.
        noun: what the rows are.
        gap: the other run's gap.
        paired: audited minus other, paired (a share right).
        where: on which rows the paired difference is ("conflicting images").
    """
    first = say(Name(other), " has a gap of ", show(gap, points), f" points on the same {noun}.")
    value, interval = paired.number, between(paired, points)
    if value is None or interval is None:
        return first
    if (paired / "low").number <= 0 <= (paired / "high").number:  # type: ignore[operator]
        start = f"On {where} the two cannot be told apart: difference "
        return first + say(start, show(paired, points), " points (", interval, ").")
    way = "more" if value > 0 else "less"
    middle = f" points {way} often on {where} (95% interval "
    if value < 0:
        low, high = show(paired / "high", size), show(paired / "low", size)
        interval = say(low, " to ", high)
    return first + say(Name(name), " is right ", show(paired, size), middle, interval, ").")


def beside_several(name: str, other: str, gap: Node, paired: Node, where: str) -> Sentence:
    """Rule 8 in one line, where several runs stand beside the audited one."""
    first = say(Name(other), ": a gap of ", show(gap, points), " points")
    value, interval = paired.number, between(paired, points)
    if value is None or interval is None:
        return say(first, ".")
    if (paired / "low").number <= 0 <= (paired / "high").number:  # type: ignore[operator]
        told = say("; the two cannot be told apart on ", where, ": difference ")
        return say(first, told, show(paired, points), " points (", interval, ").")
    way = "more" if value > 0 else "less"
    if value < 0:
        interval = say(show(paired / "high", size), " to ", show(paired / "low", size))
    told = say(f"; {name} is right ", show(paired, size), " points (", interval, ") ")
    return say(first, told, f"{way} often on {where}.")


def one_seed(noun: str) -> Sentence:
    """Rule 9 for one training run."""
    return say(
        f"The interval counts the test {noun} only: one training run was audited, and another "
        "seed may move the gap by more than this."
    )


def given_predictions(noun: str) -> Sentence:
    """Rule 9 where predictions came from a table: nothing is known of their making."""
    return say(
        f"The interval counts these {noun} only; how the predictions were made is not known."
    )


def seeds(spread: Node) -> Sentence:
    """Rule 9 for several seeds: mean gap and its interval over runs."""
    start = say("Over ", show(spread / "n", count), " seeds the gap is ", show(spread, points))
    return say(start, " points on average (95% interval ", between(spread, points) or "", ").")


def undefined(names: Names, group: Node, reason: str) -> Sentence:
    """Rule 10: a group of which nothing can be said."""
    who = capital(names.group((group / "group").value))
    return say(f"{who}: {reason}, so nothing can be said.")


def truth_differs(names: Names, low: Node, high: Node, widening: Node) -> Sentence:
    """Rule 11: the truth differs as the predictions do.

    Args:
        names: of the document.
        low, high: the groups selected least and most.
        widening: points that the predictions add to the truth's own gap.
    """
    called = say(
        "It calls ",
        show(high / "selection_rate", share),
        f" of {names.group((high / 'group').value)} and ",
        show(low / "selection_rate", share),
        f" of {names.group((low / 'group').value)} {names.positive}; ",
    )
    are = say(show(high / "prevalence", share), " and ", show(low / "prevalence", share), " are.")
    word = "widens" if (widening.number or 0) >= 0 else "narrows"
    tail = say(f"This gap alone is not an error; the model {word} it by ", show(widening, size))
    return say(called, are, " ", tail, " points.")


def useless(names: Names, answer: str, accuracy: Node) -> Sentence:
    """Rule 12: one answer for everything."""
    start = f"It answers “{answer}” for every one of the {names.noun}. Its accuracy of "
    return say(start, show(accuracy, share), " is that of not looking.")


def pattern(names: Names, attribute: str, overall: Node, joint: str) -> Sentence:
    """Rules 1 and 2 where the gap is that of aligned against conflicting cells."""
    follow, other = "that follow the pattern of its training", "that break it"
    if attribute.casefold() in BACKGROUNDS:
        follow, other = f"on their usual {names.attribute(attribute)}", "on another"
    aligned = show(overall / "aligned_accuracy", of_hundred)
    first = say("It is right for ", aligned, f" of every 100 {names.noun} {follow}{joint}")
    return say(first, show(overall / "conflict_accuracy", of_hundred), f" of every 100 {other}")


BACKGROUNDS = ("colour", "color", "background")
"""Attributes that an example stands on."""


def shortcut(names: Names, attribute: str, errors: Node) -> Sentence:
    """Where errors on conflicting rows go: to the level that the attribute usually has."""
    chance = 1 / (len(names.document["label"]["levels"]) - 1)
    name = names.attribute(attribute)
    start = say("Of the wrong answers on conflicting ", names.noun, ", ", show(errors, share))
    middle = f" name the {names.label} whose usual {name} is seen; answers at random would give "
    return say(start, middle, f"{share(chance)}.")


def _smaller_end(gap: Node) -> Node | None:
    ends: Sequence[Node] = [gap / "lowest", gap / "highest"]
    known = [end for end in ends if end and (end / "n").number is not None]
    return min(known, key=lambda end: (end / "n").number or 0) if known else None


def _have(group: str) -> str:
    return "have" if plural(group) else "has"


def _rows(names: Names, gap: Node) -> str:
    found = (gap / "rate").value == "true_positive_rate" and names.binary
    return names.examples(names.document["label"]["positive"]) if found else names.noun


def _rare(cell: Node) -> bool:
    part = (cell / "share").number
    return part is not None and part < 0.05
