"""CelebA's attributes, and words for them."""

from __future__ import annotations

from collections.abc import Mapping

NAMES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""The 40 attributes, in the file's order."""

SYNONYMS: Mapping[str, str] = {
    "gender": "Male",
    "sex": "Male",
    "female": "Male",
    "age": "Young",
    "old": "Young",
    "hair": "Blond_Hair",
    "blond": "Blond_Hair",
    "blonde": "Blond_Hair",
    "makeup": "Heavy_Makeup",
    "smile": "Smiling",
    "glasses": "Eyeglasses",
    "beard": "No_Beard",
}
"""Other words that people try, case-folded -> the attribute that the error proposes."""

WORDS: Mapping[str, tuple[str, str]] = {
    "Male": ("women", "men"),
    "Young": ("older people", "young people"),
    "Blond_Hair": ("not blond", "blond"),
    "Heavy_Makeup": ("without heavy makeup", "with heavy makeup"),
    "Smiling": ("not smiling", "smiling"),
    "Attractive": ("not called attractive", "called attractive"),
    "Eyeglasses": ("without glasses", "with glasses"),
}
"""Attribute -> words for 0 and for 1."""
