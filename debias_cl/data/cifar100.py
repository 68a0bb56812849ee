"""CIFAR-100: 60,000 small photographs of a hundred kinds of things.

What: 50,000 training and 10,000 test pictures of 32 x 32 pixels, 600 of each class; the fine labels
are the classes, the twenty coarse ones are not read.
Source: Krizhevsky 2009 (Learning multiple layers of features from tiny images). Licence: none
stated; the technical report is to be cited.

Protocols:
- `holdout` (default): a tenth of the training pictures, chosen by a hash of their names, is never
  trained on and validates: nothing that chooses a checkpoint has been trained on.
- `full`: the published one. All 50,000 train, and there is no validation split.

Counts: 500 a class in training, 100 in test. A part of the set is read and shown as what it is.
Attributes: none, so accuracy is shown by class and no groups are compared.
Known damage: 10 % of the test pictures have a near duplicate in training (Barz and Denzler 2020);
about 6 % of the test labels are wrong (Northcutt et al. 2021). Both are left as they are.
Forms: as for CIFAR-10; Parquet may call the label `fine_label`.
"""

from __future__ import annotations

from debias_cl.data import cifar
from debias_cl.data.cifar_layouts import Kind

CLASSES = (
    *("apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle"),
    *("bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle"),
    *("caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch"),
    *("crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox"),
    *("girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard"),
    *("lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse"),
    *("mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck"),
    *("pine_tree", "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray"),
    *("road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail"),
    *("snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank"),
    *("telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle"),
    *("wardrobe", "whale", "willow_tree", "wolf", "woman", "worm"),
)
KIND = Kind(
    title="CIFAR-100",
    name="cifar100",
    classes=CLASSES,
    folder="cifar-100-python",
    batches={"train": ("train",), "test": ("test",)},
    key="fine_labels",
)
MEAN, STD = (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761)
"""Those of the SupContrast and ConTeX code."""

SPEC = cifar.spec(
    KIND,
    "60,000 photographs of 32 x 32 pixels in a hundred classes (no licence stated).",
    MEAN,
    STD,
)
