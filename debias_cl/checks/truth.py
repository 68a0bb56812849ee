"""How much the truth itself differs between two groups, beside how much the predictions do."""

from __future__ import annotations

from dataclasses import dataclass

from debias_cl.checks.contract import Document
from debias_cl.checks.pointer import Node


@dataclass(frozen=True)
class Truth:
    """The gap of the truth between the two groups at the ends of the selection gap.

    Attributes:
        gap: prevalence of the group selected most minus that of the group selected least.
        widening: selection gap minus `gap`; below zero where the predictions narrow it.
        groups: their places in the document's `groups`, least selected first.
    """

    gap: float
    widening: float
    groups: tuple[int, int]


def truth_of(document: Document, attribute: str) -> Truth | None:
    """Return how the truth differs for one attribute; None for more than two label levels."""
    if len(document["label"]["levels"]) > 2:
        return None
    of = Node(document) / "disparities" / attribute
    gap = of / "demographic_parity_difference_min_group"
    if gap.number is None:
        gap = of / "demographic_parity_difference"
    lowest = find_group(document, attribute, (gap / "lowest" / "group").value)
    highest = find_group(document, attribute, (gap / "highest" / "group").value)
    if gap.number is None or lowest is None or highest is None:
        return None
    groups = Node(document) / "groups"
    low = (groups / lowest / "prevalence").number
    high = (groups / highest / "prevalence").number
    if low is None or high is None:
        return None
    return Truth(high - low, gap.number - (high - low), (lowest, highest))


def find_group(document: Document, attribute: str, group: object) -> int | None:
    """Return the place of a group in the document's `groups`; None where it is not there."""
    for index, entry in enumerate(document.get("groups") or ()):
        if entry["attribute"] == attribute and entry["group"] == group:
            return index
    return None
