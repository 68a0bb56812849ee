"""The files of the two narrow waists: Features as safetensors, Predictions as Parquet; no torch.

Both carry what their arrays cannot say as JSON in the file's own metadata, are written atomically,
and come back as they went in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from debias_cl.errors import DataError
from debias_cl.files import replacing, write_atomic
from debias_cl.records import Alignment, Annotations, Codes, Column, Features, Predictions, Texts

FEATURES = "debias_cl.features/1"
PREDICTIONS = "debias_cl.predictions/1"
KEY = "debias_cl"
STANDING = ("rows", "weight", "square", "person")
"""Columns of what entries stand for: `Annotations.standing`."""

Meta = dict[str, Any]


def _column_out(column: Column | None) -> Meta | None:
    if column is None:
        return None
    made = {"name": column.name, "levels": list(column.levels), "words": dict(column.words)}
    return made | ({"numbers": dict(column.numbers)} if column.numbers else {})


def _column_in(meta: Mapping[str, Any]) -> Column:
    numbers = dict(meta.get("numbers", {}))
    return Column(meta["name"], tuple(meta["levels"]), dict(meta["words"]), numbers)


def _annotations_out(known: Annotations) -> Meta:
    """Return all of the annotations but their arrays."""
    return {
        "label": _column_out(known.label),
        "attributes": [_column_out(column) for column in known.attributes],
        "strata": [_column_out(column) for column in known.strata],
        "alignment": {
            name: {"source": by.source, "pairs": sorted(map(list, by.pairs))}
            for name, by in known.alignment.items()
        },
    }


def _annotations_in(
    meta: Mapping[str, Any], ids: Texts, truth: Codes | None, groups: Mapping[str, Codes]
) -> Annotations:
    alignment = {
        name: Alignment(frozenset((y, a) for y, a in by["pairs"]), by["source"])
        for name, by in meta["alignment"].items()
    }
    label = None if meta["label"] is None else _column_in(meta["label"])
    attributes = tuple(_column_in(column) for column in meta["attributes"])
    strata = tuple(_column_in(column) for column in meta.get("strata", ()))
    return Annotations(ids, label, truth, attributes, groups, alignment, strata=strata)


def _pack(texts: Texts) -> dict[str, npt.NDArray[Any]]:
    """Return texts as UTF-8 bytes and their ends: safetensors knows numbers alone."""
    encoded = [text.encode("utf-8") for text in texts.tolist()]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return {"bytes": np.frombuffer(b"".join(encoded), np.uint8), "ends": ends}


def _unpack(data: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> Texts:
    whole, starts = data.tobytes(), [0, *ends[:-1].tolist()]
    texts = [whole[a:b].decode("utf-8") for a, b in zip(starts, ends.tolist(), strict=False)]
    return np.array(texts, np.str_)


def _meta(raw: str | bytes | None, schema: str, path: Path) -> Meta:
    """Return a file's own metadata; `DataError` where it is of another kind."""
    try:
        meta = json.loads(raw) if raw is not None else {}
    except ValueError:
        meta = {}
    if meta.get("schema") != schema:
        raise DataError(
            f"{path.name} is not a file of kind {schema}",
            where=str(path),
            expected=f"metadata '{KEY}' with schema {schema}",
            remedy="write it again with `evaluate`",
        )
    return dict(meta)


def save_features(features: Features, path: Path) -> None:
    """Write Features as one `.safetensors` file, atomically.

    Args:
        features: n rows.
        path: final name.
    """
    from safetensors.numpy import save

    known = features.annotations
    levels, split = np.unique(features.split, return_inverse=True)
    ids = _pack(known.ids)
    arrays: dict[str, npt.NDArray[Any]] = {
        "values": np.ascontiguousarray(features.values),
        "split": split.astype(np.uint8),
        "ids.bytes": ids["bytes"],
        "ids.ends": ids["ends"],
    }
    if known.truth is not None:
        arrays["truth"] = np.ascontiguousarray(known.truth)
    for i, name in enumerate(known.groups):
        arrays[f"group.{i}"] = np.ascontiguousarray(known.groups[name])
    standing = known.standing()
    arrays |= {f"standing.{k}": np.ascontiguousarray(v) for k, v in standing.items()}
    meta = {
        "schema": FEATURES,
        "splits": levels.tolist(),
        "groups": list(known.groups),
        "encoder": dict(features.encoder),
        **_annotations_out(known),
    }
    write_atomic(path, save(arrays, metadata={KEY: json.dumps(meta, allow_nan=False)}))


def load_features(path: Path) -> Features:
    """Read what `save_features` wrote.

    Args:
        path: a `.safetensors` file.

    Returns:
        The Features, equal in every field.

    Raises:
        DataError: the file is missing, damaged or of another kind.
    """
    from safetensors import SafetensorError, safe_open

    path = _existing(path)
    try:
        with safe_open(str(path), framework="numpy") as handle:
            meta = _meta((handle.metadata() or {}).get(KEY), FEATURES, path)
            arrays = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, error) from error
    groups = {name: arrays[f"group.{i}"] for i, name in enumerate(meta["groups"])}
    ids = _unpack(arrays["ids.bytes"], arrays["ids.ends"])
    split = np.array(meta["splits"], np.str_)[arrays["split"]]
    standing = {k: arrays[f"standing.{k}"] for k in STANDING if f"standing.{k}" in arrays}
    known = _annotations_in(meta, ids, arrays.get("truth"), groups).stand_for(standing)
    return Features(arrays["values"], split, known, meta["encoder"])


