"""debias_cl: trains image encoders that rely less on shortcuts, and audits encoders for bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from debias_cl.api import audit, evaluate
    from debias_cl.audited import Audit
    from debias_cl.metrics import Settings

__version__ = "0.1.0"
__all__ = ["Audit", "Settings", "__version__", "audit", "evaluate"]

_HOMES = {
    "Audit": "debias_cl.audited",
    "Settings": "debias_cl.metrics",
    "audit": "debias_cl.api",
    "evaluate": "debias_cl.api",
}
"""Public name -> module; imported when first asked for, so that `import debias_cl` stays light."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'debias_cl' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
