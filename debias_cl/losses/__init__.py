"""Objectives: one file each; `OBJECTIVES` finds them by file name."""

from debias_cl.losses.contract import ObjectiveSpec
from debias_cl.registry import Registry

OBJECTIVES = Registry("debias_cl.losses", ObjectiveSpec, "objective")

__all__ = ["OBJECTIVES", "ObjectiveSpec"]
