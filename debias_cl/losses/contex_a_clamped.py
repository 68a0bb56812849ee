"""ConTeX's clamped label contrast alone, without the self contrast."""

from debias_cl.losses.contex import DEVIATION, SOURCE, build
from debias_cl.losses.contract import ObjectiveSpec

SPEC = ObjectiveSpec(
    title="ConTeX, clamped label contrast alone",
    family="ConTeX",
    source=f"{SOURCE}, `SupConLoss1`: the term L_a alone, each bracket min(0, .); {DEVIATION}",
    uses=("temperature", "base_temperature", "projection"),
    build=lambda context: build(context, weight=1.0, clamp=True),
)
