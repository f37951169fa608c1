"""What every latent space of the course can do, and tools that work on any of them."""

from collections.abc import Sequence
from itertools import chain
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


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


def check_images(x: Tensor, image_shape: tuple[int, ...], dtype: torch.dtype | None = None) -> None:
    """Raise one clear error unless x is a batch of float images of the given (C, H, W), and dtype if one is given."""
    if not isinstance(x, Tensor):
        raise TypeError(f"images must be a torch tensor, not {type(x).__name__}.")
    if tuple(x.shape[1:]) != tuple(image_shape):
        batch = f"(B, {', '.join(map(str, image_shape))})"
        hint = " Add the batch dimension with x[None]." if tuple(x.shape) == tuple(image_shape) else ""
        raise ValueError(f"images have shape {tuple(x.shape)} but this model takes {batch}.{hint}")
    if not x.is_floating_point():
        raise TypeError(f"images are {x.dtype} but models take floats in [0, 1]: divide by 255 (x.float() / 255).")
    _check_dtype("images", "x", x, dtype)
    if x.numel():
        low, high = (bound.item() for bound in x.detach().aminmax())
        if low < -1e-3 or high > 1 + 1e-3:
            raise ValueError(
                f"pixels reach from {low:.3g} to {high:.3g} but models take [0, 1]: "
                "divide 8-bit images by 255 and do not standardise them."
            )


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


def model_device(model: LatentModel) -> torch.device:
    """Device on which a model computes: that of its first parameter, buffer or tensor attribute, else the CPU."""
    if isinstance(model, torch.nn.Module):
        tensors = chain(model.parameters(), model.buffers())
    else:
        tensors = (value for value in vars(model).values() if isinstance(value, Tensor))
    first = next(tensors, None)
    return torch.device("cpu") if first is None else first.device


@torch.no_grad()  # not inference_mode, whose tensors no later training could use
def encode_dataset(model: LatentModel, images, batch_size: int = 512) -> Tensor:
    """Codes of a whole data set, computed in bounded memory.

    Args:
        model: Any LatentModel; its training mode is left as it is.
        images: An ImageSet, or a tensor (N, C, H, W): uint8, or float in [0, 1].
        batch_size: Images encoded at a time.

    Returns:
        Codes (N, *latent_shape), float32 on the CPU.

    Raises:
        ValueError: There are no images, or batch_size is below 1.
        TypeError: images are neither.
    """
    images = getattr(images, "images", images)
    if not isinstance(images, Tensor):
        raise TypeError(f"images must be an ImageSet or a torch tensor, not {type(images).__name__}.")
    _check_batch_size(batch_size)
    if len(images) == 0:
        raise ValueError("there are no images to encode: the data set is empty.")
    device, codes = model_device(model), []
    for batch in images.split(batch_size):
        x = batch.to(device)
        codes.append(model.encode(x.float() / 255 if x.dtype == torch.uint8 else x).float().cpu())
    return torch.cat(codes)


@torch.no_grad()
def decode_dataset(model: LatentModel, z: Tensor, batch_size: int = 512) -> Tensor:
    """Images of many codes, computed in bounded memory.

    Args:
        model: Any LatentModel.
        z: Codes (N, *latent_shape), on any device.
        batch_size: Codes decoded at a time.

    Returns:
        Images (N, C, H, W) in [0, 1], on the CPU.

    Raises:
        ValueError: There are no codes, or batch_size is below 1.
    """
    _check_batch_size(batch_size)
    if len(z) == 0:
        raise ValueError("there are no codes to decode: z is empty.")
    device = model_device(model)
    return torch.cat([model.decode(batch.to(device)).cpu() for batch in z.split(batch_size)])


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}: it must be at least 1.")


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
        ValueError: Shapes that do not match, k out of range, or an unknown metric.

    Example:
        >>> nearest_neighbors(torch.tensor([[0.9]]), torch.tensor([[0.0], [1.0], [5.0]]), k=2)[0]
        tensor([[1, 0]])
    """
    if query.shape[1:] != codes.shape[1:]:
        raise ValueError(
            f"query has shape {tuple(query.shape)} and codes {tuple(codes.shape)}: only the first may differ."
        )
    if not 1 <= k <= len(codes):
        raise ValueError(f"k is {k}, but there are {len(codes)} codes to choose from: k must be 1 to {len(codes)}.")
    if metric not in ("euclidean", "cosine"):
        raise ValueError(f"metric is {metric!r}: use 'euclidean' or 'cosine'.")
    query, codes = query.flatten(1).float(), codes.flatten(1).float()
    if metric == "cosine":
        query, codes = (torch.nn.functional.normalize(v, dim=1) for v in (query, codes))
    else:
        center = codes.mean(dim=0)  # distances do not depend on it, but their rounding errors do
        query, codes = query - center, codes - center
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
        labels: Whether each code's image has the attribute, bool (N,).

    Returns:
        The direction, the shape of one code.

    Raises:
        TypeError: labels are not bool.
        ValueError: Not one label a code, or all labels alike.

    Source: Larsen et al. 2016, sec. 4.2; White 2016. Taught in lesson 09.

    Example:
        >>> z = torch.tensor([[0.0, 1.0], [2.0, 1.0], [7.0, 5.0]])
        >>> attribute_direction(z, torch.tensor([False, False, True]))
        tensor([6., 4.])
    """
    if labels.dtype != torch.bool:
        raise TypeError(f"labels are {labels.dtype} but must be bool: compare, for example labels == 1 or smile > 0.5.")
    if labels.shape != (len(z),):
        raise ValueError(f"labels have shape {tuple(labels.shape)} for {len(z)} codes: give one label a code, (N,).")
    if labels.all() or not labels.any():
        raise ValueError(f"all labels are {bool(labels.any())}: a difference of means needs codes of both kinds.")
    labels = labels.to(z.device)
    return z[labels].mean(dim=0) - z[~labels].mean(dim=0)


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
    for name, one in (("z", z), ("direction", direction)):
        if tuple(one.shape) != tuple(model.latent_shape):
            raise ValueError(f"{name} has shape {tuple(one.shape)}, but a code of this model has {model.latent_shape}.")
    values = torch.as_tensor(values, dtype=z.dtype, device=z.device)
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
    if direction.ndim != 1 or others.ndim not in (1, 2) or others.shape[-1:] != direction.shape:
        shapes = f"direction has shape {tuple(direction.shape)} and others {tuple(others.shape)}"
        raise ValueError(f"{shapes}: give (D,) and (K, D).")
    d, rows = direction.detach().cpu().double(), torch.atleast_2d(others.detach()).cpu().double()
    _, size, basis = torch.linalg.svd(torch.nn.functional.normalize(rows, dim=1), full_matrices=False)
    basis = basis[size > 1e-6]  # orthonormal rows
    rest = d - basis.T @ (basis @ d)
    if rest.norm() <= 1e-6 * d.norm():
        raise ValueError("the direction lies within what the others span: nothing of it is left. Give fewer others.")
    return rest.to(direction)
