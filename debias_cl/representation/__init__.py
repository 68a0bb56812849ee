"""What an encoder's features hold, before any label is predicted from them. numpy only, no torch.

Leakage (can the attribute be read?), neighbours (whom do rows lie beside?), geometry (how close are
rows of one label, how spread are groups?), a map, and label-noise suspects.
"""

from debias_cl.representation.repainted import shortcut
from debias_cl.representation.sample import Limits
from debias_cl.representation.together import audit, with_shortcut

__all__ = ["Limits", "audit", "shortcut", "with_shortcut"]
