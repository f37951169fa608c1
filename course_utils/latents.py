"""What every latent space of the course can do, and tools that work on any of them."""

import contextlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from course_utils.inputs import (
    as_floats,
    as_tensor,
    at_least_float32,
    at_least_one,
    centred,
    images_of,
    numbers,
)


@runtime_checkable
class LatentModel(Protocol):
    """The four things that PCA, autoencoders, VAEs, GANs and diffusion models have in common.

    Attributes:
        latent_shape: Shape of one code, for example (2,) or (4, 7, 7).
    """

    latent_shape: tuple[int, ...]

    def encode(self, x: Tensor) -> Tensor:
        """Images (B, C, H, W) in [0, 1] to codes (B, *latent_shape)."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """Codes (B, *latent_shape) to images (B, C, H, W) in [0, 1]."""
        ...

    def sample_latent(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw n codes, (n, *latent_shape), from the distribution that new images are decoded from."""
        ...


def _tensors(model: LatentModel) -> Iterator[Tensor]:
    if isinstance(model, torch.nn.Module):
        return chain(model.parameters(), model.buffers())
    return (value for value in vars(model).values() if isinstance(value, Tensor))


def model_device(model: LatentModel) -> torch.device:
    """Device on which a model computes: that of its first parameter, buffer or tensor attribute, else the CPU."""
    first = next(_tensors(model), None)
    return torch.device("cpu") if first is None else first.device


def model_dtype(model: LatentModel) -> torch.dtype:
    """Number format in which a model computes: that of its first floating-point tensor, else float32."""
    return next((tensor.dtype for tensor in _tensors(model) if tensor.is_floating_point()), torch.float32)


def draw_normal(model: LatentModel, n: int, generator: torch.Generator | None = None) -> Tensor:
    """Draws of N(0, I) as codes of a model, (n, *latent_shape), on its device and in its number format.

    They are drawn in float32, so that a seed gives the same codes in all formats.

    Raises:
        ValueError: n is negative.
    """
    if n < 0:
        raise ValueError(f"n is {n}: a number of codes cannot be negative.")
    drawn = torch.empty(n, *model.latent_shape, dtype=torch.float32, device=model_device(model))
    return drawn.normal_(generator=generator).to(model_dtype(model))


@contextlib.contextmanager
def kept_modes(*models: torch.nn.Module) -> Iterator[None]:
    """Context in which models may be put into training or evaluation mode: afterwards each layer is as it was.

    So is whether PyTorch computes gradients: Ctrl-C at the very end of a ``torch.no_grad()`` would leave them off.

    Args:
        models: Whose layers are looked at.

    Example:
        >>> layer = torch.nn.Dropout()
        >>> with kept_modes(layer):
        ...     _ = layer.eval()
        >>> layer.training
        True
    """
    modes = [(module, module.training) for model in models for module in model.modules()]
    gradients = torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_grad_enabled(gradients)
        for module, training in modes:
            module.training = training


@contextlib.contextmanager
def reading(model: LatentModel) -> Iterator[None]:
    """Context in which a model is read and not changed: it is in evaluation mode, and afterwards in the one it had.

    In training mode batch normalisation would move its running statistics, and dropout would add noise.

    Args:
        model: Any model; what is no `torch.nn.Module` has no mode.
    """
    models = [model] if isinstance(model, torch.nn.Module) else []
    with kept_modes(*models):
        for one in models:
            one.eval()
        yield


@torch.no_grad()  # not inference_mode, whose tensors no later training could use
def encode_dataset(model: LatentModel, images, batch_size: int = 512) -> Tensor:
    """Codes of a whole data set, computed in bounded memory.

    Args:
        model: Any LatentModel; it is read in evaluation mode and left as it was.
        images: An ImageSet, or a tensor (N, C, H, W): uint8, or float in [0, 1].
        batch_size: Images encoded at a time.

    Returns:
        Codes (N, *latent_shape), float32 on the CPU.

    Raises:
        ValueError: There are no images, or batch_size is below 1.
        TypeError: images are neither.
    """
    images = images_of(images)
    at_least_one(batch_size=batch_size)
    if len(images) == 0:
        raise ValueError("there are no images to encode: the data set is empty.")
    device, dtype = model_device(model), model_dtype(model)
    with reading(model):
        batches = (as_floats(batch.to(device), dtype) for batch in images.split(batch_size))
        return torch.cat([model.encode(x).float().cpu() for x in batches])


