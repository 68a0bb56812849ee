"""An objective of your own: one file with a SPEC, found by its file name.

`registry.load_plugin(Path("examples/own_objective.py"))` adds it under the name `own_objective`.
This one pulls the views of an image together and keeps the batch spread out (alignment and
uniformity).
"""

from torch import Tensor, nn

from debias_cl.losses.contract import Contrastive, ObjectiveContext, ObjectiveSpec


class AlignAndSpread(nn.Module):
    """Mean squared distance of two views, plus the log mean Gaussian potential of all rows."""

    def forward(self, projections: Tensor, label: Tensor | None) -> Tensor:
        """Return the loss of (B, 2, d) projections; the label is not used."""
        z = nn.functional.normalize(projections, dim=-1)
        align = (z[:, 0] - z[:, 1]).square().sum(dim=1).mean()
        distances = nn.functional.pdist(z.flatten(0, 1)).square()
        return align + distances.mul(-2).exp().mean().log()


def build(context: ObjectiveContext) -> Contrastive:
    """Put the loss behind the usual projection head."""
    return Contrastive(context, AlignAndSpread(), use_label=False)


SPEC = ObjectiveSpec(
    title="Align and spread",
    family="self-supervised",
    source="Wang and Isola 2020, arXiv 2005.10242, with alpha 2 and t 2",
    uses=("projection",),
    build=build,
    needs_label=False,
)
