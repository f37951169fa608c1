"""Pixel space as a latent model: nothing changes on the way in or out."""

import pytest
import torch

from course_utils.interpolation import lerp
from course_utils.latents import LatentModel, encode_dataset, model_device
from course_utils.models.pixels import PixelSpace

SHAPE = (2, 8, 12)


def images(n=5):
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(0))


def test_codes_are_the_images():
    space, x = PixelSpace(SHAPE), images()
    assert isinstance(space, LatentModel)
    z = space.encode(x)
    assert torch.equal(z, x)
    z[0] = 0
    assert x[0].max() > 0, "a changed code must not change the image"
    assert torch.equal(space.decode(x), x)
    assert torch.equal(encode_dataset(space, x, batch_size=2), x)
    assert model_device(space) == torch.device("cpu")


def test_a_straight_path_is_a_cross_fade_and_what_leaves_the_range_is_cut_off():
    space, x = PixelSpace(SHAPE), images()
    torch.testing.assert_close(space.decode(lerp(x[:1], x[1:2], 0.25)), 0.75 * x[:1] + 0.25 * x[1:2])
    wide = space.decode(3 * x - 1)
    assert (wide.min(), wide.max()) == (0, 1)


def test_samples_and_errors():
    space = PixelSpace(SHAPE)
    first, second = (space.sample_latent(4, torch.Generator().manual_seed(1)) for _ in range(2))
    assert first.shape == (4, *SHAPE)
    assert torch.equal(first, second)
    with pytest.raises(ValueError, match=r"images have shape .* but this model takes \(B, 2, 8, 12\)"):
        space.encode(images().transpose(2, 3))
    with pytest.raises(ValueError, match=r"latent codes have shape .* but this model takes \(B, 2, 8, 12\)"):
        space.decode(images()[0])