@torch.no_grad()
def decode_dataset(model: LatentModel, z: Tensor, batch_size: int = 512) -> Tensor:
    """Images of many codes, computed in bounded memory.

    Args:
        model: Any LatentModel; it is read in evaluation mode and left as it was.
        z: Codes (N, *latent_shape), on any device.
        batch_size: Codes decoded at a time.

    Returns:
        Images (N, C, H, W) in [0, 1], float32 on the CPU.

    Raises:
        ValueError: There are no codes, some are not finite, or batch_size is below 1.
    """
    z = numbers(z, "z")
    at_least_one(batch_size=batch_size)
    if len(z) == 0:
        raise ValueError("there are no codes to decode: z is empty.")
    device, dtype = model_device(model), model_dtype(model)
    with reading(model):
        return torch.cat([model.decode(batch.to(device, dtype)).float().cpu() for batch in z.split(batch_size)])


def nearest_neighbors(
    query: Tensor, codes: Tensor, k: int = 5, metric: str = "euclidean", batch_size: int = 256
) -> tuple[Tensor, Tensor]:
    """The k codes nearest to each query, nearest first.

    Works on images as well as on codes: everything after the first dimension is one vector.

    Args:
        query: (Q, ...).
        codes: (N, ...), each the same shape as one query.
        k: How many neighbours, 1 to N. A query that is itself among the codes is its own first neighbour.
        metric: "euclidean" (the straight-line distance) or "cosine" (1 - cosine of the angle).
        batch_size: Queries compared at a time; memory is batch_size * N numbers.

    Returns:
        Indices into codes, int64 (Q, k), and the distances, float (Q, k).

    Raises:
        ValueError: Shapes that do not match, values that are not finite, k out of range, or an unknown metric.
        TypeError: One is in bytes, the other in floats: their pixels would differ by a factor of 255.

    Example:
        >>> nearest_neighbors(torch.tensor([[0.9]]), torch.tensor([[0.0], [1.0], [5.0]]), k=2)[0]
        tensor([[1, 0]])
    """
    query, codes = as_tensor(query, "query"), as_tensor(codes, "codes")
    if query.is_floating_point() != codes.is_floating_point():
        raise TypeError(f"query is {query.dtype} and codes {codes.dtype}: give both as floats, images divided by 255.")
    query, codes = numbers(query, "query"), numbers(codes, "codes")
    at_least_one(batch_size=batch_size)
    if query.shape[1:] != codes.shape[1:]:
        raise ValueError(
            f"query has shape {tuple(query.shape)} and codes {tuple(codes.shape)}: only the first may differ."
        )
    if not 1 <= k <= len(codes):
        raise ValueError(f"k is {k}, but there are {len(codes)} codes to choose from: k must be 1 to {len(codes)}.")
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f"metric is {metric!r}: use 'euclidean' or 'cosine'.")
    if metric == "cosine":
        query, codes = (torch.nn.functional.normalize(v.flatten(1).float(), dim=1) for v in (query, codes))
    else:
        query, codes = centred(query, codes)
    indices, distances = [], []
    for batch in query.split(batch_size):
        distance = torch.cdist(batch, codes) if metric == "euclidean" else (1 - batch @ codes.T).clamp(min=0)
        nearest = distance.topk(k, dim=1, largest=False)
        indices.append(nearest.indices)
        distances.append(nearest.values)
    return torch.cat(indices), torch.cat(distances)


@torch.no_grad()
def latent_grid(
    model: LatentModel,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    steps: int = 15,
    *,
    dims: tuple[int, int] = (0, 1),
    base: Tensor | Sequence[float] | None = None,
) -> Tensor:
    """Decode a regular grid of codes: the latent space seen from above.

    Args:
        model: A LatentModel with codes of shape (D,), D >= 2.
        x_range: Smallest and largest value of the horizontal latent dimension.
        y_range: Likewise for the vertical one.
        steps: Points along each side.
        dims: Which two latent dimensions the grid spans.
        base: Code (D,) that gives the other dimensions; zeros by default.

    Returns:
        Images (steps, steps, C, H, W) on the CPU. Row 0 has the LARGEST y, as on a map.

    Raises:
        ValueError: The model's codes are no vectors, dims are not two of its dimensions, base is not one of its codes,
            or steps is below 1.
    """
    if len(model.latent_shape) != 1:
        raise ValueError(f"a grid needs codes of shape (D,), but this model's are {model.latent_shape}.")
    size = model.latent_shape[0]
    if len(dims) != 2 or len(set(dims)) != 2 or not all(0 <= d < size for d in dims):
        raise ValueError(f"dims are {tuple(dims)}: give two different dimensions between 0 and {size - 1}.")
    if steps < 1:
        raise ValueError(f"steps is {steps}: a grid needs at least 1 point along each side.")
    base = torch.zeros(size) if base is None else torch.as_tensor(base, dtype=torch.float32).cpu()
    if base.shape != (size,):
        raise ValueError(
            f"base has shape {tuple(base.shape)} but a code of this model has {size} numbers: give ({size},)."
        )
    z = base.repeat(steps, steps, 1)
    z[..., dims[0]] = torch.linspace(*x_range, steps)[None, :]
    z[..., dims[1]] = torch.linspace(*y_range, steps).flip(0)[:, None]
    images = decode_dataset(model, z.flatten(0, 1))
    return images.unflatten(0, (steps, steps))


