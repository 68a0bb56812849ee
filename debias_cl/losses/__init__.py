"""Objectives: one file each; `OBJECTIVES` finds them by file name.

The losses are usable alone, in any training loop:
`from debias_cl.losses import ConTeXLoss, SupConLoss, NTXentLoss`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from debias_cl.losses.contract import ObjectiveSpec
from debias_cl.registry import Registry

if TYPE_CHECKING:
    from debias_cl.losses.contex import ConTeXLoss
    from debias_cl.losses.dcl import DCLLoss
    from debias_cl.losses.eps_supinfonce import EpsSupInfoNCELoss
    from debias_cl.losses.ntxent import NTXentLoss
    from debias_cl.losses.supcon import SupConLoss

OBJECTIVES = Registry("debias_cl.losses", ObjectiveSpec, "objective")

__all__ = [
    "OBJECTIVES",
    "ConTeXLoss",
    "DCLLoss",
    "EpsSupInfoNCELoss",
    "NTXentLoss",
    "ObjectiveSpec",
    "SupConLoss",
]

_LOSSES = {
    "ConTeXLoss": "contex",
    "DCLLoss": "dcl",
    "EpsSupInfoNCELoss": "eps_supinfonce",
    "NTXentLoss": "ntxent",
    "SupConLoss": "supcon",
}


def __getattr__(name: str) -> object:
    """Import a loss when it is first asked for, so that the registry alone stays light."""
    if name not in _LOSSES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_LOSSES[name]}"), name)
