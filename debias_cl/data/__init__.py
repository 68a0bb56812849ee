"""Data sets: one file each; `DATASETS` finds them by file name."""

from debias_cl.data.contract import Dataset, DatasetSpec, LabelledImages
from debias_cl.registry import Registry

DATASETS = Registry("debias_cl.data", DatasetSpec, "data set")

__all__ = ["DATASETS", "Dataset", "DatasetSpec", "LabelledImages"]
