"""ConTeX's self contrast alone: NT-Xent times temperature / base_temperature."""

from debias_cl.losses.contex import DEVIATION, SOURCE, build
from debias_cl.losses.contract import ObjectiveSpec

SPEC = ObjectiveSpec(
    title="ConTeX, self contrast alone",
    family="ConTeX",
    source=f"{SOURCE}: the term L_b alone, which is SimCLR's NT-Xent; {DEVIATION}",
    uses=("temperature", "base_temperature", "projection"),
    build=lambda context: build(context, weight=0.0),
    needs_label=False,
)
