"""SupCon in: supervised contrast, the sum over positives inside the logarithm."""

from debias_cl.losses.contract import ObjectiveSpec
from debias_cl.losses.supcon import build

SPEC = ObjectiveSpec(
    title="SupCon (in)",
    family="supervised contrastive",
    source=(
        "Khosla et al., 'Supervised contrastive learning', NeurIPS 2020, arXiv 2004.11362, "
        "equation 3 (in); code followed: google-research supcon/losses.py, summation INSIDE. "
        "Deviation: multiplied by temperature / base_temperature, as the PyTorch code of the "
        "`out` form is (theirs multiplies by the temperature or not at all). "
        "EIDOSLAB's loss of this name is another one"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=lambda context: build(context, form="in"),
)
