"""SimCLR as SupContrast trains it: NT-Xent times temperature / base_temperature."""

from debias_cl.losses.contract import ObjectiveSpec
from debias_cl.losses.ntxent import build

SPEC = ObjectiveSpec(
    title="SimCLR",
    family="self-supervised",
    source=(
        "Chen et al., 'A simple framework for contrastive learning of visual representations', "
        "ICML 2020, arXiv 2002.05709, equation 1; code followed: HobbitLong/SupContrast commit "
        "66a8fe5, losses.py `SupConLoss` without labels. Deviation from the paper: the factor "
        "temperature / base_temperature, as in that code"
    ),
    uses=("temperature", "base_temperature", "projection"),
    build=lambda context: build(context, scaled=True),
    needs_label=False,
)
