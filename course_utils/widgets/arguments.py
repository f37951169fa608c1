"""What explorers accept: one door for each kind of argument, and one sentence about what does not fit through it.

Every door takes what a reader may have at hand, a list, NumPy's or a tensor on any device, and returns it as the
explorers use it: Python's own numbers and words, or float32 on the CPU.
"""

import math
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from course_utils.inputs import as_tensor, check_pixels, labels_of

MOST_CLASSES = 256  # a class travels to the browser in one byte
OURS = {"dtype": torch.float32, "device": "cpu"}  # of tensors made here, whatever PyTorch's defaults are set to
LARGEST = 1e30  # of a code or a place: sums and squares of more would overflow


def check_model(model, needs: Sequence[str] = ("encode", "decode")) -> None:
    """Raise one clear error unless the model has the methods an explorer calls."""
    found = {name: getattr(model, name, None) for name in needs}
    missing = [name for name, one in found.items() if not (callable(one) or isinstance(one, (tuple, list)))]
    if missing:
        raise TypeError(f"a {type(model).__name__} has no {' and no '.join(missing)}: give a LatentModel.")


def check_number(value, name: str) -> float:
    """One finite number, also from a tensor or from NumPy, as a float; or one clear error."""
    try:
        plain = value.item() if hasattr(value, "item") else value
        number = math.nan if isinstance(plain, (str, bool)) else float(plain)
    except (TypeError, ValueError, RuntimeError, OverflowError):  # RuntimeError: a tensor of several numbers
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is {reprlib.repr(value)}: give one finite number.")
    return number


def check_whole(value, name: str, least: int, most: float = math.inf) -> int:
    """One whole number from least to most, also from a tensor or from NumPy, as an int; or one clear error."""
    number = check_number(value, name)
    if number != int(number) or not least <= number <= most:
        up_to = f" to {most}" if most < math.inf else ""
        raise ValueError(f"{name} is {number:g}: give a whole number from {least}{up_to}.")
    return int(number)


def check_list(values, name: str, count: int | None = None) -> list:
    """The values of a list, tuple, array or tensor, of so many where it matters; or one clear error."""
    try:
        found = None if isinstance(values, (str, bytes, Mapping)) else list(values)
    except TypeError:
        found = None
    if found is None or count not in (None, len(found)):
        raise TypeError(f"{name} is {reprlib.repr(values)}: give a list or tuple{f' of {count}' if count else ''}.")
    return found


def check_names(names, name: str) -> tuple[str, ...]:
    """Names as text, a single one too; or one clear error."""
    return (names,) if isinstance(names, str) else tuple(map(str, check_list(names, name)))


def check_colors(colors, classes: int) -> tuple[str, ...]:
    """A colour for each class, as "#rrggbb"; or one clear error."""
    colors = check_list(colors, "colors", classes)
    wrong = [one for one in colors if not re.fullmatch("#[0-9a-fA-F]{6}", str(one))]
    if wrong:
        raise ValueError(f'colors has {wrong[0]!r}: give each as "#rrggbb".')
    return tuple(colors)


