"""The method section says what weights and persons do to every number."""

from __future__ import annotations

from typing import Any

from debias_cl.sections import method

SAID: dict[str, Any] = {
    "weighted": True,
    "kish_n": 1234.4,
    "persons": 5678,
    "most_rows_of_one": 30,
    "says": ["Values are weighted.", "Rows of one person are not independent."],
}


def facts(document: dict[str, Any], sampling: dict[str, Any] | None) -> dict[str, str]:
    told = document | ({} if sampling is None else {"sampling": sampling})
    return dict(method.context(told)["protocol"])


def test_weights_and_persons_are_facts_of_the_protocol(faces_document: dict[str, Any]) -> None:
    found = facts(faces_document, SAID)
    assert found["Effective rows"] == " ".join(SAID["says"])
    assert found["Persons"] == "5,678, with 30 rows of one at most"
    assert found["Effective rows by weight alone"] == "1,234"


def test_plain_rows_add_no_facts(faces_document: dict[str, Any]) -> None:
    assert not {"Effective rows", "Persons"} & facts(faces_document, None).keys()
    persons = {**SAID, "weighted": False, "kish_n": None}
    assert "Effective rows by weight alone" not in facts(faces_document, persons)
