"""The audit as a library: predictions, or an encoder, in; an `Audit` out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from debias_cl.audited import Audit
from debias_cl.auditing import TableRequest, audited, roles_of
from debias_cl.data.cells import Table
from debias_cl.errors import UsageError
from debias_cl.gates import Rules, rules
from debias_cl.metrics import Settings
from debias_cl.tables.counted import TableSource
from debias_cl.tables.frames import is_array, table_of, with_arrays

if TYPE_CHECKING:
    from torch import nn

    from debias_cl.config import DataConfig
    from debias_cl.data.contract import Dataset

Column = Any
"""A column: its name in the frame, or its values, one a row."""


class _Columns:
    """Puts columns given as arrays beside those of the frame, under names of their own."""

    def __init__(self, table: Table | None) -> None:
        self.taken = set() if table is None else set(table.columns)
        self.rows = 0 if table is None else len(table)
        self.arrays: dict[str, Any] = {}

    def name(self, role: str, column: Column) -> str:
        """Return the name of a column; "" where there is none."""
        if column is None or (isinstance(column, str) and not column):
            return ""
        if not is_array(column):
            return str(column).strip()
        name = role
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        self.arrays[name] = column
        return name

    def names(self, role: str, columns: Any) -> tuple[str, ...]:
        """Return the names of one column, several names, or a mapping of names to values."""
        if isinstance(columns, Mapping):
            return tuple(self.name(str(key), values) for key, values in columns.items())
        named = isinstance(columns, list | tuple) and self._are_names(columns)
        found = [self.name(role, one) for one in (columns if named else [columns])]
        return tuple(filter(None, found))

    def _are_names(self, texts: Sequence[Any]) -> bool:
        """Return whether a list names columns, and is no column of texts itself."""
        if not all(isinstance(text, str) for text in texts):
            return False
        return not texts or len(texts) != self.rows or bool(self.taken & set(texts))


def audit(
    predictions: Any,
    *,
    label: Column = None,
    prediction: Column = None,
    score: Column = None,
    attributes: Sequence[str] | Mapping[str, Any] | str = (),
    positive: object = "",
    weights: Column = None,
    persons: Column = None,
    missing: Sequence[str] = (),
    settings: Settings | None = None,
    fail_on: Sequence[str] = (),
    policy: str | Path = "",
    baseline: str | Path = "",
    name: str = "predictions",
) -> Audit:
    """Audit a table of predictions; the same rows give the same numbers as a CSV of them would.

    Args:
        predictions: n rows: a pandas or polars frame, an Arrow table, a mapping of names to arrays;
            or (n,) predicted levels, then every other column is given as an array as well.
        label: column of the truth; None audits what needs no truth.
        prediction: column of predicted levels; several names are several models, the first leads.
        score: column with the score of the positive level; alone, `settings.threshold` selects.
        attributes: columns whose groups are compared; a mapping gives their values.
        positive: level that counts as favourable; "" takes 1, True, yes, else the last.
        weights: column with the weight of each row.
        persons: column that says whose a row is, where a person has several.
        missing: texts that mean "missing" besides an empty cell.
        settings: how the numbers are made.
        fail_on, policy, baseline: what the audit must hold (`Audit.gates`).
        name: of the table, for messages and the report.

    Returns:
        The audit.

    Raises:
        UsageError: nothing to judge, or a column in two roles.
        DataError: a column is absent or holds what it cannot.

    Example:
        >>> import debias_cl
        >>> rows = {"y": [1, 0, 1, 0] * 40, "p": [1, 0, 0, 0] * 40, "g": ["a", "a", "b", "b"] * 40}
        >>> found = debias_cl.audit(rows, label="y", prediction="p", attributes=["g"])
        >>> found.metrics["disparities"]["g"]["equal_opportunity_difference"]["value"]
        1.0
    """
    asked = rules(fail_on, policy, baseline)
    settings = _with_tolerance(settings or Settings(), asked)
    if is_array(predictions):
        if prediction is not None:
            raise UsageError("the predictions were given twice", where="prediction=")
        prediction, predictions = np.asarray(predictions), None
    table = None if predictions is None else table_of(predictions, missing, name)
    columns = _Columns(table)
    if prediction is None and score is None:
        raise UsageError(
            "neither predictions nor scores were named", remedy="prediction=COLUMN or score=COLUMN"
        )
    request = TableRequest(
        prediction=columns.names("prediction", prediction),
        score=columns.names("score", score),
        labels=tuple(filter(None, [columns.name("label", label)])),
        bias_attr=columns.names("attribute", attributes),
        weight=columns.name("weight", weights),
        cluster_by=columns.name("person", persons),
        missing=tuple(missing),
        positive=str(positive),
        settings=settings,
    )
    (roles,) = roles_of(request)
    source = TableSource(name, with_arrays(table, columns.arrays, missing, name))
    return Audit(audited(source, roles, settings, asked))


def _with_tolerance(settings: Settings, asked: Rules) -> Settings:
    """Return the settings with the policy's tolerances; those of the settings win."""
    return replace(settings, tolerance={**asked.policy.tolerance, **settings.tolerance})


