"""Nineteen classes of face parsing by number and by name, and their choice from text."""

from __future__ import annotations

import re
from typing import Final

from ..core.errors import InputError

# The data set's names, in its order, and the names shown to users.
CLASSES: Final = {
    "background": "background",
    "skin": "skin",
    "l_brow": "left eyebrow",
    "r_brow": "right eyebrow",
    "l_eye": "left eye",
    "r_eye": "right eye",
    "eye_glasses": "eyeglasses",
    "l_ear": "left ear",
    "r_ear": "right ear",
    "earring": "earring",
    "nose": "nose",
    "mouth": "inside of mouth",
    "u_lip": "upper lip",
    "l_lip": "lower lip",
    "neck": "neck",
    "necklace": "necklace",
    "cloth": "cloth",
    "hair": "hair",
    "hat": "hat",
}
IDS: Final = tuple(CLASSES)
NAMES: Final = tuple(CLASSES.values())
GROUPS: Final = {
    "face": tuple(range(1, 16)),  # the reference notebook's choice: all but background, cloth, hair and hat
    "head": (*range(1, 16), 17, 18),
    "eyebrows": (2, 3),
    "eyes": (4, 5),
    "ears": (7, 8, 9),
    "lips": (12, 13),
    "mouth": (11, 12, 13),
    "all": tuple(range(1, 19)),
}
DEFAULT: Final = "face"


def chosen_classes(text: object) -> tuple[int, ...]:
    """Read class numbers, ascending, from names, groups or numbers, separated by commas, semicolons or line breaks; a
    list of numbers alone may also be separated by underscores or spaces, as choosers write it.

    "mouth" is the whole mouth; its inside alone is "inside of mouth" or 11. Raises InputError for an unknown name, a
    number above 18, and where nothing is chosen.
    """
    written = str(text).strip().lower()
    separators = r"[\s,;_]+" if re.fullmatch(r"[\d\s,;_]*", written) else r"\s*[,;\n]\s*"
    words = [word for word in re.split(separators, written) if word]
    if not words:
        raise InputError(
            f"No part of the face is chosen; at least one is needed. Write some of: {', '.join([*GROUPS, *NAMES[1:]])}."
        )
    return tuple(sorted({number for word in words for number in _numbers(word)}))


def _numbers(word: str) -> tuple[int, ...]:
    name = " ".join(word.replace("_", " ").split())
    known = {" ".join(key.split("_")): (number,) for number, key in enumerate(IDS)}
    known |= {key: (number,) for number, key in enumerate(NAMES)} | GROUPS
    if name.isdecimal() and int(name) < len(CLASSES):
        return (int(name),)
    if name not in known:
        raise InputError(
            f"{word!r} is no part of the face; choose among {', '.join([*GROUPS, *NAMES])}, or numbers 0 to 18."
        )
    return known[name]
