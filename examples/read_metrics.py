"""Read the numbers behind a report: print the worst group, with its interval.

Run it with `python examples/read_metrics.py runs/NAME/metrics.json`.
"""

import json
import sys
from pathlib import Path

metrics = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
accuracy = metrics["overall"]["accuracy"]
worst = metrics["overall"]["worst_group_accuracy"]

print(f"accuracy {accuracy['value']:.3f} on {accuracy['n']} rows")
if worst["value"] is None:
    print(f"no worst group: {worst['reason']}")
else:
    where = ", ".join(f"{column} = {level}" for column, level in worst["cell"].items())
    print(f"worst group: {where}: accuracy {worst['value']:.3f} on {worst['n']} rows")
    if worst["low"] is not None:
        print(f"95 % interval: {worst['low']:.3f} to {worst['high']:.3f}, {worst['method']}")
