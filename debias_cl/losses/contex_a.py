"""ConTeX's label contrast alone: no positives in the denominator, no self contrast."""

from debias_cl.losses.contex import DEVIATION, SOURCE, build
from debias_cl.losses.contract import ObjectiveSpec

SPEC = ObjectiveSpec(
    title="ConTeX, label contrast alone",
    family="ConTeX",
    source=(
        f"{SOURCE}: the term L_a alone, unclamped; the same formula as google-research supcon/"
        f"losses.py with ONLY_NEGATIVES, which has no base temperature; {DEVIATION}"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=lambda context: build(context, weight=1.0),
)