def check_named(given, name: str, wanted: str) -> dict:
    """A dictionary that is not empty, its keys as text; or one clear error."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is a {type(given).__name__}: give a dictionary, {wanted}.")
    if not given:
        raise ValueError(f"{name} is empty: give a dictionary, {wanted}.")
    return dict(zip(check_different(map(str, given), name), given.values(), strict=True))


def check_different(names: Iterable[str], name: str) -> list[str]:
    """The names, no two of them the same; or one clear error."""
    names = list(names)
    if twice := [one for k, one in enumerate(names) if one in names[:k]]:
        raise ValueError(f"two of {name} are called {twice[0]!r}: give each its own name.")
    return names


def check_function(fn, name: str) -> None:
    """Raise one clear error unless it can be called."""
    if not callable(fn):
        raise TypeError(f"{name} is a {type(fn).__name__}: give a function.")


def read_tensor(values, name: str, wanted: str) -> Tensor:
    """Real numbers as a tensor on the CPU, or one clear error."""
    try:
        tensor = as_tensor(values, name).detach().cpu()
    except TypeError:
        tensor = None
    if tensor is None or tensor.is_complex():
        raise TypeError(f"{name} cannot be read as real numbers from a {type(values).__name__}: give {wanted}.")
    return tensor


def check_tensor(values, name: str, wanted: str) -> Tensor:
    """Finite real numbers as float32 on the CPU, or one clear error."""
    tensor = read_tensor(values, name, wanted).float()
    if not (tensor.abs() < LARGEST).all():
        raise ValueError(f"NaN, infinite or far too large numbers are in {name}: look for the step that made them.")
    return tensor


def check_vector(vector, name: str, size: int) -> Tensor:
    """A vector (size,), or one clear error."""
    vector = check_tensor(vector, name, f"a vector ({size},)")
    if vector.shape != (size,):
        raise ValueError(f"{name} has shape {tuple(vector.shape)} but codes of this model have {size} numbers.")
    return vector


def check_code(code, name: str, shape: Sequence[int]) -> Tensor:
    """One code of this shape, or one clear error."""
    if len(shape) == 1:
        return check_vector(code, name, shape[0])
    code = check_tensor(code, name, f"a tensor {tuple(shape)}")
    if code.shape != tuple(shape):
        raise ValueError(f"{name} has shape {tuple(code.shape)} but codes of this model have shape {tuple(shape)}.")
    return code


def check_codes(model, codes, name: str = "codes", count: int | None = None) -> Tensor:
    """The codes of a data set, (N, *latent_shape), or one clear error."""
    codes = check_tensor(codes, name, "a tensor (N, ...)")
    shape = tuple(getattr(model, "latent_shape", codes.shape[1:])) or ("D",)
    if codes.ndim < 2 or len(codes) == 0 or tuple(codes.shape[1:]) != shape or count not in (None, len(codes)):
        wanted = f"({count or 'N'}, {', '.join(map(str, shape))})"
        raise ValueError(f"{name} have shape {tuple(codes.shape)} but must be {wanted}, with at least one.")
    return codes


def check_labels(labels, count: int, names: Sequence[str]) -> Tensor:
    """The class of each of `count` points, int64, each with a name; or one clear error."""
    labels = check_tensor(labels, "labels", "the class of each, whole numbers (N,)")
    if (labels != labels.round()).any():
        raise ValueError(f"labels hold {labels[labels != labels.round()][0]:g}: give whole numbers, classes from 0.")
    labels = labels_of(labels.long(), count, classes=len(names), hint=f": there are {len(names)} class names")
    if len(names) > MOST_CLASSES:
        raise ValueError(f"there are {len(names)} class names: an explorer can show {MOST_CLASSES} classes.")
    return labels


def check_images(images, count: int) -> Tensor | None:
    """The images, one for each code, uint8 or floats in [0, 1]; None where there are none; or one clear error."""
    images = getattr(images, "images", images)
    if images is None:
        return None
    images = read_tensor(images, "images", "an ImageSet or a tensor (N, C, H, W)")
    if images.dtype != torch.uint8:
        images = images.float()
        check_pixels(images)
    if images.ndim != 4 or len(images) != count or images.shape[1] not in (1, 3) or not images.numel():
        raise ValueError(f"images have shape {tuple(images.shape)} for {count} codes: give (N, C, H, W), one for each.")
    return images


def check_image(x, name: str) -> Tensor:
    """One image (C, H, W) of floats in [0, 1], on the CPU, or one clear error."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} must be a torch tensor, not {type(x).__name__}.")
    if x.ndim == 4 and len(x) == 1:
        x = x[0]
    if x.ndim != 3 or x.shape[0] not in (1, 3) or not x.numel():
        raise ValueError(f"{name} has shape {tuple(x.shape)}: give one image (C, H, W) with C of 1 or 3.")
    check_pixels(x, f"the pixels of {name}")
    return x.detach().float().cpu()


def check_encoded(z, count: int) -> Tensor:
    """Codes (count, ...) as a model encodes them, finite, or one clear error."""
    if not isinstance(z, Tensor) or z.ndim < 2 or len(z) != count:
        found = f"shape {tuple(z.shape)}" if isinstance(z, Tensor) else f"a {type(z).__name__}"
        raise TypeError(f"encode returned {found} for {count} images: it must return a tensor of codes, (B, ...).")
    if not torch.isfinite(z).all():
        raise ValueError("encode returned NaN or infinite numbers for this image.")
    return z


def check_decoded(images, count: int) -> Tensor:
    """Decoded images (count, C, H, W), finite and on the CPU, or one clear error."""
    if not isinstance(images, Tensor):
        raise TypeError(f"decode returned a {type(images).__name__}: it must return a tensor (B, C, H, W).")
    if images.ndim != 4 or len(images) != count or images.shape[1] not in (1, 3):
        raise ValueError(f"decode returned shape {tuple(images.shape)} for {count} codes: it must be (B, C, H, W).")
    images = images.float().cpu()
    if not torch.isfinite(images).all():
        raise ValueError("decode returned NaN or infinite pixels for this code.")
    return images
