"""Caltech-256: 29,780 photographs of 256 kinds of things, and a clutter class.

What: 80 to 827 pictures a class, about 350 px wide, collected from image searches; some are
greyscale and become RGB (counted). Class folders are numbered (`001.ak47`); the number is dropped.
Source: Griffin, Holub and Perona 2007. Licence: CC BY 4.0 (CaltechDATA).

Protocols (no split is published; 30 training pictures a class is the usual number):
- `holdout` (default): 30 pictures a class by a hash of the name train, the rest test; a tenth of
  the training pictures, by hash, validates.
- `full`: all 30 a class train, and there is no validation split.

Counts: 29,780 pictures without the 827 of 257.clutter, which is no class and is left out; 7,680
train, 22,100 test. The published numbers follow random splits: expect small differences.
Attributes: none, so accuracy is shown by class and no groups are compared. Classes differ in size,
so the mean over classes, the usual figure, stands beside the accuracy.
Known damage: 056.dog holds a folder `greg` and 198.spider a file RENAME2, which are left out and
counted; about 1.5 % of the labels are wrong (Northcutt et al. 2021), left as they are.
"""

from __future__ import annotations

import re

from debias_cl.data import caltech
from debias_cl.data.standard_presets import large, quick, short

KIND = caltech.Kind(
    title="Caltech-256",
    name="caltech256",
    folder="256_ObjectCategories",
    background="257.clutter",
    class_name=lambda folder: re.sub(r"^\d{3}\.", "", folder),
    classes=256,
    pictures=29_780,
    background_pictures=827,
    page="https://data.caltech.edu/records/nyy15-4j048",
    archive="256_ObjectCategories.tar",
)

SPEC = caltech.spec(
    KIND,
    "29,780 pictures in 256 classes (CC BY 4.0).",
    large(
        quick("Short training", 30, batch_size=256),
        short(128, 200, 256, "an hour or two"),
    ),
)
