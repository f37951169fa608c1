"""What a caption of a drawn face says: of which handle, and in which words. Lesson 14."""

import re
from collections.abc import Sequence

# What `describe_face` can say of a handle; where it says nothing, the handle is in the middle or the feature not there.
# Grey hair comes from the handle age, but what one sees is the colour.
SAYINGS: dict[str, tuple[str, ...]] = {
    "age": ("young", "older"),
    "hair_length": ("short", "long"),
    "hair_curl": ("curly",),
    "hair_color": ("black", "brown", "red", "blond", "grey"),
    "smile": ("frowning", "smiling"),
    "turn": ("turned left", "turned right"),
    "eye_open": ("eyes closed",),
    "brow": ("brows drawn down", "brows raised"),
    "light": ("lit from the left", "lit from the right"),
    "glasses": ("glasses",),
}
_HANDLE_OF = {phrase: handle for handle, phrases in SAYINGS.items() for phrase in phrases}
_PHRASE = re.compile(rf"\b({'|'.join(_HANDLE_OF)})\b")


def named_handles(caption: str) -> dict[str, str]:
    """The handles that a caption names, and what it says of each.

    Args:
        caption: As `describe_face` makes it, or a part of one such as "smiling, glasses".

    Returns:
        The phrase by the name of the handle, in the order of the caption; empty if it names none.

    Raises:
        TypeError: The caption is no string.
        ValueError: It says two things of one handle.

    Example:
        >>> named_handles("an older person with red hair, smiling, turned left")
        {'age': 'older', 'hair_color': 'red', 'smile': 'smiling', 'turn': 'turned left'}
    """
    if not isinstance(caption, str):
        raise TypeError(f"a caption is a {type(caption).__name__}: give a string.")
    found: dict[str, str] = {}
    for phrase in _PHRASE.findall(caption.lower()):
        handle = _HANDLE_OF[phrase]
        if found.setdefault(handle, phrase) != phrase:
            raise ValueError(
                f"{caption!r} says {found[handle]!r} and {phrase!r}, which are both about {handle}: leave one out."
            )
    return found


def obeyed(captions: Sequence[str], seen: Sequence[str]) -> dict[str, tuple[int, int]]:
    """How often what captions say of a handle is also said of the faces that were made from them.

    Args:
        captions: What was asked for, N captions.
        seen: What `describe_face` says of the N faces that were made.

    Returns:
        By name of the handle, in the order of SAYINGS: (in how many faces it is as the caption says, in how many
        captions it is named). A handle that no caption names is (0, 0).

    Raises:
        ValueError: Not as many of one as of the other.

    Example:
        >>> obeyed(["smiling, glasses", "smiling"], ["frowning, glasses", "smiling"])["smile"]
        (1, 2)
    """
    if len(captions) != len(seen):
        raise ValueError(f"there are {len(captions)} captions and {len(seen)} faces: give one caption a face.")
    pairs = [(named_handles(asked), named_handles(got)) for asked, got in zip(captions, seen, strict=True)]
    return {
        handle: (
            sum(asked[handle] == got.get(handle) for asked, got in pairs if handle in asked),
            sum(handle in asked for asked, _ in pairs),
        )
        for handle in SAYINGS
    }
