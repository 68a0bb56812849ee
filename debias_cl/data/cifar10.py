"""CIFAR-10: 60,000 small photographs of ten kinds of animals and vehicles.

What: 50,000 training and 10,000 test pictures of 32 x 32 pixels, 6,000 of each class; labelled by
paid students, out of the withdrawn 80 Million Tiny Images.
Source: Krizhevsky 2009 (Learning multiple layers of features from tiny images). Licence: none
stated; the technical report is to be cited.

Protocols:
- `holdout` (default): a tenth of the training pictures, chosen by a hash of their names, is never
  trained on and validates: nothing that chooses a checkpoint has been trained on.
- `full`: the published one. All 50,000 train, and there is no validation split.

Counts: 5,000 a class in training, 1,000 in test. A part of the set is read and shown as what it is.
Attributes: none, so accuracy is shown by class and no groups are compared.
Known damage: 3.3 % of the test pictures have a near duplicate in training (Barz and Denzler 2020);
about 0.5 % of the test labels are wrong (Northcutt et al. 2021). Both are left as they are.
Forms: torchvision's files, `train.parquet` and `test.parquet` (`image` bytes, `label`; `label_name`
and `name` where there are), or class folders. With names, all forms give the same splits.
"""

from __future__ import annotations

from debias_cl.data import cifar
from debias_cl.data.cifar_layouts import Kind

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
KIND = Kind(
    title="CIFAR-10",
    name="cifar10",
    classes=CLASSES,
    folder="cifar-10-batches-py",
    batches={
        "train": tuple(f"data_batch_{i}" for i in range(1, 6)),
        "test": ("test_batch",),
    },
    key="labels",
)
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
"""Those of the SupContrast and ConTeX code; the deviation is the mean of the pictures' own."""

SPEC = cifar.spec(
    KIND, "60,000 photographs of 32 x 32 pixels in ten classes (no licence stated).", MEAN, STD
)
