"""BiasCon with BiasBal as its classifier's loss."""

from debias_cl.losses.biasbal import SOURCE, BiasBal
from debias_cl.losses.biascon import DEVIATION, BiasCon
from debias_cl.losses.contract import ObjectiveSpec

SPEC = ObjectiveSpec(
    title="BiasCon + BiasBal",
    family="debiasing, bias label used",
    source=f"{SOURCE}, their scripts with --bb 1: total 0.01 BiasBal + BiasCon; {DEVIATION}",
    uses=("temperature", "projection"),
    build=lambda context: BiasCon(context, BiasBal(context)),
    needs_bias=True,
    options={"ce_weight": 0.01},
)
