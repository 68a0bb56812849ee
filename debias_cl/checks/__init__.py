"""Checks: one small file each; `CHECKS` finds them by file name."""

from debias_cl.checks.contract import CheckSpec
from debias_cl.registry import Registry

CHECKS = Registry("debias_cl.checks", CheckSpec, "check")

__all__ = ["CHECKS", "CheckSpec"]
