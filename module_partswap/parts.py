"""Parts that the published weights learnt, by number and by name, and their choice from text."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Final

from ..core.errors import InputError

log = logging.getLogger(__name__)

# Names shown to users, by the names in stored workflows. Those were given by looking at results, and one part of
# fifteen never had any.
NAMES: Final = {
    "background": "background",
    "chin": "chin",
    "frnt_face": "front of the face",
    "shoulder": "shoulders",
    "hair": "hair",
    "fr_head": "forehead",
    "lf_ear": "left ear",
    "mouth": "mouth",
    "lf_fr_head": "left forehead",
    "rt_ear": "right ear",
    "lt_cheek": "left cheek",
    "eyes": "eyes",
    "rt_fr_head": "right forehead",
    "hair_top": "top of the hair",
    "lwr_shoulder": "lower shoulders",
    "lt_fr_head": "left forehead",
    "": "unnamed part",
    "hair_tip": "tips of the hair",
    "outer_hair": "outer hair",
    "lt_ear": "left ear",
    "lt_hair": "left hair",
    "rt_hair": "right hair",
    "neck": "neck",
}

PARTS: Final[Mapping[int, tuple[str, ...]]] = {
    5: ("background", "chin", "frnt_face", "shoulder", "hair", "fr_head"),
    10: (
        *("background", "lf_ear", "mouth", "lf_fr_head", "rt_ear", "frnt_face"),
        *("lt_cheek", "eyes", "rt_fr_head", "shoulder", "hair_top"),
    ),
    15: (
        *("background", "rt_fr_head", "eyes", "mouth", "lwr_shoulder", "shoulder", "lt_fr_head", ""),
        *("hair_tip", "frnt_face", "rt_ear", "outer_hair", "lt_ear", "lt_hair", "rt_hair", "neck"),
    ),
}
"""Parts in order, by their number in the weights; vox-first-order's ten never had names of their own."""


def stored_ids(count: int) -> list[str]:
    """Return the ids of the choosers' switches, in order: `m_0_background`, ..., `m_7` for the part without a name."""
    return [f"m_{number}_{name}".rstrip("_") for number, name in enumerate(PARTS[count])]


def part_names(count: int) -> list[str]:
    """Return the shown names of the background and `count` parts, in order; numbered where weights have no names."""
    named = PARTS.get(count)
    if named is None:
        return ["background", *(f"part {number}" for number in range(1, count + 1))]
    return [NAMES[name] for name in named]


def join_numbers(numbers: Iterable[int]) -> str:
    """Join numbers as choosers output them: ascending, `1_2_5`."""
    return "_".join(str(number) for number in sorted(numbers))


def from_switches(count: int, switches: Mapping[str, object]) -> str:
    """Convert a chooser's switches to its output. Numbers follow the switches' names, not their order."""
    return join_numbers(number for number, name in enumerate(stored_ids(count)) if switches.get(name))


def chosen_parts(value: object, count: int) -> tuple[int, ...]:
    """Read part numbers, ascending, from the value in a stored workflow or a person's text.

    Accepted are numbers, alone or in any text or list (`1_2_5`, `[1, 2]`, `1`, `1.0`), and the parts' names, separated
    by commas. Numbers above `count` are left out with a warning, as the earlier pack left them out in silence. Raises
    InputError for an unknown name, and where nothing is left.
    """
    words = _words(value)
    numbers = {_number(word, count) for word in words}
    beyond = sorted(number for number in numbers if number > count)
    if beyond:
        log.warning("Parts %s were chosen; these weights have 0 to %d.", ", ".join(map(str, beyond)), count)
    if numbers.issubset(beyond):
        raise InputError(
            f"is {value!r}, so that no segment is chosen; at least one of 0 to {count} is needed. "
            "Switch some on, or write numbers such as 1_2_5.",
            "parts",
        )
    return tuple(sorted(numbers.difference(beyond)))


def _words(value: object) -> list[str]:
    text = str(value).strip().strip("[](){}").lower()
    if value is None or isinstance(value, bool) or text == "none":
        return []
    if isinstance(value, float) and value.is_integer():
        return [str(int(value))]
    numbers_only = re.fullmatch(r"[\d\s_,;]*", text) is not None
    return [word for word in re.split(r"[\s_,;]+" if numbers_only else r"\s*[,;\n]\s*", text) if word]


def _number(word: str, count: int) -> int:
    digits = re.fullmatch(r"m_(\d+)(?:_\w*)?|(\d+)(?:\.0*)?", word.strip("'\""))
    if digits:
        return int(digits[1] or digits[2])
    named = PARTS.get(count, ())
    for names in (named, part_names(count)):
        if word in names:
            return list(names).index(word)
    raise InputError(
        f"{word!r} is no part; write numbers from 0 to {count} such as 1_2_5, or names: {', '.join(part_names(count))}."
    )