def _existing(path: Path) -> Path:
    if not Path(path).is_file():
        raise DataError(f"there is no file {path}", expected="a file written by an earlier stage")
    return Path(path)


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path.name} cannot be read: {error}",
        where=str(path),
        remedy="write it again with `evaluate`",
    )


def _free(wanted: str, taken: Sequence[str]) -> str:
    """Return a column name that is not taken yet (a label may be called `id`)."""
    while wanted in taken:
        wanted += "_"
    return wanted


def save_predictions(predictions: Predictions, path: Path) -> None:
    """Write Predictions as one Parquet file with readable columns, atomically.

    Args:
        predictions: n rows.
        path: final name. Columns: id, the label, prediction, score, the attributes, as texts, and
            rows, weight, square, person as numbers where there are any; an empty cell is a missing
            value.
    """
    import pyarrow as pa
    from pyarrow import parquet

    known = predictions.annotations
    columns: dict[str, Any] = {}
    places: Meta = {"groups": {}}

    def add(role: str, wanted: str, array: Any) -> str:
        name = _free(wanted, list(columns))
        columns[name] = array
        places[role] = name
        return name

    def texts(codes: Codes, levels: Sequence[str]) -> Any:
        index = pa.array(codes.astype(np.int32), mask=codes < 0)
        return pa.DictionaryArray.from_arrays(index, pa.array(list(levels), pa.string()))

    add("id", "id", pa.array(known.ids.tolist(), pa.string()))
    if known.label is not None and known.truth is not None:
        add("truth", known.label.name, texts(known.truth, known.label.levels))
    add("prediction", "prediction", texts(predictions.predicted, predictions.levels))
    if predictions.scores is not None:
        missing = np.isnan(predictions.scores)
        add("score", "score", pa.array(predictions.scores, pa.float64(), mask=missing))
    for column in (*known.attributes, *known.strata):
        name = add("attribute", column.name, texts(known.groups[column.name], column.levels))
        places["groups"][column.name] = name
    for role, array in known.standing().items():
        add(role, role, pa.array(array))
    meta = {"schema": PREDICTIONS, "columns": places, **_predictions_out(predictions)}
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(meta, allow_nan=False)})
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)


def _predictions_out(predictions: Predictions) -> Meta:
    """Return all of the predictions but their arrays."""
    return {
        "levels": list(predictions.levels),
        "positive": predictions.positive,
        "positive_source": predictions.positive_source,
        "training_cells": {
            name: np.asarray(cells).tolist() for name, cells in predictions.training_cells.items()
        },
        "notes": list(predictions.notes),
        **_annotations_out(predictions.annotations),
    }


def load_predictions(path: Path) -> Predictions:
    """Read what `save_predictions` wrote.

    Args:
        path: a Parquet file.

    Returns:
        The Predictions, equal in every field.

    Raises:
        DataError: the file is missing, damaged, of another kind, or holds an unknown level.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = _existing(path)
    try:
        table = parquet.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, error) from error
    meta = _meta((table.schema.metadata or {}).get(KEY.encode()), PREDICTIONS, path)
    places = meta["columns"]

    def codes(name: str, levels: Sequence[str]) -> Codes:
        return _codes(table[name], levels, f"{path}, column {name}")

    truth = None
    if "truth" in places:
        truth = codes(places["truth"], meta["label"]["levels"])
    columns = (*meta["attributes"], *meta.get("strata", ()))
    levels = {column["name"]: column["levels"] for column in columns}
    groups = {name: codes(place, levels[name]) for name, place in places["groups"].items()}
    ids = np.array(table[places["id"]].to_pylist(), np.str_)
    scores = None
    if "score" in places:
        scores = table[places["score"]].to_numpy().astype(np.float64)
    standing = {k: table[places[k]].to_numpy() for k in STANDING if k in places}
    return Predictions(
        _annotations_in(meta, ids, truth, groups).stand_for(standing),
        codes(places["prediction"], meta["levels"]),
        tuple(meta["levels"]),
        scores,
        meta["positive"],
        meta["positive_source"],
        {name: np.array(cells, np.int64) for name, cells in meta["training_cells"].items()},
        tuple(meta["notes"]),
    )


def _codes(column: Any, levels: Sequence[str], where: str) -> Codes:
    """Return codes into `levels` of a text column, -1 where it is empty."""
    place: dict[str | None, int] = {level: i for i, level in enumerate(levels)} | {None: -1}
    whole = column.combine_chunks().dictionary_encode()
    kinds = whole.dictionary.to_pylist()
    unknown = [kind for kind in kinds if kind not in place]
    if unknown:
        raise DataError(
            f"the level '{unknown[0]}' is not known", where=where, expected=", ".join(levels)
        )
    lookup = np.array([*(place[kind] for kind in kinds), -1], np.int64)
    index = whole.indices.fill_null(len(kinds)).to_numpy(zero_copy_only=False)
    return np.asarray(lookup[index.astype(np.int64)], np.int64)
