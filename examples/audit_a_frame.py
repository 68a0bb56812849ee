"""Audit a frame of predictions in Python: the gap, who it concerns, gates, and the report.

Run it with `python examples/audit_a_frame.py [FOLDER FOR THE REPORT]`. pandas, polars, Arrow tables
and mappings of arrays are taken alike; in a notebook, `audit` alone in a cell shows itself.
"""

import sys
from pathlib import Path

import pandas as pd

import debias_cl

rows = pd.read_csv(Path(__file__).parent / "gate" / "candidate.csv")
audit = debias_cl.audit(rows, label="qualified", prediction="predicted", attributes=["gender"])

gaps = audit.disparities("gender").set_index("name")
gap = gaps.loc["equal_opportunity_difference_min_group"]
print(
    f"gap {gap['value']:.2f} (95 % {gap['low']:.2f} to {gap['high']:.2f}), lowest {gap['lowest']}"
)

for group in audit.frame().itertuples():
    print(f"{group.group}: finds {group.true_positive_rate:.2f} of {group.true_positive_rate_n}")

for gate in audit.gates("low(equal_opportunity_difference)>0.05", "accuracy<0.8"):
    print(f"{gate.text}: {gate.outcome}, {gate.reason}")

if len(sys.argv) > 1:
    print(audit.save_report(sys.argv[1]))
