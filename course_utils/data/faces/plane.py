"""A plane through the latent space of a model of faces, for a map on which one drags a point."""

from collections.abc import Callable

import torch
from torch import Tensor

from course_utils.data.faces.drawing import render_faces
from course_utils.data.faces.handles import HANDLES, default_handles
from course_utils.latents import LatentModel, encode_dataset

HAIR_COLORS = ("black", "brown", "red", "blond", "grey")
HAIR_SHADES = ("#231a1a", "#663c22", "#b04a1c", "#e8b765", "#a6a6ad")  # to draw them in, on white
_KINDS = (0.18, 0.45, 0.68)  # where one hair colour ends and the next one begins, as in describe_face
_GREY_FROM = 0.7  # of age

# The four faces that span the plane: what sets them apart, and what all of them have.
_ACROSS = {"turn": (-1.0, 1.0), "light": (-1.0, 1.0), "background": (0.0, 0.5)}  # left, right
_UP = {"smile": (-0.6, 1.0), "hair_color": (0.1, 0.9)}  # bottom, top
_ALL = {"hair_length": 0.75, "hair_curl": 0.6, "age": 0.15, "eye_open": 0.85, "brow": 0.3, "skin": 0.25}


def plane_faces() -> Tensor:
    """Handles of the four faces through whose codes `face_plane` goes: left, right, bottom, top.

    Returns:
        float32 (4, K), columns in the order of `HANDLES`. The left and the right one differ in turn, light and
        background; the bottom and the top one in smile and hair colour; each pair is half-way in what the other
        pair differs in.
    """
    handles = default_handles(4, **_ALL)
    for rows, pair in ((slice(0, 2), _ACROSS), (slice(2, 4), _UP)):
        for name, ends in pair.items():
            k = list(HANDLES).index(name)
            handles[:, k] = sum(ends) / 2
            handles[rows, k] = torch.tensor(ends)
    return handles


def face_plane(model: LatentModel) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """A flat map of a model's latent space: one picture of a face at each point of a plane.

    z(x, y) = middle + x (z_right - z_left) / 2 + y (z_top - z_bottom) / 2

    The four codes are those of `plane_faces`, and the middle is their mean. To the right, the head turns, the light
    comes from the right and the background goes from blue to sand; upwards, the smile widens and the hair goes from
    black to blond. In all other directions of the latent space nothing moves.

    Args:
        model: A model of faces with codes (D,) and an ``image_shape``, such as the reference model faces64_vae.

    Returns:
        A pair of functions, the ``chart`` of `course_utils.widgets.LatentPad`: codes (K, D) to points (K, 2), by
        least squares, and points (K, 2) to codes (K, D).

    Taught in lesson 00.

    Example:
        >>> from course_utils.models.vae import VAE
        >>> project, unproject = face_plane(VAE(5, image_shape=(3, 16, 16)))
        >>> points = torch.tensor([[0.0, 0.0], [0.5, -1.0]])
        >>> torch.allclose(project(unproject(points)), points, atol=1e-4)
        True
    """
    left, right, bottom, top = z = encode_dataset(model, render_faces(plane_faces(), model.image_shape[-1]))
    middle, steps = z.mean(dim=0), torch.stack([right - left, top - bottom]) / 2  # (D,), (2, D)
    back = torch.linalg.pinv(steps)  # (D, 2)
    return (lambda codes: (codes - middle) @ back), (lambda points: middle + points @ steps)


def hair_kinds(handles: Tensor) -> Tensor:
    """Which colour of hair people would say each face has.

    Args:
        handles: (N, K), columns in the order of `HANDLES`.

    Returns:
        int64 (N,), indices into `HAIR_COLORS`, the words that `describe_face` uses.

    Example:
        >>> faces = default_handles(3, hair_color=torch.tensor([0.0, 0.6, 0.6]), age=torch.tensor([0.2, 0.2, 0.9]))
        >>> [HAIR_COLORS[kind] for kind in hair_kinds(faces)]
        ['black', 'red', 'grey']
    """
    named = dict(zip(HANDLES, handles.unbind(1), strict=True))
    kinds = torch.bucketize(named["hair_color"].contiguous(), torch.tensor(_KINDS, device=handles.device), right=True)
    return torch.where(named["age"] > _GREY_FROM, HAIR_COLORS.index("grey"), kinds)
