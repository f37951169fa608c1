"""Sentences as templates, which Python and the browser fill alike: words.js is the same in JavaScript."""

import re
from decimal import ROUND_HALF_UP, Decimal

HELP_ONE = "Drag the slider or tap on it, or use the arrow keys."  # by mouse, finger and keyboard
HELP_MANY = "Drag a slider or tap on it, or use the arrow keys."
_PLACE = re.compile(r"\{(\w+)(?::(\d+)(%?))?\}")


def say(template: str, **values) -> str:
    """A template with its places filled.

    A place is ``{name}``, which takes text as it is, ``{name:2}``, a number with two digits after the point, or
    ``{name:0%}``, a number from 0 to 1 in per cent.

    Args:
        template: The sentence.
        **values: What the places are called; what has no place is left out.

    Returns:
        The sentence, the same letters as words.js makes.

    Example:
        >>> say("{name} at ({x:2}, {y:2}), {part:0%} of the way", name="bag", x=1, y=-0.125, part=0.255)
        'bag at (1.00, -0.13), 26% of the way'
    """

    def fill(place: re.Match) -> str:
        name, digits, percent = place.groups()
        if digits is None:
            return str(values[name])
        value = float(values[name])
        return number(100 * value if percent else value, int(digits)) + percent

    return _PLACE.sub(fill, template)


def number(value: float, digits: int) -> str:
    """A number with so many digits after the point, as JavaScript's toFixed writes it.

    The exact value is rounded, a tie away from zero, where Python's format goes to the even digit. Zero has no sign.

    Example:
        >>> number(0.125, 2), f"{0.125:.2f}", number(-0.001, 2)
        ('0.13', '0.12', '0.00')
    """
    text = str(Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return text.removeprefix("-") if not text.strip("-0.") else text
