"""A table of 100 million rows: the whole audit against DuckDB's bare count and score histogram.

python benchmarks/audit_100m.py [--rows 100000000] [--repeats 5]

The table (Parquet, 16 groups, 64-bit scores, 1 % of the predictions and scores missing) is made
once, under benchmarks/data/. Each round runs both in fresh processes, one after the other: the
bare queries, and the audit from the start of Python to the written report. Processor seconds stand
beside wall seconds: they tell the same on a busy machine.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from harness import HERE, medians, middle, origin, parser, run_python, save

DATA = HERE / "data"
MAKE = """
import duckdb, sys
rows, path = int(sys.argv[1]), sys.argv[2]
engine = duckdb.connect()
engine.execute("SET preserve_insertion_order = false")
engine.execute(f\"\"\"
COPY (
    SELECT y, g, CASE WHEN hash(i + 7) % 100 > 0 THEN (p >= 0.5)::TINYINT END AS yhat,
           CASE WHEN hash(i + 7) % 100 > 0 THEN p END AS p
    FROM (
        SELECT i, (hash(i + 1) % 2)::TINYINT AS y, (hash(i) % 16)::SMALLINT AS g,
               greatest(0.0, least(1.0, 0.35 + 0.3 * (hash(i + 1) % 2) + 0.01 * (hash(i) % 16)
               + 0.3 * (hash(i + 2) / 18446744073709551616.0
               + hash(i + 3) / 18446744073709551616.0 - 1.0)))::DOUBLE AS p
        FROM range({rows}) AS t(i)
    )
) TO '{path}' (FORMAT parquet)\"\"\")
"""
TAIL = """
import json, resource
used = resource.getrusage(resource.RUSAGE_SELF)
facts = {"seconds": spent, "cpu_seconds": used.ru_utime + used.ru_stime}
print("FIGURES" + json.dumps(facts | {"peak_bytes": used.ru_maxrss * 1024}))
"""
BARE = """
import sys, time
import duckdb
path, engine = sys.argv[1], duckdb.connect()
begun = time.perf_counter()
engine.sql(f"SELECT g, y, yhat, count(*) FROM '{path}' GROUP BY ALL").fetchall()
engine.sql(
    f"SELECT g, y, yhat, floor(p * 4096)::INT, count(*), sum(p) FROM '{path}' GROUP BY ALL"
).fetchall()
spent = time.perf_counter() - begun
"""
AUDIT = """
import sys, time
begun = time.perf_counter()
from debias_cl.audit import main
assert main(sys.argv[1:]) == 0
spent = time.perf_counter() - begun
"""


def table(rows: int) -> Path:
    """Return the Parquet file of so many rows; it is made once."""
    path = DATA / f"audit_{rows}.parquet"
    if not path.exists():
        DATA.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        run_python(["-c", MAKE, str(rows), str(part)])
        part.replace(path)
    return path


def figures(code: str, arguments: list[str]) -> dict[str, float]:
    """Run a script in a fresh process and return its wall and processor seconds and its peak."""
    said = run_python(["-c", code + TAIL, *arguments])
    return dict(json.loads(said.rpartition("FIGURES")[2]))


def run(rows: int, repeats: int) -> dict[str, Any]:
    """Run both in turn and return the medians and their ratios."""
    path = str(table(rows))
    bare, audit = [], []
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--predictions", path, "--label", "y", "--prediction", "yhat", "--score", "p"]
        asked += ["--bias-attr", "g", "--out", folder, "--name", "audit"]
        for _ in range(repeats):
            bare.append(figures(BARE, [path]))
            audit.append(figures(AUDIT, asked))
        document = json.loads((Path(folder) / "audit" / "metrics.json").read_text())
    pairs = list(zip(audit, bare, strict=True))
    return {
        "rows": rows,
        "groups": len(document["groups"]),
        "file_bytes": Path(path).stat().st_size,
        "repeats": repeats,
        "bare": medians(bare),
        "audit": medians(audit),
        "ratio": middle(a["seconds"] / b["seconds"] for a, b in pairs),
        "cpu_ratio": middle(a["cpu_seconds"] / b["cpu_seconds"] for a, b in pairs),
        "peak_bytes": max(round_["peak_bytes"] for round_ in audit),
        "rows_counted": sum(group["n"] for group in document["groups"])
        + document["n_missing_prediction"],
    }


def main() -> None:
    """Run, print and write the figures."""
    made = parser(__doc__)
    made.add_argument("--rows", type=int, default=100_000_000)
    options = made.parse_args()
    started = origin(packages=("duckdb", "ibis-framework", "pyarrow"))
    save(
        "an audit of a Parquet table, from the start of Python to the report, against DuckDB alone",
        run(options.rows, options.repeats),
        started=started,
        out=options.out,
    )


if __name__ == "__main__":
    main()
