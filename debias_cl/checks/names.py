"""Words for labels, groups and cells: the data set's own, else `Male = 1`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from debias_cl.checks.text import clean
from debias_cl.records import MISSING

Group = Mapping[str, str]


@dataclass(frozen=True)
class Names:
    """What the label, its levels, groups and cells are called in sentences.

    Args:
        document: the metrics document.
    """

    document: Mapping[str, Any]

    @property
    def noun(self) -> str:
        """Plural word for the examples ("images")."""
        return clean(str((self.document.get("dataset") or {}).get("noun") or "rows"))

    @property
    def label(self) -> str:
        """Name of the label column."""
        return clean(str(self.document["label"]["name"] or "Prediction"))

    @property
    def one_label(self) -> str:
        """What the examples of one label level have: "one digit", "one level of Blond_Hair"."""
        plain = self.label.isalpha() and self.label.islower()
        return f"one {self.label}" if plain else f"one level of {self.label}"

    @property
    def positive(self) -> str:
        """The level that counts as favourable, in words."""
        return self.level(self.document["label"]["name"], self.document["label"]["positive"])

    @property
    def negative(self) -> str:
        """The other level of a binary label, in words."""
        positive = self.document["label"]["positive"]
        others = [level for level in self.document["label"]["levels"] if level != positive]
        return self.level(self.document["label"]["name"], others[0]) if others else "the rest"

    @property
    def binary(self) -> bool:
        """Whether the label has at most two levels."""
        return len(self.document["label"]["levels"]) <= 2

    @property
    def known(self) -> bool:
        """Whether the truth is known: a label was given."""
        return self.document["label"]["name"] is not None

    def level(self, column: str | None, level: str) -> str:
        """Return the words for one level of a column, `Male = 1` where there are none."""
        if column is None:
            return f"“{clean(str(level))}”"
        if level == MISSING:
            return f"{clean(column)} missing"
        word = self._words(column).get(str(level))
        if word and str(word).isdigit():
            return f"{clean(column)} {word}"
        return clean(str(word)) if word else f"{clean(column)} = {clean(str(level))}"

    def bare(self, column: str, level: str) -> str:
        """Return the words for a level where its column stands in a heading already."""
        word = self._words(column).get(str(level))
        found = clean(str(word)) if word else clean(str(level))
        return found.removeprefix(f"{clean(column)} ").removeprefix("on ").removeprefix("in ")

    def group(self, group: Group) -> str:
        """Return the words for a group of one or more attributes ("men, not young").

        A missing level names its column ("men, Young missing").
        """
        return ", ".join(self.level(column, level) for column, level in group.items())

    def cell(self, cell: Group) -> str:
        """Return the words for a label level within a group ("blond men")."""
        label = self.document["label"]["name"]
        group = {column: level for column, level in cell.items() if column != label}
        return self.within(str(cell.get(label, "")), group)

    def within(self, level: str, group: Group) -> str:
        """Return the words for the examples of one label level in one group."""
        label = self.document["label"]["name"]
        word, people = self.level(label, level), self.group(group)
        if not group:
            return self.examples(level)
        if level not in self._words(label):
            return f"{word}, {people}"
        return together(word, people)

    def examples(self, level: str) -> str:
        """Return the words for all examples of one label level ("women", "blond images")."""
        word = self.level(self.document["label"]["name"], level)
        if level not in self._words(self.document["label"]["name"]):
            return f"{self.noun} with {word}"
        return word if plural(word) else f"{word} {self.noun}"

    def found_among(self, level: str, group: Group) -> str:
        """Return "blond men", "women in the group Black", or "images with y = 1 where g = 2"."""
        label, people = self.document["label"]["name"], self.group(group)
        worded = all(str(value) in self._words(column) for column, value in group.items())
        if level in self._words(label) and ", " not in (joined := self.within(level, group)):
            return joined
        start = self.examples(level)
        return f"{start} in the group {people}" if worded else f"{start} where {people}"

    def people(self, group: Group) -> str:
        """Return the words for all examples of a group ("men", "digits on red")."""
        words = self.group(group)
        if words.startswith(PREPOSITIONS):
            return f"{self.noun} {words}"
        return words if plural(words) else f"{self.noun} in the group {words}"

    def reason(self, text: object) -> str:
        """Return a metric's reason in the words of the data set ("no blond images")."""
        label = self.document["label"]
        said = clean(str(text))
        for level in label["levels"]:
            raw = clean(f"{label['name']} = {level}")
            said = said.replace(f"rows with {raw}", self.examples(str(level)))
            word = self.level(label["name"], str(level))
            said = said.replace(f"no rows predicted {raw}", f"never called {word}")
        return "no rows" if said == "None" else said

    def attribute(self, name: str) -> str:
        """Return the name of an attribute or an intersection ("Male and Young")."""
        for entry in self.document.get("attributes", ()):
            if entry["name"] == name and entry.get("of"):
                return " and ".join(clean(part) for part in entry["of"])
        return clean(name)

    def encoder(self, run: Mapping[str, Any]) -> str:
        """Return a run's name for people."""
        encoder = run.get("encoder") or {}
        return clean(str(encoder.get("name") or "the audited predictions"))

    def _words(self, column: str | None) -> Mapping[str, str]:
        columns = [self.document["label"], *self.document.get("attributes", ())]
        for entry in columns:
            if entry["name"] == column:
                return entry.get("words") or {}
        return {}


PREPOSITIONS = ("on ", "in ", "with ", "aged ", "without ", "of ")
NOUNS = re.compile(r"\b(men|women|people|persons|children|adults|faces|girls|boys|images|digits)\b")


def plural(words: str) -> bool:
    """Return whether the words hold a plural noun before any comma: "men, young", "White faces".

    English gives no better sign; where it misleads, the sentence is stiff and still right.
    """
    return NOUNS.search(words.split(",")[0]) is not None


def together(label: str, people: str) -> str:
    """Join the words of a label and of a group.

    >>> together("blond", "men, young"), together("digit 0", "on red")
    ('blond men, young', 'digit 0 on red')
    >>> together("male faces", "non-White faces"), together("women", "Black")
    ('male non-White faces', 'women, Black')
    """
    noun = label.rpartition(" ")[2]
    if people.startswith(PREPOSITIONS):
        return f"{label} {people}"
    if plural(noun) and noun in people.split(",")[0].split() and " " in label:
        return f"{label.removesuffix(noun).strip()} {people}"
    if plural(people) and not plural(label) and not label[-1:].isdigit():
        return f"{label} {people}"
    return f"{label}, {people}"
