"""Caltech-101: 8,677 photographs and drawings of 101 kinds of things, and a background class.

What: 31 to 800 pictures a class, about 300 x 200 pixels, collected from image searches; some are
greyscale and become RGB (counted). `Faces` and `Faces_easy` show the same pictures, cut apart.
Source: Li, Fergus and Perona 2004. Licence: CC BY 4.0 (CaltechDATA).

Protocols (no split is published; 30 training pictures a class is the usual number):
- `holdout` (default): 30 pictures a class by a hash of the name train, the rest test; a tenth of
  the training pictures, by hash, validates.
- `full`: all 30 a class train, and there is no validation split.

Counts: 8,677 pictures without the 467 of BACKGROUND_Google, which is no class and is left out;
3,030 train, 5,647 test. The published numbers follow random splits: expect small differences.
Attributes: none, so accuracy is shown by class and no groups are compared. Classes differ in size,
so the mean over classes, the usual figure, stands beside the accuracy.
Known damage: `Faces` and `Faces_easy` share pictures across training and test; BACKGROUND_Google
holds a file `tmp` that is no picture.
"""

from __future__ import annotations

from debias_cl.data import caltech
from debias_cl.data.standard_presets import large, quick, short

KIND = caltech.Kind(
    title="Caltech-101",
    name="caltech101",
    folder="101_ObjectCategories",
    background="BACKGROUND_Google",
    class_name=lambda folder: folder,
    classes=101,
    pictures=8_677,
    background_pictures=467,
    page="https://data.caltech.edu/records/mzrjq-6wc02",
    archive="caltech-101.zip (101_ObjectCategories.tar.gz inside)",
)

SPEC = caltech.spec(
    KIND,
    "8,677 pictures in 101 classes (CC BY 4.0).",
    large(
        quick("Short training", 60, batch_size=128),
        short(128, 200, 256, "under an hour"),
    ),
)
