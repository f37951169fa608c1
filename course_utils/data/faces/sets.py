"""Data sets of drawn faces: images, the handles that made them, and captions."""

from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.data import ImageSet
from course_utils.data.faces.drawing import render_faces
from course_utils.data.faces.handles import HANDLES, describe_face, sample_handles

GLASSES = ("no glasses", "glasses")


@dataclass(frozen=True, eq=False)
class FaceSet(ImageSet):
    """Drawn faces with all that is known about them. Labels say whether glasses are worn.

    Attributes:
        images: uint8, (N, 3, size, size).
        labels: int64, (N,): 1 with glasses, 0 without.
        class_names: ("no glasses", "glasses").
        handles: float32, (N, K): what each image was drawn from, columns in the order of `HANDLES`.
        captions: One description an image, see `describe_face`.

    Raises:
        ValueError: There is not one row of handles and one caption an image, besides `ImageSet`'s errors.
    """

    handles: Tensor
    captions: tuple[str, ...]

    def __post_init__(self):
        super().__post_init__()
        if self.handles.shape != (len(self.images), len(HANDLES)) or len(self.captions) != len(self.images):
            raise ValueError(
                f"there are {len(self.images)} images, handles of shape {tuple(self.handles.shape)} and "
                f"{len(self.captions)} captions: give handles (N, {len(HANDLES)}) and one caption an image."
            )

    def __getitem__(self, index) -> "FaceSet":
        """The subset at an index, a slice, a list or tensor of indices, or a boolean mask."""
        index = self._several(index)
        kept = torch.arange(len(self))[index].tolist()
        captions = tuple(self.captions[i] for i in kept)
        return FaceSet(self.images[index], self.labels[index], self.class_names, self.handles[index], captions)


def sample_faces(n: int, seed: int = 0, *, size: int = 32, correlated: bool = False) -> FaceSet:
    """A data set of random faces; the same numbers give the same handles everywhere, and the same images but for the
    last bit.

    Args:
        n: Number of faces.
        seed: Seed of the set's own generator, on the CPU; the global one is left alone.
        size: Side of an image in pixels.
        correlated: Tie light to smile and glasses to age, see `sample_handles`.

    Returns:
        A FaceSet of n images (n, 3, size, size).

    Raises:
        ValueError: n is below 1, or size is below 16.

    Example:
        >>> faces = sample_faces(4, seed=1)
        >>> faces.images.shape, faces.captions[0]
        (torch.Size([4, 3, 32, 32]), 'a person with short curly blond hair, smiling, turned left, glasses')
    """
    handles = sample_handles(n, generator=torch.Generator().manual_seed(seed), correlated=correlated)
    with torch.no_grad():
        images = torch.cat([_as_bytes(render_faces(part, size)) for part in handles.split(2000)])
    labels = handles[:, list(HANDLES).index("glasses")].round().long()
    return FaceSet(images, labels, GLASSES, handles, tuple(map(describe_face, handles.tolist())))


def _as_bytes(images: Tensor) -> Tensor:
    return (images * 255 + 0.5).to(torch.uint8)
