"""Evaluate a network of your own on a data set: here 4 x 4 mean colours as features of digits.

Run it with `python examples/evaluate_a_network.py`. The network takes normalised pictures and gives
features; the training digits mostly have one colour each, and so coarse a network leans on it.
"""

from torch import nn

import debias_cl
from debias_cl import Settings

network = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten())
audit = debias_cl.evaluate(
    network,
    "biased_mnist_mini",  # 5,000 real digits that come with a dependency: nothing is downloaded
    settings=Settings(permutations=1000),
    representation=False,
)

for name in ("accuracy", "aligned_accuracy", "conflict_accuracy"):
    found = audit.metrics["overall"][name]
    print(f"{name} {found['value']:.3f} (95 % {found['low']:.3f} to {found['high']:.3f})")
print(f"{sum(finding.outcome == 'issue' for finding in audit.findings)} findings are issues")
