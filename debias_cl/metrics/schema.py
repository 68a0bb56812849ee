"""The published JSON Schema of metrics.json, and the validation that the tests use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

NAME = "debias_cl.metrics/1"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of metrics.json."""
    text = resources.files("debias_cl.metrics").joinpath("schema/metrics-1.json").read_text("utf-8")
    return dict(json.loads(text))


def validate(document: Mapping[str, Any]) -> None:
    """Check a whole document against the schema (needs the `test` extra).

    Args:
        document: the content of metrics.json.

    Raises:
        jsonschema.ValidationError: the first difference, with its place.
    """
    import jsonschema

    jsonschema.validate(document, schema(), cls=jsonschema.Draft202012Validator)
