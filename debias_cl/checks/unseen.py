"""What a check says where it needs features or pictures and there are none."""

from __future__ import annotations

from debias_cl.checks.contract import Document
from debias_cl.records import Finding


def no_features(document: Document, code: str, title: str) -> Finding:
    """Return the finding of a check that needs the features of an encoder."""
    if (document.get("dataset") or {}).get("duplicates") is None:
        text = "Only predictions were given, so there are no features to look at."
    else:
        text = (
            "The features were not looked at (--no-representation, or too few rows with a label)."
        )
    return Finding(code, title, "skipped", text, section=7)


def no_pictures(code: str, title: str) -> Finding:
    """Return the finding of a check that needs the pictures of all splits."""
    text = "Only predictions were given; what training and test share is not known."
    return Finding(code, title, "skipped", text, section=12)
