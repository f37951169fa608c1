"""The handles of a drawn face: their ranges and meaning, how to draw them at random, how to put them into words."""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.inputs import numbers

CORRELATION = 0.9  # of the two normal variables behind each tied pair
TIES = (("smile", "light"), ("age", "glasses"))


@dataclass(frozen=True)
class Handle:
    """One thing about a face that can be set.

    Attributes:
        low: Value at one end of the range.
        high: Value at the other end.
        default: Value where nothing is said.
        meaning: What the two ends look like, and what the handle changes.
        values: The only sensible values of a handle that is not continuous; None for a continuous one.
    """

    low: float
    high: float
    default: float
    meaning: str
    values: tuple[float, ...] | None = None


HANDLES: dict[str, Handle] = {
    "smile": Handle(-1, 1, 0.3, "mouth and cheeks: from corners down (-1) to a broad smile that shows teeth (1)"),
    "turn": Handle(-1, 1, 0.0, "the head, with all on it, turned to the left of the image (-1) or to the right (1)"),
    "light": Handle(-1, 1, -0.3, "the person's shading: light from the left of the image (-1) or from the right (1)"),
    "hair_color": Handle(0, 1, 0.35, "hair and brows: black (0), brown, red, copper, blond (1)"),
    "hair_length": Handle(0, 1, 0.6, "from cropped (0) over the chin's height to below the shoulders (1)"),
    "hair_curl": Handle(0, 1, 0.2, "from straight and flat (0) to full curls with a wavy outline (1)"),
    "age": Handle(0, 1, 0.25, "from young (0) to old (1): wrinkles, and from the middle on hair and brows turn grey"),
    "eye_open": Handle(0, 1, 0.75, "both eyes: from closed (0) to wide open (1)"),
    "brow": Handle(-1, 1, 0.2, "both brows: from drawn down at the nose (-1) to raised (1)"),
    "skin": Handle(0, 1, 0.35, "skin and lips: from light (0) to dark (1)"),
    "face_width": Handle(-1, 1, 0.0, "outline of the face, with ears and hair: from narrow (-1) to wide (1)"),
    "background": Handle(0, 1, 0.3, "colour behind the person: blue (0), green, sand, rose, violet (1)"),
    "glasses": Handle(0, 1, 0.0, "glasses worn (1) or not (0); a value between draws them see-through", (0.0, 1.0)),
}


def as_handles(handles, wanted: str) -> Tensor:
    """Handles as a tensor of finite numbers; or one clear error."""
    if isinstance(handles, Mapping):
        raise TypeError("handles are a dictionary: default_handles(**handles) makes a tensor of it.")
    try:
        return numbers(handles, "handles")
    except TypeError as error:
        kind = type(handles).__name__
        raise TypeError(f"handles cannot be read as numbers from a {kind}: give a tensor {wanted}.") from error


def as_whole(value, name: str, least: int, why: str) -> int:
    """A whole number of at least so much; or one clear error."""
    try:
        value = operator.index(value)
    except TypeError as error:
        raise TypeError(f"{name} is {value!r}: give a whole number.") from error
    if value < least:
        raise ValueError(f"{name} is {value}: {why}")
    return value


def default_handles(n: int = 1, **named: float | Tensor) -> Tensor:
    """Handles of n equal faces, with some set by name.

    Args:
        n: Number of faces.
        named: Values by handle name: a number, or a tensor (n,) with one value a face.

    Returns:
        float32 (n, K), columns in the order of `HANDLES`; where a value is a tensor, on its device and with its
        gradient.

    Raises:
        ValueError: n is below 1, a name is unknown, a value is out of its range, or a tensor is not of shape (n,).

    Example:
        >>> handles = default_handles(3, smile=torch.linspace(-1, 1, 3), glasses=1)
        >>> handles[:, 0].tolist()
        [-1.0, 0.0, 1.0]
    """
    n = as_whole(n, "n", 1, "ask for at least 1 face.")
    for name, value in named.items():
        if name not in HANDLES:
            raise ValueError(f"there is no handle {name!r}: the handles are {', '.join(HANDLES)}.")
        values = torch.as_tensor(value).detach()
        if values.ndim and values.shape != (n,):
            raise ValueError(f"{name} has shape {tuple(values.shape)}: give one number, or a tensor of shape ({n},).")
        low, high = HANDLES[name].low, HANDLES[name].high
        if not bool(((values >= low) & (values <= high)).all()):
            raise ValueError(f"{name} is {value}: it goes from {low} to {high}.")
    device = next((v.device for v in named.values() if isinstance(v, Tensor)), None)
    columns = [named.get(name, handle.default) for name, handle in HANDLES.items()]
    return torch.stack([torch.as_tensor(c, dtype=torch.float32, device=device).expand(n) for c in columns], dim=1)


