"""Metrics from counts: numpy and scipy only, never torch.

`measure` gives the measured part of metrics.json, `compare` two models on the same rows.
"""

from debias_cl.metrics.measure import measure, refuse_absent
from debias_cl.metrics.paired import compare
from debias_cl.metrics.settings import Settings

__all__ = ["Settings", "compare", "measure", "refuse_absent"]
