"""Drawing the report after the metrics: a document with 16 groups, made up and measured first.

    python benchmarks/report_drawing.py

Eight regions crossed with two sexes are the 16 groups; six more encoders stand beside the audited
one, each with a training log. The first drawing is measured in fresh processes, because a user
draws once: it includes matplotlib's and Jinja's own first use, and the import of the sections.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import middle, origin, parser, repeated, run_python, save

from debias_cl.document import Judged, assemble, cell_counts, write_report
from debias_cl.metrics import Settings
from debias_cl.records import Alignment, Annotations, Column, Predictions, to_json
from debias_cl.sections.html import render

ROWS, EPOCHS = 20_000, 30
REGIONS = ("north", "east", "south", "west", "coast", "hills", "plains", "islands")
NAMES = ("ConTeX", "SupCon", "cross-entropy", "NT-Xent", "FSCL", "SupCon, lr 0.1", "ConTeX, seed 1")
FRESH = """
import json, sys, time
from pathlib import Path
document = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
start = time.perf_counter()
from debias_cl.document import write_report
write_report(document, Path(sys.argv[2]))
print(time.perf_counter() - start)
"""


def people() -> Annotations:
    """Return rows with a binary label, a region and a sex."""
    rng = np.random.default_rng(0)
    region, sex = rng.integers(0, 8, ROWS), rng.integers(0, 2, ROWS)
    truth = (rng.random(ROWS) < np.where(sex == 1, 0.3, 0.6)).astype(np.int64)
    return Annotations(
        ids=np.arange(ROWS).astype(np.str_),
        label=Column("smiling", ("0", "1"), {"0": "not smiling", "1": "smiling"}),
        truth=truth,
        attributes=(Column("region", REGIONS), Column("sex", ("women", "men"))),
        groups={"region": region, "sex": sex},
        alignment={"sex": Alignment(frozenset({("1", "women"), ("0", "men")}), "the protocol")},
    )


def judged(known: Annotations, seed: int) -> Judged:
    """Return one encoder's made-up predictions and log."""
    rng = np.random.default_rng(seed)
    assert known.truth is not None
    right = rng.random(ROWS) < 0.8 + 0.015 * known.groups["region"] - 0.05 * known.groups["sex"]
    predicted = np.where(right, known.truth, 1 - known.truth)
    answers = Predictions(known, predicted, ("0", "1"), None, "1", "default: the level '1'")
    log = [
        {
            "epoch": epoch,
            "loss": 5.0 / epoch,
            "learning_rate": 0.003,
            "images_per_second": 1000.0,
            "seconds": 2.0,
            "knn_aligned_accuracy": 1 - 0.5 / epoch,
            "knn_conflict_accuracy": 1 - 0.9 / epoch,
        }
        for epoch in range(1, EPOCHS + 1)
    ]
    return Judged(described(NAMES[seed]), answers, log)


def described(name: str) -> dict[str, Any]:
    """Return the `encoder` object of one run."""
    return {
        "name": name,
        "objective": "contex",
        "architecture": "slim",
        "source": "run",
        "run": f"runs/{name}",
        "checkpoint": None,
        "judge": "linear probe",
        "control": False,
        "seed": 0,
        "views": {"count": 2, "rotation": 20.0, "touches_bias": ""},
        "epochs": EPOCHS,
        "preset": "quick",
        "parameters": 43_776,
        "note": "",
    }


def document(known: Annotations, encoders: Sequence[Judged]) -> dict[str, Any]:
    """Return the measured document."""
    split = {"n": ROWS, "cells": cell_counts(known)}
    dataset = {
        "name": "example",
        "title": "Example people",
        "card": "Made up.",
        "licence": "none",
        "protocol": "holdout",
        "noun": "faces",
        "test_split": "test",
        "splits": {"train": split, "test": split},
        "exclusions": {"count": 0, "listed": []},
        "notes": [],
    }
    facts = {**origin(), "seed": 0, "wall_seconds": 1.0}
    return assemble(
        encoders[0], encoders[1:], dataset=dataset, provenance=facts, settings=Settings()
    )


def fresh(made: dict[str, Any], repeats: int) -> list[float]:
    """Return the seconds of the first drawing, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.json"
        source.write_text(to_json(made), encoding="utf-8")
        command = ("-c", FRESH, str(source), f"{folder}/out")
        return [float(run_python(command).splitlines()[-1]) for _ in range(repeats)]


def main() -> None:
    """Draw, in fresh processes and again and again in this one."""
    options = parser(__doc__).parse_args()
    started = origin()
    known = people()
    made = document(known, [judged(known, seed) for seed in range(len(NAMES))])
    page = render(made)
    with tempfile.TemporaryDirectory() as folder:
        again = repeated(lambda: write_report(made, Path(folder)), options.repeats)
    first = fresh(made, options.repeats)
    save(
        "metrics.json, groups.csv and report.html from measured numbers",
        {
            "repeats": options.repeats,
            "groups_by_attribute": {one["name"]: len(one["levels"]) for one in made["attributes"]},
            "encoders": len(NAMES),
            "figures": page.count("<figure"),
            "report_bytes": len(page.encode()),
            "metrics_bytes": len(json.dumps(made)),
            "first_drawing_seconds": middle(first),
            "again_seconds": middle(again),
            "drawing_alone_seconds": middle(repeated(lambda: render(made), options.repeats)),
        },
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
