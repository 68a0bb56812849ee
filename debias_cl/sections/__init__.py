"""Report sections: one file each; `SECTIONS` finds them by file name."""

from debias_cl.registry import Registry
from debias_cl.sections.contract import SectionSpec

SECTIONS = Registry("debias_cl.sections", SectionSpec, "report section")

__all__ = ["SECTIONS", "SectionSpec"]