def sample_handles(n: int, *, generator: torch.Generator | None = None, correlated: bool = False) -> Tensor:
    """Random handles: each uniform over its range, glasses with probability 1/2.

    All handles are independent, unless ``correlated``: then light follows smile, so that a smiling face is mostly lit
    from the right and a sad one from the left, and glasses follow age, so that mostly the older half wears them. Each
    of the two pairs comes from two normal variables with correlation 0.9, pushed through the normal distribution
    function (a Gaussian copula): every single handle keeps its distribution, only the pairs change.

    Args:
        n: Number of faces.
        generator: Source of randomness; None uses PyTorch's global generator.
        correlated: Tie light to smile and glasses to age.

    Returns:
        float32 (n, K) on the generator's device, columns in the order of `HANDLES`.

    Raises:
        ValueError: n is below 1.

    Example:
        >>> sample_handles(5, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([5, 13])
    """
    n = as_whole(n, "n", 1, "ask for at least 1 face.")
    device = generator.device if generator is not None else None
    uniform = torch.rand(n, len(HANDLES), generator=generator, device=device, dtype=torch.float32)
    if correlated:
        for pair in TIES:
            leader, follower = (list(HANDLES).index(name) for name in pair)
            normal = torch.erfinv((2 * uniform - 1).clamp(-1 + 1e-6, 1 - 1e-6))  # times sqrt(2)
            tied = CORRELATION * normal[:, leader] + math.sqrt(1 - CORRELATION**2) * normal[:, follower]
            uniform[:, follower] = (1 + torch.erf(tied)) / 2
    columns = []
    for handle, u in zip(HANDLES.values(), uniform.unbind(1), strict=True):
        columns.append((u > 0.5).to(u.dtype) if handle.values else handle.low + (handle.high - handle.low) * u)
    return torch.stack(columns, dim=1)


def describe_face(handles: Tensor) -> str:
    """What a person would say about a face, in a few words.

    Args:
        handles: One row (K,), or any sequence of K numbers in the order of `HANDLES`.

    Returns:
        Words such as "an older person with red hair, smiling, turned left, glasses". Left and right are those of the
        image. What is in the middle of its range is not mentioned.

    Raises:
        ValueError: There are not K numbers.

    Example:
        >>> describe_face(default_handles(smile=1.0, turn=-1.0, age=0.65, hair_color=0.55, glasses=1.0)[0])
        'an older person with red hair, smiling, turned left, glasses'
    """
    handles = as_handles(handles, f"({len(HANDLES)},)")
    if handles.shape != (len(HANDLES),):
        shape = tuple(handles.shape)
        raise ValueError(f"handles have shape {shape}: give one face, ({len(HANDLES)},), for example handles[0].")
    h = dict(zip(HANDLES, handles.tolist(), strict=True))
    age = _word(h["age"], (0.2, "a young person"), (0.6, "a person"), (math.inf, "an older person"))
    color = _word(h["hair_color"], (0.18, "black"), (0.45, "brown"), (0.68, "red"), (math.inf, "blond"))
    color = "grey" if h["age"] > 0.7 else color
    length = _word(h["hair_length"], (0.25, "short "), (0.7, ""), (math.inf, "long "))
    curl = "curly " if h["hair_curl"] > 0.6 else ""
    parts = [
        f"{age} with {length}{curl}{color} hair",
        _word(h["smile"], (-0.3, "frowning"), (0.4, ""), (math.inf, "smiling")),
        _word(h["turn"], (-0.35, "turned left"), (0.35, ""), (math.inf, "turned right")),
        _word(h["eye_open"], (0.15, "eyes closed"), (math.inf, "")),
        _word(h["brow"], (-0.6, "brows drawn down"), (0.6, ""), (math.inf, "brows raised")),
        _word(h["light"], (-0.6, "lit from the left"), (0.6, ""), (math.inf, "lit from the right")),
        "glasses" if h["glasses"] >= 0.5 else "",
    ]
    return ", ".join(part for part in parts if part)


def _word(value: float, *steps: tuple[float, str]) -> str:
    """The word of the first step that the value lies below."""
    return next(word for limit, word in steps if value < limit)
