"""What a check says where no attribute was given: it could be named, or there is none to name."""

from __future__ import annotations

from debias_cl.checks.contract import Document
from debias_cl.records import Finding, Outcome


def no_attribute(
    document: Document, code: str, title: str, so: str = "", section: int = 5
) -> Finding:
    """Return the finding of a check that needs an attribute and has none.

    Args:
        document: the metrics document.
        code, title, section: of the finding.
        so: what follows from it, as ", so no groups can be compared"; "" is nothing.
    """
    if (document.get("dataset") or {}).get("has_attributes") is False:
        none: Outcome = "not applicable"
        return Finding(code, title, none, f"This data set has no attribute{so}.", section=section)
    text = f"No attribute was given{so}; name one with --bias-attr."
    return Finding(code, title, "skipped", text, section=section)
