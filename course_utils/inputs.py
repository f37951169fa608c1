"""The doors of the package: what comes in is right, or one clear sentence says what was found and what to do.

Numbers, images, codes and labels: every room asks here, and checks nothing of it itself.
"""

import numpy as np
import torch
from torch import Tensor


class NotFinite(ValueError):
    """There are NaN or infinite values in what came in."""

    def __init__(self, what: str):
        super().__init__(f"there are NaN or infinite values in {what}: look for the step that made them.")


def as_tensor(value, name: str) -> Tensor:
    """A tensor as it is; a NumPy array or a list of numbers as a tensor.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(value, Tensor):
        return value
    try:
        if hasattr(value, "__array__"):  # PyTorch takes no reversed array, and none of another byte order
            value = np.array(value, order="C")
            value = value.astype(value.dtype.newbyteorder("="))
        return torch.as_tensor(value, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        kind = type(value).__name__
        raise TypeError(f"{name} must be a torch tensor or a NumPy array of numbers, not {kind}.") from None


def numbers(value, name: str) -> Tensor:
    """Finite numbers to compute with: floating point, those of 16 bits and whole numbers as float32.

    Raises:
        TypeError: They are no tensor, array or list of numbers.
        NotFinite: Some are NaN or infinite.
    """
    values = as_tensor(value, name)
    if values.is_complex():
        raise TypeError(f"{name} are {values.dtype} but must be real numbers.")
    (values,) = at_least_float32(values if values.is_floating_point() else values.float())
    if not values.isfinite().all():
        raise NotFinite(name)
    return values


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, those of 16 bits as float32."""
    return tuple(t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in tensors)


def at_least_one(**sizes: int) -> None:
    """Raise one clear error unless all sizes, given by name, are at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}: it must be at least 1.")


def same_shape(a: Tensor, b: Tensor) -> None:
    """Raise one clear error unless two tensors have one shape."""
    if a.shape != b.shape:
        raise ValueError(f"the two tensors have shapes {tuple(a.shape)} and {tuple(b.shape)}: they must be the same.")


def centred(*points: Tensor) -> list[Tensor]:
    """Sets of points (N, ...) as float32 vectors (N, D) around the mean of the last set.

    Distances do not depend on the centre, but what they lose in rounding does; nor does a number far from zero lose
    its last digits to float32 before it is subtracted.
    """
    *others, last = at_least_float32(*(p.flatten(1) if p.is_floating_point() else p.flatten(1).float() for p in points))
    middle = last.mean(dim=0)
    return [(p.to(last.device) - middle).float() for p in (*others, last)]


def as_float32(points: Tensor) -> Tensor:
    """Points (N, ...) as float32: as they are where nothing is lost by it, else around their mean."""
    single = points.float()
    return single if (single == points).all() else (points - points.mean(dim=0)).float()


def check_pixels(x: Tensor, what: str = "images") -> None:
    """Raise one clear error unless x is a tensor of floats in [0, 1], but for rounding."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{what} must be a torch tensor, not {type(x).__name__}: for an array, torch.from_numpy(x).")
    if not x.is_floating_point():
        raise TypeError(f"{what} are {x.dtype} but must be floats in [0, 1]: divide by 255 (x.float() / 255).")
    if torch.compiler.is_compiling() or not x.numel():
        return
    low, high = (bound.item() for bound in x.detach().aminmax())
    if low >= -1e-3 and high <= 1 + 1e-3:
        return
    if not (abs(low) < torch.inf and abs(high) < torch.inf):  # NaN too
        raise NotFinite(what)
    mend = "clip them with x.clamp(0, 1), or do not standardise them"
    if -1.001 <= low < -0.5 and high <= 1.001:
        mend = "map them back with (x + 1) / 2"
    elif low >= 0 and high > 2:
        mend = "divide those of 8 bits by 255"
    raise ValueError(f"{what} reach from {low:.3g} to {high:.3g} but must lie in [0, 1]: {mend}.")


def check_images(x: Tensor, image_shape: tuple[int, ...], dtype: torch.dtype | None = None) -> None:
    """Raise one clear error unless x is a batch of float images of the given (C, H, W), and dtype if one is given."""
    if isinstance(x, Tensor) and tuple(x.shape[1:]) != tuple(image_shape):
        batch = f"(B, {', '.join(map(str, image_shape))})"
        hint = " Add the batch dimension with x[None]." if tuple(x.shape) == tuple(image_shape) else ""
        raise ValueError(f"images have shape {tuple(x.shape)} but this model takes {batch}.{hint}")
    check_pixels(x)
    _check_dtype("images", "x", x, dtype)


def check_latents(z: Tensor, latent_shape: tuple[int, ...], dtype: torch.dtype | None = None) -> None:
    """Raise one clear error unless z is a batch of float codes (B, *latent_shape), and of dtype if one is given."""
    if not isinstance(z, Tensor):
        raise TypeError(f"latent codes must be a torch tensor, not {type(z).__name__}.")
    if tuple(z.shape[1:]) != tuple(latent_shape) or z.ndim != len(latent_shape) + 1:
        batch = f"(B, {', '.join(map(str, latent_shape))})"
        hint = " Add the batch dimension with z[None]." if tuple(z.shape) == tuple(latent_shape) else ""
        raise ValueError(f"latent codes have shape {tuple(z.shape)} but this model takes {batch}.{hint}")
    if not z.is_floating_point():
        raise TypeError(f"latent codes are {z.dtype} but must be floating point: call z.float().")
    _check_dtype("latent codes", "z", z, dtype)


def _check_dtype(what: str, name: str, tensor: Tensor, dtype: torch.dtype | None) -> None:
    if dtype not in (None, tensor.dtype) and not torch.is_autocast_enabled(tensor.device.type):
        raise TypeError(f"{what} are {tensor.dtype} but this model computes in {dtype}: call {name}.to({dtype}).")


def images_of(images) -> Tensor:
    """The images of an ImageSet, or a tensor of bytes or of floats in [0, 1]; as bytes or floats, as they came."""
    images = getattr(images, "images", images)
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be an ImageSet or a torch tensor, not {type(images).__name__}.")
    if images.dtype != torch.uint8:
        check_pixels(images)
    return images


def as_floats(images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images of `images_of` as floats in [0, 1]."""
    return (images.float() / 255 if images.dtype == torch.uint8 else images).to(dtype)


def labels_of(labels, count: int, *, classes: int | None = None, name: str = "labels", hint: str = "") -> Tensor:
    """Labels as int64 (N,): whole numbers from 0, as many as there are examples; booleans are 0 and 1.

    Args:
        labels: A tensor, an array or a list.
        count: N.
        classes: How many classes there are; None leaves it open.
        name: Of the labels, for the message.
        hint: What the message about their range ends with.

    Raises:
        TypeError: They are no whole numbers.
        ValueError: Not one for each example, or none of the classes.
    """
    y = as_tensor(labels, name)
    if y.is_floating_point() or y.is_complex():
        raise TypeError(f"{name} are {y.dtype} but must be whole numbers: call .long() if they are classes.")
    if y.shape != (count,):
        raise ValueError(f"{name} have shape {tuple(y.shape)} for {count} examples: give one label each, (N,).")
    y = y.long()
    if not torch.compiler.is_compiling() and count:
        low, high = (bound.item() for bound in y.aminmax())
        if low < 0 or (classes is not None and high >= classes):
            last = "" if classes is None else f" to {classes - 1}"
            raise ValueError(f"{name} reach from {low} to {high} but classes are counted from 0{last}{hint}.")
    return y
