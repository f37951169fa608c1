"""What a caption of a drawn face says, as numbers: a bag of phrases, for networks that take vectors. Lesson 14."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.data.faces.captions import SAYINGS

# In the order of `describe_face`. "turned left" is one phrase: "left" alone could also be said of the light.
PHRASES = tuple(phrase for phrases in SAYINGS.values() for phrase in phrases)
_SILENT = ("a", "an", "person", "with", "hair")
_ANY = re.compile("|".join(rf"\b{phrase}\b" for phrase in (*PHRASES, *_SILENT)))


def bag_of_phrases(captions: str | Sequence[str]) -> Tensor:
    """Which phrases each caption has, as numbers that a network can be told.

    The order of the phrases is lost, and nothing with it: each speaks of one handle. A row of zeros, which no whole
    caption gives (all name the colour of the hair), says nothing: it is the null condition of a flow.

    Args:
        captions: Captions as `describe_face` makes them, or parts of them such as "smiling, glasses"; or only one.

    Returns:
        float32 (N, P), columns in the order of `PHRASES`: 1 where the caption has the phrase, else 0; (P,) for one.

    Raises:
        ValueError: A caption has a word that no caption of a face has.
        TypeError: They are no strings.

    Taught in lesson 14.

    Example:
        >>> bag = bag_of_phrases("an older person with red hair, smiling, turned left, glasses")
        >>> [phrase for phrase, said in zip(PHRASES, bag) if said]
        ['older', 'red', 'smiling', 'turned left', 'glasses']
    """
    if isinstance(captions, str):
        return bag_of_phrases([captions])[0]
    rows = torch.zeros(len(captions), len(PHRASES))
    for row, caption in zip(rows, captions, strict=True):
        if not isinstance(caption, str):
            raise TypeError(f"a caption is a {type(caption).__name__}: give strings.")
        unknown = _ANY.sub("", caption.lower()).replace(",", " ").split()
        if unknown:
            raise ValueError(
                f"{unknown[0]!r} in {caption!r} is no word of a caption: say it by {', '.join(PHRASES)}, "
                "with commas between."
            )
        row[[PHRASES.index(said) for said in _ANY.findall(caption.lower()) if said in PHRASES]] = 1
    return rows
