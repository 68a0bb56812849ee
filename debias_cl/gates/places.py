"""Where in a document the numbers stand that a rule speaks of."""

from __future__ import annotations

import re
from dataclasses import dataclass

from debias_cl.checks.pointer import Node
from debias_cl.data.coding import canonical
from debias_cl.errors import did_you_mean
from debias_cl.gates.names import ALL, MIN_GROUP, base, known
from debias_cl.gates.result import Document
from debias_cl.metrics.values import described

NOT_HERE = "it is not measured in this audit"


@dataclass(frozen=True)
class Place:
    """A number of the document, or why there is none.

    Attributes:
        of: attribute or group; "" for the whole.
        node: the value object, or a count; an empty node where nothing is there.
        absent: why nothing is there; "" where something is.
        empty: whether nothing is there only because no row is of that group. All else that is
            absent was asked for in vain: no policy excuses that.
    """

    of: str
    node: Node
    absent: str = ""
    empty: bool = False

    @property
    def excusable(self) -> bool:
        """Whether a policy may let an undefined value pass."""
        return not self.absent or self.empty


NOWHERE = Node(None)


def places(document: Document, scope: str, name: str) -> list[Place]:
    """Return the numbers that a rule speaks of.

    Args:
        document: the metrics document.
        scope: attribute, intersection, or group ("gender=female"); "" is the whole, or for a gap
            each single attribute.
        name: of the number.
    """
    if "=" in scope:
        return [_of_group(document, scope, name)]
    if scope:
        return [_of_attribute(document, scope, name)]
    if base(name) in known().gaps:
        single = [one["name"] for one in document.get("attributes") or () if not one.get("of")]
        if not single:
            return [Place("", NOWHERE, "no attribute was given, so no groups are compared")]
        return [_of_attribute(document, attribute, name) for attribute in single]
    node = _variant(Node(document) / "overall", name) if name != "n" else Node(document) / "n"
    absent = "" if node else NOT_HERE
    if not node and base(name) in known().group - known().overall:
        absent = f"it is a number of one group: GROUP=LEVEL:{name}"
    return [Place("", node, absent)]


def _variant(of: Node, name: str) -> Node:
    """Return the number over groups of enough rows, or over all of them where that was asked."""
    if name.endswith(ALL):
        plain = of / base(name)
        return plain / "unfiltered" if plain / "unfiltered" else plain
    judged = of / f"{base(name)}{MIN_GROUP}"
    return judged if judged else of / name


def _of_attribute(document: Document, attribute: str, name: str) -> Place:
    names = [str(one["name"]) for one in document.get("attributes") or ()]
    wanted = next((one for one in names if _plain(one) == _plain(attribute)), None)
    if wanted is None:
        return Place(attribute, NOWHERE, f"no such attribute; {did_you_mean(attribute, names)}")
    root = Node(document)
    if base(name) in known().gaps:
        node = _variant(root / "disparities" / wanted, name)
    else:
        node = _variant(root / "attributes_overall" / wanted, name)
    absent = "" if node else NOT_HERE
    if not node and base(name) in known().group:
        absent = f"it is a number of one group: {wanted}=LEVEL:{name}"
    return Place(wanted, node, absent)


def find_group(document: Document, text: str) -> Node:
    """Return the entry of a group or cell that a text means; an empty node where there is none.

    Args:
        document: the metrics document.
        text: "gender=female", or several joined by "&", in any order.
    """
    root = Node(document)
    for part in ("groups", "cells"):
        for entry in root / part:
            if _key(_text((entry / "group").value)) == _key(text):
                return entry
    return NOWHERE


def no_group(document: Document, text: str) -> Place:
    """Say that there is no such group, and which there are."""
    groups = [_text(entry["group"]) for entry in document.get("groups") or ()]
    names = {name for entry in document.get("groups") or () for name in entry["group"]}
    label = (document.get("label") or {}).get("name")
    asked = {piece.partition("=")[0].strip() for piece in text.split("&")}
    empty = asked <= names | {label}
    hint = did_you_mean(text, groups) if groups else "no attribute was given"
    return Place(text, NOWHERE, f"no row is of this group; {hint}", empty)


def _of_group(document: Document, text: str, name: str) -> Place:
    entry = find_group(document, text)
    if not entry:
        return no_group(document, text)
    node = entry / base(name)
    return Place(described((entry / "group").value), node, "" if node else NOT_HERE)


def _text(group: dict[str, str]) -> str:
    return "&".join(f"{column}={level}" for column, level in group.items())


def _plain(text: str) -> str:
    return re.sub(r"\s*&\s*", "&", text.strip())


def _key(text: str) -> frozenset[str]:
    """Return a group's levels, whatever their order, spaces and the spelling of numbers."""
    pieces = [piece.partition("=") for piece in text.split("&")]
    return frozenset(f"{column.strip()}={canonical(level.strip())}" for column, _, level in pieces)