def evaluate(
    encoder: nn.Module | str | Path,
    dataset: str | Dataset | DataConfig,
    *,
    attr: str = "",
    bias_attr: Sequence[str] = (),
    positive: str = "",
    data_root: str | Path = "datasets",
    arch: str = "",
    image_size: int = 0,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    outputs: Literal["auto", "features", "logits"] = "auto",
    classes: Sequence[str] = (),
    trust: bool = False,
    probe: Literal["logistic", "sgd", "knn", "dfr"] = "logistic",
    representation: bool = True,
    remedies: bool = False,
    seed: int = 0,
    device: str = "auto",
    settings: Settings | None = None,
    fail_on: Sequence[str] = (),
    policy: str | Path = "",
    baseline: str | Path = "",
    out: str | Path = "",
) -> Audit:
    """Evaluate an encoder on labelled pictures by a probe on its frozen features.

    Args:
        encoder: a network in memory that takes (n, 3, H, W) normalised float32 pictures; or the
            path of a run of `train`, or of a checkpoint. A network that gives as many outputs as
            the label has levels is also judged by them.
        dataset: name, loaded data set, or its configuration (for a manifest).
        attr, bias_attr, positive, data_root: label, attributes, favourable level and place of the
            data, where `dataset` is a name; `positive` in every case.
        arch, image_size, mean, std, outputs, classes, trust: how a checkpoint is read, as the
            options of `debias-cl evaluate`; a network in memory heeds mean, std (default: the data
            set's), outputs and classes.
        probe: judge of the features.
        representation: whether features are looked at before a label is predicted.
        remedies: whether other last layers and thresholds are tried.
        seed: of the probe and of what looks at the features.
        device: "auto" is where a network in memory is, else the first accelerator.
        settings: how the numbers are made.
        fail_on, policy, baseline: what the audit must hold (`Audit.gates`).
        out: folder for the report, features and predictions; "" keeps nothing on disk.

    Returns:
        The audit.

    Raises:
        UsageError, DataError, CheckpointError: with what to do.
    """
    from debias_cl import in_memory
    from debias_cl.config import CheckpointConfig

    asked = rules(fail_on, policy, baseline)
    request = in_memory.request_of(
        encoder,
        dataset,
        attr=attr,
        bias_attr=tuple(bias_attr),
        positive=positive,
        data_root=str(data_root),
        arch=arch,
        image_size=image_size,
        loading=CheckpointConfig(
            mean=tuple(mean), std=tuple(std), outputs=outputs, classes=tuple(classes), trust=trust
        ),
        probe=probe,
        representation=representation,
        remedies=remedies,
        images=False,  # an Audit keeps numbers; pictures are the command's
        seed=seed,
        device=device,
        settings=_with_tolerance(settings or Settings(), asked),
        rules=asked,
    )
    return Audit(in_memory.document_of(request, out))