def attribute_direction(z: Tensor, labels: Tensor) -> Tensor:
    """The step from codes without an attribute to codes with it: the difference of the two means.

    mean of z where labels - mean of z where not labels

    Its length is kept: adding it once takes the one mean to the other. What goes with the attribute in the data (with
    age, grey hair) is in the step too; see `project_out`.

    Args:
        z: Codes (N, ...).
        labels: Whether each code's image has the attribute, bool (N,): a tensor, an array or a list.

    Returns:
        The direction, the shape of one code.

    Raises:
        TypeError: labels are not bool, or z no floats.
        ValueError: Not one label a code, or all labels alike.

    Source: Larsen et al. 2016, sec. 4.2; White 2016. Taught in lesson 09.

    Example:
        >>> z = torch.tensor([[0.0, 1.0], [2.0, 1.0], [7.0, 5.0]])
        >>> attribute_direction(z, torch.tensor([False, False, True]))
        tensor([6., 4.])
    """
    z, labels = as_tensor(z, "z"), as_tensor(labels, "labels")
    if not z.is_floating_point():
        raise TypeError(f"z is {z.dtype} but codes are floating point: call z.float().")
    if labels.dtype != torch.bool:
        raise TypeError(f"labels are {labels.dtype} but must be bool: compare, for example labels == 1 or smile > 0.5.")
    if labels.shape != (len(z),):
        raise ValueError(f"labels have shape {tuple(labels.shape)} for {len(z)} codes: give one label a code, (N,).")
    if labels.all() or not labels.any():
        raise ValueError(f"all labels are {bool(labels.any())}: a difference of means needs codes of both kinds.")
    labels, (exact,) = labels.to(z.device), at_least_float32(z)
    return (exact[labels].mean(dim=0) - exact[~labels].mean(dim=0)).to(z.dtype)


@torch.no_grad()
def traverse(model: LatentModel, z: Tensor, direction: Tensor, values: Tensor | Sequence[float]) -> Tensor:
    """Decode a straight walk through latent space: the images of z + value * direction. Taught in lesson 09.

    Args:
        model: Any LatentModel.
        z: The code to start from, of shape latent_shape.
        direction: Of the same shape; for latent dimension d the row torch.eye(D)[d].
        values: How many times the direction is added, V numbers; 0 gives the image of z itself.

    Returns:
        Images (V, C, H, W) in [0, 1], on the CPU.

    Raises:
        ValueError: z or direction is not one code of the model, or there are no values.
    """
    z, direction = numbers(z, "z"), numbers(direction, "direction")
    for name, one in (("z", z), ("direction", direction)):
        if tuple(one.shape) != tuple(model.latent_shape):
            raise ValueError(f"{name} has shape {tuple(one.shape)}, but a code of this model has {model.latent_shape}.")
    values = as_tensor(values, "values").to(z)
    if values.ndim != 1 or len(values) == 0:
        raise ValueError(f"values have shape {tuple(values.shape)}: give at least one number, (V,).")
    return decode_dataset(model, z + values.view(-1, *[1] * z.ndim) * direction.to(z))


def project_out(direction: Tensor, others: Tensor) -> Tensor:
    """The part of a direction that is orthogonal to other directions: what none of them can say.

    direction - Q Q^T direction, the columns of Q an orthonormal basis of the others. Taught in lesson 09.

    Args:
        direction: (D,).
        others: One or several directions, (D,) or (K, D), of any lengths, neither orthogonal nor independent.

    Returns:
        The orthogonal part, (D,), shorter than direction unless it was orthogonal already.

    Raises:
        ValueError: Shapes that do not match, or a direction that lies within the others, of which nothing is left.

    Example:
        >>> project_out(torch.tensor([3.0, 4.0, 5.0]), torch.tensor([0.0, 2.0, 0.0]))
        tensor([3., 0., 5.])
    """
    direction, others = numbers(direction, "direction"), numbers(others, "others")
    if direction.ndim != 1 or others.ndim not in (1, 2) or others.shape[-1:] != direction.shape:
        shapes = f"direction has shape {tuple(direction.shape)} and others {tuple(others.shape)}"
        raise ValueError(f"{shapes}: give (D,) and (K, D).")
    d, rows = direction.detach().cpu().double(), torch.atleast_2d(others.detach()).cpu().double()
    _, size, basis = torch.linalg.svd(torch.nn.functional.normalize(rows, dim=1), full_matrices=False)
    basis = basis[size > 1e-6]  # orthonormal rows
    rest = d - basis.T @ (basis @ d)
    if not d.any():
        raise ValueError("the direction is zero: there is nothing to project.")
    if rest.norm() <= 1e-6 * d.norm():
        raise ValueError("the direction lies within what the others span: nothing of it is left. Give fewer others.")
    return rest.to(direction)
