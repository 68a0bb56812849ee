"""ConTeX whose label contrast stops pulling a positive that already beats all negatives."""

from debias_cl.losses.contex import DEVIATION, SOURCE, build
from debias_cl.losses.contract import ObjectiveSpec

SPEC = ObjectiveSpec(
    title="ConTeX, clamped",
    family="ConTeX",
    source=f"{SOURCE}, `contex_p`: each bracket of the label contrast is min(0, .); {DEVIATION}",
    uses=("temperature", "base_temperature", "weight", "projection"),
    build=lambda context: build(context, clamp=True),
)
