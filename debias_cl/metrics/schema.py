"""The published JSON Schema of metrics.json, reading one, and the validation that tests use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from debias_cl.errors import DataError

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


def read_document(path: Path) -> dict[str, Any]:
    """Read a metrics document.

    Args:
        path: metrics.json, or the folder that holds it.

    Raises:
        DataError: no such file, not JSON, or of another schema.
    """
    file = path / "metrics.json" if path.is_dir() else path
    if not file.exists():
        raise DataError("there are no metrics to read", where=str(file))
    try:
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"this is not JSON: {error}", where=str(file)) from error
    if not isinstance(document, dict) or document.get("schema") != NAME:
        raise DataError("this is no metrics document", where=str(file), expected=NAME)
    return document
